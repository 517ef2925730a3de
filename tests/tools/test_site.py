"""What `make docs` adds to MkDocs: checks of the pages, and what is made for them."""

import pytest

from tools.site import checks, places


@pytest.mark.parametrize(
    ("html", "wrong"),
    [
        ('<a href="https://arxiv.org/abs/1710.09412">paper</a>', None),
        ('<a href="../guides/text.html#a">guide</a>', None),
        ('<a href="mailto:a@b.org">write</a>', None),
        ('<img src="pictures/a.svg"><script src="../a.js"></script>', None),
        ('<img src="data:image/png;base64,iVBOR">', None),
        ('<link rel="canonical" href="https://example.org/a.html">', None),
        (
            '<a href="http://arxiv.org/">paper</a>',
            "http://arxiv.org/: use https",
        ),
        ('<a href="https://nowhere">it</a>', "https://nowhere, which names no host"),
        ('<a href="https://exam ple.org">it</a>', "which holds a space"),
        ('<a href="//example.org/a">it</a>', "use https"),
        ('<a href="/guides/text.html">it</a>', "it has to be relative"),
        ('<a href="mailto:nobody">it</a>', "which is no address"),
        (
            '<script src="https://unpkg.com/a.js"></script>',
            "loads https://unpkg.com/a.js",
        ),
        ('<img srcset="//cdn.org/a.png">', "loads //cdn.org/a.png"),
        (
            '<link rel="stylesheet" href="https://a.org/b.css">',
            "loads https://a.org/b.css",
        ),
        ('<link rel="preconnect" href="https://a.org">', "loads https://a.org"),
        ('<p style="background: url(https://a.org/b.png)">', "loads by a style"),
        ("<style>@import 'b.css';</style>", "loads by a style sheet"),
        ("<style>a { color: red }</style><p>url(//a)</p>", None),
    ],
)
def test_a_page_that_needs_something_from_elsewhere_is_found(html, wrong):
    found = checks.page_errors(f"<html>{html}</html>")
    assert len(found) == (wrong is not None)
    assert wrong is None or wrong in found[0]


def test_a_style_sheet_that_loads_something_is_found():
    fine = "a { background: url(data:image/svg+xml;...) } b { src: url('c.woff2') }"
    assert not list(checks.style_errors(fine))
    assert len(list(checks.style_errors("a{background:url('https://a.org/b')}"))) == 1


def test_what_lies_outside_of_the_pages_is_shown_or_only_named():
    markdown = (
        "![An [x] interval](../../results/a/b.svg) [table](../../results/a/table.md) "
        "[guide](../guides/text.md#top) ![own](own.png) [web](https://example.org)"
    )
    page = "results/findings.md"
    assert list(places.pictures(page, markdown)) == ["results/a/b.svg"]
    assert list(places.named(page, markdown)) == ["results/a/b.svg", "results/a/table.md"]
    assert places.as_on_the_site(page, markdown) == (
        "![An [x] interval](../pictures/results/a/b.svg) table "
        "[guide](../guides/text.md#top) ![own](own.png) [web](https://example.org)"
    )
