"""The report: what it says against NumPy and SciPy, what it reads, what it refuses."""

import csv
import html
import itertools
import json
import os
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from scipy import stats

pytest.importorskip("jinja2", reason='pip install "keras-amp[experiments]"')

from runs_on_disk import change_json, write_comparison, write_run

from keras_amp.analysis import figures
from keras_amp.analysis.significance import holm
from keras_amp.cli.report import report as command
from keras_amp.experiments import evaluation
from keras_amp.experiments.evaluation import calibration_bins
from keras_amp.experiments.pages import write_report
from keras_amp.experiments.pages.comparison_files import compared_groups
from keras_amp.experiments.pages.comparison_tables import verdict as verdict_of
from keras_amp.experiments.pages.svg import ON_DARK, inline_svg
from keras_amp.experiments.summary.folders import read_folders
from keras_amp.experiments.summary.trials import trials_of

VOID = {"meta", "link", "br", "img"}


class Checked(HTMLParser):
    """Collects what a page consists of; raises where tags are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.ids, self.text = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.elements.append((tag, attrs))
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text.append(data)

    def of(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def page_of(runs, out):
    return Checked(write_report(runs, out).read_text())


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


def test_it_writes_four_files_and_names_the_page(comparison, tmp_path):
    page = write_report([comparison], tmp_path / "deep" / "report")
    assert page == tmp_path / "deep" / "report" / "index.html"
    names = {path.name for path in page.parent.iterdir()}
    assert names == {"index.html", "report.md", "table.csv", "settings.csv"}
    assert [path.name for path in page.parent.parent.iterdir()] == ["report"]


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


def test_the_relative_improvement_is_the_papers(tmp_path):
    """Table 2, CNN with GloVe on TREC: 6.7 by SentMixup, 4.6 by SentAMP, RP 31.3."""
    write_run(tmp_path / "a", "sentence", "mixup", error=6.7)
    write_run(tmp_path / "a", "sentence", "amp", error=4.6)
    page = page_of([tmp_path / "a"], tmp_path / "report")
    assert "+31.3" in page.words
    assert "nothing can be said (1 seed)" in page.words


def paired(tmp_path, errors, others):
    """The difference of the given test errors, seed by seed."""
    for seed, error in enumerate(errors):
        write_run(tmp_path, "word", "amp", seed=seed, error=error)
    for seed, error in enumerate(others):
        write_run(tmp_path, "word", "mixup", seed=seed, error=error)
    _, (found,), _ = compared_groups(read_folders([tmp_path])[0])
    return found


@pytest.mark.parametrize(
    ("errors", "others", "verdict"),
    [
        ([8.0, 9.0, 8.5, 8.2], [10.0, 11.1, 10.4, 10.3], "better (4 seeds)"),
        ([10.0, 11.1, 10.4, 10.3], [8.0, 9.0, 8.5, 8.2], "worse (4 seeds)"),
        ([8.0, 11.0, 9.0], [9.0, 9.5, 9.2], "no difference shown (3 seeds)"),
        ([8.0, 8.0, 9.0], [9.0], "nothing can be said (1 seed)"),
        ([5.0, 6.0], [5.0, 6.0], "no difference shown (2 seeds)"),
        # Equal differences have no deviation: a t-test would be certain.
        ([5.0, 6.0, 7.0], [5.1, 6.1, 7.1], "no difference shown (3 seeds)"),
        ([5.0] * 6, [5.1] * 6, "better (6 seeds)"),
        ([0.0, 0.0], [0.0, 0.0], "no difference shown (2 seeds)"),
    ],
)
def test_verdicts_are_those_of_the_paired_test(tmp_path, errors, others, verdict):
    found = paired(tmp_path, errors, others)
    assert verdict_of(found) == verdict
    n = min(len(errors), len(others))
    apart = np.array(errors[:n]) - np.array(others[:n])
    assert found.difference == pytest.approx(apart.mean())
    if found.t_interval is not None:
        assert found.p_t == pytest.approx(stats.ttest_1samp(apart, 0).pvalue)
        half = stats.t.ppf(0.975, n - 1) * apart.std(ddof=1) / np.sqrt(n)
        expected = apart.mean() - half, apart.mean() + half
        assert found.t_interval == pytest.approx(expected)


def test_seeds_without_a_partner_take_no_part(tmp_path):
    write_run(tmp_path, "word", "amp", seed=0)
    write_run(tmp_path, "word", "mixup", seed=1)
    page = page_of([tmp_path], tmp_path / "report")
    assert "cannot be compared (no common seed)" in page.words


def test_folds_are_averaged_within_a_seed(tmp_path):
    given = {0: ([4.0, 8.0], [5.0, 10.0]), 1: ([3.0, 5.0], [6.0, 7.0])}
    for seed, (errors, others) in given.items():
        for fold in range(2):
            run = {"seed": seed, "fold": fold}
            write_run(tmp_path, "word", "amp", error=errors[fold], **run)
            write_run(tmp_path, "word", "mixup", error=others[fold], **run)
    _, (found,), _ = compared_groups(read_folders([tmp_path])[0])
    assert found.seeds == 2
    assert found.p_t == pytest.approx(stats.ttest_rel([6.0, 4.0], [7.5, 6.5]).pvalue)
    page = page_of([tmp_path], tmp_path / "report")
    assert "2 methods, 2 seeds, 2 folds, 8 runs" in page.words
    (_, line) = page.words.split("method seeds folds ")
    assert line.startswith("WordMixup 0, 1 0, 1 WordAMP 0, 1 0, 1")


def test_p_values_are_adjusted_by_holm():
    """Each is the largest bound that the step-down procedure needs to reject it."""
    rng = np.random.default_rng(4)
    p = rng.random(7) ** 3
    for level in np.linspace(0.001, 0.999, 77):
        rejected = set()
        for rank, place in enumerate(np.argsort(p)):
            if p[place] > level / (len(p) - rank):
                break
            rejected.add(place)
        assert rejected == {i for i, q in enumerate(holm(p)) if q <= level}
    assert holm([]) == []


def test_settings_tell_methods_apart_and_are_compared_with_their_own(tmp_path):
    write_run(tmp_path / "a", "word", "amp", error=4.0)
    write_run(tmp_path / "a", "word", "mixup", error=8.0)
    changed = {"policy_arguments": {"alpha": 1.0, "step_size": 0.1, "max_gradient": 1.0}}
    write_run(tmp_path / "b", "word", "amp", error=6.0, **changed)
    write_run(tmp_path / "c", "word", "mixup", error=9.0, backbone="bilstm")
    groups, compared, left_out = compared_groups(read_folders([tmp_path])[0])
    assert not left_out
    assert [group.label for group in groups] == [
        "WordMixup, backbone=cnn",
        "WordMixup, backbone=bilstm",
        "WordAMP, step_size=0.002",
        "WordAMP, step_size=0.1",
    ]
    found = {(d.group.label, d.other.label): d.improvement for d in compared}
    assert found == {
        ("WordAMP, step_size=0.002", "WordMixup, backbone=cnn"): 50.0,
        ("WordAMP, step_size=0.1", "WordMixup, backbone=cnn"): 25.0,
    }
    page = page_of([tmp_path], tmp_path / "report")
    heading = page.words.split("What the runs differ by ")[1]
    assert heading.startswith("method seeds backbone step_size")
    settings = pd.read_csv(tmp_path / "report" / "settings.csv")
    steps = settings["policy_arguments.step_size"].dropna()
    assert sorted(steps) == [0.002, 0.1]
    assert set(settings["backbone"]) == {"cnn", "bilstm"}


def test_a_setting_without_effect_tells_nothing_apart(tmp_path):
    write_run(tmp_path / "a", seed=0, save_curve=True)
    write_run(tmp_path / "b", seed=1, save_curve=False, data_dir="elsewhere")
    groups, *_ = compared_groups(read_folders([tmp_path])[0])
    assert [(group.label, group.seeds) for group in groups] == [("none", [0, 1])]


def test_a_folder_named_twice_counts_once_and_a_repetition_is_named(tmp_path):
    folder = write_run(tmp_path / "a")
    runs, left_out = read_folders([tmp_path, tmp_path / "a", folder])
    assert (len(runs), left_out) == (1, [])
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    page = page_of([tmp_path / "a", tmp_path / "b"], tmp_path / "report")
    assert "1 method, 1 seed, 1 run" in page.words
    assert f"{tmp_path / 'b' / 'none' / 'seed-0'} : its method, settings" in page.words


def test_runs_are_found_at_any_depth_and_other_configurations_are_none(tmp_path):
    run = write_run(tmp_path / "some" / "where" / "deep")
    preset = run / "tokenizer"
    preset.mkdir()
    (preset / "config.json").write_text('{"module": "keras_hub"}')
    assert [found["folder"] for found in read_folders([tmp_path])[0]] == [run]
    assert [found["folder"] for found in read_folders([run])[0]] == [run]


def test_a_run_cut_short_is_left_out_and_named(tmp_path):
    write_run(tmp_path, seed=0)
    cut = write_run(tmp_path, seed=1)
    (cut / "result.json").unlink()
    page = page_of([tmp_path], tmp_path / "report")
    assert f"{cut} : it did not end" in page.words
    assert "1 run" in page.words
    assert f"`{cut}`: it did not end" in (tmp_path / "report" / "report.md").read_text()


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
    assert figures.INK not in text
    # The adversary's figures show the methods that have one, and these alone.
    (delta,) = [d for d in drawings if "How far it moves" in d]
    for name, style in figures.METHODS.items():
        variable = f"var(--c-{style.color[1:]})"
        assert (variable in delta) == (name in ("WordAMP", "SentAMP"))
        assert f"--c-{style.color[1:]}: {style.color};" in text
        assert f"--c-{style.color[1:]}: {ON_DARK[style.color]};" in text


def luminance(color):
    rgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("color", [style.color for style in figures.METHODS.values()])
def test_lines_stand_out_on_light_and_dark_pages(color):
    def contrast(one, other):
        light, dark = sorted((luminance(one), luminance(other)), reverse=True)
        return (light + 0.05) / (dark + 0.05)

    assert contrast(color, "#ffffff") > 2.5
    assert contrast(ON_DARK[color], "#14171b") > 4


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


def test_bins_are_those_of_the_calibration_error(comparison):
    run, *_ = trials_of(read_folders([comparison])[0])
    labels, probabilities = run.predictions
    confidence, right, counts = calibration_bins(probabilities, labels)
    used = counts > 0
    error = (counts * np.abs(confidence - right))[used].sum() / counts.sum()
    expected = evaluation.expected_calibration_error(probabilities, labels)
    assert error == pytest.approx(expected)
    assert counts.sum() == len(labels)
    assert 100 * expected == pytest.approx(run.result["ece"], rel=1e-4)


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


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("epochs.csv", "1 of 2 runs have no epochs.csv"),
        ("curve.csv", "1 of 2 runs have no curve.csv"),
        ("predictions.csv", "1 of 2 runs have no predictions.csv"),
        ("confusion.csv", "1 of 2 runs have no confusion.csv"),
    ],
)
@pytest.mark.parametrize("both", [False, True])
def test_a_missing_file_is_said(tmp_path, name, sentence, both):
    folders = write_comparison(tmp_path, [("word", "amp")], seeds=2)
    (folders[0] / name).unlink()
    if both:
        (folders[1] / name).unlink()
    page = page_of([tmp_path], tmp_path / "report")
    sentence = sentence.replace("1 of 2", "2 of 2") if both else sentence
    assert sentence in page.words
    assert (str(folders[0]) in page.words) != both
    if name == "curve.csv":
        assert "keras-amp curve" in page.words


def test_methods_without_the_adversary(tmp_path):
    write_comparison(tmp_path, [("none", None), ("word", "mixup")], seeds=2)
    page = page_of([tmp_path], tmp_path / "report")
    assert "No run has an adversary" in page.words
    assert "WordMixup against none" in page.words


def test_one_method_alone_is_compared_with_nothing(tmp_path):
    write_run(tmp_path)
    page = page_of([tmp_path], tmp_path / "report")
    assert "Nothing is compared" in page.words


def test_a_place_without_a_curve_and_runs_of_different_lengths(tmp_path):
    write_run(tmp_path, seed=0, epochs=9, num_epochs=3)
    write_run(tmp_path, seed=1, epochs=9, num_epochs=5)
    for path in tmp_path.rglob("curve.csv"):
        pd.read_csv(path).assign(word=np.nan).to_csv(path, index=False)
    page = page_of([tmp_path], tmp_path / "report")
    assert "between 3 and 5 epochs" in page.words
    titles = [t for t in ("Words mixed", "Sentences mixed") if t in page.words]
    assert titles == ["Sentences mixed"]


def test_a_training_that_diverged_is_shown(tmp_path):
    folder = write_run(tmp_path)
    for name, columns in (
        ("epochs.csv", ["loss", "val_loss"]),
        ("predictions.csv", ["p(one)", "p(two)", "p(three)"]),
    ):
        frame = pd.read_csv(folder / name)
        frame[columns] = np.nan
        frame.to_csv(folder / name, index=False, na_rep="nan")
    change_json(folder / "result.json", nll=float("nan"))
    page = page_of([tmp_path], tmp_path / "report")
    assert "1 runs of none predict no finite probabilities" in page.words
    assert "Training loss" not in page.words


def test_commands_are_shown_or_said_to_be_missing(tmp_path):
    write_run(tmp_path, seed=0, command="keras-amp train cnn --data 'a <b>.csv'")
    write_run(tmp_path, seed=1, command=None)
    page = page_of([tmp_path], tmp_path / "report")
    assert "keras-amp train cnn --data 'a <b>.csv' 1 of the runs" in page.words
    assert "1 of the runs name no command" in page.words


def test_strange_names_stay_what_they_are(tmp_path):
    classes = ["<b>NA</b>", "null", "a, \"b\" | $x$ & 'c'"]
    write_run(tmp_path / "run & <me>", classes=classes, backbone="<cnn>")
    page = page_of([tmp_path / "run & <me>"], tmp_path / "report")
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


def test_the_same_runs_give_the_same_report(comparison, written, tmp_path):
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


def test_a_report_inside_of_what_it_is_about(tmp_path):
    write_run(tmp_path)
    write_report(tmp_path, tmp_path / "report")
    page = page_of(tmp_path, tmp_path / "report")
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


def test_nothing_is_written_where_something_goes_wrong(comparison, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(PermissionError, match="Expected a folder that can be written"):
        write_report([comparison], tmp_path / "file" / "report")
    page = write_report([comparison], tmp_path / "report")
    before, rename = page.read_bytes(), os.rename

    def refused(source, target):
        if os.path.basename(source) == "new":
            raise PermissionError(13, "no")
        return rename(source, target)

    monkeypatch.setattr(os, "rename", refused)
    with pytest.raises(PermissionError, match="Name another one"):
        write_report([comparison], tmp_path / "report")
    assert page.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"file", "report"}


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


def test_runs_of_different_data_sets_are_refused(tmp_path):
    write_run(tmp_path / "a", data="trec")
    write_run(tmp_path / "b", data="sst2")
    with pytest.raises(ValueError, match=r"one data set.*trec \(.*sst2 \(.*for each"):
        write_report([tmp_path], tmp_path / "report")
    assert not (tmp_path / "report").exists()
    shutil.rmtree(tmp_path / "b")
    write_run(tmp_path / "b", data="trec", classes=["one", "two"])
    with pytest.raises(ValueError, match="with 3 classes, .* with 2 classes"):
        write_report([tmp_path], tmp_path / "report")


def test_folders_without_runs_are_named(tmp_path):
    with pytest.raises(ValueError, match="at least one folder of runs. Received: none"):
        write_report([], tmp_path / "report")
    with pytest.raises(FileNotFoundError, match="nowhere, which is no folder"):
        write_report([tmp_path / "nowhere"], tmp_path / "report")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty, which holds none"):
        write_report([tmp_path / "empty"], tmp_path / "report")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileNotFoundError, match="file, which is a file"):
        write_report([tmp_path / "file"], tmp_path / "report")
    run = write_run(tmp_path / "cut")
    (run / "result.json").unlink()
    with pytest.raises(FileNotFoundError, match="cut short alone: .*seed-0.*again"):
        write_report([tmp_path / "cut"], tmp_path / "report")
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", "{"),
        ("config.json", '{"mix": "none", "seed": 0}'),
        ("result.json", ""),
        ("result.json", '{"method": "none"}'),
        ("epochs.csv", ""),
        ("epochs.csv", "epoch,loss\n"),
        ("epochs.csv", "epoch,loss\n0,much\n"),
        ("curve.csv", "word,sentence\n1,2\n"),
        ("predictions.csv", "text,label\nwho,one\n"),
        ("predictions.csv", "text,label,p(one),p(two),p(three)\nwho,four,1,0,0\n"),
        ("predictions.csv", "text,label,p(one),p(two),p(three)\nwho,one,1,0,x\n"),
        ("confusion.csv", "x,one,two\none,1,2\ntwo,3,4\n"),
        ("confusion.csv", "x,one,two,three\none,1,2,x\ntwo,1,2,3\nthree,1,2,3\n"),
        ("predictions.csv", b"\xff\xfe\x00"),
    ],
)
def test_damaged_files_are_named_and_nothing_is_written(tmp_path, name, content):
    folder = write_run(tmp_path / "run")
    content = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"(?s)Expected .*seed-0/{name}.*damaged file"):
        write_report([tmp_path / "run"], tmp_path / "report")
    assert not (tmp_path / "report").exists()


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
