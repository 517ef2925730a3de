"""Seeds that are trained at once, on JAX: `BACKEND=jax python -m pytest`."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "jax":
    pytest.skip("trains on JAX: BACKEND=jax", allow_module_level=True)

from comparing import settings

from keras_amp.experiments import Cell, Method
from keras_amp.experiments.seeds_at_once import groups_of
from keras_amp.experiments.training import _loss
from keras_amp.experiments.worker import run_cell, run_cells_together
from keras_amp.policies import AdversarialMixing
from keras_amp.training.jax import seeds
from keras_amp.training.jax.convolutions import as_products, convolve_by_products

SCORES = ("nll", "ece", "dev_error", "test_error", "best_test_error", "macro_f1")
COUNTS = ("method", "seed", "fold", "epoch", "epochs", "steps")
# Texts of other words for each seed.
CHANGES = {
    "train_fraction": 0.74,
    "dev_fraction": 0.14,
    "batch_size": 20,
    "epochs": 3,
    "patience": 1,
    "sequence_length": 6,
    "step_schedule": "rising",
    "test_every": 3,
}


def cells(own_data, method, numbers, **changes):
    chosen = settings(changes.pop("data", own_data), **{**CHANGES, **changes})
    policy = None if method.mix == "none" else method.policy_of(AdversarialMixing())
    return [Cell(chosen, method, policy, seed) for seed in numbers]


@pytest.fixture(scope="module")
def together(own_data):
    """At once, as on a GPU; bags of words one after the other, as on a CPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keras_amp.training.jax.seeds.one_by_one", lambda: False)
        return run_cells_together(cells(own_data, Method("word", "amp"), range(2)))


def test_they_come_to_what_each_comes_to_alone(own_data, together, monkeypatch):
    """With the same draws: the same epoch, and the same numbers up to rounding.

    Alone on four devices, which cannot share the last two of six examples to choose by.
    """
    monkeypatch.setattr("keras_amp.experiments.training.EVALUATION_BATCH", 4)
    (cell,) = cells(own_data, Method("word", "amp"), [1])
    one, other = together[1], run_cell(cell, devices=4)
    assert other["examples"] == {"train": 40, "dev": 6, "test": 16}
    assert one["status"] == other["status"] == "finished"
    found, expected = one["result"], other["result"]
    assert [found[n] for n in COUNTS] == [expected[n] for n in COUNTS]
    scores = [[result[n] for n in SCORES] for result in (found, expected)]
    np.testing.assert_allclose(*scores, rtol=1e-4, atol=1e-4)
    assert one["curves"].keys() == other["curves"].keys()
    by_step = [record["curves"].pop("by_step") for record in (one, other)]
    assert by_step[0]["step"] == by_step[1]["step"] == [3.0, 6.0][: found["epochs"] - 1]
    for name, values in [*one["curves"].items(), ("by_step", by_step[0]["test_error"])]:
        curves = {**other["curves"], "by_step": by_step[1]["test_error"]}
        np.testing.assert_allclose(values, curves[name], rtol=1e-4)
    assert one.keys() ^ other.keys() == {"seeds_at_once", "devices"}
    assert other["devices"] == 4


def test_a_record_is_as_any_other(own_data, together):
    wanted = cells(own_data, Method("word", "amp"), range(2))
    assert [record["key"] for record in together] == [cell.key for cell in wanted]
    assert [record["seeds_at_once"] for record in together] == [2, 2]
    assert {record["backend"] for record in together} == {"jax"}
    assert "jax" in together[0]["versions"]


@pytest.fixture
def bags(monkeypatch):
    """Has cells train bags of words, plain Keras models, which are compiled soon."""

    def compiled(settings, method, policy, seed, examples, steps):
        keras.utils.set_random_seed(seed)
        words = examples.encoding.arguments["vocabulary_size"]
        bag = keras.Sequential(
            [
                keras.Input(examples.test[0].shape[1:], dtype="int32"),
                keras.layers.Embedding(words, 3),
                keras.layers.GlobalAveragePooling1D(),
                keras.layers.Dense(2, activation="softmax"),
            ]
        )
        accuracy = keras.metrics.SparseCategoricalAccuracy("accuracy")
        bag.compile("adam", _loss("cross-entropy", 0, True), weighted_metrics=[accuracy])
        bag.optimizer.build(bag.trainable_variables)
        return bag, bag, []

    for module in ("seeds_at_once", "training"):
        monkeypatch.setattr(f"keras_amp.experiments.{module}.compiled", compiled)


@pytest.fixture
def traced(monkeypatch):
    """What programs are compiled, one entry each."""
    found, train = [], seeds.TrainedTogether._train

    def noted(self, *arguments):
        found.append(self)
        return train(self, *arguments)

    monkeypatch.setattr(seeds.TrainedTogether, "_train", noted)
    return found


def test_in_parts_and_with_texts_without_labels(own_data, bags, traced, monkeypatch):
    """One program for all, of batches of two sizes and without a development set."""
    monkeypatch.setattr("keras_amp.experiments.seeds_at_once.EVALUATION_BATCH", 10)
    changes = {"dev_fraction": 0, "patience": None, "batch_size": 8, "steps": 4}
    changes |= {"train_fraction": 0.2, "unlabeled": True, "test_every": None}
    chosen = cells(own_data, Method("word", "vat"), range(3), **changes)
    parts = [run_cells_together(part, most=2) for part in groups_of(chosen, 2)]
    records = [record for part in parts for record in part]
    assert [record["seeds_at_once"] for record in records] == [2, 2, 1]
    assert len(set(traced)) == 1
    assert len(traced) == 1
    found, expected = records[2], run_cell(chosen[2])
    assert found["examples"] == expected["examples"]
    assert found["examples"]["unlabeled"] > found["examples"]["train"]
    assert found["result"]["dev_error"] is None
    for name in ("nll", "test_error"):
        one, other = (record["result"][name] for record in (found, expected))
        np.testing.assert_allclose(one, other, rtol=1e-4)
    np.testing.assert_allclose(
        found["curves"]["loss"], expected["curves"]["loss"], rtol=1e-4
    )


def test_as_many_as_fit_into_half_of_the_memory(monkeypatch):
    """By what the compiler says, which is no less than the arrays that there are."""
    monkeypatch.setattr(seeds, "one_by_one", lambda: False)
    model = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(30), keras.layers.Dense(2)]
    )
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    x, y = np.ones((4, 6), "float32"), np.ones((4, 2), "float32")
    together = seeds.TrainedTogether(model, (x, y))
    an_epoch = (x[None], y[None]), [np.arange(4, dtype="int32")[None]]
    needed = together.bytes_of(3, *an_epoch)
    # Weights, Adam's two moments, gradients and the best epoch's weights.
    assert needed > 3 * (5 * 4 * model.count_params() + x.nbytes + y.nbytes)
    monkeypatch.setattr(seeds, "_free_memory", lambda: 2.1 * needed)
    assert together.most_seeds(9, *an_epoch) == 3
    monkeypatch.setattr(seeds, "_free_memory", lambda: 1.0)
    assert together.most_seeds(9, *an_epoch) == 1


def test_an_error_is_that_of_all_whom_it_keeps_from_ending(own_data):
    records = run_cells_together(cells(own_data, Method("none"), [0, 1], data="no"))
    assert [record["status"] for record in records] == ["failed"] * 2
    assert records[0]["error"]["type"] == "ValueError"


def test_a_convolution_is_a_sum_of_products():
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(2, 6, 3)), rng.normal(size=(4, 3, 5))
    expected = [
        [np.einsum("wc,wcf->f", text[i : i + 4], kernel) for i in range(3)] for text in x
    ]
    found = convolve_by_products(*(a.astype("float32") for a in (x, kernel)))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    layer = keras.layers.Conv1D(5, 4, activation="relu", bias_initializer="ones")
    model = keras.Sequential([keras.Input((6, 3)), layer])
    before = np.asarray(layer(x))
    as_products(model)
    np.testing.assert_allclose(layer(x), before, rtol=1e-5, atol=1e-5)
