"""The package's docstrings as the Markdown that mkdocstrings reads.

They are written to be read in an editor, and run as doctests: examples begin at the
margin, names stand between two backticks. Griffe, which parses them for mkdocstrings,
takes an example that is indented below its title; and a name that has a page is a link to
it here.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import griffe

PAGES = Path(__file__).parents[2] / "docs" / "reference"
_SECTION = re.compile(r"[A-Z]\w+:")
_NAME = re.compile(r"``([A-Za-z_][\w.]*)``")


def documented(pages: Path = PAGES) -> list[str]:
    """Returns the names that the reference's pages document, in their order."""
    return [
        name
        for page in sorted(pages.glob("*.md"))
        for name in re.findall(r"^::: (\S+)", page.read_text("utf-8"), re.MULTILINE)
    ]


def linked_names(names: list[str]) -> dict[str, str]:
    """Returns what a name in a docstring stands for, where that is clear.

    A class is named alone, a function with its module: ``fold`` alone is a fold.

    Args:
        names: Full names, such as ``"keras_amp.data.fold"``.

    Returns:
        A dict from ``"data.fold"``, ``"keras_amp.data.fold"`` and the like to full names.
    """
    found: dict[str, set[str]] = {}
    for name in names:
        parts = name.split(".")
        for i in range(len(parts)):
            short = ".".join(parts[i:])
            if "." in short or short[0].isupper():
                found.setdefault(short, set()).add(name)
    return {short: full.pop() for short, full in found.items() if len(full) == 1}


def as_markdown(text: str, links: Mapping[str, str]) -> str:
    """Returns a docstring as Griffe reads it.

    Args:
        text: The docstring, without the indentation of its code.
        links: Dict from names as they are written to the full names they lead to.
    """
    # reStructuredText's sign that a block of code follows; Markdown needs none.
    text = re.sub(r"::(?=\n\n )", ":", text)
    lines, example = [], False
    for line in text.split("\n"):
        if re.fullmatch(r"Examples?:", line):
            example, line = True, "Examples:"
        elif _SECTION.fullmatch(line):
            example = False
        elif example and line:
            line = f"    {line}"
        if not line.lstrip().startswith((">>>", "...")):
            line = _NAME.sub(lambda match: _link(match, links), line)
        lines.append(line)
    return "\n".join(lines)


def _link(match: re.Match[str], links: Mapping[str, str]) -> str:
    name = match[1]
    return f"[`{name}`][{links[name]}]" if name in links else match[0]


class Docstrings(griffe.Extension):
    """Has Griffe read the docstrings of the package as Markdown."""

    def __init__(self) -> None:
        super().__init__()
        self._links = linked_names(documented())

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrites the docstring of a module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value, self._links)
