"""All that is said of a grid's results, and the texts that say it."""

from collections import Counter
from textwrap import shorten

from jinja2 import ChoiceLoader, PackageLoader

from keras_amp.analysis.significance import LEVEL, RESAMPLES, least_wilcoxon
from keras_amp.report.page import TEMPLATES, colors
from keras_amp.report.tables import DASH
from keras_amp.tables import drawings, latex, layout
from keras_amp.tables.comparing import DEVELOPMENT, FAMILIES, READINGS, compare
from keras_amp.tables.groups import arrange
from keras_amp.tables.paper import SEEDS, reported
from keras_amp.version import __version__

GENERATOR = "keras_amp table"
LONGEST = 300  # characters of an error
PARTS = ("results", "errors", "minimum", "development", "differences", "baselines")
PARTS += ("cells", "trained")
ENVIRONMENT = TEMPLATES.overlay(
    loader=ChoiceLoader([PackageLoader("keras_amp.tables"), TEMPLATES.loader])
)


def describe(grid, records):
    """Computes all that the tables of a grid say.

    Args:
        grid: ``Grid``.
        records: Dict from keys of cells to records.

    Returns:
        A tuple ``(page, arrangement, compared, figure)``: a dict for the templates, the
        ``Arrangement``, the ``Compared`` of both readings, and the figure of the
        differences from mixup, or None.
    """
    arrangement = arrange(grid, records)
    paper = grid.table.get("paper")
    by_reading = {reading: compare(arrangement.groups, reading) for reading in READINGS}
    compared = by_reading["test_error"]
    galleries, figure = drawings.draw(grid, arrangement, compared)
    page = {
        "name": grid.name,
        "title": grid.title,
        "summary": _summary(arrangement),
        "results": layout.results_table(arrangement, compared, "test_error", paper),
        "minimum": layout.results_table(
            arrangement, by_reading["best_test_error"], "best_test_error", paper
        ),
        "development": layout.results_table(
            arrangement, compare(arrangement.groups, DEVELOPMENT), DEVELOPMENT
        ),
        "compared": {
            family: layout.differences_table(arrangement, compared, family)
            for family in FAMILIES
        },
        "few_seeds": {family: _few_seeds(compared, family) for family in FAMILIES},
        "missing": layout.missing_table(arrangement),
        "failed": _failed(arrangement),
        "unknown": len(records.keys() - _keys(arrangement)),
        "trained": layout.trained_table(arrangement),
        "galleries": galleries,
        **colors(),
        "machines": _machines(arrangement),
        "paper": _paper(arrangement, paper),
        "level": LEVEL,
        "resamples": f"{RESAMPLES:,}",
        "generator": GENERATOR,
        "version": __version__,
    }
    both = [c for found in by_reading.values() for c in found]
    return page, arrangement, both, figure


def render_html(page):
    """Returns the page as HTML that needs nothing else."""
    return ENVIRONMENT.get_template("grid.html").render(page)


def render_markdown(page):
    """Returns the page in Markdown, and a dict of its ``PARTS``, without headings."""
    template = ENVIRONMENT.get_template("grid.md")
    parts = {
        name: "".join(template.blocks[name](template.new_context(page))).strip("\n")
        for name in PARTS
    }
    return template.render(page), parts


def render_latex(page):
    """Returns the tables of results and differences as LaTeX."""
    label = f"tab:{page['name']}"
    packages = ", ".join(latex.PACKAGES)
    return "\n".join(
        [
            f"% {' '.join(page['title'].split())}\n% Needs the packages {packages}.\n",
            latex.floating(page["results"], label),
            latex.floating(page["minimum"], f"{label}-minimum"),
            *(
                latex.long(table, f"{label}-against-{family}", layout.IN_RESULTS)
                for family, table in page["compared"].items()
                if table.rows
            ),
        ]
    )


def _summary(arrangement):
    groups = arrangement.groups
    wanted = sum(len(group.runs) for group in groups)
    finished = sum(len(group.finished) for group in groups)
    failed = sum(len(group.failed) for group in groups)
    text = f"Cells finished: {finished:,} of {wanted:,}"
    return f"{text}; failed: {failed:,}" if failed else text


def _keys(arrangement):
    return {run.key for group in arrangement.groups for run in group.runs}


def _few_seeds(compared, family):
    """Says where Wilcoxon's test can show nothing, whatever the errors; "" elsewhere."""
    tested = [c for c in compared if c.family == family and c.seeds > 1]
    stuck = [c for c in tested if c.least_wilcoxon >= LEVEL]
    if not stuck:
        return ""
    seeds = sorted({c.seeds for c in stuck})
    most, comparisons = seeds[-1], len(tested)
    many = f"{most}" if len(seeds) == 1 else f"{seeds[0]} to {most}"
    text = f"With {many} seeds Wilcoxon's p is at least {least_wilcoxon(most):.3g}"
    if comparisons > 1:
        least = min(c.least_wilcoxon for c in stuck)
        text += f", and adjusted for {comparisons} comparisons at least {least:.3g}"
    which = f"{len(stuck)} of the {comparisons} differences"
    if len(stuck) == comparisons:
        which = "any difference of this table"
    return (
        f"{text}, whatever the errors: it cannot show {which}, which would take p < "
        f"{LEVEL}. More seeds could."
    )


def _failed(arrangement):
    """What failed, and with what error: tuples of texts."""

    def short(error):
        text = f"{error['type']}: {error['message']}"
        return shorten(text, LONGEST, placeholder=" ...")

    names = layout.label_dimensions(arrangement)
    return [
        (run.key, _named(group, run, names), short(run.record["error"]))
        for group in arrangement.groups
        for run in group.failed
    ]


def _named(group, run, names):
    """An entry's cell, as ``"cnn, WordAMP, trec, seed 0"``."""
    seed, fold = run.part
    part = [f"seed {seed}"] if fold is None else [f"seed {seed}", f"fold {fold}"]
    return ", ".join([*group.shown(names), *part])


def _machines(arrangement):
    """What the finished cells ran with and on: lists of texts with their counts."""
    records = [run.record for group in arrangement.groups for run in group.finished]

    def counted(texts):
        return sorted(Counter(texts).items(), key=lambda item: (-item[1], item[0]))

    return {
        "hours": f"{sum(record['seconds'] for record in records) / 3600:,.1f}",
        "versions": counted(
            ", ".join(f"{name} {version}" for name, version in r["versions"].items())
            for r in records
        ),
        "machines": counted(_machine(record["machine"]) for record in records),
    }


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
    """Which figures of the paper stand beside which cells; None where there are none."""
    if paper is None:
        return None
    found = [(group, reported(group.values, paper)) for group in arrangement.groups]
    pairs = [(group, cell) for group, cell in found if cell is not None]
    if not pairs:
        return None
    models = {}
    for group, cell in pairs:
        backbone, vectors, preset = group.shown(["backbone", "vectors", "preset"])
        ours = preset if preset != DASH else f"{backbone} with {vectors} vectors"
        models.setdefault(cell.model.replace("_", "-"), {})[ours] = None
    return {
        "table": pairs[0][1].table,
        "page": pairs[0][1].page,
        "seeds": SEEDS,
        "models": {model: list(ours) for model, ours in models.items()},
    }
