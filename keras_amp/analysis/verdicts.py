"""Verdicts: better, worse, equal or undecided, and the seeds that would decide.

Only comparisons that were named beforehand get a verdict; of all others tables show the
difference and its interval. Needs the extra ``keras-amp[experiments]``.
"""

# What is missing is said before it is imported.
# ruff: noqa: E402

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from numpy.typing import ArrayLike

from keras_amp.runtime.extras import require

require("experiments", "scipy")

from scipy import stats

from keras_amp.analysis.permutation import (
    checked_differences,
    checked_margin,
    equivalence_test,
    least_p,
    sign_flip_test,
)
from keras_amp.analysis.significance import LEVEL, holm

POWER = 0.8  # with which the seeds of `seeds_needed` decide
MOST_SEEDS = 10_000  # more are not counted
BETTER, WORSE, EQUAL, UNDECIDED = "better", "worse", "equal", "undecided"


@dataclass(frozen=True)
class Verdict:
    """What can be said of a comparison that was named beforehand.

    Attributes:
        word: ``"better"`` or ``"worse"``: the errors differ; ``"equal"``: they differ by
            less than the margin; ``"undecided"``: neither is shown.
        difference: Float, the mean difference; below zero is better. NaN without seeds.
        seeds: Integer, the pairs.
        p: Adjusted p-value of the sign-flip test; None for fewer than two seeds.
        p_equal: Adjusted p-value of the equivalence test; None also without a margin.
        small: Whether a better or worse one is so by less than the margin.
        needed: Integer, seeds in all with which a decision has a probability of 0.8 if
            the differences go on as they are; None where it is decided, or cannot be
            said.
    """

    word: str
    difference: float
    seeds: int
    p: float | None = None
    p_equal: float | None = None
    small: bool = False
    needed: int | None = None

    def __str__(self) -> str:
        """The verdict in words."""
        if self.small:
            return f"{self.word}, by less than the margin"
        if self.needed is not None:
            return f"{self.word}; about {self.needed:,} seeds would decide"
        return self.word


def verdict(
    differences: ArrayLike,
    margin: float | None = None,
    p_adjusted: float | None = None,
    p_equal: float | None = None,
    level: float | None = None,
) -> Verdict:
    """Return the verdict on a comparison's differences.

    Args:
        differences: Float array ``(num_seeds,)``, a method's errors less those of the
            other, paired by seed.
        margin: Float > 0, points of error within which two errors count as equal; None
            for none: then no comparison is equal.
        p_adjusted: The p-value of ``sign_flip_test``, adjusted for the number of
            comparisons; None takes it as it is, for a single comparison.
        p_equal: Likewise that of ``equivalence_test``.
        level: The level that ``needed`` counts with: of several comparisons ``LEVEL``
            divided by their number, what Holm's method asks of the first. None for
            ``LEVEL``.

    Returns:
        A ``Verdict``; below ``LEVEL``, the p-values show a difference, or none beyond the
        margin.

    Raises:
        ValueError: If a difference is not finite, or the margin not above 0.

    Example:
    >>> from keras_amp.analysis.verdicts import verdict
    >>> apart = [-0.4, -0.2, -0.3, -0.1, -0.5, -0.3]
    >>> str(verdict(apart)), str(verdict(apart, margin=1.0))
    ('better', 'better, by less than the margin')
    >>> str(verdict([0.3, -0.2, 0.1, -0.4, 0.2, 0.1], margin=0.5))
    'equal'
    """
    apart = checked_differences(differences)
    if not len(apart):
        return Verdict(UNDECIDED, math.nan, 0)
    mean, seeds = float(apart.mean()), len(apart)
    p = sign_flip_test(apart) if p_adjusted is None else p_adjusted
    if p_equal is None and margin is not None:
        p_equal = equivalence_test(apart, margin)
    if p is None:  # one seed
        return Verdict(UNDECIDED, mean, seeds)
    within = p_equal is not None and p_equal < LEVEL
    if p < LEVEL:
        word = BETTER if mean < 0 else WORSE
        return Verdict(word, mean, seeds, p, p_equal, small=within)
    if within:
        return Verdict(EQUAL, mean, seeds, p, p_equal)
    needed = seeds_needed(apart, margin, LEVEL if level is None else level)
    if needed is not None:
        needed = max(needed, seeds + 1)  # these have not decided
    return Verdict(UNDECIDED, mean, seeds, p, p_equal, needed=needed)


def verdicts(
    differences: Sequence[ArrayLike],
    margins: Sequence[float | None] | float | None,
    waiting: int = 0,
) -> list[Verdict]:
    """Return the verdicts on several comparisons, corrected for their number.

    The p-values of both tests, of a difference and of none beyond the margin, are
    adjusted by Holm's method, each over all comparisons.

    Args:
        differences: Sequence of float arrays ``(num_seeds,)``, as of ``verdict``; they
            may differ in length.
        margins: The margin of all comparisons, or a sequence of one for each.
        waiting: Integer, further comparisons of the family that have no seeds yet. They
            count as if they showed nothing.

    Returns:
        A list of ``Verdict``s.

    Raises:
        ValueError: As ``verdict``.

    Example:
    >>> from keras_amp.analysis.verdicts import verdicts
    >>> apart = [-0.4, -0.2, -0.3, -0.1, -0.5, -0.3]
    >>> [str(found) for found in verdicts([apart, apart], margins=None)]
    ['undecided; about 7 seeds would decide', 'undecided; about 7 seeds would decide']
    """
    many = [margins] * len(differences) if not isinstance(margins, Sequence) else margins
    pairs = list(zip(differences, many, strict=True))
    p_values = _adjusted([sign_flip_test(apart) for apart, _ in pairs], waiting)
    equal = _adjusted(
        [None if m is None else equivalence_test(apart, m) for apart, m in pairs],
        waiting,
    )
    level = LEVEL / max(1, waiting + sum(p is not None for p in p_values))
    return [
        verdict(apart, margin, p, p_equal, level)
        for (apart, margin), p, p_equal in zip(pairs, p_values, equal, strict=True)
    ]


def seeds_needed(
    differences: ArrayLike,
    margin: float | None = None,
    level: float = LEVEL,
    power: float = POWER,
) -> int | None:
    """Return the number of seeds with which a comparison would be decided.

    It takes the mean and the deviation of the seeds that there are for the true ones,
    which few seeds do not determine: an order of magnitude, not a promise. The power is
    that of t-tests, to which the sign-flip tests come near: of the two-sided one to show
    the difference, or of the two one-sided ones to show that there is none beyond the
    margin, whichever takes fewer seeds.

    Args:
        differences: As of ``verdict``.
        margin: As of ``verdict``.
        level: Float in (0, 1), the level of a test.
        power: Float in (0, 1), the probability of a decision.

    Returns:
        An integer of seeds in all; None where it is above 10,000, or for fewer than two
        differences.

    Example:
    >>> from keras_amp.analysis.verdicts import seeds_needed
    >>> seeds_needed([-1.0, 0.5, -0.5, 0.2, -0.7])
    37
    """
    apart = checked_differences(differences)
    if len(apart) < 2:
        return None
    mean, deviation = abs(float(apart.mean())), float(apart.std(ddof=1))
    return _seeds_needed(
        mean, deviation, None if margin is None else checked_margin(margin), level, power
    )


@lru_cache(maxsize=1024)
def _seeds_needed(
    mean: float, deviation: float, margin: float | None, level: float, power: float
) -> int | None:
    """The same by the mean's size and the deviation."""
    found = []
    if mean > 0:
        found.append(
            _least(
                lambda n: least_p(n) < level,
                lambda n: _power(mean, deviation, n, level / 2),
                power,
            )
        )
    if margin is not None and mean < margin:

        def within(n: int) -> float:
            near, far = (
                _power(margin + side * mean, deviation, n, level) for side in (-1, 1)
            )
            return near + far - 1  # at least; both reject nearly always where this counts

        found.append(_least(lambda n: least_p(n, "less") < level, within, power))
    known = [number for number in found if number is not None]
    return min(known, default=None)


def _least(
    possible: Callable[[int], bool], power_of: Callable[[int], float], power: float
) -> int | None:
    """The least number of seeds for which a test is possible and has the power."""
    low, high = 1, MOST_SEEDS  # not enough, enough
    if not (possible(high) and power_of(high) >= power):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if possible(middle) and power_of(middle) >= power:
            high = middle
        else:
            low = middle
    return high


def _power(effect: float, deviation: float, seeds: int, level: float) -> float:
    """The power of the one-sided t-test for an effect above zero."""
    if not deviation:
        return 1.0
    threshold = stats.t.isf(level, seeds - 1)
    shift = effect / deviation * math.sqrt(seeds)
    if shift > 30:  # where the distribution's own computation ends
        return 1.0
    return float(stats.nct.sf(threshold, seeds - 1, shift))


def _adjusted(p_values: Sequence[float | None], waiting: int) -> list[float | None]:
    """Holm's adjustment of those that there are, and of others that show nothing."""
    known = iter(holm([*(p for p in p_values if p is not None), *[1.0] * waiting]))
    return [None if p is None else next(known) for p in p_values]
