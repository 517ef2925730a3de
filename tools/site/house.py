"""The house: a picture of the package's rooms, and a table of what lives in them.

Both are made from the imports that ``tools.architecture`` reads. An arrow leads from a
room to one that it imports. Where a longer way leads there, too, the arrow is pale until
the room is pointed at: almost everything imports what lies at the bottom.
"""

from collections.abc import Mapping
from html import escape

from tools.architecture import FLOOR, FLOORS, about, room_imports

# In which column of the picture a room stands, 0 to 2; other rooms stand in the middle.
_COLUMN = {
    "callbacks": 0,
    "analysis": 0,
    "models": 0,
    "training": 0,
    "graph": 0,
    "layers": 0,
    "policies": 0,
    "typing": 0,
    "searching": 2,
    "paper": 2,
    "data": 2,
    "validation": 2,
}
_WIDTH, _HEIGHT, _STEP = 96, 26, 46  # of a room, and from floor to floor
_STYLE = """
.house { max-width: 30rem; height: auto; display: block; margin: 0 auto; }
.house rect { fill: var(--md-default-bg-color, #fff);
  stroke: var(--md-default-fg-color--light, #666); }
.house text { fill: var(--md-default-fg-color, #222); font: 12px sans-serif;
  text-anchor: middle; pointer-events: none; }
.house path { fill: none; stroke: var(--md-default-fg-color--light, #666); }
.house path.implied { stroke: none; }
.house marker path { fill: var(--md-default-fg-color--light, #666); stroke: none; }
.house g:hover path, .house g:focus path { stroke: var(--md-accent-fg-color, #526cfe);
  stroke-width: 2; }
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
    width, height = 3 * (_WIDTH + 20), len(FLOORS) * _STEP
    drawing = (
        f'<svg class="house" xmlns="http://www.w3.org/2000/svg" role="img" '
        f'aria-label="{escape(_in_words(imports))}" viewBox="0 0 {width} {height}">'
        f"<style>{_STYLE}</style>"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" '
        'markerHeight="6" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
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
    column = _COLUMN.get(room, 1)
    return column * (_WIDTH + 20) + _WIDTH // 2 + 10, FLOOR[room] * _STEP + 8


def _box(room: str) -> str:
    x, y = _place(room)
    return (
        f'<rect x="{x - _WIDTH // 2}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'rx="3"/><text x="{x}" y="{y + 17}">{room}</text>'
    )


def _arrow(room: str, to: str, is_implied: bool) -> str:
    (x, y), (to_x, to_y) = _place(room), _place(to)
    y += _HEIGHT
    bend = max(14, (to_y - y) // 3)
    kind = ' class="implied"' if is_implied else ""
    return (
        f'<path{kind} marker-end="url(#tip)" '
        f'd="M{x} {y}C{x} {y + bend} {to_x} {to_y - bend} {to_x} {to_y}"/>'
    )
