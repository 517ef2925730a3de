"""The report on a comparison: what it says and draws, what it replaces and refuses."""

import csv
import html
import itertools
import json
import os
import re

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("jinja2", reason='pip install "keras-amp[experiments]"')

from checked_page import Checked
from runs_on_disk import change_json, write_comparison, write_run

from keras_amp.analysis import figures, looks
from keras_amp.cli.report import report as command
from keras_amp.experiments.pages import write_records, write_report
from keras_amp.experiments.pages.svg import ON_DARK, inline_svg
from keras_amp.experiments.summary.folders import read_folders

# Figures are drawn by the fixtures of this module alone, and where a test undoes it.
pytestmark = pytest.mark.usefixtures("without_drawings")


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs") / "mine"
    write_comparison(root)
    return root


@pytest.fixture(scope="module")
def written(comparison):
    out = comparison.parent / "report"
    write_report([comparison], out)
    return out


@pytest.fixture
def page_of(tmp_path):
    """Write the report on a folder."""
    return lambda folder: Checked(write_report([folder], tmp_path / "report").read_text())


# === What it says ===


def test_the_table_holds_mean_deviation_and_relative_improvement(comparison, written):
    table = pd.read_csv(written / "table.csv", index_col="method", keep_default_na=False)
    runs = [json.loads(path.read_text()) for path in comparison.rglob("result.json")]
    values = {
        method: {
            name: np.array([run[name] for run in runs if run["method"] == method])
            for name in ("test_error", "nll")
        }
        for method in table.index
    }
    order = ["none", "WordMixup", "WordAMP", "SentMixup", "SentAMP"]
    assert list(table.index) == order
    for method, row in table.iterrows():
        for name, given in values[method].items():
            assert float(row[f"{name}_mean"]) == pytest.approx(given.mean())
            assert float(row[f"{name}_std"]) == pytest.approx(given.std(ddof=1))
    mean = {method: given["test_error"].mean() for method, given in values.items()}
    for method, base, kind in (
        ("WordAMP", "WordMixup", "mixup"),
        ("SentAMP", "SentMixup", "mixup"),
        ("WordMixup", "none", "none"),
        ("SentAMP", "none", "none"),
    ):
        expected = 100 * (mean[base] - mean[method]) / mean[base]
        found = float(table.loc[method, f"improvement_over_{kind}"])
        assert found == pytest.approx(expected)
    assert table.loc["WordMixup", "against_mixup"] == ""
    assert table.loc["none", "against_none"] == ""


def test_the_relative_improvement_is_the_papers(tmp_path, page_of):
    """Table 2, CNN with GloVe on TREC: 6.7 by SentMixup, 4.6 by SentAMP, RP 31.3."""
    write_run(tmp_path / "a", "sentence", "mixup", error=6.7)
    write_run(tmp_path / "a", "sentence", "amp", error=4.6)
    page = page_of(tmp_path / "a")
    assert "+31.3" in page.words
    assert "undecided (1 seed)" in page.words


def test_folds_are_counted(tmp_path, page_of):
    for seed, fold in itertools.product(range(2), range(2)):
        write_run(tmp_path, "word", "amp", seed=seed, fold=fold)
        write_run(tmp_path, "word", "mixup", seed=seed, fold=fold)
    page = page_of(tmp_path)
    assert "2 methods, 2 seeds, 2 folds, 8 runs" in page.words
    (_, line) = page.words.split("method seeds folds ")
    assert line.startswith("WordMixup 0, 1 0, 1 WordAMP 0, 1 0, 1")


def test_a_run_cut_short_is_left_out_and_named(tmp_path, page_of):
    write_run(tmp_path, seed=0)
    cut = write_run(tmp_path, seed=1)
    (cut / "result.json").unlink()
    page = page_of(tmp_path)
    assert f"{cut} : it did not end" in page.words
    assert "1 run" in page.words
    assert f"`{cut}`: it did not end" in (tmp_path / "report" / "report.md").read_text()


def test_curves_are_the_means_that_are_on_the_page(comparison, written):
    text = html.unescape((written / "index.html").read_text())
    first, last = (
        np.mean(
            [
                pd.read_csv(path)["val_loss"].iloc[place]
                for path in (comparison / "WordAMP").glob("*/epochs.csv")
            ]
        )
        for place in (0, -1)
    )
    assert f"WordAMP {first:.3g} to {last:.3g}" in text
    # Of three seeds: 1 + lam * (1 - lam) + seed / 10.
    assert "none 1.1 to 1.35" in text
    assert "none 2.1 to 2.35" in text


def test_confusion_is_summed_over_the_runs(comparison, written):
    total = sum(
        pd.read_csv(path, index_col=0).to_numpy()
        for path in (comparison / "SentAMP").glob("*/confusion.csv")
    )
    drawing = (written / "index.html").read_text().split("<figcaption>SentAMP<")[1]
    drawing = drawing.split("</svg>")[0]
    cells = re.findall(r">(\d+)</text>", drawing)
    assert cells == [str(count) for count in total.ravel()]
    right = 100 * np.trace(total) / total.sum()
    assert f"of {total.sum()} predictions, {right:.1f}% of them right" in drawing


FILES = ("epochs.csv", "curve.csv", "predictions.csv", "confusion.csv")


@pytest.mark.parametrize("lacking", [1, 2])
def test_missing_files_are_said(tmp_path, page_of, lacking):
    folders = write_comparison(tmp_path, [("word", "amp")], seeds=2)
    for folder in folders[:lacking]:
        for name in FILES:
            (folder / name).unlink()
    page = page_of(tmp_path)
    for name in FILES:
        assert f"{lacking} of 2 runs have no {name}" in page.words
    assert (str(folders[0]) in page.words) == (lacking == 1)
    assert "keras-amp curve" in page.words


def test_methods_without_the_adversary(tmp_path, page_of):
    write_comparison(tmp_path, [("none", None), ("word", "mixup")], seeds=2)
    page = page_of(tmp_path)
    assert "No run has an adversary" in page.words
    assert "WordMixup against none" in page.words


def test_other_methods_show_what_they_did(tmp_path, page_of):
    """Each figure holds the methods that it says something of, and these alone."""
    inside = {"radius": 1.0, "mixup": {"alpha": 0.2}, "unlabeled": "use"}
    write_comparison(tmp_path, [("word", "mixup"), ("word", "amp")], seeds=1)
    write_run(tmp_path, "word", "rdrop", policy_arguments={"weight": 1.0})
    write_run(tmp_path, "word", "regmixup", policy_arguments={"alpha": 10.0})
    write_run(tmp_path, "word", "vat", policy_arguments=inside)
    page = page_of(tmp_path)
    text = html.unescape((tmp_path / "report" / "index.html").read_text())
    shown = {
        "How long the step is over": {"WordVAT"},
        "How far predictions are apart over": {"WordVAT", "WordRDrop"},
        "How often the loss is larger there over": {"WordVAT", "WordRegMixup"},
        "How much larger the loss is there over": {"WordVAT", "WordRegMixup"},
        "How far it moves λ over": {"WordAMP"},
    }
    for title, methods in shown.items():
        (label,) = re.findall(rf'aria-label="{title}([^"]*)"', text)
        assert set(re.findall(r"Word\w+", label)) == methods
    assert "R-Drop, two passes" in page.words
    assert "VAT: virtual adversarial training" in page.words
    assert "CutMix:" not in page.words
    assert "method seeds alpha WordMixup" in page.words
    assert "policy_arguments.mixup.alpha 0.2" in page.words
    assert "unlabeled" not in page.words  # a setting of the training, if there are any


def test_one_method_alone_is_compared_with_nothing(tmp_path, page_of):
    write_run(tmp_path)
    page = page_of(tmp_path)
    assert "Nothing is compared" in page.words


def test_a_place_without_a_curve_and_runs_of_different_lengths(tmp_path, page_of):
    write_run(tmp_path, seed=0, epochs=9, num_epochs=3)
    write_run(tmp_path, seed=1, epochs=9, num_epochs=5)
    for path in tmp_path.rglob("curve.csv"):
        pd.read_csv(path).assign(word=np.nan).to_csv(path, index=False)
    page = page_of(tmp_path)
    assert "between 3 and 5 epochs" in page.words
    titles = [t for t in ("Words mixed", "Sentences mixed") if t in page.words]
    assert titles == ["Sentences mixed"]


def test_a_training_that_diverged_is_shown(tmp_path, page_of):
    folder = write_run(tmp_path)
    for name, columns in (
        ("epochs.csv", ["loss", "val_loss"]),
        ("predictions.csv", ["p(one)", "p(two)", "p(three)"]),
    ):
        frame = pd.read_csv(folder / name)
        frame[columns] = np.nan
        frame.to_csv(folder / name, index=False, na_rep="nan")
    change_json(folder / "result.json", nll=float("nan"))
    page = page_of(tmp_path)
    assert "1 runs of none predict no finite probabilities" in page.words
    assert "Training loss" not in page.words


def test_commands_are_shown_or_said_to_be_missing(tmp_path, page_of):
    write_run(tmp_path, seed=0, command="keras-amp train cnn --data 'a <b>.csv'")
    write_run(tmp_path, seed=1, command=None)
    page = page_of(tmp_path)
    assert "keras-amp train cnn --data 'a <b>.csv' 1 of the runs" in page.words
    assert "1 of the runs name no command" in page.words


def test_strange_names_stay_what_they_are(tmp_path, page_of, monkeypatch):
    monkeypatch.undo()
    classes = ["<b>NA</b>", "null", "a, \"b\" | $x$ & 'c'"]
    write_run(tmp_path / "run & <me>", classes=classes, backbone="<cnn>")
    page = page_of(tmp_path / "run & <me>")
    assert "Backbone <cnn>" in page.words
    assert not page.of("b")
    assert "null" in page.words
    text = (tmp_path / "report" / "report.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| none ")]
    header = next(line for line in text.splitlines() if line.startswith("| method"))
    assert rows[0].count("|") == header.count("|")


def test_markdown_and_page_hold_the_same_results(written):
    markdown = (written / "report.md").read_text()
    page = Checked((written / "index.html").read_text())
    row = next(x for x in markdown.splitlines() if x.startswith("| WordAMP "))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert " ".join(" ".join(cells).split()) in page.words


def test_settings_have_a_line_a_run(comparison, written):
    with open(written / "settings.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 15
    assert {line["folder"] for line in lines} == {
        str(path.parent) for path in comparison.rglob("result.json")
    }
    assert lines[1]["encoding.vocabulary_size"] == "501"


def test_settings_that_differ_have_columns_of_their_own(tmp_path, page_of):
    write_run(tmp_path / "a", "word", "amp")
    changed = {"policy_arguments": {"alpha": 1.0, "step_size": 0.1, "max_gradient": 1.0}}
    write_run(tmp_path / "b", "word", "amp", backbone="bilstm", **changed)
    page_of(tmp_path)
    settings = pd.read_csv(tmp_path / "report" / "settings.csv")
    assert sorted(settings["policy_arguments.step_size"]) == [0.002, 0.1]
    assert set(settings["backbone"]) == {"cnn", "bilstm"}


def test_records_in_memory_need_no_folder(tmp_path):
    write_comparison(tmp_path / "mine", seeds=2)
    records, _ = read_folders([tmp_path / "mine"])
    records = [{**record, "key": "0", "folder": None} for record in records]
    assert records[0]["backend"] == "tensorflow"  # it does not say so
    records[0]["backend"] = "jax"
    with pytest.warns(UserWarning, match="Trained on JAX: 1, on TensorFlow: 9 of 10"):
        written = write_records(records, tmp_path / "report")
    page = Checked(written.read_text())
    assert "Trained on JAX: 1, on TensorFlow: 9 of 10 runs" in page.words
    assert "5 methods, 2 seeds, 10 runs" in page.words
    assert "10 of 10 runs have no confusion.csv" in page.words


# === How it looks ===


def test_the_page_stands_alone(written):
    text = (written / "index.html").read_text()
    page = Checked(text)
    assert not page.of("script")
    assert not page.of("img")
    assert not re.search(r"https?://(?!www\.w3\.org/)", text)
    assert not re.search(r"@import|@font-face|url\((?!#)", text)
    assert [link["href"] for link in page.of("link")] == ["data:,"]
    policy = next(m for m in page.of("meta") if "http-equiv" in m)["content"]
    assert "default-src 'none'" in policy


def test_the_page_is_well_formed_and_can_be_heard(written):
    page = Checked((written / "index.html").read_text())
    assert page.of("html") == [{"lang": "en"}]
    for landmark in ("header", "nav", "main", "footer"):
        assert len(page.of(landmark)) == 1
    assert len(page.ids) == len(set(page.ids)) > 50
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    links = [a["href"] for a in page.of("a")]
    assert all(href[0] == "#" and href[1:] in page.ids for href in links)
    for attrs in page.of("svg"):
        assert attrs["role"] == "img"
        assert len(attrs["aria-label"]) > 40
    assert len(page.of("caption")) == len(page.of("table")) >= 4
    assert all(attrs["scope"] in ("col", "row") for attrs in page.of("th"))
    for attrs in page.of("div") + page.of("section"):
        if "aria-labelledby" in attrs:
            assert attrs["aria-labelledby"] in page.ids


def test_all_figures_are_there_each_method_in_its_colour(written):
    text = (written / "index.html").read_text()
    titles = re.findall(r"<figcaption>(.*?)</figcaption>", text)
    assert titles[:5] == [
        "Test error of every run",
        "Training loss",
        "Development loss",
        "Development error",
        "Test error",
    ]
    assert {"Words mixed", "Sentences mixed", "Reliability"} <= set(titles)
    assert titles[-5:] == ["none", "WordMixup", "WordAMP", "SentMixup", "SentAMP"]
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) == len(titles)
    assert "currentColor" in drawings[0]
    assert looks.INK not in text
    # The adversary's figures show the methods that have one, and these alone.
    (delta,) = [d for d in drawings if "How far it moves" in d]
    for name, style in looks.METHODS.items():
        variable = f"var(--c-{style.color[1:]})"
        assert (variable in delta) == (name in ("WordAMP", "SentAMP"))
        assert f"--c-{style.color[1:]}: {style.color};" in text
        assert f"--c-{style.color[1:]}: {ON_DARK[style.color]};" in text


def luminance(color):
    rgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("color", [style.color for style in looks.METHODS.values()])
def test_lines_stand_out_on_light_and_dark_pages(color):
    def contrast(one, other):
        light, dark = sorted((luminance(one), luminance(other)), reverse=True)
        return (light + 0.05) / (dark + 0.05)

    assert contrast(color, "#ffffff") > 2.5
    assert contrast(ON_DARK[color], "#14171b") > 4


def test_a_figure_for_the_page_has_its_own_ids():
    one, other = (
        inline_svg(figures.learning_curves({"none": [[1.0, 2.0]]}), name, "It rises.")
        for name in ("one", "other")
    )
    ids = re.findall(r' id="([^"]*)"', one)
    assert len(ids) == len(set(ids)) > 10
    assert not set(ids) & set(re.findall(r' id="([^"]*)"', other))
    used = re.findall(r"url\(#([^)]*)\)", one) + re.findall(r'href="#([^"]*)"', one)
    assert used
    assert set(used) <= set(ids)
    assert "metadata" not in one
    assert "DejaVu" not in one


# === Where it is written ===


def test_it_writes_four_files_and_names_the_page(comparison, tmp_path):
    page = write_report([comparison], tmp_path / "deep" / "report")
    assert page == tmp_path / "deep" / "report" / "index.html"
    names = {path.name for path in page.parent.iterdir()}
    assert names == {"index.html", "report.md", "table.csv", "settings.csv"}
    assert [path.name for path in page.parent.parent.iterdir()] == ["report"]


def test_the_same_runs_give_the_same_report(comparison, written, tmp_path, monkeypatch):
    monkeypatch.undo()
    write_report(comparison, tmp_path / "again")
    for path in written.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_a_former_report_is_replaced_whole(comparison, tmp_path):
    out = tmp_path / "report"
    write_run(tmp_path / "one")
    write_report(tmp_path / "one", out)
    (out / "report.md").write_text("changed")
    page = write_report(comparison, out)
    assert "15 runs" in page.read_text()
    assert "15 runs" in (out / "report.md").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"one", "report"}


def test_a_report_inside_of_what_it_is_about(tmp_path, page_of):
    write_run(tmp_path)
    write_report(tmp_path, tmp_path / "report")
    page = page_of(tmp_path)
    assert "1 run" in page.words


@pytest.mark.parametrize("name", ["notes.txt", "index.html"])
def test_something_else_is_never_replaced(comparison, tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(FileExistsError, match=f"(?s)Expected a new .*{name}"):
        write_report([comparison], tmp_path)
    assert (tmp_path / name).read_text() == "mine"
    with pytest.raises(FileExistsError, match=f"(?s)Expected a new .*{name}"):
        write_report([comparison], tmp_path / name)


def test_a_former_report_with_something_of_the_users_is_left_alone(comparison, tmp_path):
    page = write_report([comparison], tmp_path / "report")
    before = page.read_bytes()
    (page.parent / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="notes.txt"):
        write_report([comparison], page.parent)
    assert page.read_bytes() == before


def test_nothing_is_written_where_something_goes_wrong(tmp_path, monkeypatch):
    write_run(tmp_path / "run")
    (tmp_path / "file").write_text("")
    with pytest.raises(PermissionError, match="Expected a folder that can be written"):
        write_report([tmp_path / "run"], tmp_path / "file" / "report")
    page = write_report([tmp_path / "run"], tmp_path / "report")
    before, rename = page.read_bytes(), os.rename

    def refused(source, target):
        if os.path.basename(source) == "new":
            raise PermissionError(13, "no")
        return rename(source, target)

    monkeypatch.setattr(os, "rename", refused)
    with pytest.raises(PermissionError, match="Name another one"):
        write_report([tmp_path / "run"], tmp_path / "report")
    assert page.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"run", "file", "report"}


def test_damaged_files_leave_nothing(tmp_path):
    folder = write_run(tmp_path / "run")
    (folder / "confusion.csv").write_text("x,one,two\none,1,2\ntwo,3,4\n")
    with pytest.raises(ValueError, match="Expected .*seed-0/confusion.csv.*damaged file"):
        write_report([tmp_path / "run"], tmp_path / "report")
    assert not (tmp_path / "report").exists()


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="the superuser may write anywhere"
)
def test_a_folder_that_may_not_be_written(comparison, tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match="Name another one"):
            write_report([comparison], tmp_path / "report")
    finally:
        tmp_path.chmod(0o700)


def test_the_command_says_where_the_page_is_or_what_is_wrong(
    comparison, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    command(comparison)
    assert capsys.readouterr().out == "Report: report/index.html\n"
    with pytest.raises(SystemExit) as stop:
        command(tmp_path / "nowhere")
    assert stop.value.code == 2
    errors = capsys.readouterr().err
    assert errors.startswith("Error: Expected folders of runs. Received: ")
    assert "Traceback" not in errors
