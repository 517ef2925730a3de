"""Recipes as a user runs them: the script, its flags, its files, its errors."""

import csv
import json
import os
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keras_amp import load_run
from keras_amp.experiments import RECIPES

ROOT = Path(__file__).parents[2]
TINY = "--embedding-dim 4 --filters 3 --kernel-sizes 2 3 --epochs 1 --seeds 1".split()
TINY += ["--no-report", "--no-save-curve"]  # test_cli.py has them


@pytest.fixture
def recipe(monkeypatch, capsys):
    """Runs a recipe with arguments; returns exit status, output and errors."""

    def run(*arguments, name="cnn"):
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        status = 0
        try:
            runpy.run_path(str(ROOT / "recipes" / f"{name}.py"), run_name="__main__")
        except SystemExit as stop:
            status = stop.code or 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.mark.usefixtures("untrained")
def test_the_recipe_goes_from_text_to_a_table(recipe, tmp_path):
    out = tmp_path / "out"
    status, shown, _ = recipe(*TINY, "--out", out)
    assert status == 0
    methods = "none", "WordMixup", "WordAdversarial"
    for method in methods:
        assert f"{method}, seed 0: dev error" in shown
        assert (out / method / "seed-0" / "result.json").exists()
    assert "test error %" in shown
    with open(out / "results.csv") as file:
        assert len(list(csv.DictReader(file))) == len(methods)
    assert "WordAdversarial against no mixing: undecided, " in shown
    assert "With 1 seed and 2 comparisons nothing can be shown" in shown


@pytest.mark.usefixtures("untrained")
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


@pytest.mark.usefixtures("untrained")
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


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("name", ["trec", "sst1", "sst2", "subj", "mr"])
def test_a_cell_of_the_papers_grid_is_one_command(recipe, tmp_path, name):
    if not (Path(os.environ.get("KERAS_AMP_DATA", "/nowhere")) / name).is_dir():
        pytest.skip(f"KERAS_AMP_DATA names no folder with {name}")
    flags = TINY + "--mix sentence --policy amp --train-fraction 0.04".split()
    flags += "--first-seed 7 --steps 3".split()
    flags += {"subj": "--fold 4", "mr": "--fold 9", "sst2": "--phrases"}.get(
        name, ""
    ).split()
    out = tmp_path / "out"
    status, *_ = recipe(*flags, "--data", name, "--out", out)
    assert status == 0
    (path,) = out.glob("SentAMP/seed-7*/config.json")
    config = json.loads(path.read_text())
    # From the sizes of the sets: test splits, or a tenth; 4% of each training class.
    test = {"trec": 500, "sst1": 2210, "sst2": 1821, "subj": 1000, "mr": 1066}[name]
    assert config["examples"]["test"] == test
    assert config["fold"] == {"subj": 4, "mr": 9}.get(name)
    if name == "trec":
        assert config["examples"]["train"] + config["examples"]["dev"] == 215


def test_the_lstms_recipe_trains_on_vectors_with_few_labels(recipe, tmp_path, eagerly):
    vectors = tmp_path / "mine.vec"
    vectors.write_text("who 0.5 1\nwhat -0.5 2\n? 0.1 0.2\n")
    flags = "--units 3 --steps 2 --seeds 1 --mix word --policy mixup --patience 1"
    flags += " --no-report --no-save-curve --sequence-length 5"
    status, shown, _ = recipe(
        *flags.split(), "--vectors", vectors, "--train-per-class", "4",
        "--use-cudnn", "auto", "--out", tmp_path / "out", name="bilstm",
    )  # fmt: skip
    assert status == 0
    assert "Word vectors: Vectors(2d, " in shown
    run = tmp_path / "out" / "WordMixup" / "seed-0"
    config = json.loads((run / "config.json").read_text())
    assert config["examples"]["train"] + config["examples"]["dev"] == 6 * 4
    assert config["backbone_arguments"]["use_cudnn"] == "auto"
    assert config["backbone_arguments"]["embedding_dim"] == 2
    assert config["encoding"]["coverage"] > 0.02
    probabilities = load_run(run).predict(["who is it ?", "unheard"])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert json.loads((run / "result.json").read_text())["steps"] == 2


def test_the_encoders_recipe_says_how_to_give_a_folder(recipe, monkeypatch):
    """No preset can be fetched, as on a machine without a network."""
    hub = pytest.importorskip("keras_hub", reason='pip install "keras-amp[hub]"')

    def unreachable(*args, **kwargs):
        raise OSError("Temporary failure in name resolution")

    monkeypatch.setattr(hub.tokenizers.Tokenizer, "from_preset", unreachable)
    status, _, errors = recipe(name="bert")
    assert status == 2
    assert "Where there is no network, pass a folder" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("name", ["cnn", "bilstm", "bert"])
def test_recipes_say_what_they_reproduce_and_gave(name):
    text = (ROOT / "recipes" / f"{name}.py").read_text()
    header = text.split('"""')[1]
    for expected in ("Table 2", f"python recipes/{name}.py", "minutes", "test error"):
        assert expected in header


def test_help_lists_the_flags_with_the_recipes_defaults(recipe):
    status, shown, _ = recipe("--help")
    assert status == 0
    assert "Table 2" in shown
    for flag in ("--data", "--mix", "--step-size", "--dropout", "--no-min-op", "--mixup"):
        assert flag in shown
    assert "adversarial and vat take --ascent-steps" in " ".join(shown.split())
    assert "0.0002" in shown


# === The set that comes along ===


@pytest.fixture
def chosen(monkeypatch):
    """Collects what a recipe's command compares, in place of comparing."""
    from keras_amp.cli import compare

    comparisons = []

    def stop(settings, chosen, policy, seeds, *rest, **more):
        names = [method.name for method in chosen]
        comparisons.append((settings, names, seeds))
        raise ValueError("enough")

    monkeypatch.setattr(compare, "ComparisonRun", stop)

    def run(*arguments, name="cnn"):
        from keras_amp import cli

        with pytest.raises(SystemExit):
            cli.train(name, "", list(arguments))
        return comparisons[-1]

    return run


def paper(name, data="questions"):
    return replace(RECIPES[name].settings, data=data)


def test_the_set_that_comes_along_shows_few_labels_shortly(chosen):
    for arguments in ((), ("--data", "questions")):
        settings, names, seeds = chosen(*arguments)
        assert (settings.train_fraction, settings.steps, seeds) == (0.2, 180, 7)
        assert (settings.learning_rate, settings.batch_size) == (3e-3, 12)
        assert settings.jit_compile is False
        assert names == ["none", "WordMixup", "WordAdversarial"]


@pytest.mark.parametrize("data", ["trec", "mine.csv"])
def test_other_data_is_trained_on_as_in_the_paper(chosen, data):
    settings, names, seeds = chosen("--data", data)
    assert settings == paper("cnn", data)
    assert (settings.epochs, settings.learning_rate, seeds) == (25, 2e-4, 3)
    assert names == ["none", "WordMixup", "WordAMP", "SentMixup", "SentAMP"]


def test_flags_win_over_what_the_set_that_comes_along_has(chosen):
    flags = "--epochs 25 --batch-size 50 --learning-rate 2e-4 --jit-compile auto"
    flags += " --train-fraction 1 --mix sentence --policy amp"
    settings, names, seeds = chosen(*flags.split(), "--seeds", "3")
    assert settings == replace(paper("cnn"), train_fraction=1)
    assert (names, seeds) == (["SentAMP"], 3)


def test_what_says_the_same_takes_the_place_of_the_shipped_sets_settings(chosen):
    settings, *_ = chosen("--train-per-class", "8", "--epochs", "9")
    assert (settings.train_per_class, settings.train_fraction) == (8, None)
    assert (settings.epochs, settings.steps) == (9, None)


def test_recipes_without_a_short_form_are_the_same_on_all_data(chosen):
    settings, names, seeds = chosen(name="bilstm")
    assert settings == paper("bilstm")
    assert (len(names), seeds) == (5, 3)
