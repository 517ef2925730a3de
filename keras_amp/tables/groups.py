"""A grid's cells, put together and arranged in rows and columns."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from keras_amp.experiments.distinguishing_settings import ABSENT, telling, values_at
from keras_amp.experiments.settings import ON_WORDS
from keras_amp.report.groups import shown
from keras_amp.report.tables import DASH

WITHIN = ("seed", "fold")  # what the cells of one entry differ by
BY_METHOD = ("mix", "policy")  # what a method's name says


@dataclass(frozen=True, eq=False)
class Run:
    """A cell with what is known of it.

    Attributes:
        key: The cell's key.
        values: Dict, its settings by their own names.
        record: Its record, a dict; None where it was not run.
    """

    key: str
    values: dict = field(repr=False)
    record: dict | None = field(repr=False)

    @property
    def status(self):
        """``"finished"``, ``"failed"``, or ``"not run"``."""
        return "not run" if self.record is None else self.record["status"]

    @property
    def part(self):
        """Its seed and fold, a tuple."""
        return self.values["seed"], self.values["fold"]


@dataclass(frozen=True, eq=False)
class Group:
    """The cells of one entry: those that differ by seed and fold alone.

    Attributes:
        runs: List of ``Run``s, in the order of the grid's cells.
    """

    runs: list = field(repr=False)

    @cached_property
    def values(self):
        """The settings by their own names, without seed and fold."""
        values = self.runs[0].values
        return {name: value for name, value in values.items() if name not in WITHIN}

    @property
    def method(self):
        """The method's name."""
        return self.values["method"]

    @property
    def mix(self):
        """Where it mixes."""
        return self.values["mix"]

    @property
    def policy(self):
        """By what policy it mixes; None without mixing."""
        return self.values["policy"]

    @property
    def seeds(self):
        """All its seeds, run or not."""
        return list(dict.fromkeys(seed for seed, _ in (run.part for run in self.runs)))

    @property
    def finished(self):
        """Its runs that are finished."""
        return [run for run in self.runs if run.status == "finished"]

    @property
    def failed(self):
        """Its runs that failed."""
        return [run for run in self.runs if run.status == "failed"]

    @cached_property
    def complete(self):
        """The seeds of which all folds are finished: only these count."""
        missing = {run.part[0] for run in self.runs if run.status != "finished"}
        return [seed for seed in self.seeds if seed not in missing]

    def of(self, name):
        """Returns a field of the results by ``(seed, fold)``, of complete seeds.

        A run without a development set has no development error, and does not count.
        """
        return {
            run.part: run.record["result"][name]
            for run in self.finished
            if run.part[0] in self.complete and run.record["result"][name] is not None
        }

    def at(self, dimensions):
        """Returns its values in the given dimensions, a tuple, for comparing."""
        return values_at(self.values, dimensions)

    def shown(self, dimensions):
        """Returns the same as texts."""
        return tuple(self._shown(name) for name in dimensions)

    def extends(self, other):
        """Whether it has all settings of another group, besides some of its own."""
        return other._settings <= self._settings

    @cached_property
    def _settings(self):
        left = ("method", *BY_METHOD)
        return {(n, repr(v)) for n, v in self.values.items() if n not in left}

    def _shown(self, name):
        value = self.values.get(name, ABSENT)
        if value is ABSENT:
            return DASH
        if name == "vectors" and value is None:
            return "random" if self.values["backbone"] in ON_WORDS else DASH
        if isinstance(value, str) and Path(value).is_absolute():
            return Path(value).name  # tables name no place on a machine
        return shown(value)


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Where each group stands.

    Attributes:
        row_dimensions: Tuple of names of settings: what the rows differ by.
        column_dimensions: Likewise of the columns; empty for a single one.
        groups: List of ``Group``s, row by row.
    """

    row_dimensions: tuple
    column_dimensions: tuple
    groups: list = field(repr=False)

    @cached_property
    def rows(self):
        """The first group of each row, in order."""
        return list(self._first(self.row_dimensions).values())

    @cached_property
    def columns(self):
        """The first group of each column, in order."""
        return list(self._first(self.column_dimensions).values())

    @property
    def dimensions(self):
        """All dimensions."""
        return self.row_dimensions + self.column_dimensions

    def row_of(self, group):
        """Returns what its row is known by."""
        return group.at(self.row_dimensions)

    def column_of(self, group):
        """Returns what its column is known by."""
        return group.at(self.column_dimensions)

    def entry(self, row, column):
        """Returns the group of a row and a column, each named by a group; or None."""
        return self._entries.get((self.row_of(row), self.column_of(column)))

    @cached_property
    def _entries(self):
        return {(self.row_of(g), self.column_of(g)): g for g in self.groups}

    def _first(self, dimensions):
        found = {}
        for group in self.groups:
            found.setdefault(group.at(dimensions), group)
        return found


def arrange(grid, records):
    """Puts the cells of a grid in rows and columns.

    Args:
        grid: ``Grid``; its ``table`` names the rows and columns. Without, columns are the
            data sets where there are several, and rows what else tells cells apart.
        records: Dict from keys of cells to records.

    Returns:
        An ``Arrangement``.

    Raises:
        ValueError: If a name is none of a setting, stands twice, or is a seed or fold; or
            if cells of one row and column differ by anything else.

    Example:
    >>> from keras_amp.grid import load_grid
    >>> from keras_amp.tables.groups import arrange
    >>> found = arrange(load_grid("table5"), {})
    >>> len(found.rows), [group.shown(["data"]) for group in found.columns]
    (8, [('trec',), ('sst2',), ('mr',)])
    """
    keys = [cell.key for cell in grid.cells]
    runs = [
        Run(key, cell.values, records.get(key))
        for key, cell in zip(keys, grid.cells, strict=True)
    ]
    names = list(dict.fromkeys(name for run in runs for name in run.values))
    rows, columns = (grid.table.get(axis) for axis in ("rows", "columns"))
    _check_names([*(rows or ()), *(columns or ())], names)
    telling = _telling(runs, names)
    if columns is None:
        columns = ["data"] if rows is None and "data" in telling else []
    if rows is None:
        rows = [name for name in telling if name not in columns]
    rows, columns = tuple(rows), tuple(columns)
    if not rows:  # a table has rows, if only one
        rows = ("backbone",) if "method" in columns else ("method",)
    groups = {}
    for run in runs:
        groups.setdefault(values_at(run.values, rows + columns), []).append(run)
    for alike in groups.values():
        _check_alike(alike, names, rows + columns)
    found = Arrangement(rows, columns, [Group(alike) for alike in groups.values()])
    entries = (found.entry(row, column) for row in found.rows for column in found.columns)
    return replace(found, groups=[group for group in entries if group is not None])


def _check_names(given, names):
    for place, name in enumerate(given):
        known = [known for known in names if known not in WITHIN]
        if name not in known:
            raise ValueError(
                "Expected rows and columns of the [table] to name settings that tell "
                f"entries apart: {', '.join(known)}. Received: {name!r}"
            )
        if name in given[:place]:
            raise ValueError(
                "Expected each setting once among the rows and columns of the [table]. "
                f"Received: {name!r} twice"
            )


def _check_alike(runs, names, dimensions):
    for name in names:
        values = list(dict.fromkeys(values_at(run.values, (name,))[0] for run in runs))
        if name not in WITHIN and len(values) > 1:
            raise ValueError(
                "Expected the cells of one row and column to differ by seed and fold "
                f"alone. Received: {name} {' and '.join(values[:3])} in cells that agree "
                f"in {', '.join(dimensions)}. Name it among the rows or the columns of "
                "the [table]."
            )


def _telling(runs, names):
    """Settings, the first ones first, each of which splits the cells further."""
    # What a method's name says comes after it, and so tells nothing more.
    order = [name for name in names if name not in (*WITHIN, *BY_METHOD)]
    some = {name for name in names if any(name not in run.values for run in runs)}
    order.sort(key=lambda name: name == "method" or name in some)
    return telling([run.values for run in runs], order)
