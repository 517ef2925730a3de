"""Figures as SVG elements of a page, in its colours and its font."""

import io
import re
from xml.etree import ElementTree

from keras_amp.analysis.looks import COLORS, FAINT, INK, SHADE

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
# The colours of figures on a dark page.
ON_DARK = {
    "#6e7781": "#9aa4ae",
    "#4f9fdc": "#93c8f5",
    "#0b4f9c": "#2f81e0",
    "#e58a1f": "#f5b971",
    "#a63603": "#e0662a",
    "#55b070": "#86dbc6",
    "#00614a": "#1f9d80",
    "#009e73": "#1fb58a",
    "#8c6d00": "#c9a227",
    "#d55e00": "#e8792b",
    "#6a4fa3": "#a58ae0",
    "#444b54": "#c3cad2",
    FAINT: "#363c44",
    SHADE: "#2f7cd6",
}


def variable(color):
    """Return the name of the page's variable for a colour of a figure.

    Example:
    >>> from keras_amp.experiments.pages.svg import variable
    >>> variable("#0b4f9c")
    '--c-0b4f9c'
    """
    return f"--c-{color.removeprefix('#')}"


def inline_svg(figure, name, alt):
    """Return a figure as an SVG element for a page.

    Its colours become variables (see ``variable``), and its ink the colour of the text
    around it. Its ids begin with its name, as a page holds several figures.

    Args:
        figure: A figure of ``keras_amp.analysis.figures``.
        name: Identifier of the figure within the page.
        alt: A text that describes the figure, for readers who cannot see it.

    Returns:
        A string.

    Example:
    >>> from keras_amp.analysis.figures import learning_curves
    >>> from keras_amp.experiments.pages.svg import inline_svg
    >>> text = inline_svg(learning_curves({"none": [[0.9, 0.5]]}), "loss", "Loss falls.")
    >>> text.startswith("<svg "), 'aria-label="Loss falls."' in text
    (True, True)
    """
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True)
    root = ElementTree.fromstring(file.getvalue())
    for parent in root.iter():
        for child in list(parent):
            if child.tag == f"{{{SVG}}}metadata":
                parent.remove(child)
    for element in root.iter():
        for key, value in element.attrib.items():
            element.set(key, _adapted(key, value, name))
    width = float(root.get("width").removesuffix("pt"))
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    # On a phone it has nearly the size that it was laid out for.
    root.set("style", f"min-width: {0.9 * width:.0f}px; max-width: {1.5 * width:.0f}px")
    root.set("role", "img")
    root.set("aria-label", alt)
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return ElementTree.tostring(root, encoding="unicode")


def as_file(figure):
    """Return a figure as a file of its own, the same text whenever it is made."""
    file = io.StringIO()
    # The creator would be Matplotlib with its version.
    figure.savefig(file, format="svg", metadata={"Creator": None})
    return file.getvalue()


def _adapted(key, value, name):
    """An attribute's value, for a page."""
    if key == "id":
        return f"{name}-{value}"
    if key == f"{{{XLINK}}}href":
        return value.replace("#", f"#{name}-", 1)
    value = value.replace("url(#", f"url(#{name}-")
    # Keep sizes and weights. The font family is the page's.
    value = re.sub(r"font-family: [^;]*;? ?", "", value)
    value = re.sub(r"font: (?:(\d+) )?([\d.]+px) [^;]*", _font, value)
    value = value.replace(INK, "currentColor")
    for color in (*COLORS, FAINT, SHADE):
        value = value.replace(color, f"var({variable(color)})")
    return value


def _font(match):
    weight, size = match.groups()
    return f"font-size: {size}" + (f"; font-weight: {weight}" if weight else "")
