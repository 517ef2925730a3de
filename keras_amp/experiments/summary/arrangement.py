"""The rows and columns of a grid's table."""

from dataclasses import dataclass, field, replace
from functools import cached_property

from keras_amp.experiments.summary.distinguishing_settings import distinguishing_settings
from keras_amp.experiments.summary.groups import BY_METHOD


@dataclass(frozen=True, eq=False)
class Arrangement:
    """The places of groups in a table.

    Attributes:
        row_dimensions: Tuple of names of settings, by which the rows differ.
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

    @cached_property
    def label_dimensions(self):
        """The names of the settings that distinguish entries, the method among them."""
        names = self.row_dimensions + self.column_dimensions
        named = "method" in names or set(BY_METHOD) <= set(names)
        return names if named else (*names, "method")

    def entry(self, row, column):
        """Return the group of a row and a column, or None.

        Args:
            row: Any ``Group`` of the row.
            column: Any ``Group`` of the column.
        """
        place = row.at(self.row_dimensions), column.at(self.column_dimensions)
        return self._entries.get(place)

    def of_row(self, row):
        """Return the groups of a row, a list."""
        entries = (self.entry(row, column) for column in self.columns)
        return [group for group in entries if group is not None]

    @cached_property
    def _entries(self):
        return {
            (g.at(self.row_dimensions), g.at(self.column_dimensions)): g
            for g in self.groups
        }

    def _first(self, dimensions):
        found = {}
        for group in self.groups:
            found.setdefault(group.at(dimensions), group)
        return found


def arrange(groups, table):
    """Put groups in rows and columns.

    Args:
        groups: List of ``Group``s.
        table: Dict with ``rows`` and ``columns``, lists of names of settings. Without
            them, the columns are the data sets if there are several, and the rows
            differ by the other settings that distinguish groups.

    Returns:
        An ``Arrangement``.

    Raises:
        ValueError: If a name is not that of a setting, stands twice, or is a seed or
            fold; or if groups of one row and column differ.

    Example:
    >>> from keras_amp.experiments.summary.arrangement import arrange
    >>> from keras_amp.experiments.summary.groups import group_trials
    >>> from keras_amp.experiments.summary.trials import trials_of_grid
    >>> from keras_amp.experiments.config import load_grid
    >>> grid = load_grid("table5")
    >>> found = arrange(group_trials(trials_of_grid(grid, {})), grid.table)
    >>> len(found.rows), [group.shown(["data"]) for group in found.columns]
    (8, [('trec',), ('sst2',), ('mr',)])
    """
    names = list(dict.fromkeys(name for group in groups for name in group.values))
    rows, columns = (table.get(axis) for axis in ("rows", "columns"))
    _check_names([*(rows or ()), *(columns or ())], names)
    distinguishing = _distinguishing(groups, names)
    if columns is None:
        columns = ["data"] if rows is None and "data" in distinguishing else []
    if rows is None:
        rows = [name for name in distinguishing if name not in columns]
    rows, columns = tuple(rows), tuple(columns)
    if not rows:  # a table has at least one row
        rows = ("backbone",) if "method" in columns else ("method",)
    _check_places(groups, names, rows + columns)
    found = Arrangement(rows, columns, groups)
    entries = (found.entry(row, column) for row in found.rows for column in found.columns)
    return replace(found, groups=[group for group in entries if group is not None])


def _check_names(given, names):
    for place, name in enumerate(given):
        if name not in names:
            raise ValueError(
                "Expected rows and columns of the [table] to name settings that tell "
                f"entries apart: {', '.join(names)}. Received: {name!r}"
            )
        if name in given[:place]:
            raise ValueError(
                "Expected each setting once among the rows and columns of the [table]. "
                f"Received: {name!r} twice"
            )


def _check_places(groups, names, dimensions):
    """Raise if several groups have one place."""
    places = {}
    for group in groups:
        places.setdefault(group.at(dimensions), []).append(group)
    for same_place in places.values():
        for name in names:
            values = list(dict.fromkeys(group.at([name])[0] for group in same_place))
            if len(values) > 1:
                raise ValueError(
                    "Expected the cells of one row and column to differ by seed and fold "
                    f"alone. Received: {name} {' and '.join(values[:3])} in cells that "
                    f"agree in {', '.join(dimensions)}. Name it among the rows or the "
                    "columns of the [table]."
                )


def _distinguishing(groups, names):
    """The settings by which the groups can be distinguished."""
    # The method's name comes first: it says what its parts would say.
    order = [name for name in names if name not in BY_METHOD]
    some = {name for name in names if any(name not in group.values for group in groups)}
    order.sort(key=lambda name: name == "method" or name in some)
    return distinguishing_settings([group.values for group in groups], order)
