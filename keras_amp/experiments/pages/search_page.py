"""The page of a search: what it found, and what its trials came to."""

import math
from pathlib import Path

import numpy as np

from keras_amp.analysis import figures, search_figures
from keras_amp.experiments.pages.galleries import MOST, Gallery
from keras_amp.experiments.pages.templating import render
from keras_amp.experiments.search.expected import expected_best
from keras_amp.experiments.search.space import Range
from keras_amp.experiments.search.trials import COMPLETE, FAILED, PRUNED
from keras_amp.experiments.summary.table import Table
from keras_amp.experiments.summary.texts import number, value_text
from keras_amp.runtime.files import whole_file

GENERATOR, PAGE = "keras_amp search", "index.html"
LOSS = "development loss"
SHOWN = 0.75  # of the trials: the worst losses would press the others together


def write_search(found, out):
    """Write the HTML page of a search; it needs nothing else.

    Args:
        found: ``Found``.
        out: Folder, made where there is none; a former page is replaced.

    Returns:
        The path of the page.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with whole_file(out / PAGE) as file:
        file.write(render("search.html", page_of_search(found)))
    return out / PAGE


def page_of_search(found):
    """Return the variables of the template ``search.html``.

    Args:
        found: ``Found``.
    """
    outcomes = {name: tried for name, tried in found.outcomes.items() if tried}
    styles = figures.styles(outcomes)
    return {
        "title": "What helps",
        "summary": found.title,
        "found": found,
        "pruned": _pruned(outcomes, found.trials.rungs),
        "galleries": {
            "expected": _expected(outcomes, styles),
            "trials": _trials(found, outcomes, styles),
        },
        "generator": GENERATOR,
    }


def _expected(outcomes, styles):
    gallery = Gallery()
    curves = {
        name: expected_best([outcome.loss for outcome in tried])
        for name, tried in outcomes.items()
    }
    curves = {name: c for name, c in curves.items() if np.isfinite(c).any()}
    if not curves:
        gallery.missing.append("No trial has ended with a finite loss.")
        return gallery
    last = "; ".join(f"{name} {curve[-1]:.4f}" for name, curve in curves.items())
    gallery.add(
        "expected",
        "Expected best development loss",
        search_figures.expected_best(curves, styles={n: styles[n] for n in curves}),
        f"A falling line for each method over the number of trials; at the end: {last}.",
    )
    return gallery


def _trials(found, outcomes, styles):
    gallery = Gallery()
    spaces = {method.name: found.space(method) for method in found.methods}
    for place, (name, tried) in enumerate(outcomes.items()):
        ended = [outcome for outcome in tried if outcome.losses]
        if not ended or place >= MOST:
            gallery.missing.append(f"The trials of {name} are not drawn.")
            continue
        best = min(
            (i for i, o in enumerate(ended) if o.state == COMPLETE),
            key=lambda i: ended[i].loss,
            default=None,
        )
        axes = [_axis(n, bounds, ended) for n, bounds in spaces[name].items()]
        figure = search_figures.parallel_coordinates(
            [*axes, _axis_of_losses(ended)],
            [outcome.state == COMPLETE for outcome in ended],
            best,
            styles[name],
        )
        least = min(outcome.loss for outcome in ended)
        gallery.add(
            f"trials-{place}",
            name,
            figure,
            f"A line for each of {len(ended)} trials of {name}, across its settings to "
            f"the development loss, of which the least is {least:.4f}.",
        )
    return gallery


def _axis(name, bounds, tried):
    """Where trials are on the axis of one of their settings."""
    values = [outcome.trial.values[name] for outcome in tried]
    if not isinstance(bounds, Range):
        last = max(len(bounds) - 1, 1)
        heights = [bounds.index(value) / last for value in values]
        return search_figures.Axis(
            name, heights, value_text(bounds[0]), value_text(bounds[-1])
        )
    scale = math.log if bounds.log else float
    low, high = scale(bounds.low), scale(bounds.high)
    heights = [(scale(value) - low) / (high - low) for value in values]
    return search_figures.Axis(
        name, heights, value_text(bounds.low), value_text(bounds.high)
    )


def _axis_of_losses(tried):
    """The losses, the least at the bottom; the worst ones are cut off at the top."""
    losses = np.array([outcome.loss for outcome in tried])
    low, high = losses.min(), np.quantile(losses, SHOWN)
    width = high - low or 1.0
    heights = np.clip((losses - low) / width, 0, 1).tolist()
    most = f"{high:.3g}" if losses.max() <= high else f"≥ {high:.3g}"
    return search_figures.Axis(LOSS, heights, f"{low:.3g}", most)


def _pruned(outcomes, rungs):
    """What became of the trials of each method."""
    rows = []
    for name, tried in outcomes.items():
        ended_at = [len(o.losses) for o in tried if o.state == PRUNED]
        rows.append(
            [
                name,
                str(len(tried)),
                str(sum(o.state == COMPLETE for o in tried)),
                *(str(ended_at.count(cells)) for cells in rungs[:-1]),
                str(sum(o.state == FAILED for o in tried)),
                number(sum(o.seconds for o in tried), 0),
            ]
        )
    headings = ["method", "trials", "complete"]
    headings += [f"pruned after {n} run{'s' * (n > 1)}" for n in rungs[:-1]]
    note = (
        f"A trial that comes to its end has {rungs[-1]} runs, each of another seed or "
        "fold. Of the trials of a method that have come as far, the better half by the "
        "mean development loss goes on."
    )
    return Table.of(
        "What became of the trials", [*headings, "failed", "seconds"], rows, note=note
    )
