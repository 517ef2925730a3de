"""Figures: arrays in, Matplotlib figures out.

This module reads no model and no file, and does not use ``matplotlib.pyplot``: a figure's
own ``savefig`` writes it, always as the same bytes. ``keras_amp.analysis.looks`` has the
colours and lines.
"""

# What is missing is said before the modules that need it are imported.
# ruff: noqa: E402

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_amp.analysis import looks
from keras_amp.analysis.figure_data import (
    TwoArrays,
    arrays_of_rank,
    check_some,
    equal_pair,
    mean_and_deviation,
)
from keras_amp.analysis.looks import (
    FAINT,
    HEIGHT,
    INK,
    SHADE,
    WIDTH,
    Styles,
    add_legend,
    add_line,
    chosen_styles,
    new_figure,
)
from keras_amp.runtime.extras import require

require("experiments", "matplotlib")

import matplotlib as mpl
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

styles = looks.styles  # public here

ADVERSARY = {
    "lam_delta": "mean |λ' - λ|",
    "mask_rate": "share trained at λ'",
    "loss_gap": "loss at λ' less that at λ",
    "lam_gradient": "mean |dL / dλ|",
}


def run_errors(
    errors: Mapping[str, ArrayLike],
    label: str = "test error %",
    title: str | None = None,
    styles: Styles | None = None,
) -> Figure:
    """Draw every run as a dot, with the mean and the deviation of each method.

    Args:
        errors: Dict from names to float arrays ``(num_runs,)``.
        label: What the values are.
        title: String, or None.
        styles: Dict from names to ``(color, line)``; None for those of ``styles()``.

    Returns:
        A ``matplotlib.figure.Figure``, the names in their order from the top; a bar spans
        the mean plus and minus one standard deviation (n - 1).

    Raises:
        ValueError: If there is nothing to draw, or an array is empty or has another rank.

    Example:
    >>> from keras_amp.analysis.figures import run_errors
    >>> figure = run_errors({"none": [10.0, 12.0], "WordAMP": [9.0, 11.0]})
    >>> figure.axes[0].get_xlabel()
    'test error %'
    """
    errors = arrays_of_rank("errors", errors, 1)
    looks = chosen_styles(errors, styles)
    figure, axes = new_figure(title, 0.75 + 0.3 * len(errors))
    for place, (name, values) in enumerate(errors.items()):
        color = looks[name].color
        mean, deviation = mean_and_deviation(values[:, None])
        axes.plot(values, np.full(len(values), place), "o", color=color, ms=4, alpha=0.45)
        bar = np.nan_to_num(deviation)
        axes.errorbar(mean, [place], xerr=bar, color=color, capsize=3)
        axes.plot(mean, [place], "D", color=color, ms=6)
    axes.set_yticks(range(len(errors)), list(errors))
    axes.set_ylim(len(errors) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(label)
    return figure


def differences(
    found: Mapping[str, ArrayLike],
    label: str = "percentage points",
    title: str | None = None,
) -> Figure:
    """Draw differences with their intervals, and a line at 0.

    Args:
        found: Dict from names to float arrays ``(3,)``: a difference, and the lower and
            the upper end of its interval.
        label: What the values are.
        title: String, or None.

    Returns:
        A ``matplotlib.figure.Figure``, the names in their order from the top, each above
        its interval, as names may be long.

    Raises:
        ValueError: If there is nothing to draw, or an array has another shape or an end
            on the wrong side of its difference.

    Example:
    >>> from keras_amp.analysis.figures import differences
    >>> figure = differences({"WordAMP": [-0.2, -0.6, 0.1], "SentAMP": [0.3, 0.0, 0.9]})
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['WordAMP', 'SentAMP']
    """
    found = arrays_of_rank("found", found, 1)
    for name, values in found.items():
        if len(values) != 3 or not values[1] <= values[0] <= values[2]:
            raise ValueError(
                "Expected `found` to hold a difference and the two ends around it. "
                f"Received: for {name!r} {values.tolist()}"
            )
    figure, axes = new_figure(title, 0.75 + 0.4 * len(found))
    axes.axvline(0.0, color=INK, linewidth=0.9)
    for place, (name, (value, low, high)) in enumerate(found.items()):
        ends = [[value - low], [high - value]]
        axes.errorbar(value, [place], xerr=ends, color=SHADE, fmt="D", ms=5, capsize=3)
        axes.text(
            0.01,
            place - 0.4,
            name,
            transform=axes.get_yaxis_transform(),  # x in parts of the width
            color=INK,
            fontsize=9,
            va="center",
        )
    axes.set_yticks([])
    axes.set_ylim(len(found) - 0.5, -0.8)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(label)
    return figure


def learning_curves(
    curves: Mapping[str, ArrayLike],
    label: str = "loss",
    title: str | None = None,
    styles: Styles | None = None,
) -> Figure:
    """Draw a quantity over the epochs, as the mean over runs with a band.

    Args:
        curves: Dict from names to float arrays ``(num_runs, num_epochs)``, the epochs
            from 1; NaN where a run has ended before. Lengths may differ between names.
        label: What the quantity is, with its unit.
        title: String, or None.
        styles: Dict from names to ``(color, line)``; None for those of ``styles()``.

    Returns:
        A ``matplotlib.figure.Figure``; the band is one standard deviation (n - 1) wide on
        either side, of the runs that have the epoch.

    Raises:
        ValueError: If there is nothing to draw, or an array is empty or has another rank.

    Example:
    >>> from keras_amp.analysis.figures import learning_curves
    >>> figure = learning_curves({"none": [[0.9, 0.5], [1.1, 0.7]]})
    >>> figure.axes[0].get_xlabel()
    'epoch'
    """
    return _over_epochs("curves", curves, label, title, styles)


def adversary_over_time(
    curves: Mapping[str, ArrayLike],
    quantity: str,
    title: str | None = None,
    styles: Styles | None = None,
) -> Figure:
    """Draw what the adversary did in each epoch, as the mean over runs with a band.

    Args:
        curves: Dict from names to float arrays ``(num_runs, num_epochs)``, as for
            ``learning_curves``.
        quantity: ``"lam_delta"`` (mean absolute step of lambda, in [0, 1]),
            ``"mask_rate"`` (share of the examples trained at lambda', in [0, 1]),
            ``"loss_gap"`` (mean difference of the losses at lambda' and at lambda, in
            nats) or ``"lam_gradient"`` (mean absolute gradient of the loss by lambda).
        title: String, or None.
        styles: Dict from names to ``(color, line)``; None for those of ``styles()``.

    Returns:
        A ``matplotlib.figure.Figure``.

    Raises:
        ValueError: If the quantity is unknown, there is nothing to draw, or an array
            is empty or has another rank.

    Example:
    >>> from keras_amp.analysis.figures import adversary_over_time
    >>> figure = adversary_over_time({"WordAMP": [[0.4, 0.6]]}, "mask_rate")
    >>> figure.axes[0].get_ylabel()
    "share trained at λ'"
    """
    if quantity not in ADVERSARY:
        raise ValueError(
            f"Expected `quantity` to be one of {', '.join(map(repr, ADVERSARY))}. "
            f"Received: quantity={quantity!r}"
        )
    figure = _over_epochs("curves", curves, ADVERSARY[quantity], title, styles)
    axes = figure.axes[0]
    if quantity == "mask_rate":
        axes.set_ylim(-0.03, 1.03)
    else:
        axes.ticklabel_format(axis="y", scilimits=(-2, 4), useMathText=False)
    return figure


def loss_along_lambda(
    curves: Mapping[str, TwoArrays],
    title: str | None = None,
    band: Mapping[str, TwoArrays] | None = None,
    styles: Styles | None = None,
) -> Figure:
    """Draw mixup losses along lambda (the paper's Figure 2).

    Args:
        curves: Dict from names to tuples ``(lambdas, losses)`` of float arrays
            ``(num_lambdas,)``, lambdas in [0, 1].
        title: String, or None.
        band: Dict from some of the names to tuples ``(lower, upper)`` of float arrays
            ``(num_lambdas,)``; None for no bands.
        styles: Dict from names to ``(color, line)``; None for those of ``styles()``.

    Returns:
        A ``matplotlib.figure.Figure``.

    Raises:
        ValueError: If there is nothing to draw, arrays differ in length or have another
            rank, or a band has no curve.

    Example:
    >>> lambdas = np.linspace(0, 1, 5)
    >>> from keras_amp.analysis.figures import loss_along_lambda
    >>> figure = loss_along_lambda({"mean": (lambdas, lambdas * (1 - lambdas))})
    >>> figure.axes[0].get_ylabel()
    'loss'
    """
    check_some("curves", curves)
    pairs = {name: equal_pair("curves", name, pair) for name, pair in curves.items()}
    bands = {name: equal_pair("band", name, pair) for name, pair in (band or {}).items()}
    unknown = [
        name
        for name, (lower, _) in bands.items()
        if name not in pairs or len(lower) != len(pairs[name][0])
    ]
    if unknown:
        raise ValueError(
            "Expected `band` to have the names and lengths of `curves`. Received: a band "
            f"of {unknown[0]!r}, with curves of {', '.join(map(repr, pairs))}"
        )
    looks = chosen_styles(pairs, styles)
    figure, axes = new_figure(title)
    for name, (lambdas, losses) in pairs.items():
        add_line(axes, lambdas, losses, name, looks[name], bands.get(name))
    axes.set_xlim(0, 1)
    axes.set_xlabel("λ, the share of the first example")
    axes.set_ylabel("loss")
    add_legend(figure, axes)
    return figure


def confusion_matrix(
    counts: ArrayLike, class_names: Sequence[str], title: str | None = None
) -> Figure:
    """Draw how often each class was predicted for each true class.

    Args:
        counts: Integer array ``(num_classes, num_classes)``, a row a true class.
        class_names: Sequence of ``num_classes`` strings.
        title: String, or None.

    Returns:
        A ``matplotlib.figure.Figure``; a cell holds the count and is shaded by its share
        of the row.

    Raises:
        ValueError: If the shapes do not fit, or a count is negative.

    Example:
    >>> from keras_amp.analysis.figures import confusion_matrix
    >>> figure = confusion_matrix([[5, 1], [0, 4]], ["HUM", "LOC"])
    >>> figure.axes[0].get_ylabel()
    'true'
    """
    counts, names = np.asarray(counts), [_short(str(name)) for name in class_names]
    number = len(names)
    if counts.shape != (number, number) or not number or (counts < 0).any():
        raise ValueError(
            "Expected `counts` to be a square array of counts >= 0, with a name in "
            f"`class_names` for each row. Received: counts of the shape {counts.shape} "
            f"and {number} names"
        )
    sums = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(sums, 1)
    side = max(WIDTH, 1.2 + 0.5 * number)
    figure, axes = new_figure(title, side * 0.86, side)
    clear, full = ((*mpl.colors.to_rgb(SHADE), opacity) for opacity in (0, 1))
    shades = LinearSegmentedColormap.from_list("share", [clear, full])
    axes.pcolormesh(shares, cmap=shades, vmin=0, vmax=1, edgecolor=FAINT, linewidth=0.5)
    for row, column in np.ndindex(counts.shape):
        axes.text(
            column + 0.5,
            row + 0.5,
            f"{counts[row, column]:,}",
            ha="center",
            va="center",
            fontsize=9 if counts.max() < 10_000 else 7,
            color="white" if shares[row, column] > 0.55 else INK,
        )
    ticks = np.arange(number) + 0.5
    turned = number * max(map(len, names)) > 36
    axes.set_xticks(ticks, names, rotation=60 if turned else 0)
    if turned:
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, names)
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    return figure


def reliability_diagram(
    bins: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]],
    title: str | None = None,
    styles: Styles | None = None,
) -> Figure:
    """Draw how often predictions of a confidence are right, and how many there are.

    Args:
        bins: Dict from names to tuples ``(confidence, accuracy, counts)`` of arrays
            ``(num_bins,)``: a bin's mean confidence and the share of right predictions,
            in [0, 1] and NaN where it is empty, and the number of its predictions.
        title: String, or None.
        styles: Dict from names to ``(color, line)``; None for those of ``styles()``.

    Returns:
        A ``matplotlib.figure.Figure`` of two axes: accuracy over confidence, where
        calibrated predictions lie on the diagonal, and the bins' share of predictions.

    Raises:
        ValueError: If there is nothing to draw, or arrays differ in length or rank.

    Example:
    >>> from keras_amp.analysis.figures import reliability_diagram
    >>> figure = reliability_diagram({"none": ([0.6, 0.9], [0.5, 0.8], [3, 9])})
    >>> len(figure.axes)
    2
    """
    check_some("bins", bins)
    looks = chosen_styles(bins, styles)
    figure, (above, below) = new_figure(
        title, HEIGHT + 1.4, rows=2, sharex=True, height_ratios=(3, 1)
    )
    above.plot([0, 1], [0, 1], color=FAINT, linewidth=1.2, zorder=1)
    for name, values in bins.items():
        arrays = [np.asarray(value, "float64") for value in values]
        if len(arrays) != 3 or arrays[0].ndim != 1 or len({a.shape for a in arrays}) > 1:
            raise ValueError(
                "Expected `bins` to hold three 1-D arrays of equal length for each name. "
                f"Received: for {name!r} arrays of the shapes "
                f"{[array.shape for array in arrays]}"
            )
        confidence, accuracy, counts = arrays
        used = counts > 0
        color, line = looks[name]
        share = 100 * counts[used] / max(counts.sum(), 1)
        how = {"color": color, "linestyle": line, "marker": "o", "markersize": 3}
        above.plot(confidence[used], accuracy[used], label=name, **how)
        below.plot(confidence[used], share, **how)
    above.set(xlim=(0, 1), ylim=(-0.02, 1.02), ylabel="share right")
    below.set(ylim=(0, None), xlabel="confidence", ylabel="% of all")
    add_legend(figure, above)
    return figure


def _over_epochs(
    argument: str,
    curves: Mapping[str, ArrayLike],
    label: str,
    title: str | None,
    styles: Styles | None,
) -> Figure:
    curves = arrays_of_rank(argument, curves, 2)
    looks = chosen_styles(curves, styles)
    figure, axes = new_figure(title)
    for name, runs in curves.items():
        mean, deviation = mean_and_deviation(runs)
        epochs = np.arange(1, len(mean) + 1)
        band = (mean - deviation, mean + deviation)
        add_line(axes, epochs, mean, name, looks[name], band)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    add_legend(figure, axes)
    return figure


def _short(name: str, length: int = 14) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"
