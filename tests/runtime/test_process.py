"""What is in the environment when a program of the package imports TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from keras_amp.runtime import process

ROOT = Path(__file__).parents[2]
# Python imports it first of all; it ends the program where it asks for TensorFlow.
LOOK = """
import os, sys
class Look:
    def find_spec(name, path=None, target=None):
        if name == "tensorflow":
            print(os.environ.get("TF_ENABLE_ONEDNN_OPTS"), flush=True)
            os._exit(0)
sys.meta_path.insert(0, Look)
"""
COMMAND = "from keras_amp.cli import main; main()"


@pytest.fixture
def onednn_of(tmp_path):
    """The variable as TensorFlow finds it in a program with the given arguments."""
    (tmp_path / "sitecustomize.py").write_text(LOOK)
    for name in ("keras-amp", "mine.py"):
        (tmp_path / name).write_text(COMMAND)

    def run(*arguments, **given):
        unset = {n: v for n, v in os.environ.items() if n not in process.VARIABLES}
        path = os.pathsep.join(map(str, (tmp_path, ROOT)))
        return subprocess.run(
            [sys.executable, *arguments],
            env={**unset, "PYTHONPATH": path, **given},
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
        ).stdout.strip()

    return run


@pytest.mark.parametrize(
    "program",
    [
        ["keras-amp", "train", "cnn"],
        ["-m", "keras_amp", "grid", "quick"],
        [ROOT / "recipes" / "cnn.py"],
        [ROOT / "recipes" / "grid.py", "quick"],
    ],
)
def test_programs_of_the_package_fix_the_kernels(onednn_of, program):
    assert onednn_of(*program) == "1"


def test_what_the_user_has_set_stays(onednn_of):
    assert onednn_of("keras-amp", TF_ENABLE_ONEDNN_OPTS="0") == "0"


@pytest.mark.parametrize(
    "program", [["mine.py"], ["-c", "import keras_amp"], ["-m", "mine", "keras_amp"]]
)
def test_a_program_that_uses_the_package_is_left_alone(onednn_of, program):
    assert onednn_of(*program) == "None"


def test_variables_for_other_processes_last_as_long_as_the_block(monkeypatch):
    for name in process.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TF_THEIRS", "set")
    before = dict(os.environ)
    with process.variables({"TF_OURS": "2", "TF_THEIRS": "other"}):
        added = {"TF_OURS": "2", process.WORKER: "1", **process.VARIABLES}
        assert dict(os.environ) == {**before, **added}
    assert dict(os.environ) == before
