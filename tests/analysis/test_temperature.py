"""Temperature scaling: against a plain search, and on labels that were drawn."""

import numpy as np
import pytest
from scipy import special

from keras_amp.analysis.temperature import at_temperature, fit_temperature


def drawn(temperature, seed=0, examples=4000):
    """Probabilities, and labels that follow them at another temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (examples, 4))
    true = special.softmax(logits / temperature, axis=1)
    labels = (true.cumsum(axis=1) < rng.random((examples, 1))).sum(axis=1)
    return special.softmax(logits, axis=1), labels


def nll(probabilities, labels):
    return -np.log(probabilities[np.arange(len(labels)), labels]).mean()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_is_found_again(temperature):
    probabilities, labels = drawn(temperature)
    found = fit_temperature(probabilities, labels)
    assert found == pytest.approx(temperature, rel=0.1)
    few = probabilities[:200], labels[:200]
    around = np.exp(np.linspace(-3, 3, 601))
    losses = [nll(at_temperature(few[0], t), few[1]) for t in around]
    assert fit_temperature(*few) == pytest.approx(around[np.argmin(losses)], rel=0.02)


def test_probabilities_at_a_temperature_are_scaled_logits():
    logits = np.random.default_rng(1).normal(0, 3, (5, 3))
    found = at_temperature(special.softmax(logits, axis=1), 2.5)
    np.testing.assert_allclose(found, special.softmax(logits / 2.5, axis=1), rtol=1e-10)


def test_certain_predictions_have_a_temperature():
    """All right: as cold as can be. All wrong: as hot."""
    certain = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert fit_temperature(0.8 * certain + 0.1, [0, 1]) == pytest.approx(0.1, rel=0.01)
    assert fit_temperature(certain, [1, 0]) == pytest.approx(10, rel=0.01)
    assert np.isfinite(at_temperature(certain, 100)).all()


def test_what_cannot_be_fitted():
    with pytest.raises(ValueError, match="at least one.*\\(2, 2\\) and \\(3,\\)"):
        fit_temperature(np.full((2, 2), 0.5), [0, 1, 1])
    with pytest.raises(ValueError, match="\\(num_examples, num_classes\\).*\\(2,\\)"):
        at_temperature([0.5, 0.5], 1.0)
