"""Tables of grids: what they say of known results, in every format."""

import csv
import math
import re
import shutil
import statistics
import subprocess
from dataclasses import replace
from io import StringIO
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("jinja2", reason='pip install "keras-amp[experiments]"')
pytest.importorskip("joblib", reason='pip install "keras-amp[experiments]"')

from scipy import stats
from test_report import Checked

from keras_amp.cli.table import table as command
from keras_amp.experiments.pages import embed, make_table, write_table
from keras_amp.experiments.pages.latex import PACKAGES
from keras_amp.experiments.store import write_record
from keras_amp.grid import load_grid, parse_grid, read_records
from keras_amp.paper import paper_table, reported

FIVE = """
title = "Known results"
seeds = {seeds}
[settings]
data = ["trec", "sst2"]
mix = ["none", "word", "sentence"]
policy = ["mixup", "amp"]
vectors = "glove.840B.300d"
[table]
rows = ["method"]
columns = ["data"]
paper = "table2"
"""
# Mean test errors; seeds add what `WAVE` says, seed by seed.
MEANS = {"none": 9.0, "WordMixup": 8.0, "WordAMP": 6.0, "SentMixup": 7.0, "SentAMP": 7.1}
WAVE = [0.0, 0.3, -0.2, 0.1, -0.4, 0.5, -0.1, 0.2, -0.3, 0.4]
NBSP = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"


def record(cell, error, best=None, **changes):
    """A finished cell's record; a failed one's where the error is an exception."""
    known = {
        "key": cell.key,
        "config": cell.config,
        "versions": {"keras": "3.15.1", "tensorflow": "2.21.0"},
        "machine": {
            "processor": "A processor",
            "cores": 2,
            "threads": 1,
            "gpu": None,
            "system": "Linux x86_64",
        },
        "started": "2026-01-01T00:00:00+00:00",
        "seconds": 36.0,
    }
    if isinstance(error, Exception):
        failure = {"type": type(error).__name__, "message": str(error), "traceback": "T"}
        return {**known, "status": "failed", "error": failure}
    result = {
        "method": cell.method,
        "seed": cell.seed,
        "fold": cell.fold,
        "dev_error": error + 2,
        "test_error": error,
        "best_test_error": error - 1 if best is None else best,
        "macro_f1": 90.0,
        "nll": 0.5,
        "ece": 3.0,
        "epoch": 4,
        "epochs": 12,
        "steps": 1188,
        "seconds": 30.0,
        **changes,
    }
    return {
        **known,
        "status": "finished",
        "result": result,
        "curves": {"loss": [1.0], "dev_error": [11.0], "test_error": [error]},
        "examples": {"train": 4906, "dev": 546, "test": 500},
    }


def wave(cell):
    """The error of a cell: its method's mean, and what the seed and the method add."""
    place = list(MEANS).index(cell.method)
    shift = WAVE[(cell.seed * (1 + 2 * place)) % 10]
    return MEANS[cell.method] + shift + (cell.values["data"] == "sst2")


def records_of(grid, error=wave):
    """Records by key; of the cells whose error is None there is none."""
    found = [(cell, error(cell)) for cell in grid.cells]
    return {cell.key: record(cell, e) for cell, e in found if e is not None}


def five(seeds=10):
    return parse_grid(FIVE.format(seeds=seeds), "mine")


def read(made, name, **kwargs):
    return pd.read_csv(StringIO(made.files[name]), keep_default_na=False, **kwargs)


def rows_of(markdown):
    """The first table of a text, as dicts from headings to cells."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    table = [[c.strip() for c in line.strip("|").split(" | ")] for line in lines]
    end = next(
        (i for i, line in enumerate(table) if len(line) != len(table[0])), len(table)
    )
    return [dict(zip(table[0], line, strict=True)) for line in table[2:end]]


@pytest.fixture(scope="module")
def made():
    grid = five()
    return make_table(grid, records_of(grid))


# === What a table says ===


def test_entries_are_means_and_deviations_over_the_seeds(made):
    frame = read(made, "mine.csv").set_index(["method", "data"])
    grid = five()
    for method in MEANS:
        for data in ("trec", "sst2"):
            errors = [
                wave(cell)
                for cell in grid.cells
                if cell.method == method and cell.values["data"] == data
            ]
            row = frame.loc[(method, data)]
            assert row["seeds"] == row["seeds_wanted"] == len(errors) == 10
            assert row["test_error_mean"] == pytest.approx(np.mean(errors))
            assert row["test_error_sd"] == pytest.approx(np.std(errors, ddof=1))
            assert row["best_test_error_mean"] == pytest.approx(np.mean(errors) - 1)
            shown = {r["method"]: r for r in rows_of(made.parts["results"])}
            mean, sd = np.mean(errors), np.std(errors, ddof=1)
            expected = f"{mean:.2f}{NBSP}±{NBSP}{sd:.2f}{NBSP}(10)"
            assert shown[method][data] == expected


def test_all_readings_are_there_and_named(made):
    names = ("results", "minimum", "development")
    results, minimum, development = (rows_of(made.parts[n]) for n in names)
    assert results[0]["trec"].startswith("9.05")
    assert minimum[0]["trec"].startswith("8.05")
    assert development[0]["trec"].startswith("11.05")
    assert "at the epoch that the development set chose" in made.parts["results"]
    assert "minimum over the test curve, chosen by the test set" in made.parts["minimum"]
    assert "Development error in percent" in made.parts["development"]


def test_the_differences_are_drawn(made):
    drawing = ElementTree.fromstring(made.files["mine-differences.svg"])
    words = {"".join(x.itertext()).strip() for x in drawing.iter() if "text" in x.tag}
    expected = {
        f"{m}, data {d}" for m in ("WordAMP", "SentAMP") for d in ("trec", "sst2")
    }
    assert expected <= words
    assert "Differences" in Checked(made.files["mine.html"]).words
    nothing = make_table(five(), {})
    assert "mine-differences.svg" not in nothing.files


def test_relative_improvements_stand_below_their_rows(made):
    rows = rows_of(made.parts["results"])
    rp = f"RP{NBSP}%"
    order = ["none", "WordMixup", "WordAMP", rp, "SentMixup", "SentAMP", rp]
    assert [row["method"] for row in rows] == order
    frame = read(made, "mine.csv").set_index(["method", "data"])["test_error_mean"]
    for place, kind in ((3, "Word"), (6, "Sent")):
        for data in ("trec", "sst2"):
            mixup, amp = frame[f"{kind}Mixup", data], frame[f"{kind}AMP", data]
            expected = 100 * (mixup - amp) / mixup
            assert rows[place][data] == f"{expected:+.1f}".replace("-", MINUS)


def test_the_papers_figures_stand_beside(made):
    """Table 2, CNN with GloVe: 6.7 and 4.6 on TREC, RP 31.3."""
    rows = rows_of(made.parts["results"])
    beside = [row["trec, paper"] for row in rows]
    assert beside[4:] == [f"6.7{NBSP}±{NBSP}0.23", f"4.6{NBSP}±{NBSP}0.33", "+31.3"]
    assert [row["sst2, paper"] for row in rows][6] == "+8.6"
    text = " ".join(made.parts["results"].split())
    assert "Table 2 (EMNLP 2021, page 3003)" in text
    assert "cnn with glove.840B.300d vectors beside CNN-glove" in text
    frame = read(made, "mine.csv").set_index(["method", "data"])
    assert frame.loc[("SentAMP", "trec"), "paper_mean"] == 4.6
    assert frame.loc[("SentAMP", "trec"), "paper_row"] == "Sent(our)"


def test_relative_improvements_stand_in_columns_where_the_methods_do():
    grid = parse_grid(
        """
        title = "Low resources"
        seeds = 2
        [settings]
        backbone = "bert"
        data = "trec"
        train_fraction = [0.03, 0.1]
        mix = "sentence"
        policy = ["mixup", "amp"]
        [table]
        rows = ["train_fraction"]
        columns = ["method"]
        paper = "table3"
        """,
        "low",
    )
    errors = {"SentMixup": 8.0, "SentAMP": 6.0}
    made = make_table(grid, records_of(grid, lambda cell: errors[cell.method]))
    first, second = rows_of(made.parts["results"])
    assert list(first) == [
        "train_fraction",
        "SentMixup",
        "SentMixup, paper",
        "SentAMP",
        "SentAMP, paper",
        f"SentAMP: RP{NBSP}%",
        f"SentAMP: RP{NBSP}%, paper",
    ]
    assert list(first.values())[5:] == ["+25.0", "+17.5"]
    assert first["SentMixup, paper"] == f"51.0{NBSP}±{NBSP}7.34"
    assert second[f"SentAMP: RP{NBSP}%, paper"] == "+9.8"


def test_rows_may_name_place_and_policy():
    text = FIVE.replace('rows = ["method"]', 'rows = ["mix", "policy"]')
    grid = parse_grid(text.format(seeds=2), "mine")
    made = make_table(grid, records_of(grid))
    shown = [(r["mix"], r["policy"]) for r in rows_of(made.parts["results"])]
    assert shown[1:4] == [("word", "mixup"), ("word", "amp"), ("word", f"RP{NBSP}%")]
    against = rows_of(made.parts["differences"])[0]["against"]
    assert against == "WordMixup"


# === Differences ===


def adjusted(p_values):
    """Holm's method, by its definition: the largest of what the smaller ones need."""
    p = np.asarray(p_values)
    order = np.argsort(p)
    need = [min(1, (len(p) - rank) * p[i]) for rank, i in enumerate(order)]
    found = np.empty(len(p))
    found[order] = np.maximum.accumulate(need)
    return found


@pytest.mark.parametrize("reading", ["test_error", "best_test_error"])
@pytest.mark.parametrize(
    ("family", "pairs"),
    [
        ("mixup", [("WordAMP", "WordMixup"), ("SentAMP", "SentMixup")]),
        ("none", [(method, "none") for method in list(MEANS)[1:]]),
    ],
)
def test_differences_are_those_of_scipys_tests(made, reading, family, pairs):
    cells = read(made, "mine-cells.csv")
    frame = read(made, "mine-differences.csv")
    frame = frame[(frame["family"] == family) & (frame["reading"] == reading)]
    found = frame.set_index(["method", "data"])
    expected = [(m, data) for m, _ in pairs for data in ("trec", "sst2")]
    assert list(found.index) == expected
    p_t, p_w = [], []
    for method, other in pairs:
        for data in ("trec", "sst2"):
            of = cells[cells["data"] == data].set_index(["method", "seed"])[reading]
            one, two = of[method].sort_index(), of[other].sort_index()
            row = found.loc[(method, data)]
            assert (row["against"], row["seeds"]) == (other, 10)
            assert row["difference"] == pytest.approx((one - two).mean())
            assert row["rp"] == pytest.approx(100 * (1 - one.mean() / two.mean()))
            test = stats.ttest_rel(one, two)
            interval = test.confidence_interval()
            assert (row["t_low"], row["t_high"]) == pytest.approx(tuple(interval))
            apart = (one - two).round(9)
            draws = stats.bootstrap((apart,), np.mean, method="percentile", rng=7)
            bounds = tuple(draws.confidence_interval)
            low, high = row["bootstrap_low"], row["bootstrap_high"]
            assert (low, high) == pytest.approx(bounds, abs=0.05)
            p_t.append(test.pvalue)
            p_w.append(
                stats.wilcoxon(
                    apart,
                    zero_method="pratt",
                    method=stats.PermutationMethod(n_resamples=np.inf),
                ).pvalue
            )
    assert list(found["p_t"]) == pytest.approx(p_t)
    assert list(found["p_wilcoxon"]) == pytest.approx(p_w)
    assert list(found["p_t_holm"]) == pytest.approx(adjusted(p_t))
    assert list(found["p_wilcoxon_holm"]) == pytest.approx(adjusted(p_w))


def test_verdicts_need_both_tests(made):
    found = {(r["method"], r["data"]): r for r in rows_of(made.parts["differences"])}
    assert found["WordAMP", "trec"]["verdict"] == "better"
    assert found["SentAMP", "trec"]["verdict"] == "no difference shown"
    baselines = {(r["method"], r["data"]): r for r in rows_of(made.parts["baselines"])}
    assert baselines["SentAMP", "sst2"]["verdict"] == "better"
    assert "More seeds" not in made.markdown


def test_what_five_seeds_cannot_show_is_said():
    """Two apart throughout; but of five seeds Wilcoxon's p is never below 2/32."""
    grid = five(seeds=5)
    made = make_table(grid, records_of(grid))
    found = {(r["method"], r["data"]): r for r in rows_of(made.parts["differences"])}
    word = found["WordAMP", "trec"]
    assert (word["verdict"], word["seeds"]) == ("no difference shown", "5")
    assert word["p (Wilcoxon)"] == "0.250"  # of four comparisons
    sentence = "With 5 seeds Wilcoxon's p is at least 0.0625, and adjusted for 4 "
    sentence += "comparisons at least 0.25, whatever the errors: it cannot show any "
    sentence += "difference of this table, which would take p < 0.05."
    for name in ("mine.md", "mine.html"):
        text = " ".join(made.files[name].replace("&#39;", "'").split())
        assert sentence in text.replace("&lt;", "<")


def test_the_comparisons_with_fewer_seeds_are_counted():
    grid = five(seeds=10)

    def error(cell):
        few = cell.method == "SentAMP" and cell.seed >= 3
        return None if few else wave(cell)

    made = make_table(grid, records_of(grid, error))
    assert "With 3 seeds Wilcoxon's p is at least 0.25" in made.parts["differences"]
    assert "it cannot show 2 of the 4 differences" in made.parts["differences"]
    assert "comparisons that p is adjusted for: 4." in made.parts["differences"]


def test_one_seed_says_nothing_and_none_was_not_run():
    grid = five(seeds=1)
    one = records_of(grid, lambda c: None if c.values["data"] == "sst2" else wave(c))
    rows = rows_of(make_table(grid, one).parts["differences"])
    said = {r["data"]: (r["verdict"], r["seeds"], r["p (t)"]) for r in rows}
    assert said["trec"] == ("nothing can be said", "1", DASH)
    assert said["sst2"] == ("not run", "0", DASH)
    assert "comparisons that p is adjusted for: 0." in make_table(grid, one).markdown


def test_without_a_common_seed_nothing_is_compared():
    grid = five(seeds=2)

    def error(cell):
        return None if (cell.policy is not None) == (cell.seed == 0) else wave(cell)

    rows = rows_of(make_table(grid, records_of(grid, error)).parts["baselines"])
    assert {row["verdict"] for row in rows} == {"cannot be compared"}


def test_equal_differences_and_ties_have_tests():
    grid = five(seeds=8)
    equal = {**MEANS, "SentAMP": 7.0}
    made = make_table(grid, records_of(grid, lambda cell: equal[cell.method]))
    frame = read(made, "mine-differences.csv").set_index(["reading", "family", "method"])
    word = frame.loc[("test_error", "mixup", "WordAMP")].iloc[0]
    assert word["p_t"] == word["p_wilcoxon"] == 2 / 2**8  # the sign test, both
    assert (word["bootstrap_low"], word["bootstrap_high"]) == (-2, -2)
    assert word["t_low"] == ""
    assert word["verdict"] == "better"
    sent = frame.loc[("test_error", "mixup", "SentAMP")].iloc[0]
    assert (sent["p_t"], sent["p_wilcoxon"], sent["difference"]) == (1, 1, 0)
    assert sent["verdict"] == "no difference shown"


def test_only_the_same_other_settings_are_compared():
    grid = parse_grid(
        """
        seeds = 2
        [settings]
        data = "trec"
        mix = ["none", "word"]
        [[cells]]
        policy = ["mixup", "maxop", "amp"]
        alpha = [0.2, 1.0]
        step_size = [0.002, 0.5]
        [[cells]]
        loss = "binary"
        policy = ["mixup", "program"]
        [table]
        rows = ["loss", "method", "alpha", "step_size"]
        """,
        "kinds",
    )
    errors = {"none": 9.0, "WordMixup": 8.0, "WordMaxOp": 7.0}
    made = make_table(grid, records_of(grid, lambda c: errors.get(c.method, 6.0)))
    frame = read(made, "kinds-differences.csv")
    frame = frame[(frame["reading"] == "test_error") & (frame["family"] == "mixup")]
    counts = frame["method"].value_counts().to_dict()
    assert counts == {"WordMaxOp": 4, "WordAMP": 4, "WordProgram": 1}
    assert set(frame["against"]) == {"WordMixup"}
    assert set(frame["rp"]) == {12.5, 25.0}
    rows = rows_of(made.parts["results"])
    mixup = [r for r in rows if r["method"] == "WordMixup"]
    assert [(r["loss"], r["alpha"], r["step_size"]) for r in mixup] == [
        ("cross-entropy", "0.2", DASH),
        ("cross-entropy", "1", DASH),
        ("binary", "1", DASH),
    ]


# === What is missing ===


def test_missing_and_failed_cells_are_named():
    grid = five(seeds=10)
    messages = ValueError("no | room\nfor `it` <b>" + " and more" * 100)

    def error(cell):
        if cell.method == "WordMixup" and cell.values["data"] == "trec":
            return [messages, wave(cell), None][min(cell.seed, 8) // 4]
        return None if cell.method == "SentAMP" else wave(cell)

    found = records_of(grid, error)
    made = make_table(grid, {**found, "0" * 16: record(grid.cells[0], 1.0)})
    assert f"Cells finished: {100 - 4 - 2 - 20} of 100; failed: 4." in made.markdown
    rows = {r["method"]: r for r in rows_of(made.parts["results"])}
    assert rows["WordMixup"]["trec"].endswith(f"{NBSP}(4 of 10)")
    assert rows["WordMixup"]["sst2"].endswith(f"{NBSP}(10)")
    assert rows["SentAMP"]["trec"] == "not run"
    missing = {r["method"]: r["finished"] for r in rows_of(made.parts["cells"])}
    assert missing == {
        "WordMixup": "trec: 4 of 10 seeds, 4 failed",
        "SentAMP": "trec: 0 of 10 seeds; sst2: 0 of 10 seeds",
    }
    failed = [x for x in made.parts["cells"].splitlines() if x.startswith("- Failed")]
    assert len(failed) == 4
    assert "WordMixup, trec, seed 0: `ValueError: no | room for 'it' <b> and" in failed[0]
    assert max(map(len, failed)) < 400
    assert "cell of this grid, and are left out: 1" in made.parts["cells"]
    page = Checked(made.files["mine.html"])
    assert not page.of("b")
    assert "ValueError: no | room for `it` <b> and more" in page.words
    assert len(read(made, "mine-cells.csv")) == 74


def test_a_group_that_failed_throughout_says_so():
    grid = five(seeds=2)
    failing = {"WordAMP": MemoryError("no more"), "none": None}
    made = make_table(
        grid, records_of(grid, lambda c: failing.get(c.method, MEANS[c.method]))
    )
    shown = [row["trec"] for row in rows_of(made.parts["results"])]
    spread = f"8.00{NBSP}±{NBSP}0.00{NBSP}(2)"
    assert shown[:4] == ["not run", spread, "failed", DASH]


def test_a_seed_counts_once_all_its_folds_are_finished():
    grid = parse_grid(
        """
        seeds = 3
        [settings]
        data = "mr"
        mix = ["none", "word"]
        policy = "mixup"
        folds = 2
        """,
        "folds",
    )
    errors = {(0, 0): 10.0, (0, 1): 20.0, (1, 0): 12.0, (1, 1): 14.0, (2, 0): 99.0}
    made = make_table(
        grid,
        records_of(
            grid,
            lambda c: (
                errors.get((c.seed, c.fold)) if c.method == "none" else c.seed + c.fold
            ),
        ),
    )
    frame = read(made, "folds.csv").set_index("method")
    row = frame.loc["none"]
    assert (row["seeds"], row["cells"], row["cells_wanted"]) == (2, 5, 6)
    assert row["test_error_mean"] == 14
    assert row["test_error_sd"] == pytest.approx(statistics.stdev([15, 13]))
    missing = rows_of(made.parts["cells"])
    assert missing == [{"method": "none", "finished": "2 of 3 seeds (5 of 6 cells)"}]
    (difference,) = rows_of(made.parts["baselines"])
    assert (difference["seeds"], difference["error %"]) == ("2", "1.00")
    assert len(read(made, "folds-cells.csv")) == 11


def test_nothing_run_yet_is_said_everywhere():
    made = make_table(five(), {})
    rows = rows_of(made.parts["results"])
    assert {r["trec"] for r in rows} == {"not run", DASH}
    assert "Cells finished: 0 of 100." in made.markdown
    assert made.parts["trained"] == "Nothing yet."
    assert {r["verdict"] for r in rows_of(made.parts["differences"])} == {"not run"}
    cells = read(made, "mine-cells.csv")
    assert list(cells)[:2] == ["key", "method"]
    assert len(cells) == 0
    Checked(made.files["mine.html"])


# === Arrangement ===


def test_without_a_table_what_varies_tells_rows_and_columns():
    text = FIVE.split("[table]")[0].format(seeds=1)
    text = text.replace('vectors = "glove', 'vectors = ["random", "glove')
    text = text.replace('300d"', '300d"]')
    rows = rows_of(make_table(parse_grid(text, "mine"), {}).parts["results"])
    assert list(rows[0]) == ["vectors", "method", "trec", "sst2"]
    assert [r["vectors"] for r in rows[:2]] == ["random", "random"]
    text = '[settings]\ndata = "trec"\nmix = "word"\npolicy = "amp"\nalpha = [0.2, 1.0]'
    rows = rows_of(make_table(parse_grid(text, "mine"), {}).parts["results"])
    assert [r["alpha"] for r in rows] == ["0.2", "1"]
    rows = rows_of(
        make_table(
            parse_grid('[settings]\ndata = "trec"\nmix = "none"', "mine"), {}
        ).parts["results"]
    )
    assert rows == [{"method": "none", "error %": "not run"}]


def test_a_setting_that_is_neither_row_nor_column_is_named():
    text = FIVE.replace('"glove.840B.300d"', '["random", "glove.840B.300d"]')
    grid = parse_grid(text.format(seeds=1), "mine")
    with pytest.raises(ValueError, match=r"differ by seed and fold.*vectors None and"):
        make_table(grid, {})
    grid = replace(five(seeds=1), table={"rows": ["mix"], "columns": ["data"]})
    with pytest.raises(ValueError, match=r"method 'WordMixup' and 'WordAMP'.*agree in m"):
        make_table(grid, {})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"rows": ["metod"]}, "name settings.*method, .*Received: 'metod'"),
        ({"columns": ["seed"]}, "Received: 'seed'"),
        ({"rows": ["data", "method"], "columns": ["data"]}, "'data' twice"),
        ({"paper": "table1"}, "table2, table3, table4, table5. Received: 'table1'"),
    ],
)
def test_a_wrong_table_is_explained(table, message):
    with pytest.raises(ValueError, match=f"(?s)Expected .*{message}"):
        make_table(replace(five(seeds=1), table=table), {})


def test_no_place_on_a_machine_is_shown():
    grid = parse_grid(
        """
        [settings]
        backbone = "bert"
        data = "trec"
        preset = ["/home/me/models/small", "/home/me/models/large"]
        mix = "none"
        [table]
        rows = ["preset"]
        paper = "table2"
        """,
        "encoders",
    )
    made = make_table(grid, records_of(grid, lambda cell: 5.0))
    assert [r["preset"] for r in rows_of(made.parts["results"])] == ["small", "large"]
    assert "small and large beside BERT-base" in " ".join(made.markdown.split())
    assert not any("/home" in text for text in made.files.values())


# === Formats ===


def test_html_and_markdown_hold_the_same_tables(made):
    page = Checked(made.files["mine.html"])
    for part in made.parts.values():
        for row in rows_of(part):
            assert " ".join(" ".join(row.values()).split()) in page.words
    assert page.of("html") == [{"lang": "en"}]
    assert len(page.ids) == len(set(page.ids))
    assert len(page.of("caption")) == len(page.of("table")) >= 5
    assert not page.of("script")
    addresses = re.findall(r"https?://[^\"]*", made.files["mine.html"])
    assert set(addresses) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    links = [a["href"] for a in page.of("a")]
    assert all(href[0] == "#" and href[1:] in page.ids for href in links)
    assert "prefers-color-scheme: dark" in made.files["mine.html"]


def test_the_page_draws_every_run_and_the_loss_along_lambda_where_it_is_kept(made):
    assert "Test error of every run" in made.files["mine.html"]
    assert 'id="lambda"' not in made.files["mine.html"]
    grid = five(seeds=2)
    records = records_of(grid)
    for i, kept in enumerate(records.values()):
        kept["along_lambda"] = {
            "lam": [0.0, 0.5, 1.0],
            "word": [0.25, 0.75 + i, 0.25],
            "sentence": [0.25, 0.5, 0.25],
        }
    page = make_table(grid, records).files["mine.html"]
    assert 'id="lambda"' in page
    (words,) = re.findall(r'aria-label="Mean test loss[^"]*words mixed[^"]*"', page)
    # From the common end to the mean of the two seeds' middles.
    firsts = [i for i, cell in enumerate(grid.cells) if cell.method == "none"]
    assert len(firsts) == 4  # two data sets, two seeds
    middle = 0.75 + np.mean([firsts[0], firsts[2]])
    assert f"0.25 to {middle:.3g}" in words


def test_strange_names_are_escaped_in_every_format():
    grid = five(seeds=2)
    title = "50% of <b>A_B</b> & $x$ #1 | {y} ~ ^ \\z"
    grid = replace(grid, title=title, name="a_b")
    made = make_table(
        grid, records_of(grid, lambda c: ValueError(title) if c.seed else 9.0)
    )
    page = Checked(made.files["a_b.html"])
    assert not page.of("b")
    assert title in page.words
    tex = made.files["a_b.tex"].replace("\\\\\n", "\n")
    body = "\n".join(line for line in tex.splitlines() if line[:1] != "%")
    assert r"\label{tab:a_b}" in body  # where underscores are letters
    shown = re.sub(r"\\label\{[^}]*\}|\{[lr]+\}|%$", "", body, flags=re.MULTILINE)
    assert not re.search(r"(?<!\\)[%#_]", shown)
    balanced(body)


def balanced(tex):
    """Raises unless braces and environments are closed in order."""
    found = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", tex):
        if kind == "begin":
            found.append(name)
        else:
            assert found.pop() == name
    assert not found
    plain = re.sub(r"\\[{}\\]", "", tex)
    assert plain.count("{") == plain.count("}")


def can_compile(packages):
    """Whether there is a LaTeX that has these packages."""
    if None in (shutil.which("pdflatex"), shutil.which("kpsewhich")):
        return False
    files = [f"{name}.sty" for name in packages]
    found = subprocess.run(["kpsewhich", *files], capture_output=True, text=True)
    return len(found.stdout.splitlines()) == len(files)


def test_latex_is_well_formed_and_compiles(made, tmp_path):
    tex = made.files["mine.tex"]
    balanced(tex)
    tables = re.findall(r"\\begin\{(?:tabular|longtable)\}.*?\\end\{", tex, re.S)
    assert len(tables) == 4
    for table in tables:
        (columns,) = re.findall(r"\{([lr]+)\}\n", table)
        lines = [x for x in table.splitlines() if x.endswith(r"\\") and "&" in x]
        assert {line.count("&") + 1 for line in lines} == {len(columns)}
    assert r"7.05~$\pm$~0.30~(10)" in tex
    assert r"$-$" in tex
    if not can_compile(PACKAGES):
        return
    packages = ",".join(PACKAGES)
    (tmp_path / "mine.tex").write_text(tex, encoding="utf-8")
    (tmp_path / "page.tex").write_text(
        f"\\documentclass{{article}}\n\\usepackage{{{packages}}}\n"
        "\\begin{document}\\input{mine}\\end{document}\n"
    )
    subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        cwd=tmp_path,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    assert (tmp_path / "page.pdf").stat().st_size > 1000


def test_cells_are_listed_with_what_varies_and_all_results(made):
    cells = read(made, "mine-cells.csv")
    assert len(cells) == 100
    assert set(cells["key"]) == {cell.key for cell in five().cells}
    assert {"data", "step_size", "alpha", "seed", "fold", "nll", "seconds"} < set(cells)
    assert "learning_rate" not in cells
    assert set(cells.loc[cells["method"] == "WordAMP", "step_size"]) == {"0.002"}
    assert set(cells.loc[cells["method"] == "none", "step_size"]) == {""}
    grid = parse_grid('[settings]\ndata = "trec"\nepochs = [5, 9]\nmix = "none"', "e")
    made = make_table(grid, records_of(grid, lambda cell: 5.0))
    cells = read(made, "e-cells.csv")
    assert list(cells["setting_epochs"]) == [5, 9]
    assert list(cells["epochs"]) == [12, 12]


def test_what_was_trained_is_said(made):
    trained = rows_of(made.parts["trained"])
    assert trained[0] == {
        "method": "none",
        "cells": "20",
        "steps": "1,188",
        "epochs": "12",
        "train": "4,906",
        "dev": "546",
        "test": "500",
        "hours": "0.20",
    }
    text = made.parts["trained"]
    assert "1.0 hours altogether" in text
    assert "- keras 3.15.1, tensorflow 2.21.0 (cells: 100)" in text
    assert "A processor, cores: 2, threads a cell: 1, no GPU, Linux x86_64" in text
    assert "2026" not in made.files["mine.html"]


def test_the_same_records_give_the_same_bytes(made, tmp_path):
    grid = five()
    backwards = dict(reversed(records_of(grid).items()))
    written = write_table(grid, backwards, tmp_path / "deep" / "tables")
    assert written.files == made.files
    for name, text in made.files.items():
        assert (tmp_path / "deep" / "tables" / name).read_bytes() == text.encode()
    assert {path.name for path in (tmp_path / "deep" / "tables").iterdir()} == {
        "mine.md",
        "mine.html",
        "mine.tex",
        "mine.csv",
        "mine-differences.csv",
        "mine-cells.csv",
        "mine-differences.svg",
    }


@pytest.mark.parametrize("name", ["table2", "table3", "table4", "table5", "quick"])
def test_shipped_grids_have_tables(name):
    grid = load_grid(name)
    grid = replace(grid, cells=[cell for cell in grid.cells if cell.seed == 0])
    made = make_table(grid, records_of(grid, lambda cell: 5.0))
    frame = read(made, f"{name}.csv")
    assert (frame["seeds"] == 1).all()
    if name != "quick":  # the paper's tables are all there
        assert (frame["paper_mean"] != "").all()
        counted = {"table2": 125, "table3": 18, "table4": 14, "table5": 24}
        assert len(frame) == counted[name]


# === The paper ===


def test_the_papers_tables_are_complete():
    sizes = {name: len(paper_table(f"table{name}")) for name in (2, 3, 4, 5)}
    # 26 rows of 5 data sets; 9 shares of 2 methods; 16; 4 alphas, 2 methods, 3 sets.
    assert sizes == {2: 130, 3: 18, 4: 16, 5: 24}
    nonlinear = [c for c in paper_table("table2") if c.method == "Non-linear Mixup"]
    assert [c.mean for c in nonlinear] == [5.3, 50.7, 11.4, 6.1, 16.6]
    assert {c.cited for c in nonlinear} == {"Guo (2020)"}
    assert {c.cited for c in paper_table("table2") if c not in nonlinear} == {""}
    assert {(c.model, c.vectors) for c in paper_table("table2")} == {
        ("RNN_rand", "rand"),
        ("RNN_glove", "glove"),
        ("CNN_rand", "rand"),
        ("CNN_glove", "glove"),
        ("BERT_base", ""),
    }


# Where the printed RP is not that of the printed means, with the latter's.
DISAGREE = {
    (2, "CNN_rand", "Sent(our)", "sst1"): 0.3,
    (2, "CNN_rand", "Word(our)", "sst1"): 0.9,
    (2, "BERT_base", "Sent(our)", "sst2"): 6.3,
    (3, "BERT_base", "Sent(our)", "trec", 0.4): 6.9,
}


@pytest.mark.parametrize("name", ["table2", "table3", "table5"])
def test_the_papers_means_give_its_relative_improvements(name):
    """A digit transcribed wrongly would show."""
    cells = paper_table(name)
    improved = [cell for cell in cells if cell.method.endswith("AMP")]
    assert len(improved) in (9, 12, 50)
    for cell in improved:
        where = cell.model, cell.data, cell.alpha, cell.train_fraction
        (mixup,) = [
            c.mean
            for c in cells
            if (c.model, c.data, c.alpha, c.train_fraction) == where
            and c.method == cell.method.replace("AMP", "Mixup")
        ]
        rp = 100 * (mixup - cell.mean) / mixup
        key = cell.table, cell.model, cell.row, cell.data
        expected = DISAGREE.get(key, DISAGREE.get((*key, cell.train_fraction), cell.rp))
        assert rp == pytest.approx(expected, abs=0.06)  # rounded, or cut


def test_the_papers_headlines_are_in_its_tables():
    """Abstract: up to 31.3%, and 17.5% in low-resource conditions; Section 4.5."""

    def best(name):
        return max((c for c in paper_table(name) if c.rp is not None), key=lambda c: c.rp)

    assert (best("table2").rp, best("table2").model) == (31.3, "CNN_glove")
    assert (best("table3").rp, best("table3").labels) == (17.5, 160)
    sent = {c.method: c.mean for c in paper_table("table4") if c.model == "CNN_glove"}
    assert (sent["SentMixup"], sent["SentMaxOp"], sent["SentAMP"]) == (6.7, 4.8, 4.6)


@pytest.mark.parametrize(
    ("table", "changes", "expected"),
    [
        ("table2", {}, (4.8, 0.26)),
        ("table2", {"method": "WordProgram"}, (4.8, 0.26)),
        ("table2", {"vectors": None}, (8.4, 0.92)),
        ("table2", {"vectors": "mine.txt"}, (4.8, 0.26)),
        ("table2", {"backbone": "bert", "vectors": None}, (1.9, 0.13)),
        ("table2", {"backbone": "bilstm", "data": "mr"}, (17.5, 0.91)),
        ("table2", {"method": "none", "alpha": None}, (7.9, 0.12)),
        ("table2", {"train_fraction": 1.0}, (4.8, 0.26)),
        ("table4", {"method": "WordMaxOp"}, (4.7, 0.35)),
        ("table4", {"method": "WordMixup"}, (6.3, 0.80)),
        ("table2", {"method": "WordMaxOp"}, None),
        ("table2", {"method": "RandomAMP"}, None),
        ("table2", {"data": "questions"}, None),
        ("table2", {"alpha": 0.2}, None),
        ("table2", {"step_size": 0.5}, None),
        ("table2", {"train_fraction": 0.1}, None),
        ("table2", {"train_per_class": 10}, None),
        ("table5", {}, None),
        ("table5", {"backbone": "bert", "alpha": 0.2}, (1.8, 0.13)),
        ("table5", {"backbone": "bert", "alpha": 1.0}, (2.0, 0.12)),
    ],
)
def test_the_papers_figure_of_a_cell_is_found(table, changes, expected):
    values = {
        "backbone": "cnn",
        "vectors": "glove.840B.300d",
        "data": "trec",
        "method": "WordAMP",
        "alpha": 1.0,
        "step_size": 0.002,
        "train_fraction": None,
        "train_per_class": None,
        **changes,
    }
    values = {n: v for n, v in values.items() if (n, v) != ("alpha", None)}
    found = reported(values, table)
    assert (found and (found.mean, found.sd)) == expected


# === Parts of a file ===


def test_parts_are_put_between_their_markers(made, tmp_path):
    path = tmp_path / "README.md"
    lines = ["# Mine", "<!-- results: one -->", "old", "", "older", "<!-- end -->"]
    lines += ["between", "<!-- results: two -->", "<!-- end -->", "after \\1"]
    path.write_text("\n".join(lines))
    assert embed(path, {"one": made.parts["results"], "two": "\\g<0> | x\n"})
    text = path.read_text()
    assert text.startswith("# Mine\n<!-- results: one -->\n\n| method | trec |")
    assert "\nold" not in text
    assert text.endswith(
        "<!-- end -->\nbetween\n<!-- results: two -->\n\n\\g<0> | x\n\n<!-- end -->\n"
        "after \\1"
    )
    assert rows_of(text) == rows_of(made.parts["results"])
    assert not embed(path, {"one": made.parts["results"]})  # the same again
    assert path.read_text() == text


@pytest.mark.parametrize(
    "text",
    [
        "nothing",
        "<!-- results: one -->\nwithout an end",
        "<!-- results: one -->\n<!-- results: two -->\n<!-- end -->",
        "<!-- results: one -->\n<!-- end -->\n" * 2,
        "within a line <!-- results: one -->\n<!-- end -->",
    ],
)
def test_missing_markers_are_named_and_nothing_is_written(tmp_path, text):
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"README.md to hold the line <!-- results: one"):
        embed(path, {"one": "new"})
    assert path.read_text() == text


# === The command ===


@pytest.fixture
def folder(tmp_path):
    """A grid's folder, as a run leaves it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "grid.toml").write_text(FIVE.format(seeds=2))
    for found in records_of(five(seeds=2)).values():
        write_record(folder, found)
    return folder


def test_the_command_writes_the_tables_of_a_folder(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command(str(folder))
    said = capsys.readouterr().out
    assert said.startswith("Tables: tables/mine.md, tables/mine.html, tables/mine.tex, ")
    made = make_table(five(seeds=2), read_records([folder]))
    assert (tmp_path / "tables" / "mine.md").read_text() == made.markdown
    (tmp_path / "other.toml").write_text(FIVE.format(seeds=4))
    command("other.toml", folder, folder, out=tmp_path / "out")
    with open(tmp_path / "out" / "other.csv", newline="") as file:
        assert {(r["seeds"], r["seeds_wanted"]) for r in csv.DictReader(file)} == {
            ("2", "4")
        }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table4"], "Expected folders of finished cells. Received: none"),
        (["tabel4"], "Did you mean table4"),
        (["table4", "nowhere"], "Expected folders of grids. Received: nowhere"),
    ],
)
def test_the_command_says_what_is_wrong(
    arguments, message, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        command(*arguments)
    assert stop.value.code == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert "Traceback" not in errors
    assert not list(tmp_path.iterdir())


def test_an_improvement_over_no_errors_is_a_dash():
    grid = five(seeds=2)
    made = make_table(grid, records_of(grid, lambda cell: 0.0))
    rows = rows_of(made.parts["results"])
    assert rows[3]["trec"] == DASH
    frame = read(made, "mine.csv").set_index(["method", "data"])
    assert frame.loc[("WordAMP", "trec"), "rp"] == ""
    assert math.isclose(frame.loc[("WordAMP", "trec"), "test_error_mean"], 0)
