"""Tables over all studies: the methods, the studies themselves, the paper's tables."""

import csv
from dataclasses import dataclass
from statistics import fmean

from keras_amp.experiments import load_grid
from keras_amp.experiments.store import FINISHED
from keras_amp.experiments.summary.differences import compare, over_data_sets
from keras_amp.experiments.summary.groups import group_trials
from keras_amp.experiments.summary.table import Table
from keras_amp.experiments.summary.texts import DASH, number, value_text, with_interval
from keras_amp.experiments.summary.trials import trials_of_grid
from keras_amp.paper import paper_table
from keras_amp.paper.published_tables import TABLES, reported

NOT_MEASURED = "not measured yet"
PAPER = {
    "table2": "Table 2: five backbones, five data sets",
    "table3": "Table 3: few labels",
    "table4": "Table 4: MaxOp and MinOp",
    "table5": "Table 5: alpha",
    "figure2": "Figure 2: the loss along lambda",
}
# The weights of BERT-base's layers over those of MiniLM's: 12 layers of 768 and 6 of 384.
LARGER = 12 * 768**2 / (6 * 384**2)


@dataclass(frozen=True, eq=False)
class Study:
    """A study with its runs.

    Attributes:
        grid: ``Grid``.
        records: Dict from keys of cells to records.
        groups: List of its ``Group``s.
        against_none: List of the ``Difference``s to no mixing.
    """

    grid: object
    records: dict
    groups: list
    against_none: list

    @classmethod
    def of(cls, grid, records):
        """Makes a study of its grid and its records."""
        groups = group_trials(trials_of_grid(grid, records))
        groups = [group for group in groups if group.complete]
        return cls(
            grid, records, groups, [d for d in compare(groups) if d.family == "none"]
        )


def parts(grids, contents, step_times):
    """Return the texts that are made of all studies.

    Args:
        grids: List of tuples of a ``Grid`` and its records by their keys.
        contents: Dict, what ``methods.toml`` says.
        step_times: Path of the CSV file of ``benchmarks/step_time.py``.

    Returns:
        A dict from names to texts in Markdown.
    """
    studies = [Study.of(*each) for each in grids]
    tables = {
        "methods": methods_table(studies, contents["columns"], contents["rows"]),
        "studies": studies_table(studies, contents["questions"]),
        "paper": paper_tables(studies, step_times),
    }
    return {name: table.as_markdown() for name, table in tables.items()}


# === Methods ===


def methods_table(studies, columns, rows):
    """Return what each method did, a row a method.

    Args:
        studies: List of ``Study``s.
        columns: List of dicts, as in ``methods.toml``.
        rows: Likewise.
    """
    by_name = {study.grid.name: study for study in studies}

    def entry(row, column):
        settings = {**column.get("settings", {}), **row["settings"]}
        for name in column["studies"]:
            text = _measured(by_name[name], settings, column["quantity"])
            if text is not None:
                return text
        return NOT_MEASURED

    lines = []
    for row in rows:
        entries = [entry(row, column) for column in columns]
        if set(entries) == {NOT_MEASURED}:  # is said once
            entries[1:] = [DASH] * len(entries[1:])
        lines.append((row["name"], *entries, row["cost"]))
    headings = ("method", *(column["heading"] for column in columns), "a step")
    return Table.of("The methods", headings, lines)


def _measured(study, settings, quantity):
    """A method's difference to no mixing, the mean of no mixing itself, or None."""
    wanted = {name: value_text(value) for name, value in settings.items()}
    groups = [g for g in study.groups if g.shown(wanted) == tuple(wanted.values())]
    if len({group.values["data"] for group in groups}) < len(groups):
        raise ValueError(
            "Expected the settings of a row and a column of methods.toml to fit one kind "
            f"of cell of each data set in {study.grid.name}. Received: {settings}, which "
            f"{len(groups)} kinds fit; name more of their settings."
        )
    if groups and groups[0].mix == "none":
        return f"{number(fmean(fmean(g.of(quantity).values()) for g in groups))}%"
    found = [d for d in study.against_none if d.group in groups]
    if not found:
        return None
    one = found[0] if len(found) == 1 else over_data_sets(found)
    compared = one.compared if quantity == one.reading else one.scores[quantity]
    return with_interval(compared.difference, compared.interval)


# === Studies ===


def studies_table(studies, questions):
    """Return what was asked, and how much was run, a row a study.

    Args:
        studies: List of ``Study``s.
        questions: Dict from names of studies to questions; a study without one has its
            title.
    """
    rows = []
    for study in studies:
        grid, name = study.grid, study.grid.name
        seconds = [
            record["seconds"]
            for record in study.records.values()
            if record["status"] == FINISHED
        ]
        cells, done = len(grid.cells), len(seconds)
        rows.append(
            (
                f"[`{name}`](../../results/{name}/{name}.md)",
                questions.get(name, grid.title),
                f"{done:,}" if done == cells else f"{done:,} of {cells:,}",
                str(len({cell.seed for cell in grid.cells})),
                number(sum(seconds) / 3600, 1),
            )
        )
    headings = ("study", "question", "runs", "seeds", "hours")
    return Table.of("The studies", headings, rows, words=("question",))


# === The paper's tables ===


def paper_tables(studies, step_times):
    """Return how much of the paper's tables was run, and what all of it would take.

    Args:
        studies: List of ``Study``s.
        step_times: As of ``parts``.
    """
    seconds = _seconds_a_step(step_times)
    groups = [group for study in studies for group in study.groups]
    rows = []
    for name, about in PAPER.items():
        cells = load_grid(name).cells
        hours = (
            seconds[cell.settings.backbone, cell.method] * cell.settings.steps / 3600
            for cell in cells
        )
        entries = beside = DASH
        if name in TABLES:
            entries, beside = str(len(paper_table(name))), str(_beside(name, groups))
        rows.append((about, entries, beside, f"{len(cells):,}", f"{sum(hours):,.0f}"))
    headings = ("the paper's", "entries", "with one beside", "runs", "hours")
    return Table.of("The paper's tables", headings, rows)


def _beside(table, groups):
    """How many entries of a table have one of ours beside; it prints some twice."""

    def place(cell):
        return cell.model, cell.data, cell.method, cell.alpha, cell.train_fraction

    found = {reported(group.values, table) for group in groups} - {None}
    places = {place(cell) for cell in found}
    return sum(place(cell) in places for cell in paper_table(table))


def _seconds_a_step(path):
    """The least times of a step by default, by backbone and method; MaxOp's are AMP's."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["mode"] == "auto"]
    seconds = {}
    for row in rows:
        time = (
            float(row["least_ms"]) / 1000 * (LARGER if row["backbone"] == "bert" else 1)
        )
        for method in (row["method"], row["method"].replace("AMP", "MaxOp")):
            seconds[row["backbone"], method] = time
    return seconds
