"""The differences within a grid: their tests against SciPy and brute force."""

import itertools
import math

import numpy as np
import pytest

pytest.importorskip("scipy", reason='pip install "keras-amp[experiments]"')
pytest.importorskip("joblib", reason='pip install "keras-amp[experiments]"')

from grid_records import DASH, MEANS, five, read, records_of, rows_of, wave
from scipy import stats

from keras_amp.experiments import parse_grid
from keras_amp.experiments.pages import make_table

pytestmark = pytest.mark.usefixtures("without_drawings")


@pytest.fixture(scope="module")
def made():
    grid = five()
    return make_table(grid, records_of(grid))


def adjusted(p_values):
    """Holm's method, by its definition: the largest of what the smaller ones need."""
    p = np.asarray(p_values)
    order = np.argsort(p)
    need = [min(1, (len(p) - rank) * p[i]) for rank, i in enumerate(order)]
    found = np.empty(len(p))
    found[order] = np.maximum.accumulate(need)
    return found


def signed_rank_test(apart):
    """The p-value by all changes of sign, zeros ranked and then left out."""
    signed = np.sign(apart) * stats.rankdata(np.abs(apart))
    signs = np.array(list(itertools.product([-1, 1], repeat=len(apart))))
    return np.mean(np.abs(signs @ np.abs(signed)) >= abs(signed.sum()) - 1e-9)


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
            p_w.append(signed_rank_test(apart))
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


def test_an_improvement_over_no_errors_is_a_dash():
    grid = five(seeds=2)
    made = make_table(grid, records_of(grid, lambda cell: 0.0))
    rows = rows_of(made.parts["results"])
    assert rows[3]["trec"] == DASH
    frame = read(made, "mine.csv").set_index(["method", "data"])
    assert frame.loc[("WordAMP", "trec"), "rp"] == ""
    assert math.isclose(frame.loc[("WordAMP", "trec"), "test_error_mean"], 0)
