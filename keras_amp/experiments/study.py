"""What a study names before it is run: its primary comparisons, margin and seeds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from keras_amp.experiments.summary.texts import value_text
from keras_amp.validation import check_count, did_you_mean

PARTS = ("primary", "margin", "seeds")
SIDES = ("method", "against")
STUDY = "study"  # in a grid's file and in a cell's record
WITHIN = ("seed", "fold")  # what the cells of one kind differ by
NOTHING = {"vectors": "random"}  # words for what TOML cannot write; others: "none"


@dataclass(frozen=True, eq=False)
class Primary:
    """A comparison that is named beforehand, and therefore gets a verdict.

    Attributes:
        method: Dict, all settings of the cells of the method, by their own names, but
            seed and fold.
        against: Likewise of the method that it is compared with.
        margin: Float, points of error within which two errors count as equal; None
            where none was named.
        named: Dict, what the file says of it.
    """

    method: Mapping = field(repr=False)
    against: Mapping = field(repr=False)
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


def study_of(given, cells):
    """Returns the ``Study`` of a grid's file.

    Args:
        given: Dict, the table ``[study]``: ``primary``, one comparison or a list of some,
            tables of ``method`` and ``against``; ``margin``, a number above 0; and
            ``seeds``. A method is named by its name, or by a table of what tells its
            settings apart.
        cells: List of ``Cell``s.

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
    for cell in cells:
        values = {n: v for n, v in cell.values.items() if n not in WITHIN}
        kinds.setdefault(repr(sorted(values.items())), (values, set()))[1].add(cell.seed)
    primary, seeds = [], set()
    for each in named:
        check_known(each, SIDES, "part of `primary`")
        sides = [_kind(each.get(side), side, list(kinds.values())) for side in SIDES]
        if sides[0][0] is sides[1][0]:
            raise ValueError(
                "Expected a primary comparison of two methods. Received: the same one "
                f"twice, {each!r}"
            )
        seeds |= {len(of_kind) for _, of_kind in sides}
        kept = {**each, "margin": margin}
        primary.append(Primary(sides[0][0], sides[1][0], margin, kept))
    wanted = given.get("seeds", max(seeds))
    check_count("seeds", wanted)
    if seeds != {wanted}:
        raise ValueError(
            f"Expected `seeds` in `study` to be that of the cells, {max(seeds)}: they "
            f"are decided once, with all of them. Received: {wanted}"
        )
    return Study(tuple(primary), wanted)


def _kind(given, side, kinds):
    """The settings and seeds of the one kind of cells that is named."""
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
    if len(found) == 1:
        return found[0]
    text = ", ".join(f"{name} {value_text(value)}" for name, value in given.items())
    if not found:
        raise ValueError(
            f"Expected `{side}` of a primary comparison to be among the cells. Received: "
            f"{text}, which no cell is."
        )
    names = dict.fromkeys(name for values, _ in found for name in values)
    apart = [n for n in names if len({repr(v.get(n)) for v, _ in found}) > 1]
    raise ValueError(
        f"Expected `{side}` of a primary comparison to be one kind of cells. Received: "
        f"{text}, which {len(found)} kinds are. They differ by {', '.join(apart)}."
    )


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
