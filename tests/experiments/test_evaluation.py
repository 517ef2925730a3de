"""Scores of predicted probabilities, derived by hand and by loops."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("sklearn", reason='pip install "keras-amp[experiments]"')

from keras_amp import data
from keras_amp.experiments.evaluation import (
    confusion,
    evaluate,
    expected_calibration_error,
)
from keras_amp.experiments.robustness import perturbed_scores


def random_predictions(num_classes=4, count=500, seed=3):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, num_classes)) * 2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probabilities, rng.integers(0, num_classes, count)


def test_scores_equal_their_definitions():
    probabilities, labels = random_predictions()
    predicted = probabilities.argmax(axis=1)
    f1 = []
    for c in range(4):
        true_positives = np.sum((predicted == c) & (labels == c))
        f1.append(2 * true_positives / (np.sum(predicted == c) + np.sum(labels == c)))
    scores = evaluate(probabilities, labels)
    np.testing.assert_allclose(scores["error"], 100 * np.mean(predicted != labels))
    np.testing.assert_allclose(scores["macro_f1"], 100 * np.mean(f1))
    chosen = probabilities[np.arange(500), labels]
    np.testing.assert_allclose(scores["nll"], -np.log(chosen).mean())


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_calibration_error_is_the_weighted_gap_of_the_bins(bins):
    probabilities, labels = random_predictions()
    total = 0.0
    for b in range(bins):
        inside = [
            i for i, p in enumerate(probabilities) if b / bins < p.max() <= (b + 1) / bins
        ]
        if inside:
            right = np.mean([probabilities[i].argmax() == labels[i] for i in inside])
            sure = np.mean([probabilities[i].max() for i in inside])
            total += len(inside) / len(labels) * abs(right - sure)
    found = expected_calibration_error(probabilities, labels, bins)
    np.testing.assert_allclose(found, total, rtol=1e-12)


def test_calibrated_predictions_have_a_small_error_and_shifted_ones_a_large_one():
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 200_000)
    labels = (rng.random(200_000) > sure).astype(int)  # class 0 with probability `sure`
    probabilities = np.stack([sure, 1 - sure], axis=1)
    assert expected_calibration_error(probabilities, labels) < 0.005
    bolder = np.stack([0.5 + sure / 2, 0.5 - sure / 2], axis=1)
    gap = np.mean(0.5 + sure / 2 - sure)
    np.testing.assert_allclose(
        expected_calibration_error(bolder, labels), gap, atol=0.005
    )


def test_certain_predictions_fall_into_the_last_bin():
    probabilities = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert expected_calibration_error(probabilities, np.array([0, 1])) == 0
    assert expected_calibration_error(probabilities, np.array([1, 0])) == 1
    assert np.isfinite(evaluate(probabilities, np.array([1, 0]))["nll"])


def test_classes_that_do_not_occur_do_not_count_for_f1_but_for_the_likelihood():
    probabilities = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]], "float32")
    scores = evaluate(probabilities, np.array([0, 1]))
    assert scores["macro_f1"] == 100
    np.testing.assert_allclose(scores["nll"], -np.log([0.6, 0.7]).mean(), rtol=1e-6)


def test_rows_of_the_confusion_are_the_true_classes():
    probabilities, labels = random_predictions(3, 50)
    counts = np.zeros((3, 3), int)
    for row, label in zip(probabilities, labels, strict=True):
        counts[label, row.argmax()] += 1
    np.testing.assert_array_equal(confusion(probabilities, labels), counts)


def test_changed_texts_are_encoded_and_predicted_as_the_others():
    """A classifier that tells texts with an even number of letters from the others."""
    texts = tuple(f"the {i} th one of many words" for i in range(40))
    labels = np.arange(40) % 2

    def parity(texts):
        return np.array([sum(map(len, text.split())) % 2 for text in texts])

    def predict(inputs, batch_size, verbose):
        return np.eye(2)[inputs]

    examples = SimpleNamespace(
        test_texts=texts,
        test=(parity(texts), labels),
        encoding=SimpleNamespace(preprocess=parity),
    )
    found = perturbed_scores(SimpleNamespace(predict=predict), examples)
    changed = {
        "typos": data.typos(texts, 0.1),
        "dropped words": data.drop_words(texts, 0.1),
    }
    errors = {n: 100 * np.mean(parity(t) != labels) for n, t in changed.items()}
    assert {n: scores["error"] for n, scores in found.items()} == pytest.approx(errors)
    assert set(found["typos"]) == {"error", "macro_f1", "nll", "ece"}
