"""Fixtures of the tests of experiments; the helpers of these tests are beside it.

They import what they need themselves: this file may come before anything is imported.
"""

import html
import io
from importlib.util import find_spec

import pytest

if not find_spec("cyclopts"):
    pytest.skip('pip install "keras-amp[experiments]"', allow_module_level=True)


@pytest.fixture
def console():
    from rich.console import Console

    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def in_this_process(monkeypatch):
    """Has a grid run its cells here: other processes take seconds to begin."""
    from keras_amp.experiments import worker

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
    from comparing import write_data

    path = tmp_path_factory.mktemp("data") / "mine.csv"
    write_data(path)
    return path


@pytest.fixture(scope="session")
def compared(own_data, tmp_path_factory):
    """A comparison in earnest: its folder, its results and what was shown."""
    from comparing import HALVES, settings

    out = tmp_path_factory.mktemp("compared") / "out"
    chosen = settings(own_data, **HALVES)
    return run(chosen, ["none", "word"], out=out, width=100)


@pytest.fixture(scope="session")
def as_published(own_data, tmp_path_factory):
    """The same as the authors' program has it: an epoch of three steps and one of one.

    Without a development set.
    """
    from comparing import PUBLISHED, settings

    out = tmp_path_factory.mktemp("published") / "out"
    chosen = settings(own_data, **PUBLISHED, test_every=2)
    policies = ["mixup", "program"]
    return run(chosen, ["none", "word"], policies, out=out, program={"window": 3})


def run(chosen, mix, policies=(), *, out, width=200, **arguments):
    """Compare the methods; return the folder, the results and what was shown."""
    from helpers import traced_nothing
    from rich.console import Console

    from keras_amp.experiments import compare, methods

    console = Console(file=io.StringIO(), width=width)
    compared = methods(mix, policies) if policies else methods(mix)
    with traced_nothing():
        results = compare(
            chosen, compared, seeds=1, out=out, console=console, **arguments
        )
    return out, results, console.file.getvalue()
