"""The table of methods: means and deviations over their runs, as texts."""

import csv
from dataclasses import fields
from pathlib import Path

from keras_amp.experiments.results import Result
from keras_amp.experiments.summary.means import QUANTITIES, summarize
from keras_amp.experiments.summary.table import Table
from keras_amp.experiments.summary.texts import spread_text
from keras_amp.runtime.files import whole_file

HEADER = ("method", "runs", *(heading for _, heading, _ in QUANTITIES))
SECOND = ("plateau %", "last epoch %", "NLL, scaled", "ECE %, scaled")  # the less needed

CAPTION = "Mean ± standard deviation over the runs"
# What a reader needs to know of the columns, by the first that needs it.
EXPLAINED = {
    "test error %": "The epoch is chosen by the development set, and is the last "
    "without one; `test error` is the result.",
    "best test error %": "`best test error` is the least of any epoch, chosen by the "
    "test set itself: only for comparison with papers that report it.",
    "plateau %": "`plateau` is the mean test error of the last third of the epochs.",
    "NLL": "NLL: negative log-likelihood; ECE: expected calibration error in 15 bins, "
    "both on the test set.",
    "NLL, scaled": "Scaled: at the temperature that fits the development set best.",
}
# The policies beside the paper's, by what their methods' names end in.
NAMES = {
    "Adversarial": "adversarial training of the hidden state",
    "VAT": "virtual adversarial training, against the predictions",
    "RandomStep": "a step of the same norm in a random direction, the control",
    "RegMixup": "the examples, and their mixtures beside them",
    "RDrop": "R-Drop, two passes with dropout masks of their own that shall agree",
    "CutMix": "a box or a span of the partner",
}


def explained_names(methods):
    """Return what the names of methods beside the paper's mean, those that occur.

    Args:
        methods: Iterable of names, such as ``"WordVAT"``.

    Example:
    >>> from keras_amp.experiments.summary.methods import explained_names
    >>> explained_names(["none", "SentCutMix", "WordCutMix", "WordAMP"])
    ' CutMix: a box or a span of the partner.'
    """
    methods = set(methods)
    found = [
        f"{name}: {meaning}"
        for name, meaning in NAMES.items()
        if any(method.endswith(name) for method in methods)
    ]
    return f" {'; '.join(found)}." if found else ""


def explanation(methods, headings=HEADER):
    """Return what a reader needs to know of the columns and of the methods' names.

    Args:
        methods: Iterable of names, such as ``"WordVAT"``.
        headings: Those of the columns that are shown.

    Example:
    >>> from keras_amp.experiments.summary.methods import explanation
    >>> explanation(["none", "WordAMP"], ["method", "plateau %"])[-43:]
    'epochs. AMP: the Adversarial Mixing Policy.'
    """
    methods = set(methods)
    sentences = [text for heading, text in EXPLAINED.items() if heading in headings]
    if any(method.endswith("AMP") for method in methods):
        sentences.append("AMP: the Adversarial Mixing Policy.")
    return " ".join(sentences) + explained_names(methods)


class Results(list):
    """A list of ``Result``s that a notebook shows as the table of their methods.

    Example:
    >>> from keras_amp.experiments import Results
    >>> Results()
    []
    """

    def _repr_html_(self):
        return methods_table(self).frame.to_html(index=False)


def methods_table(results, headings=HEADER):
    """Return the mean and the deviation of every quantity, a row a method.

    Args:
        results: Iterable of ``Result``s.
        headings: Those of the columns to keep.
    """
    rows = summarize(results)
    note = explanation((row.method for row in rows), headings)
    table = Table.of(CAPTION, HEADER, map(cells, rows), note=note)
    return table.without({*HEADER} - {*headings})


def cells(row):
    """Return the texts of a ``Row``, in the order of ``HEADER``."""
    texts = (spread_text(*row.spreads[name], digits) for name, _, digits in QUANTITIES)
    return row.method, str(row.runs), *texts


def markdown(rows):
    """Return the table of ``Row``s in Markdown, with its note."""
    lines = [HEADER, ("---",) + ("---:",) * (len(HEADER) - 1), *map(cells, rows)]
    note = f"{CAPTION}. {explanation(row.method for row in rows)}"
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{note}\n"


def write_results(folder, results):
    """Write ``results.csv``, one line a run, and ``table.md``.

    Args:
        folder: Existing folder.
        results: List of ``Result``s.
    """
    folder = Path(folder)
    with whole_file(folder / "results.csv") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Result)])
        writer.writeheader()
        writer.writerows(result.as_dict() for result in results)
    with whole_file(folder / "table.md") as file:
        file.write(markdown(summarize(results)))
