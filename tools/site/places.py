"""What a page names outside of ``docs/``: pictures of the results, files of the sources.

On the site a picture is copied beside the pages, a notebook is a page, and of a link to
another file its text remains: where the sources are read, as they are browsed or cloned,
all of them work as written.
"""

import posixpath
import re
from collections.abc import Iterator

# An image or a link: its mark, its text, where it leads.
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_PICTURES = (".svg", ".png")
FOLDER = "pictures"  # of the site, for what lies outside of docs/
NOTEBOOKS = "notebooks"  # beside docs/; a folder of the site, where each is a page


def outside(page: str, target: str) -> str | None:
    """Returns the path in the repository of what lies outside of ``docs/``, or None.

    Args:
        page: A page's path below ``docs/``.
        target: Where a link on it leads.

    Example:
    >>> from tools.site.places import outside
    >>> outside("results/findings.md", "../../results/trec/differences.svg")
    'results/trec/differences.svg'
    >>> outside("results/findings.md", "../guides/text.md") is None
    True
    """
    if re.match(r"[a-z]+:|#|/", target):
        return None
    path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), target))
    return None if path.startswith("docs/") or path.startswith("../") else path


def named(page: str, markdown: str) -> Iterator[str]:
    """Yields the paths in the repository of what a page names outside of ``docs/``."""
    for _, _, target in _LINK.findall(markdown):
        if path := outside(page, target):
            yield path


def pictures(page: str, markdown: str) -> Iterator[str]:
    """Yields the paths in the repository of a page's pictures outside of ``docs/``."""
    for mark, _, target in _LINK.findall(markdown):
        path = outside(page, target)
        if mark and path and path.endswith(_PICTURES):
            yield path


def as_on_the_site(page: str, markdown: str) -> str:
    """Returns a page with its links out of ``docs/`` as the site has them."""
    up = "../" * page.count("/")

    def replaced(match: re.Match[str]) -> str:
        mark, text, target = match.groups()
        path = outside(page, target)
        if path is None:
            return match[0]
        if mark and path.endswith(_PICTURES):
            return f"![{text}]({up}{FOLDER}/{path})"
        if path.startswith(NOTEBOOKS) and path.endswith(".ipynb"):
            return f"[{text}]({up}{path.removesuffix('.ipynb')}.md)"
        return text

    return _LINK.sub(replaced, markdown)
