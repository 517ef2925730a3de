"""The entries, differences and cells of a grid as data frames of numbers."""

import math
from dataclasses import fields

import pandas as pd

from keras_amp.analysis.permutation import DIGITS
from keras_amp.analysis.significance import by_seed
from keras_amp.experiments.results import Result
from keras_amp.experiments.summary.differences import READINGS
from keras_amp.experiments.summary.means import QUANTITIES, spread
from keras_amp.experiments.summary.texts import DASH
from keras_amp.experiments.summary.trials import WITHIN
from keras_amp.paper.published_tables import reported

RESULTS = tuple(field.name for field in fields(Result) if field.name not in WITHIN)
P_VALUES = ("p_",)
INTEGERS = ("fold", "paper_table", "paper_page")


def groups_frame(arrangement, compared, paper=None):
    """Return the entries of a grid's table, a data frame of a row each.

    ``<quantity>_mean`` and ``<quantity>_sd`` are over the complete seeds, the folds of a
    seed averaged before; ``rp``, ``best_rp`` and ``plateau_rp`` are over mixup at the
    same place, by the test error, its minimum over the test curve and its plateau.

    Args:
        arrangement: ``Arrangement``.
        compared: List of ``Difference``s, of all readings.
        paper: Name of the paper's table whose figures are added; None for none.
    """
    improvements = {
        (d.group, d.reading): d.improvement for d in compared if d.family == "mixup"
    }
    lines = []
    for group in arrangement.groups:
        line = _settings(group, arrangement.label_dimensions)
        line |= {
            "seeds": len(group.complete),
            "seeds_wanted": len(group.seeds),
            "cells": len(group.finished),
            "cells_wanted": len(group.trials),
            "cells_failed": len(group.failed),
        }
        for name, *_ in QUANTITIES:
            values = list(by_seed(group.of(name)).values())
            line[f"{name}_mean"], line[f"{name}_sd"] = spread(values)
        for name, reading in zip(("rp", "best_rp", "plateau_rp"), READINGS, strict=True):
            line[name] = improvements.get((group, reading))
        lines.append(line | _of_paper(group, paper))
    return _frame(lines)


def differences_frame(arrangement, compared):
    """Return the comparisons of a grid, a data frame of a row each.

    Args:
        arrangement: ``Arrangement``.
        compared: List of ``Difference``s.
    """
    names = arrangement.label_dimensions
    lines = [
        {
            "reading": d.reading,
            "family": d.family,
            **_settings(d.group, names),
            "against": d.other.method,
            "seeds": d.seeds,
            "error": d.error,
            "against_error": d.other_error,
            **_compared("", d.compared),
            "rp": d.improvement,
            **_judged(d),
            **{
                k: v
                for n, c in d.scores.items()
                for k, v in _compared(f"{n}_", c).items()
            },
        }
        for d in compared
    ]
    columns = ["reading", "family", *names, "against", "seeds"]
    return _frame(lines, columns)


def cells_frame(arrangement):
    """Return the finished cells of a grid, a data frame of a row each.

    Args:
        arrangement: ``Arrangement``.

    Returns:
        A ``pandas.DataFrame``: the cell's key, the settings that differ between cells
        and those that methods have of their own, seed and fold, and all fields of the
        result.
    """
    groups = arrangement.groups
    names = list(dict.fromkeys(name for group in groups for name in group.values))
    varying = [n for n in names if len({group.at([n]) for group in groups}) > 1]
    varying = list(dict.fromkeys(["method", *varying]))
    renamed = {name: f"setting_{name}" for name in RESULTS if name != "method"}
    lines = []
    for group in groups:
        settings = _settings(group, varying) | group.tuned
        settings = {renamed.get(n, n): value for n, value in settings.items()}
        for trial in group.finished:
            part = dict(zip(WITHIN, trial.part, strict=True))
            result = {name: trial.result.get(name) for name in RESULTS}
            lines.append({"key": trial.key, **settings, **part, **result})
    columns = [renamed.get(name, name) for name in varying]
    return _frame(lines, ["key", *columns, *WITHIN])


def _settings(group, names):
    """The settings as texts, None where there is none."""
    texts = zip(names, group.shown(names), strict=True)
    return {name: None if text == DASH else text for name, text in texts}


def _of_paper(group, paper):
    if paper is None:
        return {}
    found = reported(group.values, paper)
    names = ("table", "page", "model", "row", "mean", "sd", "rp", "cited")
    return {f"paper_{name}": getattr(found, name, None) for name in names}


def _compared(name, compared):
    """A difference and its intervals: over seeds, and over seeds and texts."""
    nothing = math.nan, math.nan
    low, high = compared.interval or nothing
    wide_low, wide_high = compared.wide or nothing
    return {
        f"{name}difference": compared.difference,
        f"{name}low": low,
        f"{name}high": high,
        f"{name}low_with_texts": wide_low,
        f"{name}high_with_texts": wide_high,
    }


def _judged(difference):
    """The verdict on a primary comparison; nothing of others."""
    found = difference.verdict
    return {
        "verdict": found and str(found),
        "margin": difference.margin,
        "p_holm": found and found.p,
        "p_equal_holm": found and found.p_equal,
    }


def _frame(lines, columns=None):
    """A data frame of lines; without any it has at least the given columns.

    What is not a p-value is rounded: noise around zero differs between machines.
    """
    frame = pd.DataFrame(lines, columns=None if lines else columns)
    frame = frame.astype({name: "Int64" for name in INTEGERS if name in frame})
    for name in frame.select_dtypes("float"):
        if not name.startswith(P_VALUES):
            frame[name] = frame[name].round(DIGITS) + 0.0  # no minus before zero
    return frame
