"""Seeds that are trained at once, on JAX: `BACKEND=jax python -m pytest`."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "jax":
    pytest.skip("trains on JAX: BACKEND=jax", allow_module_level=True)

from comparing import TINY, settings

from keras_amp.experiments import Cell, Method
from keras_amp.experiments.worker import run_cell, run_cells_together
from keras_amp.policies import AdversarialMixing
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
}


def cells(own_data, method, seeds, **changes):
    chosen = settings(changes.pop("data", own_data), **{**CHANGES, **changes})
    policy = None if method.mix == "none" else method.policy_of(AdversarialMixing())
    return [Cell(chosen, method, policy, seed) for seed in seeds]


@pytest.fixture(scope="module")
def together(own_data):
    """At once, as on a GPU; without mixing one after the other, as on a CPU."""
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
    for name, values in one["curves"].items():
        np.testing.assert_allclose(values, other["curves"][name], rtol=1e-4)
    assert one.keys() ^ other.keys() == {"seeds_at_once", "devices"}
    assert other["devices"] == 4


def test_a_record_is_as_any_other(own_data, together):
    wanted = cells(own_data, Method("word", "amp"), range(2))
    assert [record["key"] for record in together] == [cell.key for cell in wanted]
    assert [record["seeds_at_once"] for record in together] == [2, 2]
    assert {record["backend"] for record in together} == {"jax"}
    assert "jax" in together[0]["versions"]


def test_without_mixing_or_a_development_set(own_data, monkeypatch):
    """With steps and batches of two sizes, and a last epoch of one step."""
    monkeypatch.setattr("keras_amp.experiments.seeds_at_once.EVALUATION_BATCH", 10)
    changes = {"dev_fraction": 0, "patience": None, "batch_size": 30, "steps": 3}
    changes["backbone_arguments"] = {**TINY, "dropout": 0.0}  # compiled sooner
    (alone,) = cells(own_data, Method("none"), [1], **changes)
    found = run_cells_together(cells(own_data, Method("none"), [0, 1], **changes))[1]
    expected = run_cell(alone)
    for name in ("nll", "test_error"):
        np.testing.assert_allclose(
            found["result"][name], expected["result"][name], rtol=1e-4
        )
    assert found["result"]["dev_error"] is None


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
