"""A grid's results as tables of texts: errors, differences, what is missing."""

import statistics
from dataclasses import dataclass

from keras_amp.analysis.significance import by_seed
from keras_amp.report.tables import DASH, SPACE, Table, interval, number, p_value
from keras_amp.tables.comparing import FAMILIES
from keras_amp.tables.groups import Group
from keras_amp.tables.paper import reported

# Whose values speak for themselves in a heading; other names stand beside theirs.
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
}


@dataclass(frozen=True)
class Line:
    """A row or a column: entries, or the relative improvements beside them.

    Attributes:
        group: A ``Group`` of the row or column.
        improved: The names of the dimensions in which it differs from its baseline's row
            or column; None of a line of entries.
    """

    group: Group
    improved: tuple | None = None


def results_table(arrangement, compared, reading, paper=None):
    """Returns the errors, with the relative improvements and the paper's figures.

    Args:
        arrangement: ``Arrangement``.
        compared: List of ``Compared``, of the same reading.
        reading: ``"test_error"``, ``"best_test_error"`` or ``"dev_error"``.
        paper: Name of the paper's table to stand beside; None for none.
    """
    over_mixup = {c.group: c for c in compared if c.family == "mixup"}
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
        beside = any(text != DASH for text in theirs)
        headings += [heading, f"{heading}, paper"] if beside else [heading]
        for line, text, paper_text in zip(texts, ours, theirs, strict=True):
            line += [text, paper_text] if beside else [text]
    names = arrangement.row_dimensions
    return Table(
        f"{CAPTIONS[reading]}: mean ± standard deviation (number of seeds)",
        (*names, *headings),
        [(*_row_label(row, names), *line) for row, line in zip(rows, texts, strict=True)],
        words=names[1:],
    )


def differences_table(arrangement, compared, family):
    """Returns the comparisons of a family, a row each.

    Args:
        arrangement: ``Arrangement``.
        compared: List of ``Compared``.
        family: A key of ``FAMILIES``.
    """
    names = [
        name
        for name in label_dimensions(arrangement)
        if name == "method" or len({group.at([name]) for group in arrangement.groups}) > 1
    ]
    headings = (*names, "against", "verdict", "seeds", "error %", "against %")
    headings += ("difference", "95% interval", RP, "p (t)", "p (Wilcoxon)")
    found = [c for c in compared if c.family == family]
    rows = [
        (
            *c.group.shown(names),
            c.other.method,
            c.verdict,
            str(c.seeds),
            number(c.error),
            number(c.other_error),
            number(c.difference, signed=True),
            interval(c.interval),
            number(c.improvement, 1, signed=True),
            p_value(c.adjusted_t),
            p_value(c.adjusted_wilcoxon),
        )
        for c in found
    ]
    tested = sum(c.adjusted_t is not None for c in found)
    caption = f"Against {FAMILIES[family]}: test errors of the common seeds, in percent"
    caption += f"; comparisons that p is adjusted for: {tested}"
    return Table(caption, headings, rows, words=(*names[1:], "against", "verdict"))


def missing_table(arrangement):
    """Returns how much of each row is finished, of the rows that are not complete."""
    rows = []
    for row in arrangement.rows:
        counts = [
            f"{_in_column(arrangement, group)}{_count(group)}"
            for group in _of_row(arrangement, row)
            if len(group.complete) < len(group.seeds)
        ]
        if counts:
            rows.append((*row.shown(arrangement.row_dimensions), "; ".join(counts)))
    headings = (*arrangement.row_dimensions, "finished")
    return Table("Rows that are not complete", headings, rows, words=headings[1:])


def trained_table(arrangement):
    """Returns how the finished cells of each row were trained."""
    rows = []
    for row in arrangement.rows:
        runs = [r for group in _of_row(arrangement, row) for r in group.finished]
        if not runs:
            continue
        results = [run.record["result"] for run in runs]
        examples = [run.record.get("examples", {}) for run in runs]
        hours = sum(run.record["seconds"] for run in runs) / 3600
        rows.append(
            (
                *row.shown(arrangement.row_dimensions),
                str(len(runs)),
                *(_range(result[n] for result in results) for n in ("steps", "epochs")),
                *(_range(e.get(n) for e in examples) for n in ("train", "dev", "test")),
                number(hours),
            )
        )
    names = arrangement.row_dimensions
    headings = (*names, "cells", "steps", "epochs", "train", "dev", "test", "hours")
    caption = "What was trained: cells, steps and epochs of each, examples, hours in all"
    return Table(caption, headings, rows, words=names[1:])


def spread(values):
    """Returns the mean and the standard deviation, None where there is none.

    Args:
        values: List of floats, one a seed.
    """
    mean = statistics.fmean(values) if values else None
    return mean, statistics.stdev(values) if len(values) > 1 else None


def column_label(arrangement, column):
    """Returns a column's heading.

    Args:
        arrangement: ``Arrangement``.
        column: ``Line``.
    """
    names = arrangement.column_dimensions
    label = _joined(names, column.group) or "error %"
    return label if column.improved is None else f"{label}: {RP}"


def label_dimensions(arrangement):
    """Returns the names of what tells entries apart, the method among them."""
    names = arrangement.dimensions
    told = "method" in names or {"mix", "policy"} <= set(names)
    return names if told else (*names, "method")


def _lines(groups, own, across, over_mixup):
    """Lines of entries, each with one of improvements where its baseline is parallel.

    Args:
        groups: The first ``Group`` of each row, or of each column.
        own: Names of what these differ by.
        across: Names of what the others, columns or rows, differ by.
        over_mixup: Dict from groups to their ``Compared`` with mixup.
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
        return "failed" if len(group.failed) == len(group.runs) else "not run"
    text = number(mean)
    if deviation is not None:
        text += f"{SPACE}±{SPACE}{number(deviation)}"
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


def _of_row(arrangement, row):
    entries = (arrangement.entry(row, column) for column in arrangement.columns)
    return [group for group in entries if group is not None]


def _in_column(arrangement, group):
    label = _joined(arrangement.column_dimensions, group)
    return f"{label}: " if label else ""


def _count(group):
    text = f"{len(group.complete)} of {len(group.seeds)} seeds"
    if len(group.runs) != len(group.seeds):
        text += f" ({len(group.finished)} of {len(group.runs)} cells)"
    return f"{text}, {len(group.failed)} failed" if group.failed else text


def _range(values):
    found = sorted({value for value in values if value is not None})
    if not found:
        return DASH
    texts = [f"{value:,}" for value in (found[0], found[-1])]
    return texts[0] if texts[0] == texts[1] else f"{texts[0]}{SPACE}to{SPACE}{texts[1]}"
