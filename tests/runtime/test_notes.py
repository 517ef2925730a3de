"""What TensorFlow logs does not stand between a command and what it prints."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from keras_amp.runtime import notes, process

ROOT = Path(__file__).parents[2]
NOTE = "E0000 00:00:1795782793.897175    5444 cuda_platform.cc:52] failed call to cuInit"
WRITE = f"""
import os
from keras_amp.runtime.notes import hidden_notes
with hidden_notes():
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called\\n")
    os.write(2, b"{NOTE}\\n")
    os.write(2, b"ours\\n")
"""


def python(code, **given):
    """Runs code in a process that imports no TensorFlow."""
    package = "import sys, types; package = types.ModuleType('keras_amp')\n"
    package += f"package.__path__ = [{str(ROOT / 'keras_amp')!r}]\n"
    package += "sys.modules['keras_amp'] = package\n"
    return subprocess.run(
        [sys.executable, "-c", package + code], capture_output=True, text=True, **given
    )


def test_notes_are_withheld_and_the_rest_is_shown():
    ended = python(WRITE + "os.write(2, b'after\\n')")
    assert (ended.returncode, ended.stderr) == (0, "ours\nafter\n")


def test_all_is_shown_where_the_import_fails():
    ended = python(WRITE + "    raise ImportError('no such library')")
    assert ended.returncode == 1
    assert NOTE in ended.stderr
    assert "ImportError: no such library" in ended.stderr


def test_all_is_shown_where_the_process_dies():
    fatal = "F0000 00:00:1795782793.9 1 feature.cc:9] no AVX on this machine"
    ended = python(WRITE + f"    os.write(2, b'{fatal}\\n'); os.abort()")
    assert ended.returncode != 0
    assert {NOTE, fatal} <= set(ended.stderr.splitlines())


def test_a_process_without_standard_error():
    ended = python(
        "import os; os.close(2)\nfrom keras_amp.runtime.notes import hidden_notes\n"
        "with hidden_notes():\n    print('ours')"
    )
    assert (ended.returncode, ended.stdout) == (0, "ours\n")


@pytest.mark.parametrize(
    ("line", "is_note"),
    [
        (NOTE, True),
        ("2024-05-01 12:00:00.123456: I tensorflow/core/util/port.cc:113] one", True),
        ("2024-05-01 12:00:00.123456: F tensorflow/core/platform/cpu.cc:8] no", False),
        ("Traceback (most recent call last):", False),
        ("UserWarning: 1 text was cut", False),
    ],
)
def test_what_is_a_note(line, is_note):
    assert bool(notes.LOGGED.match(line.encode())) == is_note


@pytest.mark.parametrize("level", [None, "3", "0", "2"])
def test_a_user_who_asks_for_notes_gets_them(level, monkeypatch):
    called = []
    monkeypatch.setattr(notes, "import_tensorflow", lambda: called.append(True))
    monkeypatch.setattr(notes, "hide_tracing_warning", lambda: None)
    monkeypatch.setattr(sys, "argv", ["keras-amp", "train"])
    for name in process.VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(name, "")  # so that it is taken away again
        monkeypatch.delenv(name)
    if level is not None:
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    process.begin()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == (level or "3")
    assert bool(called) == (level in (None, "3"))


def test_tensorflow_does_not_say_that_it_traces_again(caplog, monkeypatch):
    """Each run of a comparison has functions of its own."""

    def trace_often():
        for _ in range(6):
            tf.function(_double)(tf.constant(1.0))
        return [r for r in caplog.records if "retracing" in r.getMessage()]

    logger = logging.getLogger("tensorflow")
    # As TensorFlow leaves it: a run in this process before may have hidden the warning.
    monkeypatch.setattr(logger, "filters", [])
    monkeypatch.setattr(logger, "disabled", False)
    with caplog.at_level(logging.WARNING, "tensorflow"):
        assert trace_often()
        caplog.clear()
        notes.hide_tracing_warning()
        assert not trace_often()
        logger.warning("something else")
    assert "something else" in caplog.text


def _double(x):
    return 2 * x
