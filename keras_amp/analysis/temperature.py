"""Temperature scaling: one number that makes probabilities less sure, or surer.

Needs the extra ``keras-amp[experiments]``.

Reference:
    Guo et al., *On Calibration of Modern Neural Networks*, ICML 2017.
"""

# What is missing is said before it is imported.
# ruff: noqa: E402

import numpy as np
from numpy.typing import ArrayLike

from keras_amp.runtime.extras import require

require("experiments", "scipy")

from scipy import optimize

LEAST = 1e-30  # a probability below it is taken for it
WIDEST = 10.0  # temperatures lie between its inverse and it


def fit_temperature(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the temperature with which probabilities fit labels best.

    It has the least negative log-likelihood. Fit it on a development set, never on the
    test set.

    Args:
        probabilities: Float array ``(num_examples, num_classes)``.
        labels: Integer array ``(num_examples,)``.

    Returns:
        A float between 0.1 and 10; above 1 the classifier was too sure. It is 0.1 where
        all labels are the predicted classes.

    Raises:
        ValueError: If there is no example, or shapes do not fit.

    Example:
    >>> from keras_amp.analysis.temperature import fit_temperature
    >>> sure = np.array([[0.99, 0.01]] * 4)  # and one of them is wrong
    >>> round(fit_temperature(sure, [0, 0, 0, 1]), 2)
    4.18
    """
    logs, labels = _logarithms(probabilities), np.asarray(labels)
    if labels.shape != logs.shape[:1] or not len(labels):
        raise ValueError(
            "Expected probabilities (num_examples, num_classes) and labels "
            f"(num_examples,), at least one. Received: shapes {logs.shape} and "
            f"{labels.shape}"
        )
    right = np.arange(len(labels)), labels

    def loss(inverse: float) -> float:
        scaled = logs * inverse
        top = scaled.max(axis=1)
        total = np.log(np.exp(scaled - top[:, None]).sum(axis=1)) + top
        return float((total - scaled[right]).mean())

    # Convex in the inverse of the temperature; in its logarithm it has one minimum, too.
    found = optimize.minimize_scalar(
        lambda log: loss(np.exp(log)),
        bounds=(-np.log(WIDEST), np.log(WIDEST)),
        method="bounded",
    )
    return float(np.exp(-found.x))


def at_temperature(probabilities: ArrayLike, temperature: float) -> np.ndarray:
    """Return probabilities at another temperature: ``softmax(log(p) / temperature)``.

    The predicted classes stay as they are.

    Args:
        probabilities: Float array ``(num_examples, num_classes)``.
        temperature: Float > 0; 1 changes nothing.

    Returns:
        A float64 array of the same shape.

    Example:
    >>> from keras_amp.analysis.temperature import at_temperature
    >>> at_temperature([[0.8, 0.2]], 2.0).round(3).tolist()
    [[0.667, 0.333]]
    """
    scaled = _logarithms(probabilities) / temperature
    scaled = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return scaled / scaled.sum(axis=1, keepdims=True)


def _logarithms(probabilities: ArrayLike) -> np.ndarray:
    found = np.asarray(probabilities, "float64")
    if found.ndim != 2:
        raise ValueError(
            "Expected probabilities of shape (num_examples, num_classes). Received: "
            f"shape {found.shape}"
        )
    return np.log(np.maximum(found, LEAST))
