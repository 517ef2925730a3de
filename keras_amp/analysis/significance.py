"""Errors paired by seed, and p-values corrected for their number.

All tests are about the differences within the pairs: see ``permutation`` and
``verdicts``, and ``intervals`` for how large they may be.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

Errors: TypeAlias = Mapping[tuple[int, int | None], float]  # by seed and fold

LEVEL = 0.05  # the family-wise error rate that is accepted


def by_seed(errors: Errors) -> dict[int, float]:
    """Average the errors of each seed over its folds.

    The folds of a seed share training texts, and so are no independent trials.

    Args:
        errors: Dict from tuples ``(seed, fold)`` to errors.

    Returns:
        A dict from seeds, in order, to means.

    Example:
    >>> from keras_amp.analysis.significance import by_seed
    >>> by_seed({(1, None): 3.0, (0, 0): 4.0, (0, 1): 8.0})
    {0: 6.0, 1: 3.0}
    """
    folds: dict[int, list[float]] = {}
    for (seed, _), error in errors.items():
        folds.setdefault(seed, []).append(error)
    return {seed: math.fsum(folds[seed]) / len(folds[seed]) for seed in sorted(folds)}


def pair(errors: Errors, others: Errors) -> np.ndarray:
    """Pair two methods' errors by seed, averaged over the folds that both have.

    Args:
        errors: Dict from tuples ``(seed, fold)`` to a method's errors.
        others: Dict of the same kind, of the method that it is compared with.

    Returns:
        A float64 array ``(num_seeds, 2)``, sorted by seed.

    Example:
    >>> from keras_amp.analysis.significance import pair
    >>> pair({(0, 0): 4.0, (0, 1): 8.0, (1, 0): 3.0}, {(0, 0): 5.0, (0, 1): 10.0})
    array([[6. , 7.5]])
    """
    common = errors.keys() & others.keys()
    columns = [
        by_seed({part: given[part] for part in common}) for given in (errors, others)
    ]
    return np.array([list(column.values()) for column in columns], "float64").T


def relative_improvement(error: float, other: float) -> float:
    """Return the relative improvement of the error in percent, the paper's RP.

    Args:
        error: Error of the method.
        other: Error of the one that it is compared with.

    Returns:
        ``100 * (other - error) / other``; NaN where the other method makes no errors.

    Example:
    >>> from keras_amp.analysis.significance import relative_improvement
    >>> round(relative_improvement(4.6, 6.7), 1)  # Table 2, CNN with GloVe on TREC
    31.3
    """
    return 100 * (other - error) / other if other else math.nan


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number, by Holm's method (1979).

    To call a difference significant if its adjusted p-value is below a level keeps the
    family-wise error rate, the probability of at least one false positive, below it.

    Args:
        p_values: Sequence of floats in [0, 1].

    Returns:
        A list of floats in [0, 1], in the same order.

    Example:
    >>> from keras_amp.analysis.significance import holm
    >>> holm([0.01, 0.5, 0.02])
    [0.03, 0.5, 0.04]
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (len(p_values) - rank) * float(p_values[place])))
        adjusted[place] = largest
    return adjusted
