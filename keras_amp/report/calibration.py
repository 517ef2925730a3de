"""The bins of a reliability diagram."""

import numpy as np

from keras_amp.experiments.evaluation import BINS


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
    >>> from keras_amp.report.calibration import calibration_bins
    >>> calibration_bins(np.array([[0.25, 0.75], [0.9, 0.1]]), np.array([1, 1]), bins=2)
    (array([  nan, 0.825]), array([nan, 0.5]), array([0, 2]))
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    bin_of = np.digitize(confidence, edges[1:-1], right=True)
    counts = np.bincount(bin_of, minlength=bins)
    filled = np.where(counts, counts, np.nan)
    sums = (np.bincount(bin_of, values, bins) for values in (confidence, right))
    return *(total / filled for total in sums), counts
