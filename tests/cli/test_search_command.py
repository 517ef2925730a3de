"""``keras-amp search``, from its flags to the page, with cells that are no trainings."""

import re
import sys

import pytest

pytest.importorskip("optuna", reason='pip install "keras-amp[search]"')

import searching

from keras_amp import cli
from keras_amp.experiments.pages import search_page
from keras_amp.experiments.search import run as runs

SMALL = ["--policy", "mixup", "--mix", "word", "--jobs", "1", "--epochs", "1"]


@pytest.fixture(scope="module")
def own_data(tmp_path_factory):
    """A CSV file of 80 texts in two classes."""
    path = tmp_path_factory.mktemp("data") / "mine.csv"
    rows = [f"text {number},{number % 2}" for number in range(80)]
    path.write_text("\n".join(["text,label", *rows]))
    return path


@pytest.fixture
def command(monkeypatch, tmp_path, capsys):
    """Runs the command in a folder of its own; returns the status and what it says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "on_this_machine", searching.run_here())
    module = sys.modules["keras_amp.cli.search"]
    monkeypatch.setattr(module, "try_cells", lambda cells, data_dir: None)
    monkeypatch.setattr(
        search_page, "write_search", lambda found, out: out / "index.html"
    )
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main(["search", *map(str, arguments)])
        shown = capsys.readouterr()
        return ended.value.code, shown.out, shown.err

    return run


def test_a_search_ends_with_a_recommendation_and_a_page(command, own_data, tmp_path):
    status, shown, _ = command(own_data, "--trials", 8, "--seeds", 6, *SMALL)
    assert status == 0
    out = tmp_path / "runs" / "search-mine-0"
    assert "Methods: none, WordMixup; 4 trials of each" in shown
    assert "16 of 80 texts are set aside to test on" in shown
    assert re.search(r"^Recommended: |^Undecided, so: no mixing", shown, re.MULTILINE)
    assert f"Report: {out.relative_to(tmp_path) / 'report' / 'index.html'}" in shown
    program = (out / "recommended.py").read_text()
    assert program.strip() in shown
    assert "epochs=1" in program
    assert "Spent: 8 trials" in (out / "search.md").read_text()
    before = searching.cells_in(out)
    status, shown, _ = command(own_data, "--trials", 8, "--seeds", 6, *SMALL)
    assert status == 0
    assert f"with {len(before)} cells that have run before" in shown
    assert searching.cells_in(out) == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "Expected one of `budget` and `trials`"),
        (["--budget", "soon"], "such as 30m"),
        (["--trials", "1", *SMALL], "at least 2, one for each method"),
        (["--trials", "9", "--preset", "bert_tiny_en_uncased"], "--backbone bert"),
        (["--trials", "9", "--mix", "none", "--policy", "amp"], "a place and a policy"),
    ],
)
def test_mistakes_are_one_paragraph(command, own_data, flags, message):
    status, _, error = command(own_data, *flags)
    assert status == 2
    assert message in " ".join(error.split())
    assert "Traceback" not in error


def test_a_budget_that_is_too_short_says_what_would_do(command, own_data, monkeypatch):
    slow = searching.run_here(make=lambda cell: searching.record(cell, 20.0))
    monkeypatch.setattr(runs, "on_this_machine", slow)
    monkeypatch.setattr(runs.SearchRun, "elapsed", 40.0)
    status, shown, error = command(own_data, "--budget", "60s", *SMALL)
    assert status == 2
    assert "Expected a longer `budget`" in error
    assert "2 cells are kept in runs" in " ".join(shown.split())
    status, shown, _ = command(own_data, "--budget", "20m", *SMALL)
    assert status == 0
    assert "with 2 cells that have run before" in shown


def test_ctrl_c_keeps_what_there_is(command, own_data, monkeypatch):
    def make(cell):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "on_this_machine", searching.run_here(make=make))
    status, shown, _ = command(own_data, "--trials", 4, *SMALL)
    assert status == 130
    assert "Interrupted: 0 cells are kept" in shown


def test_the_extra_is_named_where_optuna_is_missing(command, own_data, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    status, _, error = command(own_data, "--trials", 9)
    assert status == 2
    assert "keras-amp[search]" in error


def test_its_help_names_its_flags(command):
    status, shown, _ = command("--help")
    assert status == 0
    for flag in ("--budget", "--trials", "--policy", "--mix", "--backbone", "--cluster"):
        assert flag in shown
