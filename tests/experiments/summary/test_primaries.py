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
from keras_amp.experiments.summary.texts import interval

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
