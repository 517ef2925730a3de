"""What each test text adds to a score: the score is the mean over the texts."""

import numpy as np

from keras_amp.analysis.temperature import at_temperature
from keras_amp.experiments.evaluation import bins_of, calibration_bins

LEAST = np.finfo("float64").eps  # as scikit-learn's `log_loss` has it


def text_losses(name, labels, probabilities, temperature=None):
    """Return what each test text adds to a score of a run.

    A text's part of the calibration error is the distance between its own outcome and its
    confidence, with the sign of its bin.

    Args:
        name: ``"test_error"``, ``"nll"``, ``"ece"``, ``"scaled_nll"`` or
            ``"scaled_ece"``.
        labels: Integer array ``(num_texts,)``.
        probabilities: Float array ``(num_texts, num_classes)``.
        temperature: Float, that of the scaled scores, or None.

    Returns:
        A float64 array ``(num_texts,)``, whose mean is the score; None for another score,
        or a scaled one without a temperature.

    Example:
    >>> from keras_amp.experiments.summary.losses import text_losses
    >>> text_losses("test_error", np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))
    array([  0., 100.])
    """
    if name.startswith("scaled_"):
        if temperature is None:
            return None
        probabilities = at_temperature(probabilities, temperature)
        name = name.removeprefix("scaled_")
    right = probabilities.argmax(axis=1) == labels
    if name == "test_error":
        return 100.0 * ~right
    if name == "nll":
        chosen = probabilities[np.arange(len(labels)), labels]
        return -np.log(np.maximum(chosen, LEAST))
    if name == "ece":
        confidence, accuracy, _ = calibration_bins(probabilities, labels)
        sure = probabilities.max(axis=1)
        return 100.0 * np.sign(accuracy - confidence)[bins_of(sure)] * (right - sure)
    return None
