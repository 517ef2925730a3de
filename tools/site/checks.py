"""Checks of the pages that were made: nothing of them is loaded from elsewhere.

A page opened from the file system has to be whole, and a reader's visit is nobody else's
business. MkDocs itself checks the links within the site; here are those that leave it.
"""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urlsplit

# Attributes by which a browser loads something, whatever the element.
_LOADS = ("src", "srcset", "poster", "data")
# Links of a page's head that load nothing.
_ONLY_NAMED = {"canonical", "next", "prev", "alternate", "license", "author"}
_IN_STYLE = re.compile(r"@import|url\(\s*[\"']?(?:https?:)?//")
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:\d+)?")


class _Links(HTMLParser):
    """Collects what is wrong with the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self._style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._style = tag == "style"
        loaded = [values[name] for name in _LOADS if name in values]
        if tag == "link" and not _ONLY_NAMED & set(values.get("rel", "").split()):
            loaded.append(values.get("href", ""))
        elif "href" in values and tag != "link":
            self._check_link(values["href"])
        self.wrong += [f"loads {url}" for url in loaded if _is_elsewhere(url)]
        if _IN_STYLE.search(values.get("style", "")):
            self.wrong.append(f"loads by a style: {values['style']}")

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        if self._style and _IN_STYLE.search(data):
            self.wrong.append("loads by a style sheet within the page")

    def _check_link(self, url: str) -> None:
        if wrong := link_error(url):
            self.wrong.append(wrong)


def page_errors(html: str) -> list[str]:
    """Returns what a page loads from elsewhere, and links that lead nowhere.

    Args:
        html: The page.

    Returns:
        A list of strings, one for each thing that is wrong.
    """
    links = _Links()
    links.feed(html)
    return links.wrong


def link_error(url: str) -> str | None:
    """Returns what is wrong with a link that is to be clicked, or None.

    A link leads to a page of the site, by a relative path, or elsewhere by ``https``.
    """
    if re.search(r"\s", url.strip()) or url != url.strip():
        return f"links to {url!r}, which holds a space"
    scheme, host, path, _, _ = urlsplit(url)
    if scheme == "https":
        return None if _HOST.fullmatch(host) else f"links to {url}, which names no host"
    if scheme == "mailto":
        return None if "@" in path else f"links to {url}, which is no address"
    if scheme or host:
        return f"links to {url}: use https"
    if path.startswith("/"):
        return f"links to {url}: it has to be relative, for pages opened as files"
    return None


def style_errors(css: str) -> Iterator[str]:
    """Yields what a style sheet loads from elsewhere."""
    for found in _IN_STYLE.finditer(css):
        yield f"loads {css[found.start() : found.start() + 60]!r}"


def _is_elsewhere(url: str) -> bool:
    parts = urlsplit(url.strip())
    return parts.scheme not in ("", "data") or bool(parts.netloc)
