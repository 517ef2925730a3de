"""Fixtures of the tests of experiments; the helpers of these tests are beside it."""

import html
import io

import pytest
from comparing import HALVES, PUBLISHED, settings, write_data
from helpers import traced_nothing
from rich.console import Console

pytest.importorskip("cyclopts", reason='pip install "keras-amp[experiments]"')

from keras_amp.experiments import compare, methods, worker


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def in_this_process(monkeypatch):
    """Has a grid run its cells here: other processes take seconds to begin."""

    def execute(cells, jobs, threads, data_dir=None, *_):
        return (worker.run_cell(cell, data_dir) for cell in cells)

    monkeypatch.setattr("keras_amp.experiments.grid_run.on_this_machine", execute)


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
    """The same as the authors' program has it: an epoch of three steps and one of one.

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
