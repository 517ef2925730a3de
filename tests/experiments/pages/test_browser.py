"""Reports and the documentation as a browser shows them: on a phone, a desktop, printed.

Chromium is the one that `KERAS_AMP_CHROMIUM` names, or the first on the path.
"""

import io
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jinja2", reason='pip install "keras-amp[experiments]"')
pytest.importorskip("playwright", reason="pip install playwright")

from PIL import Image
from playwright.sync_api import sync_playwright
from runs_on_disk import write_comparison

from keras_amp.experiments.pages import write_report

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = os.environ.get("KERAS_AMP_CHROMIUM") or next(
    filter(None, map(shutil.which, NAMES)), None
)
# In a container it runs as root, and it looks for nothing outside.
QUIET = "--no-sandbox --disable-gpu --disable-background-networking --no-first-run "
QUIET += "--disable-component-update --disable-sync --disable-quic"
SITE = Path(__file__).parents[3] / "site"  # the documentation, if it is made
OPENED = {"phone": ("dark", 360, 740), "desktop": ("light", 1280, 900)}
PAGES = {"light": (255, 255, 255), "dark": (20, 23, 27)}
METHODS = (("none", None), ("word", "amp"), ("sentence", "amp"))
LONG = ["a class with a long name", "another_one_that_is_a_single_word_without_a_break"]

pytestmark = pytest.mark.skipif(
    CHROMIUM is None,
    reason="no Chromium on the path; install one, or name it by KERAS_AMP_CHROMIUM",
)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The path of a report on many settings, with long names, and a run left out."""
    root = tmp_path_factory.mktemp("browser") / ("a_folder_with_a_long_name_" * 3)
    for name, rate in (("a", 0.0002), ("b", 0.1)):
        folders = write_comparison(
            root / name,
            METHODS,
            seeds=2,
            learning_rate=rate,
            classes=[*LONG, "c", "d", "e", "f"],
            command=f"keras-amp train cnn --data trec --learning-rate {rate} " * 4,
        )
    (folders[0] / "result.json").unlink()
    return write_report([root], root / "report")


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET.split())
        yield browser
        browser.close()


@pytest.fixture(params=OPENED, scope="module")
def opened(request, chromium, report):
    """The page in one of the sizes, and what it complained about."""
    scheme, width, height = OPENED[request.param]
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme
    )
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    page.goto(report.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    yield page, complaints, scheme
    context.close()


def test_it_opens_without_a_complaint_and_fits(opened):
    page, complaints, _ = opened
    assert complaints == []
    wide, there = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= there
    # What is wider than the page scrolls in a box of its own, which the keyboard reaches.
    stuck = page.evaluate(
        """[...document.querySelectorAll('.scroll, pre')]
        .filter(box => box.scrollWidth > box.clientWidth && box.tabIndex < 0).length"""
    )
    assert stuck == 0


def test_every_figure_has_a_size_and_readable_letters(opened):
    page, _, _ = opened
    sizes = page.evaluate(
        """[...document.querySelectorAll('svg')].map(svg => {
        const box = svg.getBoundingClientRect();
        const letters = [...svg.querySelectorAll('text')]
            .map(text => text.getBBox().height * box.width / svg.viewBox.baseVal.width);
        return [box.width, box.height, Math.min(...letters)];
        })"""
    )
    assert len(sizes) > 15
    for width, height, letters in sizes:
        assert width >= 280
        assert height >= 100
        assert letters >= 8


def test_texts_keep_within_their_figures(opened):
    page, _, _ = opened
    outside = page.evaluate(
        """[...document.querySelectorAll('svg')].flatMap(svg => {
        const box = svg.getBoundingClientRect();
        return [...svg.querySelectorAll('text')].filter(text => {
            const own = text.getBoundingClientRect();
            return own.left < box.left - 1 || own.right > box.right + 1;
        }).map(text => text.textContent);
        })"""
    )
    assert outside == []


def test_the_picture_is_not_blank_and_has_its_schemes_colours(opened):
    page, _, scheme = opened
    shot = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    pixels = np.asarray(shot)
    assert tuple(pixels[0, 0]) == PAGES[scheme]
    different = (pixels != PAGES[scheme]).any(axis=2)
    assert different.mean() > 0.03
    # Blue and orange lines, whatever the scheme.
    red, _, blue = np.moveaxis(pixels.astype(int), 2, 0)
    assert (blue - red > 90).sum() > 300
    assert (red - blue > 90).sum() > 300
    # Each screen of the page shows something.
    screens = np.array_split(different, max(1, len(pixels) // 900))
    assert all(screen.mean() > 0.002 for screen in screens)


def test_the_ink_stands_out_from_the_page(opened):
    page, _, scheme = opened
    colors = page.evaluate(
        """[...document.querySelectorAll('svg text')]
        .map(text => getComputedStyle(text).fill)"""
    )
    assert len(colors) > 100
    inks = {color for color in colors if color != "rgb(255, 255, 255)"}  # shaded cells
    assert len(inks) == 1
    values = [int(part) for part in inks.pop()[4:-1].split(",")]
    assert (max(values) < 60) if scheme == "light" else (min(values) > 200)


def test_the_print_is_light_and_holds_what_was_folded_away(chromium, report):
    context = chromium.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(report.as_uri())
    page.emulate_media(media="print")
    colors = page.evaluate(
        """[getComputedStyle(document.body).color,
        getComputedStyle(document.querySelector('svg text')).fill]"""
    )
    assert all(max(map(int, color[4:-1].split(","))) < 60 for color in colors)
    height = page.evaluate(
        "document.querySelector('details table').getBoundingClientRect().height"
    )
    assert height > 100
    assert page.pdf().startswith(b"%PDF")
    context.close()


@pytest.mark.skipif(not SITE.exists(), reason="no documentation; `make docs` makes it")
@pytest.mark.parametrize("size", OPENED)
def test_the_documentation_opens_as_files_and_is_searched_there(chromium, size):
    scheme, width, height = OPENED[size]
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme
    )
    page, complaints, asked = context.new_page(), [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    for name in ("reference/models.html", "inside/house.html"):
        page.goto((SITE / name).as_uri())
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, name
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (int(re.search(r"\d+", colour)[0]) < 60) == (scheme == "dark")
    page.locator("label[for=__search]:visible, .md-search__input:visible").first.click()
    page.keyboard.type("symmetric_beta")
    found = page.locator(".md-search-result__item").first
    assert "symmetric_beta" in found.inner_text(timeout=20_000)
    context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
