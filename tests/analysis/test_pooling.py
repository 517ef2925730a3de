"""Statistics over several data sets: against SciPy, loops and simulation."""

import numpy as np
import pytest
from scipy import stats

from keras_amp.analysis.pooling import pooled


def sets_of(rng, sizes, shift=0.0):
    """Paired errors of data sets that differ in level and in deviation."""
    return [
        rng.normal([5 * place + shift, 5 * place], 1 + place, (size, 2))
        for place, size in enumerate(sizes)
    ]


def test_the_statistics_are_their_definitions():
    sets = [each.round(1) for each in sets_of(np.random.default_rng(0), (7, 5, 9))]
    found = pooled(sets)
    apart = [each[:, 0] - each[:, 1] for each in sets]
    assert found.difference == pytest.approx(np.mean([each.mean() for each in apart]))
    assert found.middle == pytest.approx(stats.trim_mean(np.concatenate(apart), 0.25))
    won = [
        stats.mannwhitneyu(each[:, 1], each[:, 0]).statistic / len(each) ** 2
        for each in sets
    ]
    assert found.improvement == pytest.approx(np.mean(won))
    low, high = found.improvement_interval
    assert 0 <= low < found.improvement < high <= 1
    assert found.middle_interval[0] < found.middle < found.middle_interval[1]
    assert found == pooled(sets)  # the same draws


def test_of_one_data_set_the_interval_is_the_t_tests():
    (pairs,) = sets_of(np.random.default_rng(1), (8,))
    theirs = stats.ttest_rel(*pairs.T).confidence_interval(0.95)
    assert pooled([pairs]).interval == pytest.approx(tuple(theirs))


def test_of_two_data_sets_it_is_welchs_of_the_half_sum():
    first, second = sets_of(np.random.default_rng(2), (8, 5))
    apart = first[:, 0] - first[:, 1], second[:, 1] - second[:, 0]
    theirs = stats.ttest_ind(*apart, equal_var=False).confidence_interval(0.95)
    assert pooled([first, second]).interval == pytest.approx(
        (theirs.low / 2, theirs.high / 2)
    )


def test_its_interval_covers_the_true_difference(monkeypatch):
    monkeypatch.setattr("keras_amp.analysis.pooling.RESAMPLES", 2)
    rng = np.random.default_rng(3)
    bounds = np.array([pooled(sets_of(rng, (5, 5, 4), 0.7)).interval for _ in range(120)])
    covered = np.mean((bounds[:, 0] < 0.7) & (bounds[:, 1] > 0.7))
    assert covered == pytest.approx(0.95, abs=0.05)


def test_few_seeds_have_no_interval_and_none_no_statistics():
    found = pooled([[[4.0, 5.0]], [[4.0, 5.0], [3.0, 3.0]]])
    assert (found.difference, found.interval, found.middle_interval) == (
        -0.75,
        None,
        None,
    )
    assert pooled([[[4.0, 5.0], [5.0, 6.0]]]).interval is None  # all alike
    with pytest.raises(
        ValueError, match="at least one data set.*1 sets of \\[0\\] seeds"
    ):
        pooled([[]])
