"""Each method against mixup at the same place, and against no mixing."""

import math
from dataclasses import dataclass, field, replace
from statistics import fmean

import numpy as np

from keras_amp.analysis import significance
from keras_amp.analysis.intervals import crossed_interval, t_interval
from keras_amp.analysis.verdicts import Verdict
from keras_amp.experiments.summary.groups import Group

# The families of comparisons, by the method that is the baseline.
FAMILIES = {"mixup": "mixup at the same place", "none": "no mixing"}
PRIMARY = "primary"  # the family of those that were named beforehand
# Fields of a result: the ways to read the test error of a run.
READINGS = ("test_error", "best_test_error", "plateau_error")
# The field by which settings are chosen, before the test errors are looked at.
DEVELOPMENT = "dev_error"
# What is compared beside the test error, fields of a result.
SCORES = ("nll", "ece", "scaled_nll", "scaled_ece")


@dataclass(frozen=True)
class Compared:
    """How a quantity differs between two methods, over their common seeds.

    Attributes:
        seeds: Integer, the common seeds.
        value: Mean of the method's values over these; NaN without any.
        other: That of the other method.
        apart: Float array ``(seeds,)``, the differences, those of several folds averaged.
        interval: The t-interval of the mean difference over seeds, a tuple; None where it
            is not defined.
        wide: The interval over seeds and test texts; None where the runs' predictions are
            not known, or the test set is cross-validated.
    """

    seeds: int
    value: float
    other: float
    apart: np.ndarray = field(repr=False)
    interval: tuple | None
    wide: tuple | None = None

    @property
    def difference(self):
        """``value - other``; below zero is better for all quantities but F1."""
        return self.value - self.other


@dataclass(frozen=True)
class Difference:
    """The errors of a method against those of its baseline, over their common seeds.

    Attributes:
        group: ``Group`` of the method.
        other: ``Group`` of the baseline: the same settings, as far as it has them.
        family: What the baseline is, a key of ``FAMILIES``; or ``PRIMARY``.
        reading: The field of the results that is compared, one of ``READINGS`` or
            ``DEVELOPMENT``.
        compared: ``Compared``, of that field, in percent.
        scores: Dict from ``SCORES`` to ``Compared``, of the test error's reading.
        verdict: ``Verdict``; None where none is given, as the comparison was not named
            beforehand.
        margin: Float, the margin of the verdict, or None.
    """

    group: Group
    other: Group
    family: str
    reading: str
    compared: Compared
    scores: dict = field(default_factory=dict, repr=False)
    verdict: Verdict | None = None
    margin: float | None = None

    @property
    def seeds(self):
        """The number of common seeds."""
        return self.compared.seeds

    @property
    def error(self):
        """The mean error of the method, in percent; NaN without a common seed."""
        return self.compared.value

    @property
    def other_error(self):
        """That of the baseline."""
        return self.compared.other

    @property
    def difference(self):
        """``error - other_error`` in percentage points: negative is better."""
        return self.compared.difference

    @property
    def improvement(self):
        """The relative improvement in percent, the paper's RP; NaN over no errors."""
        return significance.relative_improvement(self.error, self.other_error)


def compare(groups, reading="test_error"):
    """Compare each method that mixes with its baselines.

    Errors are paired by seed, those of several folds averaged before. No verdict is
    given: see ``keras_amp.experiments.summary.primaries``.

    Args:
        groups: List of ``Group``s.
        reading: One of ``READINGS``, or ``DEVELOPMENT``.

    Returns:
        A list of ``Difference``s, family by family, in the order of the groups.

    Example:
    >>> from keras_amp.experiments.summary.differences import compare
    >>> from keras_amp.experiments.summary.groups import group_trials
    >>> from keras_amp.experiments.summary.trials import trials_of_grid
    >>> from keras_amp.experiments.config import load_grid
    >>> found = compare(group_trials(trials_of_grid(load_grid("table4"), {})))
    >>> [(d.group.method, d.other.method, d.seeds) for d in found][0]
    ('WordMaxOp', 'WordMixup', 0)
    """
    pairs = [
        (group, other, "none" if other.mix == "none" else "mixup")
        for group in groups
        for other in groups
        if is_baseline(other, group)
    ]
    return [
        difference(group, other, family, reading)
        for wanted in FAMILIES
        for group, other, family in pairs
        if family == wanted
    ]


def difference(group, other, family, reading="test_error"):
    """Return the ``Difference`` of two ``Group``s."""
    beside = SCORES if reading == "test_error" else ()
    return Difference(
        group,
        other,
        family,
        reading,
        _compared(group, other, reading),
        {name: _compared(group, other, name) for name in beside},
    )


def over_data_sets(found):
    """Return the mean of ``Difference``s of the same methods, each on its data set.

    Each data set counts the same; of each seed the mean over all of them is compared.
    Unless all have the same number of common seeds, there is none.

    Args:
        found: List of ``Difference``s.
    """
    first = found[0]
    return replace(
        first,
        group=_together([d.group for d in found]),
        other=_together([d.other for d in found]),
        compared=_mean([d.compared for d in found]),
        scores={n: _mean([d.scores[n] for d in found]) for n in first.scores},
    )


def _together(groups):
    """The groups of several data sets as one, which has none."""
    trials = [
        replace(trial, values={n: v for n, v in trial.values.items() if n != "data"})
        for group in groups
        for trial in group.trials
    ]
    label = f"{groups[0].method}, over {len(groups)} data sets"
    return replace(groups[0], trials=trials, label=label)


def _mean(parts):
    seeds = {part.seeds for part in parts}
    if len(seeds) > 1 or seeds == {0}:
        return Compared(0, math.nan, math.nan, np.array([]), None)
    apart = np.mean([part.apart for part in parts], axis=0)
    means = [fmean(getattr(part, n) for part in parts) for n in ("value", "other")]
    return Compared(len(apart), *means, apart, t_interval(apart))


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


def _compared(group, other, name):
    pairs = significance.pair(group.of(name), other.of(name))
    value, other_value = pairs.mean(axis=0) if len(pairs) else np.full(2, np.nan)
    apart = pairs[:, 0] - pairs[:, 1]
    return Compared(
        len(pairs),
        float(value),
        float(other_value),
        apart,
        t_interval(apart),
        _wide(group.losses(name), other.losses(name)),
    )


def _wide(losses, others):
    """The interval over seeds and texts; None unless all seeds have the same texts."""
    common = sorted(losses.keys() & others.keys())
    pairs = [(*losses[seed], *others[seed]) for seed in common]
    if not pairs:
        return None
    labels = pairs[0][0]
    if any(not np.array_equal(labels, given) for p in pairs for given in p[::2]):
        return None
    return crossed_interval(np.array([ours - theirs for _, ours, _, theirs in pairs]))
