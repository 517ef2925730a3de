"""The committed results are what the package makes of the committed cells."""

import importlib
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("joblib", reason='pip install "keras-amp[experiments]"')

from grid_records import record as finished
from grid_records import records_of, rows_of, wave
from scipy import stats

from keras_amp.analysis import significance
from keras_amp.analysis.intervals import t_interval
from keras_amp.experiments import load_grid, parse_grid, read_records
from keras_amp.experiments.pages.rerun_tables import rerun_markdown
from keras_amp.experiments.store import write_record
from keras_amp.experiments.summary.texts import interval

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
FINDINGS = ROOT / "docs" / "results" / "findings.md"
DETAILS = FINDINGS.with_name("details.md")
STUDIES = sorted(path.parent.name for path in RESULTS.glob("*/grid.toml"))


def module_of(name):
    """A script of the folder."""
    return importlib.import_module(f"results.{name}")


@pytest.fixture(scope="module")
def tables():
    return module_of("tables")


@pytest.fixture(scope="module")
def made(tables, tmp_path_factory):
    """The tables and texts, made anew."""
    out = tmp_path_factory.mktemp("results")
    for page in tables.pages():
        copy = out / page.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(page, copy)
    tables.main(out, out)
    return out


@pytest.mark.parametrize("study", STUDIES)
def test_tables_made_anew_are_those_that_are_here(made, study):
    new = {path.name: path.read_text() for path in (made / study).iterdir()}
    assert {f"{study}.md", f"{study}.csv", f"{study}-differences.csv"} <= set(new)
    for name, text in new.items():
        assert (RESULTS / study / name).read_text() == text, name


def test_what_the_texts_say_of_results_is_made_of_them(made, tables):
    names = [str(page.relative_to(ROOT)) for page in tables.pages()]
    assert {"README.md", "docs/start/choosing.md", "docs/results/paper.md"} <= set(names)
    for name in names:
        assert (made / name).read_text() == (ROOT / name).read_text(), name


def test_the_table_of_methods_is_that_of_the_cells(tables):
    rows = dict(row.strip("| ").split(" | ", 1) for row in table_of(tables, "methods"))
    errors = pd.read_csv(RESULTS / "trec10_control" / "trec10_control-cells.csv")
    few = errors[errors["alpha"] != 0.01].set_index(["method", "seed"])
    for name, columns in (("`Mixup()`", few), ("a step for each dimension", few)):
        (row,) = (text for named, text in rows.items() if name in named)
        method = "WordMixup" if "Mixup" in name else "WordAMP"
        said = []
        for quantity in ("test_error", "ece"):
            one, none = (columns.loc[each, quantity] for each in (method, "none"))
            bounds = stats.ttest_rel(one, none).confidence_interval()
            said.append(f"{(one - none).mean():+.2f} ({interval(tuple(bounds))})")
        assert " | ".join(said).replace("-", "\N{MINUS SIGN}") == " | ".join(
            row.split(" | ")[:2]
        )
    assert rows["no mixing"].startswith(f"{few.loc['none', 'test_error'].mean():.2f}%")
    # What was not run says so, once.
    assert rows["`RDrop()`"].split(" | ")[:4] == ["not measured yet", *3 * "\N{EN DASH}"]


def test_a_row_of_methods_fits_one_kind_of_cell_of_each_data_set(tables):
    """Of SUBJ and SST-2 the mean is shown; several step sizes on TREC are refused."""
    grid = load_grid(RESULTS / "sst2_subj_cnn")
    row = {"name": "a", "settings": {"method": "WordAMP"}, "cost": "1"}
    column = {"heading": "error", "studies": [grid.name], "quantity": "test_error"}
    study = study_of(tables, grid.name)
    table = tables.overview.methods_table([study], [column], [row])
    pooled = pd.read_csv(RESULTS / grid.name / f"{grid.name}-differences.csv")
    of_both = pooled[
        (pooled["reading"] == "test_error")
        & (pooled["family"] == "none")
        & (pooled["method"] == "WordAMP")
    ]
    assert len(of_both) == 2
    assert table.rows[0][1].startswith(f"+{of_both['difference'].mean():.2f} (")
    steps = study_of(tables, "trec_steps")
    with pytest.raises(ValueError, match=r"trec_steps.*name more of their settings"):
        tables.overview.methods_table(
            [steps], [{**column, "studies": ["trec_steps"]}], [row]
        )


def test_every_study_has_its_question_and_its_runs(tables):
    questions = tomllib.loads((RESULTS / "methods.toml").read_text())["questions"]
    assert set(questions) == set(STUDIES)
    rows = [row.strip("| ").split(" | ") for row in table_of(tables, "studies")]
    assert [row[1] for row in rows] == [questions[study] for study in STUDIES]
    for study, row in zip(STUDIES, rows, strict=True):
        cells = pd.read_csv(RESULTS / study / f"{study}-cells.csv")
        assert int(row[2].split(" of ")[0].replace(",", "")) == len(cells)
        assert not len(cells) or int(row[3]) == cells["seed"].nunique()


def test_the_papers_tables_are_counted_by_what_was_run(tables):
    """Half of Table 4, four shares of Table 3; BERT-base is as eight MiniLMs."""
    rows = [row.strip("| ").split(" | ") for row in table_of(tables, "paper")]
    by_number = {row[0].split(":")[0]: row[1:] for row in rows}
    assert by_number["Table 3"][:3] == ["18", "8", "180"]
    assert by_number["Table 4"][:3] == ["16", "8", "140"]
    assert by_number["Table 5"][1:3] == ["0", "960"]
    times = (
        pd.read_csv(tables.STEP_TIMES)
        .set_index(["backbone", "mode", "method"])
        .sort_index()
    )
    least = times["least_ms"]["bert", "auto"]
    of_a_run = [least["SentMixup"], least["SentAMP"]]  # 9 shares, 10 seeds, 8,000 steps
    hours = 8 * sum(of_a_run) / 1000 * 9 * 10 * 8000 / 3600
    assert float(by_number["Table 3"][3]) == round(hours)


def study_of(tables, name):
    """A study as the tables over all studies are given it."""
    folder = RESULTS / name
    return tables.overview.Study.of(load_grid(folder), read_records([folder]))


def table_of(tables, part):
    """The rows of a table over all studies, as a page has it."""
    pages = {"methods": "README.md", "studies": "docs/results/studies.md"}
    text = (ROOT / pages.get(part, "docs/results/paper.md")).read_text()
    table = text.split(tables.MARK.format(part))[1].split("<!-- end -->")[0]
    return table.strip().splitlines()[2:]


@pytest.mark.parametrize("study", STUDIES)
def test_cells_are_those_of_the_study_and_name_no_machine(study):
    keys = {cell.key for cell in load_grid(RESULTS / study).cells}
    records = read_records([RESULTS / study])
    assert records.keys() <= keys
    for path in (RESULTS / study / "cells").glob("*.json"):
        assert not any(part in path.read_text() for part in ("/work", "/root", "/tmp"))


def test_intervals_of_the_committed_cells_are_those_of_scipys_t_test():
    folder = RESULTS / "trec10_confirmed"
    cells = pd.read_csv(folder / "trec10_confirmed-cells.csv")
    found = pd.read_csv(folder / "trec10_confirmed-differences.csv")
    for row in found.itertuples():
        errors = cells[cells["vectors"] == row.vectors].set_index("seed")
        one, two = (
            errors[errors["method"] == name][row.reading].sort_index()
            for name in (row.method, row.against)
        )
        interval = stats.ttest_rel(one, two).confidence_interval()
        assert (row.low, row.high) == pytest.approx(tuple(interval), abs=1e-8)


# Two comparisons stand in no table.


def test_what_the_reweighting_costs_is_as_the_findings_say(tables):
    errors = {"program": {}, "amp": {}}
    for record in read_records([RESULTS / "trec_steps"]).values():
        config = record["config"]
        if config["loss"] == "binary" and config["policy"] in errors:
            error = record["result"]["test_error"]
            errors[config["policy"]][config["seed"], None] = error
    pairs = significance.pair(errors["program"], errors["amp"])
    assert len(pairs) == 10
    assert f"+{compared(pairs)}" in words_of(DETAILS)


def test_what_random_lambdas_add_is_as_the_findings_say(tables):
    errors = {1.0: {}, 0.01: {}}
    for record in read_records([RESULTS / "trec10_control"]).values():
        config = record["config"]
        if config["policy"] == "amp":
            of_alpha = errors[config["policy_arguments"]["alpha"]]
            of_alpha[config["seed"], None] = record["result"]["test_error"]
    pairs = significance.pair(errors[0.01], errors[1.0])
    assert len(pairs) == 10
    assert f"save another {compared(pairs)}" in words_of(DETAILS)


def test_the_last_development_errors_are_as_the_findings_say(tables):
    """Means over the runs of a fraction, in the last two epochs."""
    curves = {}
    for record in read_records([RESULTS / "trec_minilm"]).values():
        of_fraction = curves.setdefault(record["config"]["train_fraction"], [])
        of_fraction.append(record["curves"]["dev_error"][-2:])
    said = [
        "from {:.1f} to {:.1f}".format(*np.mean(curves[fraction], axis=0))
        for fraction in sorted(curves)
    ]
    assert len(said) == 4
    assert f"{', '.join(said[:3])} and {said[3]}%" in words_of(DETAILS)


def test_how_many_runs_end_at_their_best_is_as_the_findings_say():
    studies = ("trec_cnn", "trec_minilm", "sst2_subj_cnn", "trec_steps")  # 1 to 4
    runs = [
        record["result"]
        for study in studies
        for record in read_records([RESULTS / study]).values()
    ]
    last = sum(run["epoch"] >= run["epochs"] - 1 for run in runs)
    assert f"in {last} of the {len(runs)} runs of studies 1 to 4" in words_of(FINDINGS)


def compared(pairs):
    """The mean difference of paired errors and its interval, as the findings say it."""
    apart = pairs[:, 0] - pairs[:, 1]
    bounds = " ".join(interval(t_interval(apart)).split())
    return f"{apart.mean():.2f} points ({bounds})"


def words_of(path):
    return " ".join(path.read_text().split())


SEARCH = """
seeds = 2
[settings]
data = ["trec", "sst2"]
dev_folds = 5
fold = 0
learning_rate = [0.001, 0.003]
[[cells]]
mix = "none"
[[cells]]
called = "WordStep"
mix = "word"
policy = "amp"
max_gradient = "none"
step_size = [0.1, 0.3]
"""
CONFIRMING = """
title = "Chosen"
seeds = 3
first_seed = 2
[settings]
epochs = 2

# chosen: search
# end of what was chosen

[table]
tuned = ["learning_rate", "step_size"]
"""


def test_what_a_search_chose_is_written_into_the_grid_that_confirms_it(tmp_path):
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "grid.toml").write_text(SEARCH)
    search = load_grid(tmp_path / "search")

    def loss(cell):
        """In the mean over seeds, TREC has less loss the larger both settings are."""
        values = cell.values
        high = (values["learning_rate"] == 0.003) + (values.get("step_size") == 0.3)
        better = high if values["data"] == "trec" else -high
        return 1 - 0.1 * better + (0.15 if (cell.seed, better) == (1, 1) else 0)

    for cell in search.cells:
        write_record(tmp_path / "search", finished(cell, 9.0, nll=loss(cell)))
    (tmp_path / "confirming.toml").write_text(CONFIRMING)
    choose = module_of("choose")
    for _ in range(2):  # again: the same
        choose.write(tmp_path / "search", tmp_path / "confirming.toml")
        grid = load_grid(tmp_path / "confirming.toml")
    chosen = {
        (grid.values[c.key]["method"], c.values["data"]): (
            c.values["learning_rate"],
            c.values.get("step_size"),
        )
        for c in grid.cells
    }
    assert chosen == {
        ("none", "trec"): (0.003, None),
        ("none", "sst2"): (0.001, None),
        ("WordStep", "trec"): (0.003, 0.3),
        ("WordStep", "sst2"): (0.001, 0.1),
    }
    assert {(c.seed, c.settings.epochs, c.settings.dev_folds) for c in grid.cells} == {
        (seed, 2, None) for seed in (2, 3, 4)
    }
    assert all(c.policy.max_gradient is None for c in grid.cells if c.policy)


def test_nothing_is_chosen_of_a_search_that_goes_on(tmp_path):
    (tmp_path / "grid.toml").write_text(SEARCH)
    with pytest.raises(ValueError, match="of the search to be finished.*not run"):
        module_of("choose").choose(tmp_path)


def test_a_rerun_is_beside_what_other_seeds_change():
    grid = parse_grid("seeds = 10\n[settings]\nmix = ['none', 'word']", "mine")
    records = records_of(grid, wave)
    some = {cell.key: cell for cell in grid.cells if cell.seed < 4}
    moved = [0.0, 0.2, -0.4, 0.0]
    other = {k: finished(c, wave(c) + moved[c.seed]) for k, c in some.items()}
    again = {"again": {k: records[k] for k in some}, "two threads": other}
    rows = rows_of(rerun_markdown(grid, records, again))
    shown = {(r["method"], r["again"]): r for r in rows}
    assert set(shown) == {(m, a) for m in ("none", "WordMixup", "WordAMP") for a in again}
    same = shown["none", "again"]
    assert [same[n] for n in ("cells", "the same", "apart", "at most")] == [
        "4", "4", "0.00", "0.00",
    ]  # fmt: skip
    two = shown["WordMixup", "two threads"]
    assert [two[n] for n in ("cells", "the same", "apart", "at most")] == [
        "4", "2", "0.22", "0.40",
    ]  # fmt: skip
    errors = [wave(c) for c in grid.cells if c.method == "WordMixup"]
    assert two["two seeds"] == f"{np.std(errors, ddof=1) * 2**0.5:.2f}"
