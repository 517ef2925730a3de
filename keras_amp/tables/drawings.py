"""The figures of a grid: every run's error, the loss along lambda, the differences."""

import io
from dataclasses import dataclass
from types import SimpleNamespace

import pandas as pd

from keras_amp.analysis import figures
from keras_amp.experiments.labels import label_cells
from keras_amp.report import pictures

MOST = 30  # entries of a figure that can be read


@dataclass(frozen=True)
class Drawn:
    """An entry, as the report's figures take it.

    Attributes:
        label: Its name in the figure.
        runs: List of objects with a ``result`` and a ``curve``.
    """

    label: str
    runs: list


def draw(grid, arrangement, compared):
    """Draws what there is to be drawn of a grid.

    Args:
        grid: ``Grid``.
        arrangement: ``Arrangement``.
        compared: List of ``Compared``, of one reading.

    Returns:
        A tuple ``(galleries, differences)``: a dict of the report's ``Gallery``s,
        ``"results"``, ``"lambda"`` (which is empty unless the cells were told to
        ``save_curve``) and ``"differences"``; and the ``matplotlib.figure.Figure`` of
        the differences from mixup with the bootstrap's intervals. Galleries are empty,
        and the figure is None, where there is nothing, or more than can be read.
    """
    labels = label_cells(grid.cells)
    results, along_lambda = _runs(labels, arrangement)
    figure, gallery = _differences(labels, compared), pictures.Gallery()
    if figure is not None:
        alt = "Each difference in percentage points with its interval, as in the table."
        gallery.add("differences", "Differences", figure, alt)
    return {"results": results, "lambda": along_lambda, "differences": gallery}, figure


def _runs(labels, arrangement):
    """The galleries of every run's error and of the loss along lambda."""
    drawn = [
        Drawn(labels[group.runs[0].key], [_run(run) for run in group.finished])
        for group in arrangement.groups
        if group.finished
    ]
    if not drawn or len(drawn) > MOST:
        return pictures.Gallery(), pictures.Gallery()
    styles = figures.styles([entry.label for entry in drawn])
    curved = [
        Drawn(entry.label, [run for run in entry.runs if run.curve is not None])
        for entry in drawn
    ]
    curved = [entry for entry in curved if entry.runs]
    return (
        pictures.results(drawn, styles),
        pictures.along_lambda(curved, styles) if curved else pictures.Gallery(),
    )


def _differences(labels, compared):
    """The figure of the differences from mixup, or None."""
    found = {}
    for c in compared:
        if c.family == "mixup" and c.interval is not None:
            # Equal differences have an interval of no width, up to rounding.
            low, high = min(c.interval[0], c.difference), max(c.interval[1], c.difference)
            found[labels[c.group.runs[0].key]] = (c.difference, low, high)
    if not 0 < len(found) <= MOST:
        return None
    return figures.differences(found, "percentage points against mixup")


def as_svg(figure):
    """Returns a figure as a file of its own, the same text whenever it is made."""
    file = io.StringIO()
    # The creator would be Matplotlib with its version.
    figure.savefig(file, format="svg", metadata={"Creator": None})
    return file.getvalue()


def _run(run):
    along = run.record.get("along_lambda")
    return SimpleNamespace(
        result=SimpleNamespace(**run.record["result"]),
        curve=None if along is None else pd.DataFrame(along),
    )
