"""Fixtures of the tests of experiments; the helpers of these tests are beside it."""

import html
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from comparing import HALVES, PUBLISHED, settings, write_data
from helpers import traced_nothing
from rich.console import Console

pytest.importorskip("cyclopts", reason='pip install "keras-amp[experiments]"')

from keras_amp.experiments import compare, methods
from keras_amp.runtime import process

ROOT = Path(__file__).parents[2]
# Mixup, and an adversarial step of 0, which is mixup again: two epochs of two steps.
GRID = """
title = "Small"
seeds = 1
[settings]
data = "questions"
filters = 3
kernel_sizes = [2]
embedding_dim = 4
train_fraction = 0.1
steps = 4
batch_size = 53
jit_compile = false
mix = "word"
policy = ["mixup", "amp"]
step_size = 0.0
"""


@pytest.fixture(scope="session")
def by_command(tmp_path_factory):
    """A grid that the command ran: its folder, which nobody changes, and how it ended.

    As a newcomer runs it: no variable is set.
    """
    folder = tmp_path_factory.mktemp("grid")
    (folder / "small.toml").write_text(GRID)
    ours = (*process.VARIABLES, process.WORKER, "COLUMNS")
    command = [sys.executable, "-m", "keras_amp", "grid", "small.toml", "--out", "out"]
    ended = subprocess.run(
        [*command, "--jobs", "1", "--threads", "1"],
        env={
            **{name: value for name, value in os.environ.items() if name not in ours},
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        cwd=folder,
    )
    return folder / "out", ended


@pytest.fixture
def without_drawings(monkeypatch):
    """Have figures made, but not drawn, which takes longest; their texts are there."""
    pages = pytest.importorskip("keras_amp.experiments.pages")

    def named(figure, name, alt):
        return f'<svg role="img" aria-label="{html.escape(alt)}"></svg>'

    monkeypatch.setattr(pages.galleries, "inline_svg", named)
    monkeypatch.setattr(pages.grid_files, "as_file", lambda figure: "<svg/>")


@pytest.fixture(scope="session")
def own_data(tmp_path_factory):
    """A CSV file of 80 texts in two classes, without dev and test splits."""
    path = tmp_path_factory.mktemp("data") / "mine.csv"
    write_data(path)
    return path


@pytest.fixture(scope="session")
def compared(own_data, tmp_path_factory):
    """A comparison in earnest: its folder, its results and what was shown."""
    out = tmp_path_factory.mktemp("compared") / "out"
    console = Console(file=io.StringIO(), width=100)
    with traced_nothing():
        results = compare(
            settings(own_data, **HALVES),
            methods(["none", "word"]),
            seeds=1,
            out=out,
            console=console,
        )
    return out, results, console.file.getvalue()


@pytest.fixture(scope="session")
def as_published(own_data, tmp_path_factory):
    """The same as the authors' program has it: two epochs of four steps and one of two.

    Without a development set.
    """
    out = tmp_path_factory.mktemp("published") / "out"
    console = Console(file=io.StringIO(), width=200)
    chosen = settings(own_data, **PUBLISHED, test_every=2)
    with traced_nothing():
        results = compare(
            chosen,
            methods(["none", "word"], ["mixup", "program"]),
            seeds=1,
            out=out,
            console=console,
            program={"window": 3},
        )
    return out, results, console.file.getvalue()
