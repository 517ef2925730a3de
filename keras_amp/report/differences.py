"""Is one method better than another, or do the seeds differ as much?"""

import math
from dataclasses import dataclass, replace

from keras_amp.analysis.significance import (
    holm,
    pair,
    relative_improvement,
    t_test,
    verdict,
)


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
        return relative_improvement(self.error, self.other)

    @property
    def verdict(self):
        """Whether the method is better, worse, or not shown to be either."""
        word = verdict(self.difference, [self.p], self.seeds)
        seeds = {0: "no common seed", 1: "1 seed"}.get(self.seeds, f"{self.seeds} seeds")
        return f"{word} ({seeds})"


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
        if is_baseline(other, group)
    ]
    adjusted = iter(holm([d.p for d in compared if d.p is not None]))
    return [d if d.p is None else replace(d, p=next(adjusted)) for d in compared]


def is_baseline(other, group):
    """Whether a group is compared with another: mixup at the same place, or no mixing.

    Args:
        other: ``Group``.
        group: ``Group``, of an adversarial method where the other one is of mixup.
    """
    if not group.extends(other) or group is other or other.policy not in (None, "mixup"):
        return False
    if other.mix == "none":
        return group.mix != "none"
    return group.policy != "mixup" and group.mix == other.mix


def _difference(group, other):
    pairs = pair(_by_part(group), _by_part(other))
    means = pairs.mean(axis=0) if len(pairs) else (math.nan, math.nan)
    p, interval = t_test(pairs)
    error, other_error = map(float, means)
    return Difference(
        group.label, other.label, len(pairs), error, other_error, interval, p
    )


def _by_part(group):
    return {run.part: run.result.test_error for run in group.runs}
