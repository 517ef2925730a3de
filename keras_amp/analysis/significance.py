"""Paired tests and intervals: do two methods differ by more than their seeds do?

Errors are paired by seed, and all tests are about the differences within the pairs. They
say what other seeds would show, not what other test texts would show. Needs the extra
``keras-amp[experiments]``.
"""

# What is missing is said before it is imported.
# ruff: noqa: E402

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from keras_amp.analysis.permutation import DIGITS
from keras_amp.runtime.extras import require

require("experiments", "scipy")

from scipy import stats

Errors: TypeAlias = Mapping[tuple[int, int | None], float]  # by seed and fold
Interval: TypeAlias = tuple[float, float]

LEVEL = 0.05  # the family-wise error rate that is accepted
RESAMPLES = 10_000


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


def t_test(pairs: ArrayLike) -> tuple[float | None, Interval | None]:
    """Return the p-value and the interval of the paired t-test of the mean difference.

    With few seeds and a small test set, all pairs may differ by the same amount. The
    variance is then zero and the t-test not defined: the sign test takes its place,
    without an interval.

    Args:
        pairs: Float array ``(num_seeds, 2)``.

    Returns:
        A tuple ``(p, interval)``: the two-sided p-value, and the bounds of the 95%
        confidence interval of the mean difference; each is None if it is not defined.

    Example:
    >>> from keras_amp.analysis.significance import t_test
    >>> t_test(np.array([[5.0, 5.1], [6.0, 6.1], [7.0, 7.1]]))
    (0.25, None)
    """
    differences = _differences(pairs)
    if len(differences) < 2:
        return None, None
    if np.all(differences == 0):
        return 1.0, None
    if np.all(differences == differences[0]):
        return float(stats.binomtest(len(differences), len(differences)).pvalue), None
    test = stats.ttest_1samp(differences, 0)
    low, high = map(float, test.confidence_interval(1 - LEVEL))
    return float(test.pvalue), (low, high)


def wilcoxon(pairs: ArrayLike) -> float | None:
    """Return the p-value of Wilcoxon's signed-rank test, two-sided.

    It is exact up to 13 seeds, also with ties, and without ties for any number of seeds.
    With ties among more seeds it is estimated from 10,000 random changes of sign. Pairs
    without a difference are ranked, too, and left out of the sums afterwards (Pratt,
    1959). Wilcoxon dropped them before, which ranks the other pairs as if these seeds
    were no evidence that the methods have equal errors.

    Args:
        pairs: Float array ``(num_seeds, 2)``.

    Returns:
        A float, at least ``least_wilcoxon(num_seeds)``; None for fewer than two seeds.

    Example:
    >>> from keras_amp.analysis.significance import wilcoxon
    >>> wilcoxon(np.array([[8.0, 9.1], [8.2, 9.0], [7.9, 9.2], [8.1, 8.8], [8.3, 8.9]]))
    0.0625
    """
    differences = _differences(pairs)
    if len(differences) < 2:
        return None
    if not differences.any():
        return 1.0
    sizes = np.abs(differences)
    if differences.all() and len(np.unique(sizes)) == len(differences):
        return float(stats.wilcoxon(differences, method="exact").pvalue)
    # The same as `stats.wilcoxon` by "pratt" with a `PermutationMethod`, which takes 50
    # times as long.
    test = stats.permutation_test(
        (np.sign(differences) * stats.rankdata(sizes),),
        np.sum,
        permutation_type="samples",  # changes signs
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(0),
    )
    return float(test.pvalue)


def least_wilcoxon(num_seeds: int) -> float:
    """Return the lower bound of the p-value of Wilcoxon's test, whatever the errors.

    In 2 of the ``2 ** num_seeds`` equally likely cases all differences have one sign.

    Example:
    >>> from keras_amp.analysis.significance import least_wilcoxon
    >>> least_wilcoxon(5), least_wilcoxon(6)
    (0.0625, 0.03125)
    """
    return min(1.0, 2.0 ** (1 - num_seeds))


def bootstrap_interval(pairs: ArrayLike) -> Interval | None:
    """Return the bootstrap's 95% confidence interval of the mean difference.

    Its bounds are percentiles of 10,000 resamples of the seeds, drawn from a fixed seed.
    The bias-corrected and accelerated interval (BCa) is no alternative: its acceleration
    is a third moment, which few seeds do not determine, and it is undefined if all
    differences are equal. For few seeds the interval is narrower than that of ``t_test``.

    Args:
        pairs: Float array ``(num_seeds, 2)``.

    Returns:
        A tuple ``(low, high)``; None for fewer than two seeds.

    Example:
    >>> from keras_amp.analysis.significance import bootstrap_interval
    >>> bootstrap_interval(np.array([[5.0, 6.5], [6.0, 7.5]]))
    (-1.5, -1.5)
    """
    differences = _differences(pairs)
    if len(differences) < 2:
        return None
    found = stats.bootstrap(
        (differences,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=1 - LEVEL,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    low, high = map(float, found.confidence_interval)
    return low, high


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


def verdict(difference: float, p_values: Sequence[float], num_seeds: int) -> str:
    """Return in a few words what the tests show about a difference between errors.

    Args:
        difference: The mean difference; negative is better.
        p_values: Sequence of adjusted p-values. All of them must be below ``LEVEL`` to
            show a difference. They are not used for fewer than two seeds.
        num_seeds: Number of pairs.

    Returns:
        A string.

    Example:
    >>> from keras_amp.analysis.significance import verdict
    >>> verdict(-0.8, [0.01, 0.04], 10), verdict(-0.8, [0.01, 0.06], 5)
    ('better', 'no difference shown')
    """
    if num_seeds == 0:
        return "cannot be compared"
    if num_seeds == 1:
        return "nothing can be said"
    if max(p_values) < LEVEL:
        return "better" if difference < 0 else "worse"
    return "no difference shown"


def _differences(pairs: ArrayLike) -> np.ndarray:
    """The pairs' differences without rounding errors, which would break ties."""
    pairs = np.asarray(pairs, "float64").reshape(-1, 2)
    return np.round(pairs[:, 0] - pairs[:, 1], DIGITS)
