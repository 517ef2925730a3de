"""The table of errors on test texts that were changed."""

from keras_amp.experiments.robustness import RATE
from keras_amp.experiments.summary.means import spread
from keras_amp.experiments.summary.table import Table
from keras_amp.experiments.summary.texts import number, spread_text

NOTE = (
    f"{RATE:.0%} of the words of each test text are misspelt or left out, the same ones "
    "for all runs. In parentheses: how many more errors than on the texts as they are, "
    "in percentage points."
)


def perturbed_table(arrangement):
    """Return the errors on changed test texts, a row an entry.

    Args:
        arrangement: ``Arrangement`` of the groups.
    """
    names = arrangement.label_dimensions
    tested = {
        group: [trial.record for trial in group.finished if "perturbed" in trial.record]
        for group in arrangement.groups
    }
    changes = list(
        dict.fromkeys(
            change
            for records in tested.values()
            for record in records
            for change in record["perturbed"]
        )
    )
    rows = [
        (
            *group.shown(names),
            spread_text(*spread([r["result"]["test_error"] for r in records])),
            *(_errors(records, change) for change in changes),
        )
        for group, records in tested.items()
        if records
    ]
    return Table.of(
        "Test errors on changed texts, in percent",
        (*names, "as they are", *changes),
        rows,
        words=names[1:],
        note=NOTE,
        empty="No run was tested on changed texts.",
    )


def _errors(records, change):
    errors = [record["perturbed"][change]["error"] for record in records]
    more, _ = spread(
        [e - r["result"]["test_error"] for e, r in zip(errors, records, strict=True)]
    )
    return f"{spread_text(*spread(errors))} ({number(more, signed=True)})"
