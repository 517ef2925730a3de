"""The tables of a grid: what they say of known results, in every format."""

import csv
import re
import shutil
import statistics
import subprocess
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("jinja2", reason='pip install "keras-amp[experiments]"')
pytest.importorskip("joblib", reason='pip install "keras-amp[experiments]"')

from checked_page import Checked
from grid_records import (
    DASH,
    FIVE,
    MEANS,
    MINUS,
    NBSP,
    five,
    read,
    record,
    records_of,
    rows_of,
    wave,
)

from keras_amp.cli.table import table as command
from keras_amp.experiments import load_grid, parse_grid, read_records
from keras_amp.experiments.pages import embed, make_table, write_table
from keras_amp.experiments.pages.latex import PACKAGES
from keras_amp.experiments.store import write_record
from keras_amp.experiments.summary.arrangement import arrange
from keras_amp.experiments.summary.grid_frames import groups_frame
from keras_amp.experiments.summary.groups import group_trials
from keras_amp.experiments.summary.trials import trials_of_grid

# Figures are drawn by the fixtures of this module alone, and where a test undoes it.
pytestmark = pytest.mark.usefixtures("without_drawings")


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
    assert {r["difference"] for r in rows_of(made.parts["differences"])} == {DASH}
    cells = read(made, "mine-cells.csv")
    assert list(cells)[:2] == ["key", "method"]
    assert len(cells) == 0
    Checked(made.files["mine.html"])


# === Rows and columns ===


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


def test_cells_of_both_backends_are_counted():
    grid = parse_grid(FIVE.format(seeds=2).replace('["trec", "sst2"]', '"trec"'), "mine")
    records = records_of(grid)
    for key in list(records)[:3]:
        records[key]["backend"] = "jax"
    with pytest.warns(UserWarning, match="JAX: 3, on TensorFlow: 7 of 10") as caught:
        made = make_table(grid, records)
    assert len([w for w in caught if "Trained on" in str(w.message)]) == 1
    for part in ("results", "minimum", "development"):
        assert "Trained on JAX: 3, on TensorFlow: 7 of 10 runs" in made.parts[part]


def test_errors_on_changed_texts_stand_beside_those_as_they_are():
    grid = five(seeds=3)
    records = records_of(grid)
    assert make_table(grid, records).parts["perturbed"] == ""
    for kept in records.values():
        error = kept["result"]["test_error"]
        changed = {"typos": error + 2 + kept["result"]["seed"], "dropped words": error}
        kept["perturbed"] = {name: {"error": e} for name, e in changed.items()}
    rows = rows_of(make_table(grid, records).parts["perturbed"])
    assert len(rows) == 10
    for row in rows:
        assert row["dropped words"] == f"{row['as they are']} (0.00)"
        assert row["typos"].endswith("(+3.00)")


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


def test_the_same_records_give_the_same_bytes(made, tmp_path, monkeypatch):
    monkeypatch.undo()
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


@pytest.mark.parametrize(
    ("name", "entries"),
    [("table2", 125), ("table3", 18), ("table4", 14), ("table5", 24)],
)
def test_the_grids_of_the_papers_tables_hold_all_its_entries(name, entries):
    grid = load_grid(name)
    grid = replace(grid, cells=[cell for cell in grid.cells if cell.seed == 0])
    arrangement = arrange(group_trials(trials_of_grid(grid, {})), grid.table)
    frame = groups_frame(arrangement, [], grid.table["paper"])
    assert len(frame) == entries
    assert frame["paper_mean"].notna().all()


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
