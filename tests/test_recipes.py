"""Recipes as a user runs them: the script, its flags, its files, its errors."""

import csv
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TINY = "--embedding-dim 4 --filters 3 --kernel-sizes 2 3 --epochs 1 --seeds 1".split()


@pytest.fixture
def recipe(monkeypatch, capsys):
    """Runs recipes/cnn.py with arguments; returns exit status, output and errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["cnn.py", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        status = 0
        try:
            runpy.run_path(str(ROOT / "recipes" / "cnn.py"), run_name="__main__")
        except SystemExit as stop:
            status = stop.code or 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_the_recipe_goes_from_text_to_a_table(recipe, tmp_path):
    out = tmp_path / "out"
    status, shown, _ = recipe(*TINY, "--out", out)
    assert status == 0
    for method in ("none", "WordMixup", "WordAMP", "SentMixup", "SentAMP"):
        assert f"{method}, seed 0: dev error" in shown
        assert (out / method / "seed-0" / "result.json").exists()
    assert "test error %" in shown
    with open(out / "results.csv") as file:
        assert len(list(csv.DictReader(file))) == 5


def test_flags_reach_the_policy_and_the_methods(recipe, tmp_path):
    out = tmp_path / "out"
    flags = "--mix word --policy amp --alpha 0.4 --step-size 0.1 --no-min-op"
    status, *_ = recipe(
        *TINY, *flags.split(), "--noise", "independent", "--max-gradient", "none",
        "--out", out,
    )  # fmt: skip
    assert status == 0
    assert [p.name for p in out.iterdir() if p.is_dir()] == ["WordAMP"]
    config = (out / "WordAMP" / "seed-0" / "config.json").read_text()
    for expected in (
        '"alpha": 0.4',
        '"step_size": 0.1',
        '"min_op": false',
        '"noise": "independent"',
        '"max_gradient": null',
    ):
        assert expected in config


def test_the_users_own_file_is_trained_on(recipe, tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_text("".join(f"{'ab'[i % 2]}\tword{i % 2} text\n" for i in range(40)))
    status, shown, _ = recipe(
        *TINY, "--data", path, "--mix", "none", "--out", tmp_path / "out"
    )
    assert status == 0
    assert "classes=['a', 'b']" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "trek"], "Did you mean 'trec'"),
        (["--alpha", "-1"], "`alpha`"),
        (["--batch-size", "0"], "`batch_size`"),
        (["--epoch", "3"], "--epoch"),
        (["--noise", "loud"], "independent"),
        (["--data", "nowhere/mine.csv"], "no such file"),
    ],
)
def test_mistakes_are_said_in_a_line_and_leave_nothing(
    recipe, tmp_path, arguments, message
):
    status, shown, errors = recipe(*TINY, *arguments, "--out", tmp_path / "out")
    assert status == 2
    assert message in shown + errors
    assert "Traceback" not in errors
    assert not (tmp_path / "out").exists()


def test_help_lists_the_flags_with_the_recipes_defaults(recipe):
    status, shown, _ = recipe("--help")
    assert status == 0
    assert "Table 2" in shown
    for flag in ("--data", "--mix", "--step-size", "--dropout", "--no-min-op"):
        assert flag in shown
    assert "0.0002" in shown
