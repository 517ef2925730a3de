"""``keras-amp curve``: its numbers against the runs' own classifiers and texts."""

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import traced_nothing
from untrained import fit_and_test

import keras_amp

pytest.importorskip(
    "keras_amp.experiments", reason='pip install "keras-amp[experiments]"'
)

from keras_amp import cli
from keras_amp.cli.curve import curve, run_curves
from keras_amp.experiments import Method, Settings, compare
from keras_amp.experiments.examples import prepare

SMALL = {"embedding_dim": 6, "filters": 3, "kernel_sizes": (2, 3)}
METHODS = [Method("none"), Method("word", "amp")]


@pytest.fixture(autouse=True, scope="module")
def traced():
    """Curves are computed eagerly here; test_curve.py has them compiled."""
    with traced_nothing():
        yield


def compared(out, cells=METHODS, seeds=2, **settings):
    """The folder of a comparison."""
    settings = Settings(
        **{"epochs": 2, "learning_rate": 0.01, "backbone_arguments": SMALL, **settings}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keras_amp.experiments.worker.fit_and_test", fit_and_test)
        compare(settings, cells, seeds=seeds, out=out)
    return out


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """A file of few texts: a curve is computed of all that are tested on."""
    rng = np.random.default_rng(2)
    rows = [f"{' '.join(rng.choice(list('abcdefgh'), 5))},{i % 2}" for i in range(40)]
    file = tmp_path_factory.mktemp("texts") / "mine.csv"
    file.write_text("\n".join(["text,label", *rows]))
    return str(file)


@pytest.fixture(scope="module")
def folder(texts, tmp_path_factory):
    return compared(tmp_path_factory.mktemp("curve") / "run", data=texts)


@pytest.fixture(scope="module")
def runs(folder):
    return sorted(folder.glob("*/seed-*"))


def columns_of(file):
    header, *rows = csv.reader(file)
    return dict(zip(header, np.array(rows, "float64").T, strict=True))


def plain_losses(run, split="test"):
    """Each text's loss by ``Run.predict``, of the split made anew from the settings."""
    config = json.loads((run / "config.json").read_text())
    dataset = keras_amp.data.load(config["data"])
    settings = Settings(data=config["data"], backbone_arguments=SMALL)
    examples = prepare(dataset, settings, config["seed"])
    inputs, labels = getattr(examples, split)
    classifier = keras_amp.load_run(run).classifier
    p = np.asarray(classifier(inputs), "float64")
    return -np.log(p[np.arange(len(labels)), labels])


def check_ends(curves, runs, split):
    """Checks that nothing is mixed at the ends: the mean losses of the runs' texts."""
    for name, losses in curves.items():
        of_method = [run for run in runs if run.parent.name == name.split(",")[0]]
        expected = np.mean([plain_losses(run, split).mean() for run in of_method])
        np.testing.assert_allclose(losses[[0, 2]], expected, rtol=1e-5)


def test_the_ends_are_the_mean_loss_of_the_split(runs):
    curves = run_curves(runs, ["word", "sentence"], "test", 3)
    assert list(curves) == [
        f"{method}, {place}"
        for method in ("WordAMP", "none")
        for place in ("words mixed", "sentences mixed")
    ]
    check_ends(curves, runs, "test")
    check_ends(run_curves(runs[:1], ["sentence"], "dev", 3), runs[:1], "dev")


def test_the_curve_is_that_of_the_run_s_own_file(runs):
    """``curve.csv`` was written by the training, from the texts that it had."""
    (losses,) = run_curves(runs[:1], ["sentence"]).values()
    with open(runs[0] / "curve.csv", newline="") as file:
        columns = columns_of(file)
    np.testing.assert_allclose(losses, columns["sentence"], rtol=1e-5)


def test_the_figure_and_its_numbers_are_written(runs, tmp_path):
    pytest.importorskip("keras_amp.analysis.figures")
    curve(*runs, place=("sentence",), lambdas=4, out=tmp_path / "curve.svg")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["curve.csv", "curve.svg"]
    figure = (tmp_path / "curve.svg").read_text()
    assert "<svg" in figure
    with open(tmp_path / "curve.csv", newline="") as file:
        columns = columns_of(file)
    assert list(columns) == ["lam", "WordAMP", "none"]
    expected = run_curves(runs, ["sentence"], lambdas=4)
    for name, losses in expected.items():
        np.testing.assert_allclose(columns[name], losses, rtol=1e-7)
    curve(runs[0], lambdas=2, out=tmp_path / "one.png")
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "one.csv").is_file()


def test_numbers_alone_are_printed_or_written(runs, tmp_path, capsys):
    curve(runs[0], place=("word",), lambdas=3)
    printed = columns_of(capsys.readouterr().out.splitlines())
    curve(runs[0], place=("word",), lambdas=3, out=tmp_path / "numbers.csv")
    with open(tmp_path / "numbers.csv", newline="") as file:
        written = columns_of(file)
    assert list(printed) == ["lam", "WordAMP"]
    for name in printed:
        np.testing.assert_array_equal(printed[name], written[name])
    assert [p.name for p in tmp_path.iterdir()] == ["numbers.csv"]


@pytest.mark.filterwarnings("error::UserWarning")
def test_the_command_line(runs, capsys):
    words = ["curve", *map(str, runs[:2]), "--place", "sentence", "--lambdas", "3"]
    with pytest.raises(SystemExit) as ended:
        cli.main([*words, "--split", "dev"])
    assert not ended.value.code
    columns = columns_of(capsys.readouterr().out.splitlines())
    (expected,) = run_curves(runs[:2], ["sentence"], "dev", 3).values()
    np.testing.assert_allclose(columns["WordAMP"], expected, rtol=1e-7)
    with pytest.raises(SystemExit) as ended:
        cli.main(["curve", "--place", "letter"])
    assert ended.value.code


def test_comparisons_are_told_apart(runs, folder, tmp_path, monkeypatch):
    for copy in (tmp_path / "other", tmp_path / folder.name):
        shutil.copytree(folder, copy)
    monkeypatch.chdir(tmp_path / "other" / "none")
    curves = run_curves([runs[0], "seed-0"], ["word"], lambdas=2)
    assert list(curves) == [f"WordAMP, {folder.name}", "none, other"]
    same = tmp_path / folder.name
    curves = run_curves([runs[0], same / "none" / "seed-0"], ["word"], lambdas=2)
    assert list(curves) == [f"WordAMP, {folder}", f"none, {same}"]


def test_each_fold_of_a_cross_validation_has_its_own_texts(texts, tmp_path):
    compared(tmp_path / "run", METHODS[:1], seeds=1, data=texts, folds=2)
    for fold in (0, 1):
        run = tmp_path / "run" / "none" / f"seed-0-fold-{fold}"
        (losses,) = run_curves([run], ["word"]).values()
        with open(run / "curve.csv", newline="") as written:
            np.testing.assert_allclose(losses, columns_of(written)["word"], rtol=1e-5)


def failed(capsys, *runs, **arguments):
    with pytest.raises(SystemExit) as ended:
        curve(*runs, **arguments)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert not said.out
    return said.err


def test_what_is_wrong_is_said_in_a_paragraph(runs, folder, tmp_path, capsys):
    assert "at least one folder of a run" in failed(capsys)
    assert "at least one place" in failed(capsys, runs[0], place=())
    assert "holds runs in folders of their own" in failed(capsys, folder)
    assert "which is no folder" in failed(capsys, tmp_path / "nothing")
    assert "an integer >= 2" in failed(capsys, runs[0], lambdas=1)
    for out, message in (
        ("curve.pdf", "ends in .svg, .png or .csv"),
        ("nowhere/curve.svg", "in an existing folder"),
    ):
        assert message in failed(capsys, runs[0], out=tmp_path / out)
    (tmp_path / "curve.csv").write_text("mine")
    assert "which exists" in failed(capsys, runs[0], out=tmp_path / "curve.svg")
    assert (tmp_path / "curve.csv").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["curve.csv"]


def changed(run, tmp_path, **changes):
    """A copy of a run with another configuration; None takes a setting out."""
    copy = shutil.copytree(run, tmp_path / "changed" / "none" / "seed-0")
    config = json.loads((copy / "config.json").read_text()) | changes
    config = {key: value for key, value in config.items() if value != "absent"}
    (copy / "config.json").write_text(json.dumps(config))
    return copy


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "gone.csv"}, "there is no such file"),
        ({"seed": "absent"}, "without the settings of a run"),
        ({"epochs": -1}, "without the settings of a run"),
        ({"mix": "nowhere"}, "without the settings of a run"),
        ({"data": "mine.csv"}, "the classes that it was trained on"),
    ],
)
def test_a_run_whose_data_is_not_there_is_said(
    runs, tmp_path, monkeypatch, capsys, changes, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text("text,label\n" + "a b,x\nc d,y\n" * 20)
    assert message in failed(capsys, changed(runs[0], tmp_path, **changes))


def test_the_curve_of_trec_is_symmetric(tmp_path):
    if not (Path(os.environ.get("KERAS_AMP_DATA", "/nowhere")) / "trec").is_dir():
        pytest.skip("KERAS_AMP_DATA names no folder with trec")
    out = tmp_path / "run"
    compared(out, METHODS[1:], seeds=1, data="trec")
    (losses,) = run_curves([out / "WordAMP" / "seed-0"], ["word"]).values()
    assert losses.shape == (21,)
    np.testing.assert_allclose(losses, losses[::-1], rtol=1e-5)
