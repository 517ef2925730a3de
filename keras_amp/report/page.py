"""The page of a report, and its text in Markdown."""

from collections import Counter
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from keras_amp.analysis import figures
from keras_amp.analysis.significance import LEVEL
from keras_amp.report import pictures, tables
from keras_amp.report.differences import differences
from keras_amp.report.svg import ON_DARK, variable
from keras_amp.version import __version__

GENERATOR = "keras_amp report"  # by which a former report is known
TEMPLATES = Environment(
    loader=PackageLoader("keras_amp.report"),
    autoescape=lambda name: name.endswith(".html"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
COLORS = (*figures.COLORS, figures.FAINT, figures.SHADE)


def describe(groups, left_out):
    """Computes all that a report says.

    Args:
        groups: List of ``Group``s, at least one.
        left_out: List of ``LeftOut``.

    Returns:
        A dict, for ``render``; ``compared`` holds the ``Difference``s.
    """
    styles = figures.styles([group.label for group in groups])
    compared = differences(groups)
    differing, shared = tables.settings_tables(groups)
    runs = [run for group in groups for run in group.runs]
    return {
        "title": f"Mixing methods on {Path(runs[0].config['data']).stem}",
        "summary": _summary(groups, runs),
        "compared": compared,
        "level": LEVEL,
        "left_out": left_out,
        "results": tables.results_table(groups, compared),
        "differences": tables.differences_table(compared),
        "differing": differing,
        "shared": shared,
        "galleries": _galleries(groups, styles),
        "commands": Counter(run.config.get("command") for run in runs),
        "generator": GENERATOR,
        "version": __version__,
        **colors(),
        "number": tables.number,
    }


def render(template, page):
    """Fills in a template.

    Args:
        template: ``"report.html"`` or ``"report.md"``.
        page: Dict, as of ``describe``.

    Returns:
        A string.
    """
    return TEMPLATES.get_template(template).render(page)


def colors():
    """Returns the variables of the figures' colours, ``light`` and ``dark``."""
    return {
        "light": {variable(color): color for color in COLORS},
        "dark": {variable(color): ON_DARK[color] for color in COLORS if color in ON_DARK},
    }


def _galleries(groups, styles):
    return {
        "results": pictures.results(groups, styles),
        "progress": pictures.learning_curves(groups, styles),
        "adversary": pictures.adversary(groups, styles),
        "lambda": pictures.along_lambda(groups, styles),
        "calibration": pictures.calibration(groups, styles),
        "confusion": pictures.confusion(groups),
    }


def _summary(groups, runs):
    """What there is, in a line."""
    backbones = dict.fromkeys(run.config["backbone"] for run in runs)
    seeds = {run.result.seed for run in runs}
    folds = {run.result.fold for run in runs} - {None}
    parts = [
        f"Backbone {', '.join(backbones)}",
        _counted(len(groups), "method"),
        _counted(len(seeds), "seed"),
        *([_counted(len(folds), "fold")] if folds else []),
        _counted(len(runs), "run"),
    ]
    return ", ".join(parts)


def _counted(count, noun):
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
