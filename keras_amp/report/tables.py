"""The tables of a report, as texts for a page and as numbers for a file."""

import math
from dataclasses import dataclass, replace

import pandas as pd

from keras_amp.experiments.results import HEADER, QUANTITIES, cells, summarize
from keras_amp.report.groups import ABOUT_THE_RUN, WITHOUT_EFFECT, flat, short_name, shown

SPACE, DASH, MINUS = "\N{NO-BREAK SPACE}", "\N{EN DASH}", "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Table:
    """A table of texts; the first column names the rows.

    Attributes:
        caption: What it shows.
        headings: Tuple of strings, the columns'.
        rows: List of tuples of strings.
        words: Names of the columns that hold words, not numbers.
    """

    caption: str
    headings: tuple
    rows: list
    words: tuple = ()


def results_table(groups, compared):
    """Returns the mean and deviation of every quantity, and the relative improvements.

    Args:
        groups: List of ``Group``s.
        compared: Their ``Difference``s.
    """
    after = HEADER.index("test error %") + 1

    def beside(row, improvements):
        return (*row[:after], *improvements, *row[after:])

    rows = [
        beside(cells(row), _improvements(group, groups, compared))
        for group, row in zip(groups, _rows(groups), strict=True)
    ]
    headings = beside(HEADER, ("over mixup %", "over none %"))
    return Table("Mean ± standard deviation over the runs", headings, rows)


def differences_table(compared):
    """Returns the comparisons of the test errors.

    Args:
        compared: List of ``Difference``s.
    """
    headings = ("method", "against", "verdict", "test error %", "against %")
    headings += ("difference", "95% interval", "improvement %", "p")
    rows = [
        (
            d.label,
            d.against,
            d.verdict,
            number(d.error),
            number(d.other),
            number(d.difference, signed=True),
            interval(d.interval),
            number(d.improvement, 1, signed=True),
            p_value(d.p),
        )
        for d in compared
    ]
    caption = "Test errors of the common seeds, in percent and percentage points"
    return Table(caption, headings, rows, words=("against", "verdict"))


def results_frame(groups, compared):
    """Returns the numbers of ``results_table``, a data frame of a row a group."""
    lines = []
    for group, row in zip(groups, _rows(groups), strict=True):
        line = {"method": group.label, "runs": row.runs, "seeds": len(group.seeds)}
        for name, *_ in QUANTITIES:
            line[f"{name}_mean"], line[f"{name}_std"] = row.spreads[name]
        baselines = _baselines(group, groups, compared)
        for kind, found in zip(("mixup", "none"), baselines, strict=True):
            line[f"against_{kind}"] = found and found.against
            line[f"improvement_over_{kind}"] = found and found.improvement
            line[f"p_{kind}"] = found and found.p
            line[f"verdict_{kind}"] = found and found.verdict
        lines.append(line)
    return pd.DataFrame(lines)


def settings_frame(groups):
    """Returns all settings, a data frame of a row a run."""
    lines = [
        {
            "group": group.label,
            "method": group.method,
            "seed": run.result.seed,
            "fold": run.result.fold,
            "folder": str(run.folder),
            **{n: v for n, v in flat(run.config).items() if n not in ("seed", "fold")},
        }
        for group in groups
        for run in group.runs
    ]
    return pd.DataFrame(lines).astype({"fold": "Int64"})


def settings_tables(groups):
    """Returns the settings that differ between groups, and those that do not.

    Args:
        groups: List of ``Group``s.

    Returns:
        A tuple ``(differing, shared)`` of ``Table``s: a row a group, and a row a setting.
        What differs between the seeds of a group alone is shared, as a range.
    """
    values = [_values(group) for group in groups]
    names = dict.fromkeys(name for of_group in values for name in of_group)
    differing = [
        name for name in names if len({v[name] for v in values if name in v}) > 1
    ]
    rows = [
        (
            group.label,
            _range(group.seeds),
            *([_range(group.folds)] if any(g.folds for g in groups) else []),
            *(of_group.get(name, DASH) for name in differing),
        )
        for group, of_group in zip(groups, values, strict=True)
    ]
    folds = ("folds",) if any(group.folds for group in groups) else ()
    headings = ("method", "seeds", *folds, *map(short_name, differing))
    shared = [
        (name, next(v[name] for v in values if name in v))
        for name in names
        if name not in differing
    ]
    caption = "What the runs differ by"
    return (
        Table(caption, headings, rows, words=headings[1:]),
        Table(
            "What they have in common, where they have it",
            ("setting", "value"),
            shared,
            ("value",),
        ),
    )


def number(value, digits=2, signed=False):
    """Returns a number as a page shows it.

    Example:
    >>> from keras_amp.report.tables import number
    >>> number(1.234), number(0.5, 1, signed=True)
    ('1.23', '+0.5')
    """
    if not math.isfinite(value):
        return DASH
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def interval(bounds):
    """Returns the bounds of an interval as a page shows them, a dash for None."""
    if bounds is None:
        return DASH
    return f"{SPACE}to{SPACE}".join(number(bound, signed=True) for bound in bounds)


def p_value(p):
    """Returns a p-value as a page shows it, a dash for None."""
    if p is None:
        return DASH
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def _rows(groups):
    return summarize(
        replace(run.result, method=group.label) for group in groups for run in group.runs
    )


def _baselines(group, groups, compared):
    """A group's comparisons with mixup and with no mixing, None where there is none."""
    mixes = {other.label: other.mix for other in groups}
    found = {mixes[d.against] == "none": d for d in compared if d.label == group.label}
    return found.get(False), found.get(True)


def _improvements(group, groups, compared):
    return (
        DASH if found is None else number(found.improvement, 1, signed=True)
        for found in _baselines(group, groups, compared)
    )


def _values(group):
    """A group's settings as texts, a range where its runs differ."""
    left = {*ABOUT_THE_RUN, *WITHOUT_EFFECT}
    found = {}
    for run in group.runs:
        for name, value in flat(run.config).items():
            if name not in left:
                found.setdefault(name, []).append(value)
    return {name: _range(values) for name, values in found.items()}


def _range(values):
    """Values as a text: themselves if they are few, else the least and the greatest."""
    different = list({repr(value): value for value in values}.values())
    numbers = [v for v in different if isinstance(v, int | float)]
    if len(different) > 3 and len(numbers) == len(different):
        return f"{shown(min(numbers))} to {shown(max(numbers))}"
    return ", ".join(map(shown, different)) or DASH
