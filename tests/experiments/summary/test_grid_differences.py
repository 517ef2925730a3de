"""The differences within a grid: their intervals against SciPy."""

import math

import pytest

pytest.importorskip("scipy", reason='pip install "keras-amp[experiments]"')
pytest.importorskip("joblib", reason='pip install "keras-amp[experiments]"')

from grid_records import DASH, MEANS, five, read, records_of, rows_of, wave
from scipy import stats

from keras_amp.experiments import parse_grid
from keras_amp.experiments.pages import make_table
from keras_amp.experiments.summary.differences import READINGS

pytestmark = pytest.mark.usefixtures("without_drawings")


@pytest.fixture(scope="module")
def made():
    grid = five()
    return make_table(grid, records_of(grid))


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize(
    ("family", "pairs"),
    [
        ("mixup", [("WordAMP", "WordMixup"), ("SentAMP", "SentMixup")]),
        ("none", [(method, "none") for method in list(MEANS)[1:]]),
    ],
)
def test_differences_have_the_intervals_of_scipys_t_test(made, reading, family, pairs):
    cells = read(made, "mine-cells.csv")
    frame = read(made, "mine-differences.csv")
    frame = frame[(frame["family"] == family) & (frame["reading"] == reading)]
    found = frame.set_index(["method", "data"])
    expected = [(m, data) for m, _ in pairs for data in ("trec", "sst2")]
    assert list(found.index) == expected
    for method, other in pairs:
        for data in ("trec", "sst2"):
            of = cells[cells["data"] == data].set_index(["method", "seed"])[reading]
            one, two = of[method].sort_index(), of[other].sort_index()
            row = found.loc[(method, data)]
            assert (row["against"], row["seeds"]) == (other, 10)
            assert row["difference"] == pytest.approx((one - two).mean())
            assert row["rp"] == pytest.approx(100 * (1 - one.mean() / two.mean()))
            interval = stats.ttest_rel(one, two).confidence_interval()
            assert (row["low"], row["high"]) == pytest.approx(tuple(interval))
            assert row["verdict"] == ""
            if reading == "test_error":
                of = cells[cells["data"] == data].set_index(["method", "seed"])["nll"]
                apart = of[method].mean() - of[other].mean()
                assert float(row["nll_difference"]) == pytest.approx(apart)


def test_what_was_not_named_beforehand_has_no_verdict(made):
    sentence = "No primary comparison was named beforehand, so no verdict is given."
    assert made.parts["primary"].strip() == sentence
    assert sentence in made.files["mine.html"]
    assert "verdict" not in rows_of(made.parts["differences"])[0]


def test_one_seed_has_no_interval_and_none_no_difference():
    grid = five(seeds=1)
    one = records_of(grid, lambda c: None if c.values["data"] == "sst2" else wave(c))
    rows = rows_of(make_table(grid, one).parts["differences"])
    said = {r["data"]: (r["seeds"], r["difference"], r["95% interval"]) for r in rows}
    assert said["trec"] == ("1", "+0.10", DASH)
    assert said["sst2"] == ("0", DASH, DASH)


def test_equal_differences_have_no_interval():
    grid = five(seeds=8)
    made = make_table(grid, records_of(grid, lambda cell: MEANS[cell.method]))
    frame = read(made, "mine-differences.csv").set_index(["reading", "family", "method"])
    word = frame.loc[("test_error", "mixup", "WordAMP")].iloc[0]
    assert (word["difference"], word["low"], word["high"]) == (-2, "", "")


def test_over_all_data_sets_each_counts_the_same(made):
    found = {(r["method"], r["against"]): r for r in rows_of(made.parts["pooled"])}
    assert len(found) == 6
    frame = read(made, "mine-differences.csv")
    frame = frame[(frame["family"] == "mixup") & (frame["reading"] == "test_error")]
    mean = frame[frame["method"] == "WordAMP"]["difference"].mean()
    row = found["WordAMP", "WordMixup"]
    assert row["difference"] == f"{mean:+.2f}".replace("-", "\N{MINUS SIGN}")
    assert (row["data sets"], row["P(better)"]) == ("2", "1.00")


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
