"""What GitHub reads: workflows that call what there is, and forms that are valid."""

import re
import tomllib
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml", reason="comes with pre-commit")

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github"
FILES = {path.name: path for path in sorted(GITHUB.rglob("*.yml"))}
WORKFLOWS = {path.name for path in (GITHUB / "workflows").iterdir()}
FORMS = {path.name for path in (GITHUB / "ISSUE_TEMPLATE").iterdir()} - {"config.yml"}
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"(?m)^([a-z-]+):.*##", MAKEFILE))
VARIABLES = set(re.findall(r"(?m)^([A-Z]+) \?=", MAKEFILE)) | {"BACKEND"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def read(name):
    """What a file says; ``on`` is YAML's True."""
    found = yaml.safe_load(FILES[name].read_text())
    return {"on" if key is True else key: value for key, value in found.items()}


def jobs(name):
    return read(name)["jobs"].values()


def test_there_is_a_workflow_for_each_purpose():
    assert {"checks.yml", "nightlies.yml", "publish.yml"} == WORKFLOWS
    assert {job["name"].partition(",")[0] for job in jobs("checks.yml")} == {
        "Lint and types", "Tests", "Documentation",
    }  # fmt: skip
    assert "schedule" in read("nightlies.yml")["on"]
    assert read("publish.yml")["on"] == {"push": {"tags": ["v*"]}}


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_commands_are_the_makefiles(name):
    commands = [s["run"] for job in jobs(name) for s in job["steps"] if "run" in s]
    assert commands
    for command in commands:
        make, target, *variables = re.sub(r"\$\{\{.*?\}\}", "X", command).split(" ", 2)
        assert make == "make"
        assert target in TARGETS
        assert {v.partition("=")[0] for v in variables} <= VARIABLES


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_workflows_may_read_and_nothing_else(name):
    assert read(name)["permissions"] == {"contents": "read"}
    for job in jobs(name):
        assert job["timeout-minutes"] <= 60
        publishes = job.get("environment") == "pypi"
        assert job.get("permissions") == ({"id-token": "write"} if publishes else None)
        for step in job["steps"]:
            # A tag or branch of the action's own, or better the hash of a commit.
            uses = step.get("uses", "actions/none@v1")
            assert re.fullmatch(r"[\w-]+/[\w-]+@([0-9a-f]{40}|v\d+|release/v\d+)", uses)


def test_tests_run_on_every_python_and_backend_that_is_promised():
    matrix = read("checks.yml")["jobs"]["tests"]["strategy"]["matrix"]
    prefix = "Programming Language :: Python :: "
    promised = [c.removeprefix(prefix) for c in PROJECT["classifiers"] if prefix in c]
    assert matrix == {"python": promised, "backend": ["tensorflow", "jax"]}
    assert PROJECT["requires-python"] == f">={promised[0]}"


@pytest.mark.parametrize("name", sorted(FORMS))
def test_forms_are_such_as_github_takes(name):
    form = read(name)
    assert {"name", "description", "body"} <= form.keys()
    names = [each["id"] for each in form["body"]]
    assert len(set(names)) == len(names)
    for each in form["body"]:
        assert each["type"] in ("textarea", "input", "checkboxes", "dropdown", "markdown")
        assert each["attributes"]["label"]


def test_the_projects_addresses_are_of_one_repository():
    home = PROJECT["urls"]["Repository"]
    for address in PROJECT["urls"].values():
        assert address.startswith(home)
    paths = (*GITHUB.rglob("*.*"), *ROOT.glob("*.md"), ROOT / "CITATION.cff")
    texts = "\n".join(path.read_text() for path in paths)
    found = set(re.findall(r"https://github\.com/[\w-]+/keras[-_]amp", texts))
    assert found == {home}
