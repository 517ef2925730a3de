"""A search on the user's own Keras model: one in earnest, and what it is told."""

import io
import sys

import keras
import numpy as np
import pytest

pytest.importorskip("optuna", reason='pip install "keras-amp[search]"')

from rich.console import Console

import keras_amp
from keras_amp.analysis.intervals import crossed_interval
from keras_amp.experiments import read_records
from keras_amp.experiments.predictions import unpacked
from keras_amp.experiments.search import own_model
from keras_amp.experiments.search.arrays import divided
from keras_amp.experiments.search.own_model import OwnModel, places_of
from keras_amp.experiments.search.own_training import probabilities_of

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def build_classifier(units, dropout=0.1):
    """Of numbers, and logits; it runs eagerly, which spares the tracing."""
    model = keras.Sequential(
        [
            keras.Input((3,), name="numbers"),
            keras.layers.Dense(units, "tanh", name="hidden"),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(2),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1), LOSS, run_eagerly=True)
    return model


def numbers(size, seed=0):
    x = np.random.default_rng(seed).normal(size=(size, 3)).astype("float32")
    return x, (x[:, 0] > 0).astype("int32")


def said(console):
    return console.file.getvalue()


@pytest.mark.filterwarnings("ignore::UserWarning:keras")
def test_a_search_in_earnest(tmp_path, monkeypatch):
    """Two methods, a trial each; the confirmed errors are those of the lines to paste."""
    monkeypatch.setattr(own_model, "RUNGS_OF_FEW", ((1,), (1,)))
    console = Console(file=io.StringIO(), width=200)
    data = {"train": numbers(24), "dev": numbers(16, 1), "test": numbers(40, 2)}
    given = {
        "trials": 2, "seeds": 2, "policy": "mixup", "mix_at": "hidden", "epochs": 1,
        "batch_size": 12, "space": {"units": [4, 8], "learning_rate": (0.01, 0.5, "log")},
        "out": tmp_path / "out", "report": False, "console": console,
    }  # fmt: skip
    found = keras_amp.search(build_classifier, data, **given)
    records = read_records([tmp_path / "out"]).values()
    assert len(records) == 2 * (1 + 2)
    assert [row.method.name for row in found.rows] == ["none", "Mixup at hidden"]
    assert {record["status"] for record in records} == {"finished"}
    assert "trains" not in said(console)
    assert all(r["result"]["steps"] == 2 for r in records)
    searched = [r for r in records if "trial" in r]
    assert {r["config"]["fold"] for r in searched} == {0}
    # What is kept of no mixing is what the user's model does by itself.
    kept = next(r for r in records if "trial" not in r and r["config"]["mix"] == "none")
    keras.utils.set_random_seed(kept["config"]["seed"])
    model = build_classifier(kept["config"]["values"]["units"])
    model.optimizer.learning_rate = kept["config"]["values"]["learning_rate"]
    order = keras_amp.data.batches(*data["train"], 12, seed=kept["config"]["seed"])
    for batch in order:
        model.train_on_batch(*(array.numpy() for array in batch))
    logits = np.asarray(model.predict_on_batch(data["test"][0]), "float64")
    losses = np.logaddexp(*logits.T) - logits[np.arange(40), data["test"][1]]
    np.testing.assert_allclose(kept["result"]["nll"], losses.mean(), rtol=1e-4)
    wrong = {}  # seeds, examples: over both there is more to be unsure of
    for record in records:
        if "trial" not in record:
            labels, predicted = unpacked(record["predictions"])
            wrong.setdefault(record["result"]["method"], {})[record["config"]["seed"]] = (
                100.0 * (predicted.argmax(axis=1) != labels)
            )
    none, mixup = ([by_seed[s] for s in sorted(by_seed)] for by_seed in wrong.values())
    sign = 1 if list(wrong) == ["none", "Mixup at hidden"] else -1
    expected = crossed_interval(sign * (np.array(mixup) - np.array(none)))
    assert found.rows[1].wide == pytest.approx(expected)
    names = {"build_classifier": build_classifier}
    exec(compile(found.program, "recommended.py", "exec"), names)
    assert names["model"].loss is LOSS
    rate = found.values["learning_rate"]
    assert float(names["model"].optimizer.learning_rate) == pytest.approx(rate)
    again = keras_amp.search(build_classifier, data, **given)  # all is there
    assert again.recommendation == found.recommendation


def test_places_methods_and_settings_where_nothing_is_said():
    problem = OwnModel(build_classifier, numbers(40), space={"units": (2, 9)})
    assert places_of(build_classifier(4)) == ["numbers", "hidden"]
    names = [method.name for method in problem.methods]
    assert names[:3] == ["none", "Mixup at numbers", "Mixup at hidden"]
    assert "RDrop at numbers" in names
    assert not [name for name in names if "CutMix" in name or "Program" in name]
    assert problem.defaults(problem.methods[0]) == {"units": 6}
    words = keras.Sequential(
        [
            keras.Input((7,)),
            keras.layers.Embedding(9, 2, name="words"),
            keras.layers.GlobalMaxPooling1D(name="pooled"),
            keras.layers.Dense(2),
        ]
    )
    problem = OwnModel(lambda: words, numbers(40), loss="mse", policy="cutmix")
    assert [m.name for m in problem.methods] == ["none", "CutMix at words"]
    assert list(problem.training) == ["learning_rate"]  # it takes no dropout


def test_examples_are_divided_by_class_and_the_test_split_is_left():
    x, y = numbers(100)
    x = {"numbers": x, "place": np.arange(100)}
    splits = divided((x, np.eye(2)[y]))
    assert splits.sizes == {"train": 80, "test": 20}
    folds = [splits.of_trial(fold) for fold in range(5)]
    developed = np.concatenate([dev.x["place"] for _, dev in folds])
    whole = np.concatenate([developed, splits.test.x["place"]])
    assert sorted(whole) == list(range(100))
    train, dev = splits.of_confirmation(3)
    assert not {*train.x["place"], *dev.x["place"]} & {*splits.test.x["place"]}
    np.testing.assert_array_equal(train.classes, y[train.x["place"]])
    assert splits.fingerprint() == divided((x, np.eye(2)[y])).fingerprint()
    assert splits.fingerprint() != divided((x, np.eye(2)[1 - y])).fingerprint()
    texts = np.array(["a text", "another"] * 50)
    assert len(divided((texts, y)).fingerprint()) == 16


def test_probabilities_of_all_kinds_of_outputs():
    logits = np.array([[0.3, -1.2], [2.0, 0.5]])
    powers = np.exp(logits)
    np.testing.assert_allclose(
        probabilities_of(logits, from_logits=True), powers / powers.sum(1, keepdims=True)
    )
    one = probabilities_of(np.array([[0.7]]), from_logits=True)
    np.testing.assert_allclose(one[0, 1], 1 / (1 + np.exp(-0.7)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"data": np.zeros(3)}, r"to be \(x, y\)"),
        ({"data": {"train": numbers(9), "tset": numbers(9)}}, "dict of train, tset"),
        ({"data": (np.zeros((4, 3)), np.arange(5))}, "as many labels as examples"),
        ({"data": (np.zeros((4, 3)), np.array([0.5, 1, 2, 3]))}, "that are classes"),
        ({"space": {"layers": [1, 2]}}, "layers, which it does not take"),
        ({"space": {"units": (9, 2)}}, r"ranges, \(low, high\)"),
        ({"policy": "mixpu"}, "Expected `policy` among mixup"),
        ({"mix_at": "hidden", "policy": "cutmix"}, "cutmix takes positions"),
        ({"build": lambda: "model"}, "return a keras.Model"),
    ],
)
def test_mistakes_are_said(given, message):
    arguments = {"build": build_classifier, "data": numbers(20)} | given
    arguments.setdefault("space", {"units": [4]} if "build" not in given else {})
    with pytest.raises(ValueError, match=message):
        OwnModel(arguments.pop("build"), arguments.pop("data"), **arguments)


def test_a_loss_is_needed():
    def plain():
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])

    with pytest.raises(ValueError, match="compile the model, or `loss`"):
        OwnModel(plain, numbers(20))


def test_the_extra_is_named_where_optuna_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"keras-amp\[search\]"):
        keras_amp.search(build_classifier, numbers(20), trials=2)
