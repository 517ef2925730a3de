"""All that a grid's page says, and the texts that say it."""

from collections import Counter
from dataclasses import replace
from textwrap import shorten

from keras_amp.analysis import figures
from keras_amp.experiments.pages import galleries, grid_tables, latex, primary_tables
from keras_amp.experiments.pages.perturbed_tables import perturbed_table
from keras_amp.experiments.pages.templating import render, render_blocks
from keras_amp.experiments.summary.differences import (
    DEVELOPMENT,
    FAMILIES,
    READINGS,
    compare,
)
from keras_amp.experiments.summary.texts import DASH
from keras_amp.paper.published_tables import SEEDS, reported

GENERATOR = "keras_amp table"
LONGEST = 300  # characters of an error
PARTS = ("results", "errors", "primary", "minimum", "plateau", "development")
PARTS += ("differences", "baselines", "pooled", "cells", "perturbed", "tuned")
PARTS += ("trained",)


def page_of_grid(grid, records, arrangement, primary):
    """Return all that the tables of a grid say.

    Args:
        grid: ``Grid``.
        records: Dict from keys of cells to records.
        arrangement: ``Arrangement`` of its groups, which have labels.
        primary: List of its ``PrimaryComparison``s, judged.

    Returns:
        A tuple ``(page, compared, figure)``: a dict for the templates, the
        ``Difference``s of all readings, those of the primary comparisons first, and
        the figure of the differences from mixup, or None.
    """
    paper = grid.table.get("paper")
    by_reading = {reading: compare(arrangement.groups, reading) for reading in READINGS}
    compared = by_reading["test_error"]
    drawn, figure = galleries.differences(compared)
    page = {
        "name": grid.name,
        "title": grid.title,
        "summary": _summary(arrangement),
        "results": grid_tables.entries_table(arrangement, compared, "test_error", paper),
        "primary": primary_tables.primary_table(primary),
        "plateau": grid_tables.entries_table(
            arrangement, by_reading["plateau_error"], "plateau_error"
        ),
        "pooled": primary_tables.pooled_table(arrangement, compared),
        "minimum": grid_tables.entries_table(
            arrangement, by_reading["best_test_error"], "best_test_error", paper
        ),
        "development": grid_tables.entries_table(
            arrangement, compare(arrangement.groups, DEVELOPMENT), DEVELOPMENT
        ),
        "compared": {
            family: grid_tables.family_table(arrangement, compared, family)
            for family in FAMILIES
        },
        "missing": grid_tables.missing_table(arrangement),
        "failed": _failed(arrangement),
        "unknown": len(records.keys() - _keys(arrangement)),
        "perturbed": perturbed_table(arrangement),
        "tuned": grid_tables.tuned_table(arrangement),
        "trained": grid_tables.trained_table(arrangement),
        "galleries": {**_galleries(arrangement.groups), "differences": drawn},
        "machines": _machines(arrangement),
        "paper": _paper(arrangement, paper),
        "generator": GENERATOR,
    }
    named = [each.difference for each in primary]
    return page, [*named, *(d for found in by_reading.values() for d in found)], figure


def render_html(page):
    """Return the page as HTML that needs nothing else."""
    return render("grid.html", page)


def render_markdown(page):
    """Return the page in Markdown, and a dict of its ``PARTS``, without headings."""
    return render("grid.md", page), render_blocks("grid.md", page, PARTS)


def render_latex(page):
    """Return the tables of results and differences as LaTeX."""
    label = f"tab:{page['name']}"
    packages = ", ".join(latex.PACKAGES)
    return "\n".join(
        [
            f"% {' '.join(page['title'].split())}\n% Needs the packages {packages}.\n",
            latex.floating(page["results"], label),
            *(
                [latex.long(page["primary"], f"{label}-primary")]
                if page["primary"].rows
                else []
            ),
            latex.floating(page["minimum"], f"{label}-minimum"),
            *(
                latex.long(
                    table.without(grid_tables.IN_RESULTS), f"{label}-against-{family}"
                )
                for family, table in page["compared"].items()
                if table.rows
            ),
        ]
    )


def _galleries(groups):
    """The galleries of every run's error and of the loss along lambda.

    They are empty if nothing is finished or there is more than can be read; the second
    one also unless the cells were told to ``save_curve``.
    """
    groups = [group for group in groups if group.finished]
    found = {"results": galleries.Gallery(), "lambda": galleries.Gallery()}
    if not 0 < len(groups) <= galleries.MOST:
        return found
    styles = figures.styles([group.label for group in groups])
    found["results"] = galleries.results(groups, styles)
    curved = [
        replace(group, trials=[t for t in group.finished if t.curve is not None])
        for group in groups
    ]
    curved = [group for group in curved if group.trials]
    if curved:
        found["lambda"] = galleries.along_lambda(curved, styles)
    return found


def _summary(arrangement):
    groups = arrangement.groups
    wanted = sum(len(group.trials) for group in groups)
    finished = sum(len(group.finished) for group in groups)
    failed = sum(len(group.failed) for group in groups)
    text = f"Cells finished: {finished:,} of {wanted:,}"
    return f"{text}; failed: {failed:,}" if failed else text


def _keys(arrangement):
    return {t.key for group in arrangement.groups for t in group.trials}


def _failed(arrangement):
    """What failed, and with what error: tuples of texts."""

    def short(error):
        text = f"{error['type']}: {error['message']}"
        return shorten(text, LONGEST, placeholder=" ...")

    names = arrangement.label_dimensions
    return [
        (trial.key, _named(group, trial, names), short(trial.record["error"]))
        for group in arrangement.groups
        for trial in group.failed
    ]


def _named(group, trial, names):
    """An entry's cell, as ``"cnn, WordAMP, trec, seed 0"``."""
    seed, fold = trial.part
    part = [f"seed {seed}"] if fold is None else [f"seed {seed}", f"fold {fold}"]
    return ", ".join([*group.shown(names), *part])


def _machines(arrangement):
    """What the finished cells ran with and on: texts with their counts."""
    records = [t.record for group in arrangement.groups for t in group.finished]

    def counted(texts):
        return sorted(Counter(texts).items(), key=lambda item: (-item[1], item[0]))

    versions = counted(
        ", ".join(f"{name} {version}" for name, version in record["versions"].items())
        for record in records
    )
    return versions + counted(_machine(record["machine"]) for record in records)


def _machine(machine):
    threads = machine.get("threads")
    parts = (
        machine.get("processor") or "unknown processor",
        f"cores: {machine.get('cores')}",
        *([f"threads a cell: {threads}"] if threads else []),
        machine.get("gpu") or "no GPU",
        machine.get("system") or "unknown system",
    )
    return ", ".join(parts)


def _paper(arrangement, paper):
    """Say which figures of the paper are compared with which cells; "" for none."""
    if paper is None:
        return ""
    found = [(group, reported(group.values, paper)) for group in arrangement.groups]
    pairs = [(group, cell) for group, cell in found if cell is not None]
    if not pairs:
        return ""
    models = {}
    for group, cell in pairs:
        backbone, vectors, preset = group.shown(["backbone", "vectors", "preset"])
        ours = preset if preset != DASH else f"{backbone} with {vectors} vectors"
        models.setdefault(cell.model.replace("_", "-"), {})[ours] = None
    compared = "; ".join(f"{' and '.join(o)} beside {m}" for m, o in models.items())
    _, first = pairs[0]
    return (
        f"The paper's figures are those of its Table {first.table} (EMNLP 2021, page "
        f"{first.page}): means ± deviations over {SEEDS} seeds, of minima over the test "
        f"curve. The models that are compared differ in their settings: {compared}."
    )
