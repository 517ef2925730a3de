"""Predictions as a record keeps them, and what they come to: read back, and by hand."""

import json

import numpy as np
import pytest

pytest.importorskip("scipy", reason='pip install "keras-amp[experiments]"')

from scipy import special

from keras_amp.experiments.evaluation import evaluate
from keras_amp.experiments.predictions import packed, unpacked
from keras_amp.experiments.scores import readings_of, scores_of


@pytest.mark.parametrize(
    ("examples", "classes", "most"), [(500, 6, 8000), (1800, 2, 9900)]
)
def test_predictions_read_back_come_to_the_same_scores(examples, classes, most):
    rng = np.random.default_rng(classes)
    logits = rng.normal(0, 6, (examples, classes))
    labels = rng.integers(0, classes, examples)
    given = special.softmax(logits, axis=1).astype("float32")
    text = json.dumps(packed(labels, given))
    assert len(text) < most
    found_labels, found = unpacked(json.loads(text))
    np.testing.assert_array_equal(found_labels, labels)
    logs = np.log(np.maximum(given, 1e-30))
    np.testing.assert_allclose(np.log(found), logs, rtol=6e-4, atol=1e-3)
    scores, kept = evaluate(given, labels), evaluate(found, labels)
    assert kept["nll"] == pytest.approx(scores["nll"], rel=1e-4)
    assert (kept["error"], kept["macro_f1"]) == (scores["error"], scores["macro_f1"])
    assert kept["ece"] == pytest.approx(scores["ece"], abs=0.2)


def test_near_ties_keep_the_predicted_class():
    half = np.array([[0.5, 0.5], [0.4999, 0.5001], [0.5001, 0.4999], [1.0, 0.0]])
    _, found = unpacked(packed([0, 0, 0, 0], half))
    np.testing.assert_array_equal(found.argmax(axis=1), half.argmax(axis=1))
    np.testing.assert_allclose(found, half, atol=5e-4)


def test_scores_at_the_temperature_of_the_development_set():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (4000, 3))
    labels = (special.softmax(logits, axis=1).cumsum(1) < rng.random((4000, 1))).sum(1)
    sure = special.softmax(3 * logits, axis=1)  # three times too sure
    found = scores_of(sure[2000:], labels[2000:], sure[:2000], labels[:2000])
    assert found["temperature"] == pytest.approx(3, rel=0.1)
    calibrated = evaluate(special.softmax(logits[2000:], axis=1), labels[2000:])
    assert found["scaled_nll"] == pytest.approx(calibrated["nll"], rel=0.01)
    assert found["scaled_ece"] < 3 < found["ece"]
    without = scores_of(sure[2000:], labels[2000:])
    assert (without["dev_error"], without.get("temperature")) == (None, None)
    assert found["dev_error"] == evaluate(sure[:2000], labels[:2000])["error"]


@pytest.mark.parametrize(
    ("errors", "plateau"),
    [
        ([5.0], 5.0),
        ([9.0, 5.0], 5.0),
        ([9.0, 5.0, 4.0, 3.0], 3.5),
        ([9, 8, 3, 5, 1, 3], 2),
    ],
)
def test_the_plateau_is_the_last_third(errors, plateau):
    assert readings_of(errors) == {"plateau_error": plateau, "last_error": errors[-1]}
