"""Each method of a grid against mixup at the same place, and against no mixing."""

from dataclasses import dataclass, replace

import numpy as np

from keras_amp.analysis import significance
from keras_amp.report.differences import is_baseline
from keras_amp.tables.groups import Group

# What is corrected together, by the method that is compared with.
FAMILIES = {"mixup": "mixup at the same place", "none": "no mixing"}
# Fields of a result: both readings of a run.
READINGS = ("test_error", "best_test_error")
# What settings are chosen by, before the test errors are looked at.
DEVELOPMENT = "dev_error"


@dataclass(frozen=True)
class Compared:
    """An entry against the one of its baseline, over the seeds that both have.

    Attributes:
        group: The entry's ``Group``.
        other: That of the baseline: the same settings, as far as it has them.
        family: What it is corrected with, a key of ``FAMILIES``.
        reading: What is compared, one of ``READINGS``, or ``DEVELOPMENT``.
        seeds: Number of common seeds.
        error: Mean of the errors over these, in percent; NaN without any.
        other_error: That of the baseline.
        interval: The bootstrap's 95% interval of the mean difference, a tuple; None for
            fewer than two seeds.
        t_interval: That of the paired t-test; None where it cannot be told.
        p_t: P-value of the paired t-test; None for fewer than two seeds.
        p_wilcoxon: That of Wilcoxon's signed-rank test.
        adjusted_t: ``p_t`` adjusted within the family by Holm's method.
        adjusted_wilcoxon: ``p_wilcoxon`` likewise.
        least_wilcoxon: What ``adjusted_wilcoxon`` is at least with so many seeds and
            comparisons, whatever the errors.
    """

    group: Group
    other: Group
    family: str
    reading: str
    seeds: int
    error: float
    other_error: float
    interval: tuple | None
    t_interval: tuple | None
    p_t: float | None
    p_wilcoxon: float | None
    adjusted_t: float | None = None
    adjusted_wilcoxon: float | None = None
    least_wilcoxon: float | None = None

    @property
    def difference(self):
        """``error - other_error`` in percentage points: negative is better."""
        return self.error - self.other_error

    @property
    def improvement(self):
        """The relative improvement in percent, the paper's RP."""
        return significance.relative_improvement(self.error, self.other_error)

    @property
    def verdict(self):
        """Better or worse where both adjusted tests say so; else what can be said."""
        if not (self.group.complete and self.other.complete):
            return "not run"
        p_values = self.adjusted_t, self.adjusted_wilcoxon
        return significance.verdict(self.difference, p_values, self.seeds)


def compare(groups, reading="test_error"):
    """Compares each entry that mixes with its baselines.

    Those of the adversarial methods with mixup are a family, and so are those of all
    methods with no mixing: p-values are adjusted within a family, each test's for itself.
    As both tests must agree, neither needs to be corrected for the other.

    Args:
        groups: List of ``Group``s.
        reading: One of ``READINGS``, or ``DEVELOPMENT``.

    Returns:
        A list of ``Compared``, family by family, in the order of the groups.

    Example:
    >>> from keras_amp.grid import load_grid
    >>> from keras_amp.tables.comparing import compare
    >>> from keras_amp.tables.groups import arrange
    >>> found = compare(arrange(load_grid("table4"), {}).groups)
    >>> [(c.group.method, c.other.method, c.verdict) for c in found][0]
    ('WordMaxOp', 'WordMixup', 'not run')
    """
    found = [
        _compared(group, other, reading)
        for group in groups
        for other in groups
        if is_baseline(other, group)
    ]
    return [
        compared
        for family in FAMILIES
        for compared in _adjusted([c for c in found if c.family == family])
    ]


def _compared(group, other, reading):
    pairs = significance.pair(group.of(reading), other.of(reading))
    means = pairs.mean(axis=0) if len(pairs) else np.full(2, np.nan)
    p_t, t_interval = significance.t_test(pairs)
    return Compared(
        group,
        other,
        "none" if other.mix == "none" else "mixup",
        reading,
        len(pairs),
        *map(float, means),
        interval=significance.bootstrap_interval(pairs),
        t_interval=t_interval,
        p_t=p_t,
        p_wilcoxon=significance.wilcoxon(pairs),
    )


def _adjusted(family):
    """A family's comparisons with adjusted p-values, those without any as they are."""
    tested = [compared for compared in family if compared.seeds > 1]
    columns = zip(
        significance.holm([c.p_t for c in tested]),
        significance.holm([c.p_wilcoxon for c in tested]),
        significance.holm([significance.least_wilcoxon(c.seeds) for c in tested]),
        strict=True,
    )
    names = ("adjusted_t", "adjusted_wilcoxon", "least_wilcoxon")
    return [
        replace(c, **dict(zip(names, next(columns), strict=True))) if c.seeds > 1 else c
        for c in family
    ]
