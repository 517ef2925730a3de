"""Whether two methods differ by more than their seeds: paired tests and intervals.

Errors are paired by seed, and all tests are about the differences within the pairs. They
tell what other seeds would show, not what other test texts would. Needs the extra
``keras-amp[experiments]``.
"""

# What is missing is said before it is imported.
# ruff: noqa: E402

import math

import numpy as np

from keras_amp.runtime.extras import require

require("experiments", "scipy")

from scipy import stats

LEVEL = 0.05  # of the chance to call any difference of a family one where there is none
RESAMPLES = 10_000
DIGITS = 9  # percentages of counts are equal or differ by more: the rest is rounding


def by_seed(errors):
    """Averages the folds of each seed: they share training texts, and are no trials.

    Args:
        errors: Dict from tuples ``(seed, fold)`` to errors.

    Returns:
        A dict from seeds, in order, to means.

    Example:
    >>> from keras_amp.analysis.significance import by_seed
    >>> by_seed({(1, None): 3.0, (0, 0): 4.0, (0, 1): 8.0})
    {0: 6.0, 1: 3.0}
    """
    folds = {}
    for (seed, _), error in errors.items():
        folds.setdefault(seed, []).append(error)
    return {seed: math.fsum(folds[seed]) / len(folds[seed]) for seed in sorted(folds)}


def pair(errors, others):
    """Pairs two methods' errors by seed, the folds of a seed averaged before.

    Args:
        errors: Dict from tuples ``(seed, fold)`` to a method's errors.
        others: Dict of the same kind, of the method that it is compared with.

    Returns:
        A float64 array ``(num_seeds, 2)``, by seed; of what both have.

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


def relative_improvement(error, other):
    """Returns the errors saved in percent of the other method's: the paper's RP.

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


def t_test(pairs):
    """Returns the paired t-test of the mean difference, with its interval.

    Where all pairs differ by the same amount, as few seeds on a small test set may, a
    t-test would be certain of anything: then it is the sign test, without an interval.

    Args:
        pairs: Float array ``(num_seeds, 2)``.

    Returns:
        A tuple ``(p, interval)``: the two-sided p-value, and the bounds of the 95%
        confidence interval of the mean difference; None for what cannot be told.

    Example:
    >>> from keras_amp.analysis.significance import t_test
    >>> t_test(np.array([[5.0, 5.1], [6.0, 6.1], [7.0, 7.1]]))
    (0.25, None)
    """
    apart = _apart(pairs)
    if len(apart) < 2:
        return None, None
    if np.all(apart == 0):
        return 1.0, None
    if np.all(apart == apart[0]):
        return float(stats.binomtest(len(apart), len(apart)).pvalue), None
    test = stats.ttest_1samp(apart, 0)
    return float(test.pvalue), tuple(map(float, test.confidence_interval(1 - LEVEL)))


def wilcoxon(pairs):
    """Returns the p-value of Wilcoxon's signed-rank test, two-sided.

    It is exact, also with ties, up to 13 seeds; with ties of more seeds it is that of
    10,000 random changes of sign. Pairs without a difference are ranked, too, and then
    left out of the sums (Pratt, 1959): to drop them before, as Wilcoxon did, would rank
    the others as if these seeds had not shown that the methods err alike.

    Args:
        pairs: Float array ``(num_seeds, 2)``.

    Returns:
        A float, at least ``least_wilcoxon(num_seeds)``; None of fewer than two seeds.

    Example:
    >>> from keras_amp.analysis.significance import wilcoxon
    >>> wilcoxon(np.array([[8.0, 9.1], [8.2, 9.0], [7.9, 9.2], [8.1, 8.8], [8.3, 8.9]]))
    0.0625
    """
    apart = _apart(pairs)
    if len(apart) < 2:
        return None
    if not apart.any():
        return 1.0
    sizes = np.abs(apart)
    if apart.all() and len(np.unique(sizes)) == len(apart):
        return float(stats.wilcoxon(apart, method="exact").pvalue)
    # As `stats.wilcoxon` of "pratt" and a `PermutationMethod`, which is 50 times slower.
    test = stats.permutation_test(
        (np.sign(apart) * stats.rankdata(sizes),),
        np.sum,
        permutation_type="samples",  # changes signs
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(0),
    )
    return float(test.pvalue)


def least_wilcoxon(num_seeds):
    """Returns the least p-value that Wilcoxon's test can have, whatever the errors.

    All differences have one sign in 2 of the ``2 ** num_seeds`` equally likely cases.

    Example:
    >>> from keras_amp.analysis.significance import least_wilcoxon
    >>> least_wilcoxon(5), least_wilcoxon(6)
    (0.0625, 0.03125)
    """
    return min(1.0, 2.0 ** (1 - num_seeds))


def bootstrap_interval(pairs):
    """Returns the bootstrap's 95% confidence interval of the mean difference.

    The percentiles of 10,000 resamples of the seeds, the same ones each time. Not BCa:
    its acceleration is a third moment, which a handful of seeds does not tell, and it
    is undefined where all differences are equal. For few seeds the interval is narrower
    than that of ``t_test``.

    Args:
        pairs: Float array ``(num_seeds, 2)``.

    Returns:
        A tuple ``(low, high)``; None of fewer than two seeds.

    Example:
    >>> from keras_amp.analysis.significance import bootstrap_interval
    >>> bootstrap_interval(np.array([[5.0, 6.5], [6.0, 7.5]]))
    (-1.5, -1.5)
    """
    apart = _apart(pairs)
    if len(apart) < 2:
        return None
    found = stats.bootstrap(
        (apart,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=1 - LEVEL,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return tuple(map(float, found.confidence_interval))


def holm(p_values):
    """Returns p-values adjusted for their number (Holm, 1979).

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


def verdict(difference, p_values, num_seeds):
    """Returns in a word what the tests say of a difference between errors.

    Args:
        difference: The mean difference; negative is better.
        p_values: Sequence of adjusted p-values, all of which must be below ``LEVEL`` for
            the difference to be called one. Not looked at for fewer than two seeds.
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


def _apart(pairs):
    """The pairs' differences, without what is rounding alone: ties must be ties."""
    pairs = np.asarray(pairs, "float64").reshape(-1, 2)
    return np.round(pairs[:, 0] - pairs[:, 1], DIGITS)
