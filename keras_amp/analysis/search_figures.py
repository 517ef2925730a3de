"""Figures of a search: what its trials came to, and where they were.

As ``keras_amp.analysis.figures``: arrays in, Matplotlib figures out.
"""

# What is missing is said before the modules that need it are imported.
# ruff: noqa: E402

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from keras_amp.analysis.figure_data import arrays_of_rank
from keras_amp.analysis.looks import (
    FAINT,
    HEIGHT,
    Style,
    Styles,
    add_legend,
    add_line,
    chosen_styles,
    new_figure,
)
from keras_amp.runtime.extras import require

require("experiments", "matplotlib")

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


class Axis(NamedTuple):
    """An axis of parallel coordinates.

    Attributes:
        name: What is written below it.
        values: Where each line crosses it, from 0 at the bottom to 1.
        low: The text at the bottom.
        high: The text at the top.
    """

    name: str
    values: Sequence[float]
    low: str
    high: str


def expected_best(
    curves: Mapping[str, ArrayLike],
    label: str = "expected best development loss",
    title: str | None = None,
    styles: Styles | None = None,
) -> Figure:
    """Draw the expected best result over the number of trials.

    Args:
        curves: Dict from names to float arrays ``(num_trials,)``, of 1, 2, ... trials;
            infinite where that is not known.
        label: What the values are.
        title: String, or None.
        styles: Dict from names to ``(color, line)``; None for those of ``styles()``.

    Returns:
        A ``matplotlib.figure.Figure``.

    Raises:
        ValueError: If there is nothing to draw, or an array is empty or has another rank.

    Example:
    >>> from keras_amp.analysis.search_figures import expected_best
    >>> figure = expected_best({"none": [0.5, 0.45], "WordAMP": [0.6, 0.4]})
    >>> figure.axes[0].get_xlabel()
    'trials'
    """
    arrays = arrays_of_rank("curves", curves, 1)
    looks = chosen_styles(arrays, styles)
    figure, axes = new_figure(title)
    for name, values in arrays.items():
        finite = np.where(np.isfinite(values), values, np.nan)
        add_line(axes, np.arange(1, len(values) + 1), finite, name, looks[name])
    axes.set_xlabel("trials")
    axes.set_ylabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    add_legend(figure, axes)
    return figure


def parallel_coordinates(
    axes_of: Sequence[Axis],
    complete: Sequence[bool],
    best: int | None = None,
    style: tuple[str, str] = ("#0b4f9c", "-"),
) -> Figure:
    """Draw each trial as a line across axes that stand side by side.

    Args:
        axes_of: Sequence of ``Axis``, each with a value for every trial.
        complete: Sequence of booleans, whether a trial came to its end; the others are
            drawn faint.
        best: Which trial is drawn thick; None for none.
        style: Tuple ``(color, line)``.

    Returns:
        A ``matplotlib.figure.Figure``.

    Raises:
        ValueError: If there are fewer than two axes, or their numbers of trials differ.

    Example:
    >>> from keras_amp.analysis.search_figures import Axis, parallel_coordinates
    >>> rate, loss = Axis("rate", [0, 1], "0.1", "1"), Axis("loss", [1, 0], "0.4", "0.9")
    >>> figure = parallel_coordinates([rate, loss], [True, False], best=0)
    >>> len(figure.axes[0].lines)
    4
    """
    sizes = {len(axis.values) for axis in axes_of}
    if len(axes_of) < 2 or sizes != {len(complete)}:
        raise ValueError(
            "Expected at least two axes, each with a value for every trial. Received: "
            f"{len(axes_of)} axes of {sorted(sizes)} values, and {len(complete)} trials"
        )
    color = Style(*style).color
    figure, axes = new_figure(None, HEIGHT)
    places = np.arange(len(axes_of))
    for place in places:
        axes.axvline(place, color=FAINT, linewidth=1.0)
    heights = np.array([axis.values for axis in axes_of], "float64")
    for number, whole in enumerate(complete):
        look: dict[str, Any] = {"linewidth": 1.3, "alpha": 0.6}
        if not whole:
            look = {"linewidth": 1.0, "alpha": 0.6, "linestyle": ":"}
        elif number == best:
            look = {"linewidth": 2.6, "alpha": 1.0}
        axes.plot(places, heights[:, number], color=color, **look)
    for place, axis in zip(places, axes_of, strict=True):
        for height, text in ((-0.03, axis.low), (1.03, axis.high)):
            vertical = "top" if height < 0 else "bottom"
            axes.text(place, height, text, ha="center", va=vertical, fontsize=8)
    names = ["\n".join(axis.name.replace("_", " ").split()) for axis in axes_of]
    axes.set_xticks(places, names, fontsize=8)
    axes.set_yticks([])
    axes.set_ylim(-0.14, 1.14)
    axes.set_xlim(-0.4, len(axes_of) - 0.6)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    return figure
