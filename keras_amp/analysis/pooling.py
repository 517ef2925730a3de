"""Two methods over several data sets: what is left when all of them are put together.

The data sets are taken as they are: intervals say what other seeds would show on the same
data sets, not what other data sets would. Needs the extra ``keras-amp[experiments]``.

Reference:
    Agarwal et al., *Deep Reinforcement Learning at the Edge of the Statistical
    Precipice*, NeurIPS 2021.
"""

# What is missing is said before it is imported.
# ruff: noqa: E402

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from keras_amp.runtime.extras import require

require("experiments", "scipy")

from scipy import stats

from keras_amp.analysis.intervals import CONFIDENCE, Interval
from keras_amp.analysis.permutation import checked_differences

RESAMPLES = 2_000


@dataclass(frozen=True)
class Pooled:
    """Two methods' errors over several data sets, each of which counts the same.

    Attributes:
        sets: Integer, the data sets.
        difference: Float, the mean over the data sets of the mean differences; below zero
            is better.
        interval: Its 95% confidence interval over seeds, by the t-distribution with the
            degrees of freedom of Welch and Satterthwaite; None with fewer than two seeds
            of a data set, or where no set's differences vary.
        middle: Float, the interquartile mean of the differences of all seeds and data
            sets: that of the middle half, which single failures do not move.
        middle_interval: Its interval, by a bootstrap of the seeds within each data set.
        improvement: Float in [0, 1], the probability of improvement: that a run of the
            method has a lower error than one of the other on a data set, chosen at
            random; a tie counts half.
        improvement_interval: Its interval, by the same bootstrap.
    """

    sets: int
    difference: float
    interval: Interval | None
    middle: float
    middle_interval: Interval | None
    improvement: float
    improvement_interval: Interval | None


def pooled(pairs: Sequence[ArrayLike]) -> Pooled:
    """Pool the paired errors of two methods over data sets.

    Args:
        pairs: Sequence of float arrays ``(num_seeds, 2)``, one for each data set, as of
            ``keras_amp.analysis.significance.pair``: a method's errors and those of the
            other one. The number of seeds may differ.

    Returns:
        A ``Pooled``. The bootstrap's intervals are percentiles of 2,000 resamples, drawn
        from a fixed seed; with few seeds they are narrower than they should be.

    Raises:
        ValueError: If there is no data set, or one without a seed.

    Example:
    >>> from keras_amp.analysis.pooling import pooled
    >>> found = pooled([[[4.0, 5.0], [4.5, 5.0], [4.2, 5.0]], [[8.0, 8.1], [8.1, 8.1]]])
    >>> round(found.difference, 2), round(found.middle, 2), found.improvement
    (-0.41, -0.47, 0.875)
    """
    sets = [np.asarray(each, "float64").reshape(-1, 2) for each in pairs]
    if not sets or min(map(len, sets)) == 0:
        raise ValueError(
            "Expected the paired errors of at least one data set, each with a seed. "
            f"Received: {len(sets)} sets of {[len(each) for each in sets]} seeds."
        )
    apart = [checked_differences(each[:, 0] - each[:, 1]) for each in sets]
    difference, interval = _mean(apart)
    middle, middle_interval = _bootstrapped(
        [each[:, None] for each in apart], _interquartile_mean
    )
    improvement, improvement_interval = _bootstrapped(sets, _probability)
    return Pooled(
        len(sets),
        difference,
        interval,
        middle,
        middle_interval,
        improvement,
        improvement_interval,
    )


def _mean(apart: Sequence[np.ndarray]) -> tuple[float, Interval | None]:
    mean = float(np.mean([each.mean() for each in apart]))
    if min(map(len, apart)) < 2:
        return mean, None
    freedom = np.array([len(each) - 1 for each in apart])
    parts = np.array([each.var(ddof=1) / len(each) for each in apart]) / len(apart) ** 2
    if not parts.sum():
        return mean, None
    freedom = parts.sum() ** 2 / (parts**2 / freedom).sum()
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * parts.sum() ** 0.5)
    return mean, (mean - half, mean + half)


def _interquartile_mean(sets: Sequence[np.ndarray]) -> np.ndarray:
    """Of arrays ``(resamples, seeds, 1)`` the means of the middle half of all."""
    values = np.concatenate([each[..., 0] for each in sets], axis=-1)
    return np.asarray(stats.trim_mean(values, 0.25, axis=-1))


def _probability(sets: Sequence[np.ndarray]) -> np.ndarray:
    """Of arrays ``(resamples, seeds, 2)`` how often the first error is the lower one."""
    means = []
    for each in sets:
        errors, others = each[..., 0, None], each[..., None, :, 1]
        won = (errors < others) + 0.5 * (errors == others)
        means.append(won.mean(axis=(-2, -1)))
    return np.mean(means, axis=0)


def _bootstrapped(
    sets: Sequence[np.ndarray],
    statistic: Callable[[Sequence[np.ndarray]], np.ndarray],
) -> tuple[float, Interval | None]:
    """A statistic and its interval over seeds, drawn anew within each data set."""
    found = float(statistic([each[None] for each in sets])[0])
    if min(map(len, sets)) < 2:
        return found, None
    rng = np.random.default_rng(0)
    drawn = [each[rng.integers(0, len(each), (RESAMPLES, len(each)))] for each in sets]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(statistic(drawn), [tail, 1 - tail])
    return found, (float(low), float(high))
