"""The release's check tries every extra, and refuses what should not be published."""

import io
import re
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tools import release_check

ROOT = Path(__file__).parents[2]
# The repository's own, and CUDA's libraries, which need a GPU.
NOT_TRIED = {"benchmarks", "dev", "docs", "gpu"}


def test_every_extra_is_tried(tmp_path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tried = set(release_check.EXAMPLES) - {""}
    assert tried == set(project["optional-dependencies"]) - NOT_TRIED
    for example in release_check.EXAMPLES.values():
        for command in example(Path("bin/python"), tmp_path):
            if "-c" in command:
                compile(command[-1], "example", "exec")


def test_the_readme_begins_with_a_program_of_its_own():
    ((_, _, program),) = release_check.readme(Path("python"), None)
    assert "keras_amp" in program.split("\n")[0]
    assert re.search(r"\.fit\(", program)


@pytest.fixture
def distributions(tmp_path, monkeypatch):
    """A function that writes both distributions of a package of one file."""
    package = tmp_path / "root" / "keras_amp"
    package.mkdir(parents=True)
    (package / "a.py").write_text("")
    monkeypatch.setattr(release_check, "ROOT", tmp_path / "root")

    def write(more=(), less=(), described=""):
        wheel = tmp_path / "keras_amp-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("keras_amp-1.0.dist-info/METADATA", described)
            for name in ("keras_amp/a.py", *more):
                archive.writestr(name, "")
        source = tmp_path / "keras_amp-1.0.tar.gz"
        needed = release_check.READ | release_check.NEEDED
        with tarfile.open(source, "w:gz") as archive:
            for name in sorted({"keras_amp/a.py", *needed} - {*less}):
                archive.addfile(tarfile.TarInfo(f"keras_amp-1.0/{name}"), io.BytesIO())
        return source, wheel

    return write


def test_what_is_complete_passes_with_its_size(distributions, capsys):
    release_check.check(*distributions(), tag="v1.0")
    assert re.search(r"none-any\.whl: \d+ kB, 1 files\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("made", "tag", "message"),
    [
        ({"more": ["tests/test_a.py"]}, None, r"too much: \['tests/test_a.py'\]"),
        ({"less": ["LICENSE"]}, None, r"missing: \['LICENSE'\]"),
        ({}, "v1.1", r"the tag v1.1. Received: 1.0"),
    ],
)
def test_what_is_not_is_refused(made, tag, message, distributions):
    with pytest.raises(SystemExit, match=message):
        release_check.check(*distributions(**made), tag=tag)


def test_the_readme_leads_to_the_repository_from_everywhere():
    text = "[a](docs/a.md#b) ![two\nlines](c.png) [web](https://example.org) [here](#d)"
    home = "https://github.com/keras-amp/keras-amp"
    assert release_check.for_other_places(text, "v1.0") == (
        f"[a]({home}/blob/v1.0/docs/a.md#b) ![two\nlines]({home}/raw/v1.0/c.png) "
        "[web](https://example.org) [here](#d)"
    )


def test_links_that_lead_nowhere_are_refused(distributions):
    source, wheel = distributions(described="[a](docs/a.md)")
    with pytest.raises(SystemExit, match=r"on PyPI. Received: \[a\]\(docs/a.md\)"):
        release_check.check(source, wheel)
