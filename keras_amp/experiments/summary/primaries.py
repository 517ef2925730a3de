"""Primary comparisons: those that were named beforehand, and their verdicts."""

from dataclasses import dataclass, replace

from keras_amp.analysis.verdicts import Verdict, verdicts
from keras_amp.experiments.summary.differences import (
    PRIMARY,
    Difference,
    difference,
    over_data_sets,
)
from keras_amp.experiments.summary.groups import group_trials
from keras_amp.experiments.summary.labels import label_groups
from keras_amp.experiments.summary.trials import trials_of_grid


@dataclass(frozen=True)
class PrimaryComparison:
    """A comparison that a study named.

    Attributes:
        study: The study's name.
        difference: ``Difference``, with its margin; with a verdict once all seeds are
            finished and ``judge`` has been asked.
        cells: Integer, the finished cells of the two methods.
        late: Integer, those of them that were run before the comparison was named so.
        complete: Whether all seeds are finished.
        family: Integer, the comparisons that the verdict is corrected for.
    """

    study: str
    difference: Difference
    cells: int
    late: int
    complete: bool
    family: int = 0

    @property
    def verdict(self):
        """The ``Verdict``, or None."""
        return self.difference.verdict


def primary_comparisons(grid, records):
    """Return the comparisons that a grid's study names, without their verdicts.

    Args:
        grid: ``Grid``.
        records: Dict from keys of cells to records.

    Returns:
        A list of ``PrimaryComparison``s; empty where there is no study.
    """
    if grid.study is None:
        return []
    groups = label_groups(group_trials(trials_of_grid(grid, records)))
    by_settings = {repr(sorted(group.values.items())): group for group in groups}
    found = []
    for primary in grid.study.primary:
        sides = [
            [by_settings[repr(sorted(settings.items()))] for settings in side]
            for side in (primary.method, primary.against)
        ]
        each = [difference(*pair, PRIMARY) for pair in zip(*sides, strict=True)]
        compared = each[0] if len(each) == 1 else over_data_sets(each)
        compared = replace(compared, margin=primary.margin)
        trials = [t for g in (compared.group, compared.other) for t in g.finished]
        late = sum(not grid.study.was_named(primary, trial.record) for trial in trials)
        complete = compared.seeds == grid.study.seeds
        found.append(PrimaryComparison(grid.name, compared, len(trials), late, complete))
    return found


def judge(comparisons):
    """Return primary comparisons with their verdicts, corrected for their number.

    Those whose seeds are not finished have none, but count.

    Args:
        comparisons: List of ``PrimaryComparison``s, of one study or of several.
    """
    complete = [each for each in comparisons if each.complete]
    given = _verdicts(
        [each.difference for each in complete],
        [each.difference.margin for each in complete],
        waiting=len(comparisons) - len(complete),
    )
    judged = iter(given)
    return [
        replace(
            each,
            family=len(comparisons),
            difference=replace(
                each.difference, verdict=next(judged) if each.complete else None
            ),
        )
        for each in comparisons
    ]


def judge_all(compared, margin=None):
    """Return the differences of a user's own comparison, the primary ones with verdicts.

    Where no study has named any, the primary comparisons are those with no mixing; where
    everything mixes, those with mixup. Their p-values are adjusted for their number.

    Args:
        compared: List of ``Difference``s of test errors.
        margin: Float > 0, points of error within which errors count as equal; None for
            none: then no verdict is ``"equal"``.
    """
    families = {each.family for each in compared}
    chosen = "none" if "none" in families else "mixup"
    primary = [each for each in compared if each.family == chosen]
    judged = iter(_verdicts(primary, [margin] * len(primary)))
    return [
        replace(each, verdict=next(judged), margin=margin)
        if each.family == chosen
        else each
        for each in compared
    ]


def _verdicts(compared, margins, waiting=0) -> list[Verdict]:
    return verdicts([each.compared.apart for each in compared], margins, waiting)
