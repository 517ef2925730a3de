"""Figures: arrays in, Matplotlib figures out.

This module reads no model and no file, and does not use ``matplotlib.pyplot``: a figure's
own ``savefig`` writes it, always as the same bytes. A method has the same colour and line
in all figures. The colours can be distinguished with any colour vision, and the lines
differ, too.
"""

# What is missing is said before the modules that need it are imported.
# ruff: noqa: E402

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from keras_amp.runtime.extras import require

require("experiments", "matplotlib")

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

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
TwoArrays: TypeAlias = tuple[ArrayLike, ArrayLike]

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

ADVERSARY = {
    "lam_delta": "mean |λ' - λ|",
    "mask_rate": "share trained at λ'",
    "loss_gap": "loss at λ' less that at λ",
    "lam_gradient": "mean |dL / dλ|",
}

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


class _Figure(Figure):
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
    errors = _arrays("errors", errors, 1)
    looks = _styles(errors, styles)
    figure, axes = _new(title, 0.75 + 0.3 * len(errors))
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
    found = _arrays("found", found, 1)
    for name, values in found.items():
        if len(values) != 3 or not values[1] <= values[0] <= values[2]:
            raise ValueError(
                "Expected `found` to hold a difference and the two ends around it. "
                f"Received: for {name!r} {values.tolist()}"
            )
    figure, axes = _new(title, 0.75 + 0.4 * len(found))
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
    _check_some("curves", curves)
    pairs = {name: _equal_pair("curves", name, pair) for name, pair in curves.items()}
    bands = {name: _equal_pair("band", name, pair) for name, pair in (band or {}).items()}
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
    looks = _styles(pairs, styles)
    figure, axes = _new(title)
    for name, (lambdas, losses) in pairs.items():
        _line(axes, lambdas, losses, name, looks[name], bands.get(name))
    axes.set_xlim(0, 1)
    axes.set_xlabel("λ, the share of the first example")
    axes.set_ylabel("loss")
    _legend(figure, axes)
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
    figure, axes = _new(title, side * 0.86, side)
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
    _check_some("bins", bins)
    looks = _styles(bins, styles)
    figure, (above, below) = _new(
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
    _legend(figure, above)
    return figure


def mean_and_deviation(runs: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation (n - 1) over runs, without NaN.

    Args:
        runs: Float array ``(num_runs, n)``.

    Returns:
        A tuple of float64 arrays ``(n,)``; the mean is NaN where no run has a finite
        value, the deviation where fewer than two have.

    Example:
    >>> keras_amp.analysis.figures.mean_and_deviation([[1.0, 2.0], [3.0, np.nan]])
    (array([2., 2.]), array([1.41421356,        nan]))
    """
    runs = np.asarray(runs, "float64")
    there = np.isfinite(runs)
    number, values = there.sum(axis=0), np.where(there, runs, 0.0)
    mean = values.sum(axis=0) / np.where(number, number, np.nan)
    squares = (np.where(there, runs - mean, 0.0) ** 2).sum(axis=0)
    return mean, np.sqrt(squares / np.where(number > 1, number - 1, np.nan))


def _over_epochs(
    argument: str,
    curves: Mapping[str, ArrayLike],
    label: str,
    title: str | None,
    styles: Styles | None,
) -> Figure:
    curves = _arrays(argument, curves, 2)
    looks = _styles(curves, styles)
    figure, axes = _new(title)
    for name, runs in curves.items():
        mean, deviation = mean_and_deviation(runs)
        epochs = np.arange(1, len(mean) + 1)
        band = (mean - deviation, mean + deviation)
        _line(axes, epochs, mean, name, looks[name], band)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    _legend(figure, axes)
    return figure


def _line(
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


def _new(
    title: str | None,
    height: float = HEIGHT,
    width: float = WIDTH,
    rows: int = 1,
    **arguments: Any,
) -> tuple[Figure, Any]:
    """A figure and its axes, in the looks of this module."""
    with mpl.rc_context(_LOOKS):
        figure = _Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, **arguments)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure, axes


def _legend(figure: Figure, axes: Axes) -> None:
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


def _styles(curves: Iterable[str], given: Styles | None) -> dict[str, Style]:
    if given is None:
        return styles(curves)
    return {name: Style(*given[name]) for name in curves}


def _check_some(argument: str, values: Mapping[str, Any]) -> None:
    if not values:
        raise ValueError(f"Expected `{argument}` to hold something. Received: {values!r}")


def _arrays(
    argument: str, values: Mapping[str, ArrayLike], rank: int
) -> dict[str, np.ndarray]:
    """The values as float64 arrays of a rank, none of them empty."""
    _check_some(argument, values)
    arrays = {name: np.asarray(value, "float64") for name, value in values.items()}
    for name, array in arrays.items():
        if array.ndim != rank or not array.size:
            raise ValueError(
                f"Expected `{argument}` to hold {rank}-D arrays that are not empty. "
                f"Received: for {name!r} the shape {array.shape}"
            )
    return arrays


def _equal_pair(
    argument: str, name: str, pair: TwoArrays
) -> tuple[np.ndarray, np.ndarray]:
    """Two 1-D float64 arrays of equal length."""
    first, second = (np.asarray(values, "float64") for values in pair)
    if first.ndim != 1 or first.shape != second.shape or not first.size:
        raise ValueError(
            f"Expected `{argument}` to hold two 1-D arrays of equal length for each "
            f"name. Received: for {name!r} the shapes {first.shape} and {second.shape}"
        )
    return first, second


def _short(name: str, length: int = 14) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"
