"""Comparisons that studies named beforehand: verdicts, and what their tables say."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason='pip install "keras-amp[experiments]"')

from grid_records import records_of, rows_of, wave

from keras_amp.analysis.intervals import crossed_interval
from keras_amp.analysis.permutation import equivalence_test, sign_flip_test
from keras_amp.analysis.significance import holm
from keras_amp.experiments import parse_grid
from keras_amp.experiments.pages import make_table
from keras_amp.experiments.predictions import packed
from keras_amp.experiments.summary.primaries import judge, primary_comparisons
from keras_amp.experiments.summary.texts import interval, number

pytestmark = pytest.mark.usefixtures("without_drawings")

GRID = """
seeds = 8
[settings]
data = "trec"
mix = ["none", "word", "sentence"]
[study]
margin = {margin}
seeds = 8
[[study.primary]]
method = "WordAMP"
against = "WordMixup"
[[study.primary]]
method = "SentAMP"
against = "SentMixup"
"""


def study(name="mine", margin=0.5, error=wave, named=True):
    """A grid that names two comparisons, and its records."""
    grid = parse_grid(GRID.format(margin=margin), name)
    records = records_of(grid, error)
    for record in records.values():
        if named:
            record["study"] = grid.study.named
    return grid, records


def test_verdicts_are_corrected_over_all_studies():
    one, other = study("one"), study("other", margin=0.2)
    found = judge(primary_comparisons(*one) + primary_comparisons(*other))
    apart = [each.difference.compared.apart for each in found]
    assert [each.study for each in found] == ["one", "one", "other", "other"]
    p_values = holm([sign_flip_test(each) for each in apart])
    assert [each.verdict.p for each in found] == p_values
    margins = [0.5, 0.5, 0.2, 0.2]
    equal = holm([equivalence_test(*pair) for pair in zip(apart, margins, strict=True)])
    assert [each.verdict.p_equal for each in found] == equal
    own = [each for each in found if each.study == "one"]
    made = make_table(*one, own)
    word, _ = rows_of(made.parts["primary"])
    assert (word["method"], word["against"]) == ("WordAMP", "WordMixup")
    assert (word["verdict"], word["p"]) == ("better", f"{p_values[0]:.3f}")
    assert "corrected for 4 primary comparisons" in made.parts["primary"]
    assert "were run before" not in made.parts["primary"]


def test_of_cells_that_were_run_before_it_was_named_the_table_says_so():
    said = make_table(*study(named=False)).parts["primary"]
    sentence = (
        "WordAMP against WordMixup: 16 of its 16 cells were run before it was named"
    )
    assert sentence in said


def test_a_comparison_waits_for_all_its_seeds():
    grid, records = study(
        error=lambda c: None if (c.method, c.seed) == ("SentAMP", 7) else wave(c)
    )
    word, sentence = judge(primary_comparisons(grid, records))
    assert (sentence.verdict, sentence.difference.seeds) == (None, 7)
    assert word.verdict.p == 2 * sign_flip_test(word.difference.compared.apart)
    rows = rows_of(make_table(grid, records).parts["primary"])
    assert rows[1]["verdict"] == "waits for its seeds"


def test_predictions_in_the_records_give_an_interval_over_texts():
    """Mixup is wrong of the second text with even seeds."""
    grid, records = study()
    for record in records.values():
        amp, odd = record["config"]["policy"] == "amp", record["config"]["seed"] % 2
        second = 0.9 if amp else 0.6 if odd else 0.4
        rows = [[0.7, 0.3], [second, 1 - second], [0.3, 0.7]]
        record["predictions"] = packed([0, 0, 1], rows)
    made = make_table(grid, records)
    apart = np.zeros((8, 3))
    apart[::2, 1] = -100
    row, _ = rows_of(made.parts["primary"])
    assert row["95%, texts too"] == interval(crossed_interval(apart))
    assert "over seeds and test texts" in made.parts["differences"]


OVER = """
seeds = 8
[settings]
data = ["trec", "sst2"]
[[cells]]
mix = "none"
[[cells]]
mix = "word"
policy = "amp"
data = "trec"
alpha = 0.2
called = "WordMixup"
[[cells]]
mix = "word"
policy = "amp"
data = "sst2"
called = "WordMixup"
[table]
columns = ["data"]
tuned = ["alpha"]
[study]
margin = 0.5
[study.primary]
method = "WordMixup"
against = "none"
over = "data"
"""


def test_the_mean_over_data_sets_is_judged_seed_by_seed():
    grid = parse_grid(OVER, "mine")
    errors = np.random.default_rng(0).normal(10, 0.3, (2, 2, 8))

    def error(cell):
        place = cell.how.mix == "word", cell.values["data"] == "sst2"
        return errors[*map(int, place), cell.seed] - 0.2 * place[0]

    records = records_of(grid, error)
    (found,) = judge(primary_comparisons(grid, records))
    apart = (errors[1] - errors[0] - 0.2).mean(axis=0)
    np.testing.assert_allclose(found.difference.compared.apart, apart)
    assert found.verdict.p == pytest.approx(sign_flip_test(apart))
    assert found.cells == 32
    made = make_table(grid, records)
    (row,) = rows_of(made.parts["primary"])
    assert row["method"] == "WordMixup, over 2 data sets"
    assert row["difference"] == number(apart.mean(), signed=True)
    (over,) = rows_of(made.parts["pooled"])
    assert over["difference"] == row["difference"]
    assert [r["alpha"] for r in rows_of(made.parts["tuned"])] == ["0.2", "1"]
    assert "| alpha |" in made.markdown


def test_a_mean_over_data_sets_waits_for_all_of_them():
    grid = parse_grid(OVER, "mine")
    last = grid.cells[-1].key
    records = records_of(grid, lambda cell: None if cell.key == last else 9.0)
    (found,) = judge(primary_comparisons(grid, records))
    assert (found.verdict, found.complete) == (None, False)
