"""How good predicted probabilities are."""

import numpy as np
from sklearn import metrics

BINS = 15
EVALUATION_BATCH = 250  # examples that are predicted at a time


def evaluate(probabilities, labels):
    """Compares class probabilities with the true labels.

    Args:
        probabilities: Float array ``(num_examples, num_classes)``, rows that sum to 1.
        labels: Integer array ``(num_examples,)``.

    Returns:
        A dict of floats: ``error``, the share of wrong predictions, in percent;
        ``macro_f1``, the mean of the F1 scores of all classes that occur among labels or
        predictions, in percent; ``nll``, the mean negative log-likelihood, in nats; and
        ``ece``, the expected calibration error, in percentage points.

    Example:
    >>> from keras_amp.experiments.evaluation import evaluate
    >>> scores = evaluate(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]))
    >>> scores["error"], round(scores["macro_f1"], 2), round(scores["ece"], 2)
    (50.0, 33.33, 35.0)
    """
    probabilities = np.asarray(probabilities, "float64")
    predicted = probabilities.argmax(axis=1)
    classes = range(probabilities.shape[1])
    # The rows of a float32 softmax sum to 1 only nearly.
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    f1 = metrics.f1_score(labels, predicted, average="macro", zero_division=0)
    scores = {
        "error": 100 * (1 - metrics.accuracy_score(labels, predicted)),
        "macro_f1": 100 * f1,
        "nll": metrics.log_loss(labels, probabilities, labels=classes),
        "ece": 100 * expected_calibration_error(probabilities, labels),
    }
    return {name: float(score) for name, score in scores.items()}


def expected_calibration_error(probabilities, labels, bins=BINS):
    """Returns the expected calibration error of the predicted classes.

    Predictions are put into bins of equal width by their confidence, the probability of
    the predicted class; the result is the mean over the examples of the distance between
    their bin's accuracy and its mean confidence.

    Args:
        probabilities: Float array ``(num_examples, num_classes)``.
        labels: Integer array ``(num_examples,)``.
        bins: Integer, the number of bins, each open on its left.

    Returns:
        A float in [0, 1].

    Example:
    >>> from keras_amp.experiments.evaluation import expected_calibration_error
    >>> float(expected_calibration_error(np.array([[0.25, 0.75]]), np.array([1])))
    0.25

    Reference:
        Guo et al., *On Calibration of Modern Neural Networks*, ICML 2017 (Eq. 3).
    """
    confidence, accuracy, counts = calibration_bins(probabilities, labels, bins)
    return np.nansum(counts * np.abs(accuracy - confidence)) / counts.sum()


def calibration_bins(probabilities, labels, bins=BINS):
    """Puts predictions into bins of equal width by their confidence.

    Args:
        probabilities: Float array ``(num_examples, num_classes)``.
        labels: Integer array ``(num_examples,)``.
        bins: Integer, the number of bins, each open on its left.

    Returns:
        A tuple of arrays ``(bins,)``: the mean confidence (the probability of the
        predicted class) and the share of right predictions, both NaN in an empty bin, and
        the number of predictions.

    Example:
    >>> from keras_amp.experiments.evaluation import calibration_bins
    >>> calibration_bins(np.array([[0.25, 0.75], [0.9, 0.1]]), np.array([1, 1]), bins=2)
    (array([  nan, 0.825]), array([nan, 0.5]), array([0, 2]))
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bin_of = bins_of(confidence, bins)
    counts = np.bincount(bin_of, minlength=bins)
    filled = np.where(counts, counts, np.nan)
    sums = (np.bincount(bin_of, values, bins) for values in (confidence, right))
    return *(total / filled for total in sums), counts


def bins_of(confidence, bins=BINS):
    """Returns the bin of each prediction, for ``calibration_bins``.

    Args:
        confidence: Float array ``(num_examples,)`` with values in [0, 1].
        bins: Integer, the number of bins, each open on its left.

    Returns:
        An integer array ``(num_examples,)``.

    Example:
    >>> from keras_amp.experiments.evaluation import bins_of
    >>> bins_of(np.array([0.5, 0.51]), bins=2)
    array([0, 1])
    """
    return np.digitize(confidence, np.linspace(0, 1, bins + 1)[1:-1], right=True)


def confusion(probabilities, labels):
    """Counts the examples of each true class (rows) by predicted class (columns).

    Args:
        probabilities: Float array ``(num_examples, num_classes)``.
        labels: Integer array ``(num_examples,)``.

    Returns:
        An integer array ``(num_classes, num_classes)``.

    Example:
    >>> from keras_amp.experiments.evaluation import confusion
    >>> confusion(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]))
    array([[1, 0],
           [1, 0]])
    """
    classes = range(probabilities.shape[1])
    return metrics.confusion_matrix(labels, probabilities.argmax(axis=1), labels=classes)
