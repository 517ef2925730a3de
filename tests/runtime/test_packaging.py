"""What a user installs: the wheel, the pins, the metadata."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import keras_amp

ROOT = Path(__file__).parents[2]


# What a user does with the wheel: the command, and a model of their own.
EXAMPLE = """
import importlib.util, pathlib, sys
import keras, numpy as np
import keras_amp
from keras_amp import cli

print(keras_amp.__file__)
assert not any(map(importlib.util.find_spec, ("tools", "tests", "recipes")))
inputs = keras.Input((3,))
hidden = keras.layers.Dense(4, name="hidden")(inputs)
model = keras_amp.MixupAMPModel(
    keras.Model(inputs, keras.layers.Dense(2, "softmax")(hidden)), mix_at="hidden"
)
model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
history = model.fit(np.ones((4, 3)), np.array([0, 1, 0, 1]), verbose=0)
print(*history.history)
cli.main(sys.argv[1:])
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
        ".*", "__pycache__", "build", "*.egg-info", "results"
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


def test_the_wheel_works_away_from_the_source_tree(wheel, tmp_path):
    """In another environment, which has what is installed here, except this package."""
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    pip("--python", python, "install", wheel)
    installed = environment / "lib" / Path(os.__file__).parent.name / "site-packages"
    # Paths in such a file are searched, but the files of their kind there are not read:
    # an editable installation of this package is not seen.
    paths = [path for path in sys.path if path.endswith("site-packages")]
    (installed / "dependencies.pth").write_text("\n".join(paths))
    assert (environment / "bin" / "keras-amp").is_file()

    command = "train cnn --embedding-dim 4 --filters 2 --kernel-sizes 2 --steps 1"
    arguments = [*command.split(), "--mix", "none", "--out", "out"]
    hidden = ("PYTHONPATH", "KERAS_AMP_DATA")
    ended = subprocess.run(
        [python, "-c", EXAMPLE, *arguments],
        env={name: value for name, value in os.environ.items() if name not in hidden},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert ended.returncode == 0, ended.stderr
    place, metrics, *_ = ended.stdout.splitlines()
    assert Path(place) == installed / "keras_amp" / "__init__.py"
    assert "lam_delta" in metrics.split()
    assert list((tmp_path / "out").rglob("*.html"))


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
