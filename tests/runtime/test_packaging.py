"""What a user installs: the wheel, the pins, the metadata."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import keras_amp
from keras_amp.runtime import process

ROOT = Path(__file__).parents[2]


# Where the package is, and that none of the folders beside it is installed.
PLACE = """
from importlib.util import find_spec
assert not any(map(find_spec, ("tools", "tests", "recipes")))
print(find_spec("keras_amp").origin)
"""


def pip(*arguments):
    """Runs pip without a network."""
    command = [sys.executable, "-m", "pip", *map(str, arguments), "--quiet"]
    subprocess.run([*command, "--no-deps", "--no-index"], check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Builds the wheel from a copy, so that nothing is left in the source tree."""
    pytest.importorskip("setuptools", "77")
    folder = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns(
        ".*", "__pycache__", "build", "*.egg-info", "results", "site"
    )
    shutil.copytree(ROOT, folder / "source", ignore=ignored)
    pip("wheel", "--no-build-isolation", "--wheel-dir", folder, folder / "source")
    return next(folder.glob("keras_amp-*.whl"))


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    assert wheel.name == f"keras_amp-{keras_amp.__version__}-py3-none-any.whl"
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "keras_amp").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    suffixes = {Path(name).suffix for name in expected}
    assert suffixes == {".py", ".tsv", ".csv", ".toml", ".html", ".css", ".md", ".typed"}
    assert {name for name in names if "dist-info/" not in name} == expected


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """Another environment, which has what is installed here, except this package."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, symlinks=True)
    pip("--python", environment / "bin" / "python", "install", wheel)
    installed = environment / "lib" / Path(os.__file__).parent.name / "site-packages"
    # Paths in such a file are searched, but the files of their kind there are not read:
    # an editable installation of this package is not seen.
    paths = [path for path in sys.path if path.endswith("site-packages")]
    (installed / "dependencies.pth").write_text("\n".join(paths))
    return environment


def run(command, folder):
    """Runs a command as a newcomer would: no variable of ours is set."""
    ours = (*process.VARIABLES, process.WORKER, "PYTHONPATH", "KERAS_AMP_DATA", "COLUMNS")
    ended = subprocess.run(
        list(map(str, command)),
        env={name: value for name, value in os.environ.items() if name not in ours},
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines(), ended.stderr


def test_the_wheel_trains_away_from_the_source_tree(environment, tmp_path):
    """By its command, which prints what it says and nothing else."""
    (place,), _ = run([environment / "bin" / "python", "-c", PLACE], tmp_path)
    assert Path(place).is_relative_to(environment)
    command = "train cnn --embedding-dim 4 --filters 2 --kernel-sizes 2 --steps 1"
    command += " --mix word --policy mixup --seeds 1 --train-per-class 6 --batch-size 36"
    command = [*command.split(), "--no-save-curve", "--out", "my runs/first"]
    lines, errors = run([environment / "bin" / "keras-amp", *command], tmp_path)
    assert errors == ""
    assert lines[0].startswith("Dataset('questions'")
    assert lines[1].startswith("1 run of 1 step;")
    assert re.fullmatch(r"WordMixup, seed 0: dev error .* s\)", lines[2])
    assert lines[3].startswith("\N{BOX DRAWINGS HEAVY DOWN AND RIGHT}")
    # The table, the folder of the results, the report, and what took how long.
    *table, results, report, times = lines
    assert any("test error %" in line for line in table)
    assert results == "All results: my runs/first"
    page = tmp_path / re.fullmatch(r"Report: (my runs/first/report/.*\.html)", report)[1]
    assert page.read_text().lstrip().lower().startswith("<!doctype html")
    assert re.fullmatch(r"Time: \d+ s: .*imports \d+.*", times)
    kept = tmp_path / "my runs" / "first" / "WordMixup" / "seed-0"
    config = json.loads((kept / "config.json").read_text())
    assert config["command"] == f"keras-amp {shlex.join(command)}"
    metrics = (kept / "epochs.csv").read_text().splitlines()[0].split(",")
    assert {"loss", "lam", "lam_delta", "mask_rate"} <= set(metrics)


def test_requirements_are_pinned_hashed_and_name_no_address():
    text = (ROOT / "requirements.txt").read_text()
    assert "://" not in text
    requirements = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", text))
    for line in requirements.strip().splitlines():
        assert re.match(r"[a-z0-9._-]+==\S+\s", line), line
        assert "--hash=sha256:" in line


def test_every_extra_is_pinned_but_those_for_gpus_and_pytorch():
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = metadata["optional-dependencies"]
    assert {"experiments", "hub", "gpu", "all", "dev"} <= set(extras)
    wanted = metadata["dependencies"] + [
        requirement
        for name, requirements in extras.items()
        if name not in ("gpu", "all", "benchmarks")
        for requirement in requirements
        if not requirement.startswith("keras-amp[")
    ]
    text = (ROOT / "requirements.txt").read_text()
    pinned = set(re.findall(r"(?m)^([a-z0-9-]+)==", text))
    assert {re.match(r"[a-z0-9-]+", requirement)[0] for requirement in wanted} <= pinned


def test_versions_agree():
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {keras_amp.__version__}\n" in citation
