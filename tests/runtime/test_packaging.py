"""What a user installs: the wheel, the pins, the metadata."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import keras_amp

ROOT = Path(__file__).parents[2]


def test_the_wheel_holds_the_package_and_its_data(tmp_path):
    pytest.importorskip("setuptools", "77")
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "keras_amp", source / "keras_amp")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--no-index", "--wheel-dir", tmp_path, source]
    subprocess.run(command, check=True)
    wheel = next(tmp_path.glob("keras_amp-*.whl"))
    assert wheel.name == f"keras_amp-{keras_amp.__version__}-py3-none-any.whl"
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        str(path.relative_to(ROOT))
        for pattern in ("*.py", "*.tsv", "*.csv", "*.toml", "*.html", "*.css", "*.md")
        for path in (ROOT / "keras_amp").rglob(pattern)
    }
    assert len(expected) > 20
    assert expected <= names
    assert not [n for n in names if not n.startswith(("keras_amp/", "keras_amp-"))]


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
