"""How figures look: colours, lines, sizes, and files that are always the same bytes.

A method has the same colour and line in all figures. The colours can be distinguished
with any colour vision, and the lines differ, too.
"""

# What is missing is said before the modules that need it are imported.
# ruff: noqa: E402

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from keras_amp.runtime.extras import require

require("experiments", "matplotlib")

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#24292f"  # texts and axes
FAINT = "#d4d8dd"  # grid and diagonals
SHADE = "#0b6bb8"  # of a confusion matrix' cells, and of intervals
WIDTH = 4.4  # inches: about the width of a phone, so that a figure need not shrink
HEIGHT = 2.9  # inches, without the legend


class Style(NamedTuple):
    """The colour and the line of a name in a figure, Matplotlib's."""

    color: str
    line: str


Styles: TypeAlias = Mapping[str, tuple[str, str]]  # colours and lines

# A place has a hue; mixup has a lighter shade of it and a dashed line.
METHODS = {
    "none": Style("#6e7781", ":"),
    "WordMixup": Style("#4f9fdc", "--"),
    "WordAMP": Style("#0b4f9c", "-"),
    "SentMixup": Style("#e58a1f", "--"),
    "SentAMP": Style("#a63603", "-"),
    "RandomMixup": Style("#55b070", "--"),
    "RandomAMP": Style("#00614a", "-"),
}
OTHERS = ("#cc79a7", "#009e73", "#8c6d00", "#56b4e9", "#d55e00", "#6a4fa3", "#444b54")
LINES = ("-", "--", "-.", ":")
COLORS = tuple(dict.fromkeys([*(style.color for style in METHODS.values()), *OTHERS]))

_LOOKS: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "text.parse_math": False,  # a class may be called "$"
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}


class ReproducibleFigure(Figure):
    """A figure that is always saved as the same bytes."""

    def savefig(self, fname: Any, **kwargs: Any) -> None:
        """Save as Matplotlib does, without dates and random names."""
        target = kwargs.get("format") or str(fname).rsplit(".", 1)[-1]
        if target == "svg":
            kwargs["metadata"] = {"Date": None, **kwargs.get("metadata", {})}
        elif target == "png":
            kwargs.setdefault("dpi", 150)
        with mpl.rc_context({"svg.hashsalt": "keras_amp", "svg.fonttype": "none"}):
            super().savefig(fname, **kwargs)


def styles(names: Iterable[str]) -> dict[str, Style]:
    """Return the colour and the line of each name; a method always has the same ones.

    A name may continue after the method with a comma, as with a setting. It takes the
    method's style if no other name has it yet.

    Args:
        names: Iterable of strings: methods, or other entries of a legend.

    Returns:
        A dict from the names to tuples ``(color, line)``, Matplotlib's.

    Example:
    >>> keras_amp.analysis.figures.styles(["WordAMP", "another"])["WordAMP"]
    Style(color='#0b4f9c', line='-')
    """
    chosen, taken = {}, set()
    for name in names:
        method = str(name).split(",")[0]
        if method in METHODS and method not in taken:
            taken.add(method)
            chosen[name] = METHODS[method]
    others = 0
    for name in names:
        if name not in chosen:
            around, place = divmod(others, len(OTHERS))
            chosen[name] = Style(OTHERS[place], LINES[around % len(LINES)])
            others += 1
    return {name: chosen[name] for name in names}


def add_line(
    axes: Axes,
    x: np.ndarray,
    y: np.ndarray,
    name: str,
    style: Style,
    band: tuple[np.ndarray, np.ndarray] | None = None,
) -> None:
    """A line, or a dot for a single point, and its band."""
    mark = "o" if np.isfinite(y).sum() == 1 else None
    color, line = style
    above = 2.5 if line == "-" else 2.6  # a dashed line shows the line below it
    axes.plot(x, y, color=color, linestyle=line, marker=mark, label=name, zorder=above)
    if band is not None and np.isfinite(band).any():
        axes.fill_between(x, *band, color=color, alpha=0.14, linewidth=0)


def new_figure(
    title: str | None,
    height: float = HEIGHT,
    width: float = WIDTH,
    rows: int = 1,
    **arguments: Any,
) -> tuple[Figure, Any]:
    """A figure and its axes, in the looks of this module."""
    with mpl.rc_context(_LOOKS):
        figure = ReproducibleFigure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, **arguments)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure, axes


def add_legend(figure: Figure, axes: Axes) -> None:
    """Add a legend between the title and the axes, and make the figure higher for it."""
    handles, labels = axes.get_legend_handles_labels()
    columns = 1 if max(map(len, labels)) > 24 else 2 if max(map(len, labels)) > 12 else 3
    rows: float = -(-len(labels) // columns)
    # A title of the figure would be drawn over a legend outside of the axes.
    title = figure.get_suptitle()
    figure.suptitle("")
    rows += 1.3 if title else 0
    figure.set_figheight(figure.get_figheight() + 0.19 * rows)
    with mpl.rc_context(_LOOKS):
        figure.legend(
            handles,
            labels,
            loc="outside upper left",
            ncols=columns,
            handlelength=2.2,
            columnspacing=1.4,
            borderaxespad=0.2,
            title=title or None,
            title_fontproperties={"size": 11, "weight": "bold"},
            alignment="left",
        )


def chosen_styles(curves: Iterable[str], given: Styles | None) -> dict[str, Style]:
    """Return the styles given for curves, or those of ``styles``."""
    if given is None:
        return styles(curves)
    return {name: Style(*given[name]) for name in curves}
