"""Is one method better than another, or do the seeds differ as much?"""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

LEVEL = 0.05  # of the chance to call any difference of a page one where there is none


@dataclass(frozen=True)
class Difference:
    """A method's test error against another's, over the seeds that both have.

    Attributes:
        label: What the page calls the method.
        against: What it calls the one that it is compared with.
        seeds: Number of common seeds.
        error: Mean test error of the method over these, in percent; NaN without any.
        other: That of the other.
        interval: Tuple of the bounds of the 95% confidence interval of the mean
            difference, in percentage points; None where it cannot be told.
        p: The p-value; None where there is none.
    """

    label: str
    against: str
    seeds: int
    error: float
    other: float
    interval: tuple | None
    p: float | None

    @property
    def difference(self):
        """``error - other`` in percentage points: negative is better."""
        return self.error - self.other

    @property
    def improvement(self):
        """The relative improvement in percent, the paper's RP; NaN over no errors."""
        return 100 * (self.other - self.error) / self.other if self.other else math.nan

    @property
    def verdict(self):
        """Whether the method is better, worse, or not shown to be either."""
        if self.seeds == 0:
            return "cannot be compared (no common seed)"
        if self.seeds == 1:
            return "nothing can be said (1 seed)"
        word = "no difference shown"
        if self.p is not None and self.p < LEVEL:
            word = "better" if self.difference < 0 else "worse"
        return f"{word} ({self.seeds} seeds)"


def differences(groups):
    """Compares each method with mixup at the same place, and with no mixing.

    Test errors are paired by seed, those of several folds averaged before, as the folds
    of a seed share training texts. The test is the paired t-test, its p-values adjusted
    for the number of comparisons by Holm's method. Where all pairs differ by the same
    amount, as few seeds on a small test set may, a t-test would be certain of anything:
    then it is the sign test.

    Args:
        groups: List of ``Group``s.

    Returns:
        A list of ``Difference``s, those of a group beside each other. Only groups with
        the same settings, those of their policies apart, are compared.
    """
    compared = [
        _difference(group, other)
        for group in groups
        for other in groups
        if _is_baseline(other, group)
    ]
    adjusted = iter(holm([d.p for d in compared if d.p is not None]))
    return [d if d.p is None else replace(d, p=next(adjusted)) for d in compared]


def holm(p_values):
    """Returns p-values adjusted for their number (Holm, 1979).

    Args:
        p_values: Sequence of floats in [0, 1].

    Returns:
        A list of floats in [0, 1], in the same order.

    Example:
    >>> from keras_amp.report.differences import holm
    >>> holm([0.01, 0.5, 0.02])
    [0.03, 0.5, 0.04]
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (len(p_values) - rank) * float(p_values[place])))
        adjusted[place] = largest
    return adjusted


def _is_baseline(other, group):
    if not group.extends(other) or group is other or other.policy == "amp":
        return False
    if other.mix == "none":
        return group.mix != "none"
    return group.policy == "amp" and group.mix == other.mix


def _difference(group, other):
    errors, others = (_by_part(g) for g in (group, other))
    seeds = {}
    for part in errors.keys() & others.keys():
        seeds.setdefault(part[0], []).append((errors[part], others[part]))
    pairs = np.array([np.mean(seeds[seed], axis=0) for seed in sorted(seeds)])
    means = pairs.mean(axis=0) if len(pairs) else (math.nan, math.nan)
    interval, p = _test(pairs) if len(pairs) > 1 else (None, None)
    error, other_error = map(float, means)
    return Difference(
        group.label, other.label, len(pairs), error, other_error, interval, p
    )


def _by_part(group):
    return {run.part: run.result.test_error for run in group.runs}


def _test(pairs):
    """The interval of the mean difference and the p-value of the pairs ``(n, 2)``."""
    apart = pairs[:, 0] - pairs[:, 1]
    if np.allclose(apart, 0):
        return None, 1.0
    if np.allclose(apart, apart[0]):
        return None, float(stats.binomtest(len(apart), len(apart)).pvalue)
    test = stats.ttest_rel(*pairs.T)
    return tuple(map(float, test.confidence_interval(1 - LEVEL))), float(test.pvalue)
