"""What `make docs` adds to MkDocs: checks of the pages, and what is made for them."""

import json
import re
from xml.etree import ElementTree

import pytest

from tools import architecture
from tools.site import checks, command_line, docstrings, house, notebooks, places


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
        "[guide](../guides/text.md#top) ![own](own.png) [web](https://example.org) "
        "[notebook](../../notebooks/a.ipynb)"
    )
    page = "results/findings.md"
    assert list(places.pictures(page, markdown)) == ["results/a/b.svg"]
    assert list(places.named(page, markdown)) == [
        "results/a/b.svg",
        "results/a/table.md",
        "notebooks/a.ipynb",
    ]
    assert places.as_on_the_site(page, markdown) == (
        "![An [x] interval](../pictures/results/a/b.svg) table "
        "[guide](../guides/text.md#top) ![own](own.png) [web](https://example.org) "
        "[notebook](../notebooks/a.md)"
    )


def test_a_docstring_is_read_as_markdown():
    text = (
        "Fits, as ``Model`` does::\n\n    a = b\n\nExample:\n>>> ``Model``\n1\n\n"
        "Reference:\n    Zhang, ``data.fold``, ``fold``."
    )
    links = docstrings.linked_names(["amp.Model", "amp.data.fold"])
    assert docstrings.as_markdown(text, links) == (
        "Fits, as [`Model`][amp.Model] does:\n\n    a = b\n\nExamples:\n"
        "    >>> ``Model``\n    1\n\n"
        "Reference:\n    Zhang, [`data.fold`][amp.data.fold], ``fold``."
    )


def test_a_name_that_stands_for_several_is_no_link():
    links = docstrings.linked_names(["amp.a.Table", "amp.b.Table"])
    assert links == {"a.Table": "amp.a.Table", "b.Table": "amp.b.Table"} | {
        name: name for name in ("amp.a.Table", "amp.b.Table")
    }


def test_the_house_shows_every_room_and_every_import():
    imports = architecture.room_imports()
    assert imports["layers"] == {"policies", "typing", "validation"}
    drawn = ElementTree.fromstring(house.picture())
    namespace = {"svg": "http://www.w3.org/2000/svg"}
    rooms = drawn.findall("svg:g", namespace)
    assert {room.find("svg:text", namespace).text for room in rooms} == set(imports)
    for room in rooms:
        arrows = room.findall("svg:path", namespace)
        assert len(arrows) == len(imports[room.find("svg:text", namespace).text])
    assert all(room in drawn.get("aria-label") for room in imports)
    rows = house.table().split("\n")[2:]
    assert len(rows) == len(imports)
    assert "| MixLayer: the place" in "".join(rows)


def test_an_arrow_is_left_out_only_where_a_longer_way_leads_there():
    imports = architecture.room_imports()
    left = {
        room: {to for to in direct if (room, to) not in house.implied(imports)}
        for room, direct in imports.items()
    }

    def reached(room, ways):
        return ways[room].union(*(reached(to, ways) for to in ways[room]))

    for room in imports:
        assert reached(room, left) == reached(room, imports)
    assert "layers" in left["graph"]
    assert "typing" not in left["graph"]


def test_the_command_lines_page_is_the_commands_own_help():
    pytest.importorskip("cyclopts", reason='pip install "keras-amp[experiments]"')
    page = command_line.page()
    for name in "train cnn, train bert, search, grid, table, report, data".split(", "):
        assert re.search(rf"^#+ keras-amp {name}$", page, re.M)
    assert "keras-amp search [OPTIONS] DATA" in page
    assert "-m pytest" not in page
    assert "* `--verify-seed INT`: Number to draw them by. *[default: 0]*" in page


def test_a_notebook_is_a_page_with_what_its_cells_show(tmp_path):
    def output(**data):
        return {"output_type": "display_data", "data": data}

    style = "<style scoped>\n.a { b: c }\n</style>\n"
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["said\n"]},
        output(**{"image/png": "cG5n", "text/plain": "<Figure>"}),
        output(**{"text/html": [f"<div>{style}", "<p>a</p></div>"], "text/plain": "a"}),
        output(**{"text/markdown": "| a |", "text/plain": "<Markdown>"}),
        output(**{"text/plain": "'b'"}),
    ]
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "Text."]},
        {"cell_type": "code", "source": ["x = 1\n", "x"], "outputs": outputs},
    ]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    page, pictures = notebooks.as_page(path)
    assert pictures == {"a-0.png": b"png"}
    assert [part.strip() for part in page.split("\n\n")] == [
        "# Title\nText.",
        "```python\nx = 1\nx\n```",
        "```text\nsaid\n```",
        "![What the cell above draws](a-0.png)",
        "<div><p>a</p></div>",
        "| a |",
        "```text\n'b'\n```",
    ]
