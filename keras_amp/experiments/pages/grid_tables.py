"""The tables of a grid: errors, differences, what is missing and what was trained."""

from dataclasses import dataclass

from keras_amp.analysis.significance import by_seed
from keras_amp.experiments.pages.difference_columns import (
    DIFFERENCE,
    SCORE_NAMES,
    SCORES_NOTE,
    WIDE,
    compared_scores,
    difference_texts,
    score_texts,
)
from keras_amp.experiments.summary.backends import backends_note
from keras_amp.experiments.summary.differences import FAMILIES
from keras_amp.experiments.summary.groups import Group
from keras_amp.experiments.summary.means import spread
from keras_amp.experiments.summary.methods import explained_names
from keras_amp.experiments.summary.table import Table
from keras_amp.experiments.summary.texts import (
    DASH,
    SPACE,
    interval,
    number,
    setting_text,
    spread_text,
)
from keras_amp.paper.published_tables import reported

# Settings whose values are clear without the name in a heading.
PLAIN = ("data", "method", "backbone", "mix", "policy", "preset")
RP = f"RP{SPACE}%"
# Columns of the differences that the table of results has, too, or nearly.
IN_RESULTS = ("error %", "against %", RP)
CAPTIONS = {
    "test_error": "Test error in percent, at the epoch that the development set chose",
    "best_test_error": (
        "Least test error of any epoch in percent: the minimum over the test curve, "
        "chosen by the test set itself"
    ),
    "dev_error": "Development error in percent, at the epoch that it chose",
    "plateau_error": "Mean test error of the last third of the epochs, in percent",
}
NOTES = {
    "test_error": (
        "RP is the relative improvement over mixup at the same place: by how many "
        "percent the error is lower than mixup's, over the seeds that both have. The "
        "folds of a seed are averaged; a seed counts as soon as all of its folds are "
        "finished."
    ),
    "best_test_error": (
        "It is not an error that a user can expect, who has no labels to choose the "
        "epoch by. The authors' program reports it: compare it with the paper's figures."
    ),
    "dev_error": (
        "It serves to choose settings. It is no result: as the least development error "
        "of all epochs it is too low."
    ),
    "plateau_error": (
        "A second reading of the same runs, in which no epoch is chosen; the test error "
        "of the last epoch is in the CSV file."
    ),
}
FAMILY_NOTES = {
    "mixup": (
        "The difference is in percentage points; below zero is better. The interval is "
        "the t-interval of the mean difference over seeds, and not adjusted for the "
        "number of comparisons. No verdict is given on comparisons that were not named "
        f"beforehand.{SCORES_NOTE}"
    ),
    "none": "The columns are the same.",
}
WIDE_NOTE = (
    " The second interval, of NLL and ECE that behind the semicolon, is over seeds and "
    "test texts: what other seeds and other texts of the same kind would show."
)
NOT_COMPARED = {
    "mixup": (
        "Nothing is compared with mixup: no method at its place has the same settings."
    ),
    "none": (
        "Nothing is compared with no mixing: nothing without mixing has the same "
        "settings."
    ),
}


@dataclass(frozen=True)
class Line:
    """A row or a column: of entries, or of the relative improvements next to them.

    Attributes:
        group: A ``Group`` of the row or column.
        improved: The names of the dimensions in which it differs from its baseline's row
            or column; None of a line of entries.
    """

    group: Group
    improved: tuple | None = None


def entries_table(arrangement, compared, reading, paper=None):
    """Return the errors, with the relative improvements and the paper's figures.

    Args:
        arrangement: ``Arrangement``.
        compared: List of ``Difference``, of the same reading.
        reading: A key of ``CAPTIONS``.
        paper: Name of the paper's table whose figures are added; None for none.
    """
    over_mixup = {d.group: d for d in compared if d.family == "mixup"}
    rows = _lines(
        arrangement.rows,
        arrangement.row_dimensions,
        arrangement.column_dimensions,
        over_mixup,
    )
    columns = _lines(
        arrangement.columns,
        arrangement.column_dimensions,
        arrangement.row_dimensions,
        over_mixup,
    )
    headings, texts = [], [[] for _ in rows]
    for column in columns:
        heading = column_label(arrangement, column)
        entries = [_entry(arrangement, row, column) for row in rows]
        ours = [_ours(*entry, over_mixup, reading) for entry in entries]
        theirs = [_theirs(*entry, over_mixup, paper) for entry in entries]
        added = any(text != DASH for text in theirs)
        headings += [heading, f"{heading}, paper"] if added else [heading]
        for line, text, paper_text in zip(texts, ours, theirs, strict=True):
            line += [text, paper_text] if added else [text]
    names = arrangement.row_dimensions
    return Table.of(
        f"{CAPTIONS[reading]}: mean ± standard deviation (number of seeds)",
        (*names, *headings),
        [(*_row_label(row, names), *line) for row, line in zip(rows, texts, strict=True)],
        words=names[1:],
        note=NOTES[reading]
        + explained_names(g.method for g in arrangement.groups)
        + backends_note(arrangement.groups),
    )


def family_table(arrangement, compared, family):
    """Return the comparisons of a family, a row each.

    Args:
        arrangement: ``Arrangement``.
        compared: List of ``Difference``.
        family: A key of ``FAMILIES``.
    """
    names = [
        name
        for name in arrangement.label_dimensions
        if name == "method" or len({group.at([name]) for group in arrangement.groups}) > 1
    ]
    found = [d for d in compared if d.family == family]
    wide = any(d.compared.wide is not None for d in found)
    scores = compared_scores(found)
    headings = (*names, "against", "seeds", "error %", "against %", *DIFFERENCE)
    headings += (*([WIDE] if wide else []), RP, *(SCORE_NAMES[n] for n in scores))
    rows = [
        (
            *d.group.shown(names),
            d.other.method,
            str(d.seeds),
            *difference_texts(d),
            *([interval(d.compared.wide)] if wide else []),
            number(d.improvement, 1, signed=True),
            *score_texts(d, scores),
        )
        for d in found
    ]
    return Table.of(
        f"Against {FAMILIES[family]}: test errors of the common seeds, in percent",
        headings,
        rows,
        words=(*names[1:], "against"),
        note=FAMILY_NOTES[family] + (WIDE_NOTE if wide else ""),
        empty=NOT_COMPARED[family],
    )


def missing_table(arrangement):
    """Return how much of each row is finished, of the rows that are not complete."""
    rows = []
    for row in arrangement.rows:
        counts = [
            f"{_in_column(arrangement, group)}{_count(group)}"
            for group in arrangement.of_row(row)
            if len(group.complete) < len(group.seeds)
        ]
        if counts:
            rows.append((*row.shown(arrangement.row_dimensions), "; ".join(counts)))
    headings = (*arrangement.row_dimensions, "finished")
    return Table.of(
        "Rows that are not complete",
        headings,
        rows,
        words=headings[1:],
        empty="All cells are finished.",
    )


def trained_table(arrangement):
    """Return how the finished cells of each row were trained."""
    rows = []
    for row in arrangement.rows:
        trials = [t for group in arrangement.of_row(row) for t in group.finished]
        if not trials:
            continue
        results = [trial.result for trial in trials]
        examples = [trial.record.get("examples", {}) for trial in trials]
        hours = sum(trial.record["seconds"] for trial in trials) / 3600
        rows.append(
            (
                *row.shown(arrangement.row_dimensions),
                str(len(trials)),
                *(_extent(result[n] for result in results) for n in ("steps", "epochs")),
                *(_extent(e.get(n) for e in examples) for n in ("train", "dev", "test")),
                number(hours),
            )
        )
    names = arrangement.row_dimensions
    headings = (*names, "cells", "steps", "epochs", "train", "dev", "test", "hours")
    groups = arrangement.groups
    seconds = sum(t.record["seconds"] for group in groups for t in group.finished)
    return Table.of(
        "What was trained: cells, steps and epochs of each, examples, hours in all",
        headings,
        rows,
        words=names[1:],
        note=f"{seconds / 3600:,.1f} hours altogether.",
        empty="Nothing yet.",
    )


def tuned_table(arrangement):
    """Return the settings that each method was given of its own, a row an entry."""
    groups = [group for group in arrangement.groups if group.tuned]
    tuned = list(dict.fromkeys(name for group in groups for name in group.tuned))
    names = arrangement.label_dimensions
    rows = [
        (*group.shown(names), *(setting_text(group.tuned, name) for name in tuned))
        for group in groups
    ]
    return Table.of(
        "Settings that each method was given of its own",
        (*names, *tuned),
        rows,
        words=names[1:],
        empty="All methods have the same settings.",
    )


def column_label(arrangement, column):
    """Return a column's heading.

    Args:
        arrangement: ``Arrangement``.
        column: ``Line``.
    """
    names = arrangement.column_dimensions
    label = _joined(names, column.group) or "error %"
    return label if column.improved is None else f"{label}: {RP}"


def _lines(groups, own, across, over_mixup):
    """Lines of entries, and after each the line of its improvements, if it has one.

    Args:
        groups: The first ``Group`` of each row, or of each column.
        own: Names of what these differ by.
        across: Names of what the others, columns or rows, differ by.
        over_mixup: Dict from groups to their ``Difference`` with mixup.
    """
    found = []
    for line in groups:
        found.append(Line(line))
        for group, compared in over_mixup.items():
            other = compared.other
            if group.at(own) != line.at(own) or group.at(across) != other.at(across):
                continue
            differing = tuple(n for n in own if group.at([n]) != other.at([n]))
            if differing:
                found.append(Line(line, differing))
                break
    return found


def _entry(arrangement, row, column):
    """The group of a row and a column, and the lines that are of improvements."""
    group = arrangement.entry(row.group, column.group)
    return group, [line for line in (row, column) if line.improved is not None]


def _ours(group, improved, over_mixup, reading):
    if group is None:
        return DASH
    if not improved:
        return _errors(group, reading)
    compared = over_mixup.get(group)
    if compared is None or len(improved) > 1:
        return DASH
    return number(compared.improvement, 1, signed=True)


def _theirs(group, improved, over_mixup, paper):
    found = None if group is None or paper is None else reported(group.values, paper)
    if found is None:
        return DASH
    if not improved:
        return f"{found.mean:.1f}{SPACE}±{SPACE}{found.sd:.2f}"
    if found.rp is None or group not in over_mixup or len(improved) > 1:
        return DASH
    return number(found.rp, 1, signed=True)


def _errors(group, reading):
    """An entry: the mean and deviation of its complete seeds, and how many they are."""
    mean, deviation = spread(list(by_seed(group.of(reading)).values()))
    done, seeds = len(group.complete), len(group.seeds)
    if mean is None:
        if done:
            return DASH  # runs without a development set
        if group.finished:
            return f"0 of {seeds} seeds"
        return "failed" if len(group.failed) == len(group.trials) else "not run"
    text = spread_text(mean, deviation)
    return f"{text}{SPACE}({done if done == seeds else f'{done} of {seeds}'})"


def _row_label(row, names):
    """The texts that name a row; of improvements, RP in place of the method."""
    texts = list(row.group.shown(names))
    if row.improved is not None:
        place = "method" if "method" in row.improved else row.improved[0]
        texts[names.index(place)] = RP
    return texts


def _joined(names, group):
    texts = zip(names, group.shown(names), strict=True)
    return ", ".join(text if n in PLAIN else f"{n}={text}" for n, text in texts)


def _in_column(arrangement, group):
    label = _joined(arrangement.column_dimensions, group)
    return f"{label}: " if label else ""


def _count(group):
    text = f"{len(group.complete)} of {len(group.seeds)} seeds"
    if len(group.trials) != len(group.seeds):
        text += f" ({len(group.finished)} of {len(group.trials)} cells)"
    return f"{text}, {len(group.failed)} failed" if group.failed else text


def _extent(values):
    found = sorted({value for value in values if value is not None})
    if not found:
        return DASH
    texts = [f"{value:,}" for value in (found[0], found[-1])]
    return texts[0] if texts[0] == texts[1] else f"{texts[0]}{SPACE}to{SPACE}{texts[1]}"
