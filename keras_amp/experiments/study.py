"""What a study names before it is run: its primary comparisons, margin and seeds."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from keras_amp.experiments.summary.texts import value_text
from keras_amp.validation import check_count, did_you_mean

PARTS = ("primary", "margin", "seeds")
SIDES = ("method", "against")
OVER = "over"  # of a primary comparison: what it is averaged over
DATA = "data"
STUDY = "study"  # in a grid's file and in a cell's record
WITHIN = ("seed", "fold")  # what the cells of one kind differ by
NOTHING = {"vectors": "random"}  # words for what TOML cannot write; others: "none"


@dataclass(frozen=True, eq=False)
class Primary:
    """A comparison that is named beforehand, and therefore gets a verdict.

    Attributes:
        method: Tuple of dicts, all settings of the cells of the method, by their own
            names, but seed and fold: one, or one for each data set that the comparison is
            averaged over.
        against: Likewise of the method that it is compared with, in the same order.
        margin: Float, points of error within which two errors count as equal; None
            where none was named.
        named: Dict, what the file says of it.
    """

    method: tuple = field(repr=False)
    against: tuple = field(repr=False)
    margin: float | None
    named: Mapping


@dataclass(frozen=True, eq=False)
class Study:
    """What the table ``[study]`` of a grid's file says.

    Attributes:
        primary: Tuple of ``Primary``s.
        seeds: Integer, with how many seeds they are decided.
    """

    primary: tuple
    seeds: int

    @property
    def named(self):
        """What the records of its cells keep, so that the order can be checked."""
        return {"seeds": self.seeds, "primary": [dict(p.named) for p in self.primary]}

    def was_named(self, primary, record):
        """Returns whether a comparison was named before a cell was run.

        Args:
            primary: ``Primary`` of this study.
            record: Dict, the record of a cell.
        """
        known = record.get(STUDY) or {"seeds": None, "primary": []}
        return known["seeds"] == self.seeds and dict(primary.named) in known["primary"]


def study_of(given, settings):
    """Returns the ``Study`` of a grid's file.

    Args:
        given: Dict, the table ``[study]``: ``primary``, one comparison or a list of some,
            tables of ``method`` and ``against``, and where it is averaged over all data
            sets ``over = "data"``; ``margin``, a number above 0; and ``seeds``. A method
            is named by its name, or by a table of what tells its settings apart.
        settings: Iterable of dicts, the settings of the cells by their own names, as
            ``Grid.values`` has them.

    Raises:
        ValueError: If a name is unknown, a value outside its range, a method is none or
            several of the grid's, or the number of seeds is not the grid's.
    """
    check_known(given, PARTS, "part of `study`")
    margin, named = given.get("margin"), given.get("primary")
    if margin is not None and not (_is_number(margin) and margin > 0):
        raise ValueError(
            "Expected `margin` in `study` to be a number above 0, points of error. "
            f"Received: {margin!r}"
        )
    named = [named] if isinstance(named, dict) else named
    if not named or not all(isinstance(each, dict) for each in named):
        raise ValueError(
            "Expected `primary` in `study` to be a comparison or a list of some, tables "
            f"of `method` and `against`. Received: {given.get('primary')!r}"
        )
    kinds = {}
    for of_cell in settings:
        values = {n: v for n, v in of_cell.items() if n not in WITHIN}
        kind = kinds.setdefault(repr(sorted(values.items())), (values, set()))
        kind[1].add(of_cell["seed"])
    primary, seeds = [], set()
    for each in named:
        check_known(each, (*SIDES, OVER), "part of `primary`")
        over = each.get(OVER)
        if over not in (None, DATA):
            raise ValueError(f"Expected `over` to be {DATA!r}. Received: {over!r}")
        found = [_kinds(each.get(side), side, list(kinds.values())) for side in SIDES]
        if over is None:
            sides = [[_one(kinds_of)] for kinds_of in found]
        else:
            sides = _by_data(found)
        if any(one[0] is other[0] for one, other in zip(*sides, strict=True)):
            raise ValueError(
                "Expected a primary comparison of two methods. Received: the same one "
                f"twice, {each!r}"
            )
        seeds |= {len(of_kind) for side in sides for _, of_kind in side}
        method, against = (tuple(values for values, _ in side) for side in sides)
        primary.append(Primary(method, against, margin, {**each, "margin": margin}))
    wanted = given.get("seeds", max(seeds))
    check_count("seeds", wanted)
    if seeds != {wanted}:
        raise ValueError(
            f"Expected `seeds` in `study` to be that of the cells, {max(seeds)}: they "
            f"are decided once, with all of them. Received: {wanted}"
        )
    return Study(tuple(primary), wanted)


@dataclass(frozen=True)
class _Named:
    """The kinds of cells that a side of a comparison names."""

    side: str
    text: str
    kinds: list


def _kinds(given, side, kinds):
    """The settings and seeds of the kinds of cells that are named, at least one."""
    if isinstance(given, str):
        given = {"method": given}
    if not isinstance(given, dict):
        raise ValueError(
            f"Expected `{side}` of a primary comparison to be a method's name, or a "
            f"table of what tells its settings apart. Received: {given!r}"
        )
    check_known(
        given, sorted({name for values, _ in kinds for name in values}), "setting"
    )
    found = [
        kind
        for kind in kinds
        if all(_is(kind[0], n, value) for n, value in given.items())
    ]
    text = ", ".join(f"{name} {value_text(value)}" for name, value in given.items())
    if not found:
        raise ValueError(
            f"Expected `{side}` of a primary comparison to be among the cells. Received: "
            f"{text}, which no cell is."
        )
    return _Named(side, text, found)


def _one(named, where=""):
    """The only one of the kinds of a side."""
    if len(named.kinds) == 1:
        return named.kinds[0]
    names = dict.fromkeys(name for values, _ in named.kinds for name in values)
    apart = [n for n in names if len({repr(v.get(n)) for v, _ in named.kinds}) > 1]
    raise ValueError(
        f"Expected `{named.side}` of a primary comparison to be one kind of cells"
        f"{where}. Received: {named.text}, which {len(named.kinds)} kinds are. They "
        f"differ by {', '.join(apart)}."
    )


def _by_data(found):
    """The kinds of both sides, one for each data set, in the same order."""
    sides = []
    for named in found:
        by_data = {}
        for kind in named.kinds:
            by_data.setdefault(kind[0][DATA], []).append(kind)
        where = " of each data set"
        sides.append(
            {d: _one(replace(named, kinds=k), where) for d, k in by_data.items()}
        )
    one, other = sides
    if one.keys() != other.keys():
        raise ValueError(
            "Expected both sides of a primary comparison on the same data sets. "
            f"Received: {', '.join(one)}; and {', '.join(other)}"
        )
    return [list(one.values()), [other[name] for name in one]]


def _is(values, name, given):
    if name not in values:
        return False
    value = values[name]
    if value is None:
        return given == NOTHING.get(name, "none")
    return value == (list(given) if isinstance(given, list) else given)


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_known(given, known, what):
    """Raises ValueError if a name is none of those that are known.

    Args:
        given: Iterable of names.
        known: Sequence of names.
        what: What they name.
    """
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known, most=1, shown=str)
            hint = hint or f" They are: {', '.join(known)}."
            raise ValueError(f"Expected the name of a {what}. Received: {name}.{hint}")
