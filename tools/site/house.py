"""The house: a picture of the package's rooms, and a table of what lives in them.

Both are made from the imports that ``tools.architecture`` reads. An arrow leads from a
room to one that it imports. Where a longer way leads there, too, it is hidden until the
room is pointed at: almost everything imports what lies at the bottom.
"""

from collections.abc import Mapping
from html import escape

from tools.architecture import FLOOR, FLOORS, about, room_imports

# The rooms of each column of the picture; others stand in the last one.
_COLUMNS = [
    "callbacks analysis models training graph layers typing",
    "recipes cli experiments saving version",
    "searching paper policies validation",
    "runs backbones data runtime",
]
_COLUMN = {room: i for i, rooms in enumerate(_COLUMNS) for room in rooms.split()}
_WIDTH, _HEIGHT = 80, 24  # of a room
_ACROSS, _DOWN = 92, 44  # from column to column, from floor to floor
_STYLE = """
.md-typeset svg.house { max-width: min(100%, 480px); width: 100%; height: auto;
  display: block; margin: 0 auto; }
.house rect { fill: var(--md-default-bg-color, #fff);
  stroke: var(--md-default-fg-color--light, #666); }
.house text { fill: var(--md-default-fg-color, #222); font: 12px sans-serif;
  text-anchor: middle; pointer-events: none; }
.house path { fill: none; stroke: var(--md-default-fg-color--light, #666); }
.house path { pointer-events: none; }
.house path.implied { visibility: hidden; }
.house marker path { fill: var(--md-default-fg-color--light, #666); stroke: none; }
.house g:hover path, .house g:focus path { visibility: visible; stroke-width: 2;
  stroke: var(--md-accent-fg-color, #526cfe); }
.house g:hover rect, .house g:focus rect { stroke: var(--md-accent-fg-color, #526cfe);
  stroke-width: 2; }
.house g:focus { outline: none; }
"""


def implied(imports: Mapping[str, set[str]]) -> set[tuple[str, str]]:
    """Returns the imports that a longer way leads to, too.

    Args:
        imports: Dict from a room to the set of those that it imports, without circles.

    Returns:
        A set of pairs, the room and what it imports.

    Example:
    >>> from tools.site.house import implied
    >>> implied({"a": {"b", "c"}, "b": {"c"}, "c": set()})
    {('a', 'c')}
    """
    reached: dict[str, set[str]] = {}

    def below(room: str) -> set[str]:
        if room not in reached:
            direct = imports[room]
            reached[room] = direct.union(*(below(other) for other in direct))
        return reached[room]

    return {
        (room, other)
        for room, direct in imports.items()
        for other in direct
        if any(other in below(between) for between in direct)
    }


def picture() -> str:
    """Returns the picture of the house: a drawing in HTML, for light and dark pages."""
    imports = room_imports()
    few = implied(imports)
    rooms = []
    for room in sorted(FLOOR, key=lambda room: FLOOR[room]):
        ways = sorted(imports[room])
        paths = "".join(_arrow(room, to, (room, to) in few) for to in ways)
        rooms.append(f'<g tabindex="0">{paths}{_box(room)}</g>')
    width, height = len(_COLUMNS) * _ACROSS + 12, len(FLOORS) * _DOWN
    drawing = (
        f'<svg class="house" xmlns="http://www.w3.org/2000/svg" role="img" '
        f'aria-label="{escape(_in_words(imports))}" viewBox="0 0 {width} {height}">'
        f"<style>{_STYLE}</style>"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0 0L8 4L0 8z"/></marker></defs>'
        f"{''.join(rooms)}</svg>"
    )
    return "\n".join(line for line in drawing.split("\n") if line)


def table() -> str:
    """Returns a table in Markdown: each room, what lives there, and what it imports."""
    imports = room_imports()
    rows = ["| room | what lives there | it imports |", "| --- | --- | --- |"]
    for room in FLOOR:
        others = ", ".join(_in_order(imports[room])) or "nothing of the package"
        rows.append(f"| `{room}` | {about(room).replace('|', '&#124;')} | {others} |")
    return "\n".join(rows)


def _in_order(rooms: set[str]) -> list[str]:
    return sorted(rooms, key=lambda room: (FLOOR[room], room))


def _in_words(imports: Mapping[str, set[str]]) -> str:
    """The picture for those who do not see it."""
    floors = "; ".join(floor.replace(" ", ", ") for floor in FLOORS)
    number = sum(map(len, imports.values()))
    return (
        f"The rooms of the package on {len(FLOORS)} floors, from the top: {floors}. "
        f"{number} arrows, all of which lead down, say what imports what; the table "
        "below has them in words."
    )


def _place(room: str) -> tuple[int, int]:
    """The middle of a room's upper edge."""
    column = _COLUMN.get(room, len(_COLUMNS) - 1)
    return column * _ACROSS + _ACROSS // 2, FLOOR[room] * _DOWN + 8


def _box(room: str) -> str:
    x, y = _place(room)
    return (
        f'<rect x="{x - _WIDTH // 2}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'rx="3"/><text x="{x}" y="{y + 16}">{room}</text>'
    )


def _arrow(room: str, to: str, is_implied: bool) -> str:
    """An arrow from the lower edge of a room to the upper edge of another.

    It leans to where it goes. Within a column it goes around the rooms between.
    """
    (x, y), (to_x, to_y) = _place(room), _place(to)
    y += _HEIGHT
    bend = max(12, (to_y - y) // 3)
    aside = 0
    if x != to_x:
        lean = max(-30, min(30, (to_x - x) // 6))
        x, to_x = x + lean, to_x - lean
    elif any(_place(other)[0] == x and y < _place(other)[1] < to_y for other in FLOOR):
        aside = _WIDTH * 4 // 5
    kind = ' class="implied"' if is_implied else ""
    return (
        f'<path{kind} marker-end="url(#tip)" d="M{x} {y}'
        f'C{x + aside} {y + bend} {to_x + aside} {to_y - bend} {to_x} {to_y}"/>'
    )
