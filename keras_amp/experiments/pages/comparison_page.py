"""All that a comparison's page says."""

from collections import Counter
from pathlib import Path

from keras_amp.analysis import figures
from keras_amp.experiments.pages import comparison_tables as tables
from keras_amp.experiments.pages import galleries
from keras_amp.experiments.summary.texts import number

GENERATOR = "keras_amp report"  # by which a former report is known


def page_of_comparison(groups, compared, left_out):
    """Return the variables of the templates ``comparison.html`` and ``comparison.md``.

    Args:
        groups: List of ``Group``s, at least one.
        compared: Their ``Difference``s.
        left_out: List of ``LeftOut``.
    """
    styles = figures.styles([group.label for group in groups])
    differing, shared = tables.settings_tables(groups)
    trials = [trial for group in groups for trial in group.trials]
    return {
        "title": f"Mixing methods on {Path(trials[0].config['data']).stem}",
        "summary": _summary(groups, trials),
        "compared": compared,
        "left_out": left_out,
        "results": tables.improvements_table(groups, compared),
        "differences": tables.differences_table(compared),
        "differing": differing,
        "shared": shared,
        "galleries": {
            "results": galleries.results(groups, styles),
            "progress": galleries.learning_curves(groups, styles),
            "adversary": galleries.adversary(groups, styles),
            "added": galleries.added(groups, styles),
            "lambda": galleries.along_lambda(groups, styles),
            "calibration": galleries.calibration(groups, styles),
            "confusion": galleries.confusion(groups),
        },
        "commands": Counter(trial.config.get("command") for trial in trials),
        "generator": GENERATOR,
        "number": number,
        "verdict": tables.counted_verdict,
    }


def _summary(groups, trials):
    """What there is, in a line."""
    backbones = dict.fromkeys(trial.config["backbone"] for trial in trials)
    seeds = {seed for group in groups for seed in group.seeds}
    folds = {fold for group in groups for fold in group.folds}
    parts = [
        f"Backbone {', '.join(backbones)}",
        _counted(len(groups), "method"),
        _counted(len(seeds), "seed"),
        *([_counted(len(folds), "fold")] if folds else []),
        _counted(len(trials), "run"),
    ]
    return ", ".join(parts)


def _counted(count, noun):
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
