"""How good the best of n trials is, to be expected of those that were tried."""

import math

import numpy as np


def expected_best(losses, replacement=False):
    """Returns the expected least loss of 1, 2, ... trials drawn from those tried.

    Without replacement it is the unbiased estimator: the mean over all sets of n of the
    N trials, ``sum over i of C(N - i, n - 1) / C(N, n) * loss_i`` of the sorted losses.
    With replacement the losses' empirical distribution stands for the true one,
    ``P(best <= loss_i) = 1 - ((N - i) / N) ** n``: as a trial may be drawn twice, the
    best seems worse than it is.

    Args:
        losses: Sequence of N floats, the lower the better; infinite ones failed.
        replacement: Whether trials are drawn with replacement.

    Returns:
        A float array ``(N,)``: of n trials, for n from 1 to N.

    Example:
    >>> from keras_amp.experiments.search.expected import expected_best
    >>> expected_best([3.0, 1.0, 2.0]).round(2).tolist()
    [2.0, 1.33, 1.0]

    Reference:
        Tang et al., *Showing Your Work Doesn't Always Work*, ACL 2020 (without
        replacement); Dodge et al., *Show Your Work*, EMNLP 2019 (with).
    """
    losses = np.sort(np.asarray(losses, "float64"))
    size = len(losses)
    places = range(1, size + 1)
    expected = []
    for number in places:
        if replacement:
            share = ((size - np.arange(size + 1)) / size) ** number
            weights = share[:-1] - share[1:]
        else:
            sets = math.comb(size, number)
            weights = np.array(
                [math.comb(size - place, number - 1) / sets for place in places]
            )
        counted = weights > 0
        expected.append(float(weights[counted] @ losses[counted]))
    return np.array(expected)
