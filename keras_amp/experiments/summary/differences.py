"""Each method against mixup at the same place, and against no mixing."""

from dataclasses import dataclass, replace

import numpy as np

from keras_amp.analysis import significance
from keras_amp.experiments.summary.groups import Group

# The families of comparisons, by the method that is the baseline.
FAMILIES = {"mixup": "mixup at the same place", "none": "no mixing"}
# Fields of a result: both ways to read the test error of a run.
READINGS = ("test_error", "best_test_error")
# The field by which settings are chosen, before the test errors are looked at.
DEVELOPMENT = "dev_error"
T_TEST, WILCOXON = "t", "wilcoxon"
BOTH = (T_TEST, WILCOXON)


@dataclass(frozen=True)
class Difference:
    """The errors of a method against those of its baseline, over their common seeds.

    Attributes:
        group: ``Group`` of the method.
        other: ``Group`` of the baseline: the same settings, as far as it has them.
        family: What the baseline is, a key of ``FAMILIES``.
        reading: The field of the results that is compared, one of ``READINGS`` or
            ``DEVELOPMENT``.
        tests: Tuple of the tests that must agree, of ``BOTH``.
        seeds: Number of common seeds.
        error: Mean of the errors over these, in percent; NaN without any.
        other_error: That of the baseline.
        interval: The bootstrap's 95% confidence interval of the mean difference, a tuple;
            None for fewer than two seeds.
        t_interval: That of the paired t-test; None where it is not defined.
        p_t: The p-value of the paired t-test; None for fewer than two seeds.
        p_wilcoxon: That of Wilcoxon's signed-rank test.
        adjusted_t: ``p_t`` adjusted by Holm's method.
        adjusted_wilcoxon: ``p_wilcoxon`` likewise.
        least_wilcoxon: The lower bound of ``adjusted_wilcoxon`` for this number of seeds
            and of comparisons, whatever the errors.
    """

    group: Group
    other: Group
    family: str
    reading: str
    tests: tuple
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
        """The relative improvement in percent, the paper's RP; NaN over no errors."""
        return significance.relative_improvement(self.error, self.other_error)

    @property
    def verdict(self):
        """Better or worse where all ``tests`` show it; else what can be said."""
        if not (self.group.complete and self.other.complete):
            return "not run"
        adjusted = {T_TEST: self.adjusted_t, WILCOXON: self.adjusted_wilcoxon}
        p_values = [adjusted[test] for test in self.tests]
        return significance.verdict(self.difference, p_values, self.seeds)


def compare(groups, reading="test_error", tests=BOTH, by_family=True):
    """Compare each method that mixes with its baselines.

    Errors are paired by seed, those of several folds averaged before. The p-values of a
    test are adjusted by Holm's method. Where two tests must agree, neither is corrected
    for the other.

    Args:
        groups: List of ``Group``s.
        reading: One of ``READINGS``, or ``DEVELOPMENT``.
        tests: The tests that must agree, of ``BOTH``.
        by_family: Whether p-values are adjusted within each family: the comparisons with
            mixup, and those with no mixing. Otherwise, for all comparisons together.

    Returns:
        A list of ``Difference``s, family by family if these are adjusted separately, in
        the order of the groups.

    Example:
    >>> from keras_amp.experiments.summary.differences import compare
    >>> from keras_amp.experiments.summary.groups import group_trials
    >>> from keras_amp.experiments.summary.trials import trials_of_grid
    >>> from keras_amp.experiments.config import load_grid
    >>> found = compare(group_trials(trials_of_grid(load_grid("table4"), {})))
    >>> [(d.group.method, d.other.method, d.verdict) for d in found][0]
    ('WordMaxOp', 'WordMixup', 'not run')
    """
    found = [
        _difference(group, other, reading, tests)
        for group in groups
        for other in groups
        if is_baseline(other, group)
    ]
    if not by_family:
        return _adjusted(found)
    return [
        difference
        for family in FAMILIES
        for difference in _adjusted([d for d in found if d.family == family])
    ]


def is_baseline(other, group):
    """Return whether a group is compared with another one.

    Args:
        other: ``Group``: of mixup at the same place, or of no mixing.
        group: ``Group``: of another method than mixup if the other one is of mixup.
    """
    if not group.extends(other) or group is other or other.policy not in (None, "mixup"):
        return False
    if other.mix == "none":
        return group.mix != "none"
    return group.policy != "mixup" and group.mix == other.mix


def _difference(group, other, reading, tests):
    pairs = significance.pair(group.of(reading), other.of(reading))
    means = pairs.mean(axis=0) if len(pairs) else np.full(2, np.nan)
    p_t, t_interval = significance.t_test(pairs)
    return Difference(
        group,
        other,
        "none" if other.mix == "none" else "mixup",
        reading,
        tests,
        len(pairs),
        *map(float, means),
        interval=significance.bootstrap_interval(pairs),
        t_interval=t_interval,
        p_t=p_t,
        p_wilcoxon=significance.wilcoxon(pairs),
    )


def _adjusted(found):
    """The differences with adjusted p-values, those without any as they are."""
    tested = [d for d in found if d.seeds > 1]
    columns = zip(
        significance.holm([d.p_t for d in tested]),
        significance.holm([d.p_wilcoxon for d in tested]),
        significance.holm([significance.least_wilcoxon(d.seeds) for d in tested]),
        strict=True,
    )
    names = ("adjusted_t", "adjusted_wilcoxon", "least_wilcoxon")
    return [
        replace(d, **dict(zip(names, next(columns), strict=True))) if d.seeds > 1 else d
        for d in found
    ]
