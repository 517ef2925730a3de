"""The table of cells that were run more than once."""

import math

from keras_amp.experiments.pages.templating import render
from keras_amp.experiments.store import FINISHED
from keras_amp.experiments.summary.groups import group_trials
from keras_amp.experiments.summary.labels import label_groups
from keras_amp.experiments.summary.means import spread
from keras_amp.experiments.summary.repeated import Repeated, root_mean_square
from keras_amp.experiments.summary.table import Table
from keras_amp.experiments.summary.texts import number
from keras_amp.experiments.summary.trials import trials_of_grid

NOTE = (
    "Apart: the root mean square of the differences of two runs' test errors, in "
    "percentage points. That of two seeds is the standard deviation over seeds times the "
    "square root of 2, and holds the chance of a rerun."
)


def rerun_table(grid, records, again):
    """Return how far cells that were run again are from their first run.

    Args:
        grid: ``Grid``.
        records: Dict from keys of cells to records, of the first run.
        again: Dict from names, of what was other, to such dicts.

    Returns:
        A ``Table`` with a row for each kind of cell and each name.
    """
    rows = []
    for group in label_groups(group_trials(trials_of_grid(grid, records))):
        _, deviation = spread([t.result["test_error"] for t in group.finished])
        of_seeds = None if deviation is None else math.sqrt(2) * deviation
        for name, others in again.items():
            pairs = _pairs(group, others)
            apart = [each.apart("test_error") for each in pairs]
            rows.append(
                (
                    group.label,
                    name,
                    str(len(pairs)),
                    str(sum(each.same for each in pairs)),
                    number(root_mean_square(apart)),
                    number(max(map(abs, apart), default=None)),
                    number(of_seeds),
                )
            )
    return Table.of(
        "Cells that were run again",
        ("method", "again", "cells", "the same", "apart", "at most", "two seeds"),
        rows,
        words=("again",),
        note=NOTE,
        empty="No cell was run again.",
    )


def rerun_markdown(grid, records, again):
    """Return the same in Markdown, with its note."""
    return render("reruns.md", {"reruns": rerun_table(grid, records, again)})


def _pairs(group, others):
    finished = {key for key, record in others.items() if record["status"] == FINISHED}
    return [
        Repeated(group.label, trial.record, others[trial.key])
        for trial in group.finished
        if trial.key in finished
    ]
