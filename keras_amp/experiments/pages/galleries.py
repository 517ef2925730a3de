"""The figures of a page, and sentences about what is missing for them."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from keras_amp.analysis import figures
from keras_amp.experiments.evaluation import calibration_bins
from keras_amp.experiments.pages.svg import inline_svg

PROGRESS = (
    ("loss", "Training loss", "loss", None),
    ("val_loss", "Development loss", "loss", None),
    ("val_accuracy", "Development error", "error %", lambda a: 100 * (1 - a)),
    ("test_accuracy", "Test error", "error %", lambda a: 100 * (1 - a)),
)
ADVERSARY = {
    "lam_delta": "How far it moves λ",
    "mask_rate": "How often its loss is the larger",
    "loss_gap": "How much larger its loss is",
    "lam_gradient": "The gradient that it follows",
}
# What the policies beside the paper's did: title, axis, and which of them it is said of.
STEPS = ("adversarial", "vat", "random")
ADDED = {
    "delta_norm": ("How long the step is", "mean norm", STEPS),
    "divergence": ("How far predictions are apart", "mean divergence", ("vat", "rdrop")),
    "mask_rate": (
        "How often the loss is larger there",
        "share of the examples",
        (*STEPS, "regmixup"),
    ),
    "loss_gap": (
        "How much larger the loss is there",
        "difference of the losses",
        (*STEPS, "regmixup"),
    ),
}
AGAIN = "Train them again to write it."
MOST = 30  # entries of a figure that can be read
MIXED = {"word": "Words mixed", "sentence": "Sentences mixed"}


@dataclass(frozen=True)
class Picture:
    """A figure of the page.

    Attributes:
        title: Its heading.
        svg: The figure itself.
    """

    title: str
    svg: str


@dataclass
class Gallery:
    """Figures that belong together.

    Attributes:
        pictures: List of ``Picture``s.
        missing: List of sentences about what could not be drawn.
    """

    pictures: list = field(default_factory=list)
    missing: list = field(default_factory=list)

    def add(self, name, title, figure, alt):
        """Add a figure, named within the page."""
        self.pictures.append(Picture(title, inline_svg(figure, name, alt)))


def results(groups, styles):
    """Draw the test errors of all runs."""
    errors = {
        group.label: [t.result["test_error"] for t in group.finished] for group in groups
    }
    means = "; ".join(f"{name} {np.mean(values):.2f}" for name, values in errors.items())
    gallery = Gallery()
    gallery.add(
        "errors",
        "Test error of every run",
        figures.run_errors(errors, styles=styles),
        f"A dot for each run's test error, and the methods' means in percent: {means}.",
    )
    return gallery


def differences(compared):
    """Draw the differences from mixup with their intervals over seeds.

    Args:
        compared: List of ``Difference``s.

    Returns:
        A tuple of the ``Gallery`` and its ``matplotlib.figure.Figure``; an empty gallery
        and None if there is nothing to draw, or more than can be read.
    """
    found = {}
    for d in compared:
        if d.family == "mixup" and d.compared.interval is not None:
            found[d.group.label] = (d.difference, *d.compared.interval)
    gallery = Gallery()
    if not 0 < len(found) <= MOST:
        return gallery, None
    figure = figures.differences(found, "percentage points against mixup")
    alt = "Each difference in percentage points with its interval, as in the table."
    gallery.add("differences", "Differences", figure, alt)
    return gallery, figure


def learning_curves(groups, styles):
    """Draw losses and errors over the epochs."""
    gallery = Gallery()
    _note_missing(gallery, groups, "epochs", "epochs.csv", AGAIN)
    for column, title, label, convert in PROGRESS:
        curves = _over_epochs(groups, column, convert)
        draw = partial(figures.learning_curves, label=label)
        _add_curves(gallery, column, title, curves, draw, styles)
    lengths = {
        len(trial.epochs)
        for group in groups
        for trial in group.finished
        if trial.epochs is not None
    }
    if len(lengths) > 1:
        gallery.missing.append(
            f"The runs have between {min(lengths)} and {max(lengths)} epochs; each line "
            "is the mean of those runs that have the epoch."
        )
    return gallery


def adversary(groups, styles):
    """Draw what the adversary did in each epoch."""
    gallery = Gallery()
    groups = [group for group in groups if group.policy == "amp"]
    if not groups:
        gallery.missing.append(
            "No run has an adversary that moves λ: none was trained with the policy "
            "`amp`."
        )
        return gallery
    for column, title in ADVERSARY.items():
        curves = _over_epochs(groups, column)
        draw = partial(figures.adversary_over_time, quantity=column)
        _add_curves(gallery, column, title, curves, draw, styles)
    if not gallery.pictures:
        gallery.missing.append(
            f"No run's epochs.csv holds {', '.join(ADVERSARY)}. Train them again to "
            "write them."
        )
    return gallery


def added(groups, styles):
    """Draw what a step on the hidden state, or a second pass, did in each epoch."""
    gallery = Gallery()
    for column, (title, label, policies) in ADDED.items():
        having = [group for group in groups if group.policy in policies]
        curves = _over_epochs(having, column)
        draw = partial(figures.learning_curves, label=label)
        _add_curves(gallery, f"added-{column}", title, curves, draw, styles)
    return gallery


def along_lambda(groups, styles):
    """Draw the mean test loss along lambda, by where it is mixed."""
    gallery = Gallery()
    advice = (
        "A run writes it except with `--no-save-curve`; `keras-amp curve RUNS` "
        "computes the same for runs that kept their classifier."
    )
    _note_missing(gallery, groups, "curve", "curve.csv", advice)
    for place, title in MIXED.items():
        curves, bands = {}, {}
        for group in groups:
            found = _there(group, "curve")
            # Runs may have been evaluated at other lambdas than the first one.
            found = [c for c in found if place in c and c["lam"].equals(found[0]["lam"])]
            losses = [curve[place].to_numpy() for curve in found]
            mean, deviation = figures.mean_and_deviation(losses) if losses else ([], [])
            if np.isfinite(mean).any():
                curves[group.label] = found[0]["lam"], mean
                if np.isfinite(deviation).any():
                    bands[group.label] = mean - deviation, mean + deviation
        if curves:
            ends = _listed({name: _span(losses) for name, (_, losses) in curves.items()})
            gallery.add(
                f"lambda-{place}",
                title,
                figures.loss_along_lambda(curves, band=bands, styles=styles),
                f"Mean test loss from lambda 0 to 1, {title.lower()}, from its least to "
                f"its greatest value: {ends}.",
            )
        elif gallery.pictures:
            gallery.missing.append(f"No run has a curve with {title.lower()}.")
    return gallery


def calibration(groups, styles):
    """Draw the reliability of all runs' test predictions, pooled over the runs."""
    gallery, bins = Gallery(), {}
    _note_missing(gallery, groups, "predictions", "predictions.csv", AGAIN)
    for group in groups:
        found = _there(group, "predictions")
        finite = [pair for pair in found if np.isfinite(pair[1]).all()]
        if len(finite) < len(found):
            gallery.missing.append(
                f"{len(found) - len(finite)} runs of {group.label} predict no finite "
                "probabilities and are left out."
            )
        if finite:
            labels, probabilities = map(np.concatenate, zip(*finite, strict=True))
            bins[group.label] = calibration_bins(probabilities, labels)
    if bins:
        means = {
            name: f"{np.nansum(counts * confidence) / counts.sum():.2f}, of which "
            f"{np.nansum(counts * right) / counts.sum():.2f} right"
            for name, (confidence, right, counts) in bins.items()
        }
        gallery.add(
            "reliability",
            "Reliability",
            figures.reliability_diagram(bins, styles=styles),
            "Share of right predictions by confidence, and how many predictions have it. "
            f"Mean confidence: {_listed(means)}.",
        )
    return gallery


def confusion(groups):
    """Draw a confusion matrix for each method, summed over the runs."""
    gallery = Gallery()
    _note_missing(gallery, groups, "confusion", "confusion.csv", AGAIN)
    for place, group in enumerate(groups):
        found = _there(group, "confusion")
        if found:
            counts, names = sum(found), group.trials[0].class_names
            gallery.add(
                f"confusion-{place}",
                group.label,
                figures.confusion_matrix(counts, names),
                _confusion_alt(counts, names),
            )
    return gallery


def _there(group, attribute):
    """What the trials of a group have, without those that lack it."""
    found = [getattr(trial, attribute) for trial in group.finished]
    return [value for value in found if value is not None]


def _note_missing(gallery, groups, attribute, file, advice):
    """Add how many runs lack a file, and what to do about it."""
    lacking = [
        str(trial.folder)
        for group in groups
        for trial in group.finished
        if getattr(trial, attribute) is None
    ]
    total = sum(len(group.finished) for group in groups)
    if lacking:
        which = "" if len(lacking) == total else f" ({', '.join(lacking[:5])}"
        which += ", ...)" if which and len(lacking) > 5 else ")" if which else ""
        gallery.missing.append(
            f"{len(lacking)} of {total} runs have no {file}{which}. {advice}"
        )


def _over_epochs(groups, column, convert=None):
    """A quantity as arrays ``(num_runs, num_epochs)``, NaN where a run has ended."""
    curves = {}
    for group in groups:
        tables = [trial.epochs for trial in group.finished]
        runs = [t[column] for t in tables if t is not None and column in t]
        if not runs:
            continue
        curve = np.full((len(runs), max(map(len, runs))), np.nan)
        for i, values in enumerate(runs):
            curve[i, : len(values)] = values if convert is None else convert(values)
        if np.isfinite(curve).any():
            curves[group.label] = curve
    return curves


def _add_curves(gallery, name, title, curves, draw, styles):
    if not curves:
        return
    ends = {}
    for label, runs in curves.items():
        mean, _ = figures.mean_and_deviation(runs)
        first, last = mean[np.isfinite(mean)][[0, -1]]
        ends[label] = f"{first:.3g} to {last:.3g}"
    gallery.add(
        name,
        title,
        draw(curves, styles=styles),
        f"{title} over the epochs, from the first to the last one: {_listed(ends)}.",
    )


def _span(values):
    return f"{np.nanmin(values):.3g} to {np.nanmax(values):.3g}"


def _listed(parts):
    return "; ".join(f"{name} {part}" for name, part in parts.items())


def _confusion_alt(counts, names):
    """The share that is right, and the most frequent mistakes."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    total = max(counts.sum(), 1)
    worst = np.argsort(-wrong, axis=None, kind="stable")[:3]
    pairs = [np.unravel_index(place, wrong.shape) for place in worst]
    mistakes = "; ".join(
        f"{names[true]} taken for {names[guess]}, {wrong[true, guess]} times"
        for true, guess in pairs
        if wrong[true, guess]
    )
    right = 100 * np.trace(counts) / total
    return f"Confusion matrix of {total} predictions, {right:.1f}% of them right. " + (
        f"Most frequent mistakes: {mistakes}." if mistakes else "No mistakes."
    )
