"""The rooms of the package, the floors they stand on, and what each file imports.

The rooms are the package's folders and the modules at its top. The sources are read, not
imported, so that imports inside functions count, too. ``tests/test_architecture.py``
holds the imports to one way, and ``tools/site/house.py`` draws them.
"""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "keras_amp"

# A room may import what stands below it, and nothing beside or above it.
FLOORS = [
    "recipes",
    "cli searching",
    "experiments",
    "paper callbacks runs",
    "analysis",
    "backbones",
    "data",
    "models",
    "training saving",
    "graph",
    "layers",
    "policies",
    "validation",
    "typing",
    "version",
    "runtime",
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms.split()}


def sources(folder: Path) -> Iterator[tuple[str, str]]:
    """The files of a folder: their names, and what is in them."""
    for path in sorted(folder.rglob("*.py")):
        yield str(path.relative_to(ROOT)), path.read_text("utf-8")


def room_of(name: str) -> str:
    """The room of a file, such as "graph" for "keras_amp/graph/split.py"."""
    parts = Path(name).with_suffix("").parts
    return parts[0] if parts[0] == "recipes" else parts[1]


def imported(name: str, source: str) -> Iterator[str]:
    """The modules that a file imports, with full names."""
    package = Path(name).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*parts, *filter(None, [node.module])])
            # `from keras_amp import data` imports keras_amp.data.
            own = module == "keras_amp"
            yield from (
                f"{module}.{alias.name}" if own else module for alias in node.names
            )


@functools.cache
def room_imports() -> dict[str, set[str]]:
    """What each room imports of the others, from the room to a set of them."""
    found: dict[str, set[str]] = {room: set() for room in FLOOR}
    for folder in (PACKAGE, ROOT / "recipes"):
        for name, source in sources(folder):
            room = room_of(name)
            others = {module.split(".")[1] for module in _own(name, source)}
            if room in found:
                found[room] |= others & set(FLOOR) - {room}
    return found


def _own(name: str, source: str) -> Iterator[str]:
    """The modules of the package that a file imports."""
    for module in imported(name, source):
        if module.startswith("keras_amp."):
            yield module


def about(room: str) -> str:
    """The first paragraph of a room's docstring: what lives there, without code marks."""
    if room == "recipes":
        return "The programs behind `make train`: a command line for each backbone."
    folder = PACKAGE / room / "__init__.py"
    path = folder if folder.exists() else PACKAGE / f"{room}.py"
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("``", "`")
