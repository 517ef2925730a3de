"""Intervals over seeds, and over seeds and texts: against SciPy and by simulation."""

import numpy as np
import pytest
from scipy import stats

from keras_amp.analysis.intervals import crossed_interval, t_interval


def test_the_interval_over_seeds_is_the_paired_t_tests():
    apart = np.random.default_rng(3).normal(0.2, 1, 7)
    theirs = stats.ttest_1samp(apart, 0).confidence_interval(0.9)
    assert t_interval(apart, 0.9) == pytest.approx(tuple(theirs))
    assert t_interval([1.0]) is t_interval([0.3, 0.1 + 0.2]) is None


def test_the_parts_of_the_variance_are_those_of_the_analysis_of_variance():
    """Mean squares by their sums, of three seeds and texts."""
    apart = np.array([[1.0, 4.0, 1.0], [3.0, 5.0, 7.0], [2.0, 9.0, 4.0]])
    seeds = 3 * ((2 - 4) ** 2 + (5 - 4) ** 2 + (5 - 4) ** 2)
    texts = 3 * ((2 - 4) ** 2 + (6 - 4) ** 2 + (4 - 4) ** 2)
    rest = ((apart - 4) ** 2).sum() - seeds - texts
    squares = np.array([seeds / 2, texts / 2, rest / 4])  # by their degrees of freedom
    parts = squares / 9
    variance = parts[0] + parts[1] - parts[2]
    freedom = variance**2 / (parts**2 / [2, 2, 4]).sum()
    half = stats.t.ppf(0.975, freedom) * variance**0.5
    assert crossed_interval(apart) == pytest.approx((4 - half, 4 + half))


@pytest.mark.parametrize(
    ("of_seeds", "of_texts"), [(1.0, 0.0), (0.3, 3.0), (0.0, 3.0), (0.0, 0.0)]
)
def test_it_covers_the_true_difference(of_seeds, of_texts):
    rng = np.random.default_rng(1)
    seeds, texts, times = 6, 60, 250
    apart = (
        of_seeds * rng.normal(size=(times, seeds, 1))
        + of_texts * rng.normal(size=(times, 1, texts))
        + 2 * rng.normal(size=(times, seeds, texts))
    )
    bounds = np.array([crossed_interval(each) for each in apart])
    covered = np.mean((bounds[:, 0] < 0) & (bounds[:, 1] > 0))
    assert 0.91 < covered < 0.995
    over_seeds = np.array([t_interval(each.mean(axis=1)) for each in apart[:100]])
    if of_texts and not of_seeds:  # which sees none of the texts' chance
        assert np.mean((over_seeds[:, 0] < 0) & (over_seeds[:, 1] > 0)) < 0.9


def test_where_there_is_none():
    assert crossed_interval(np.ones((1, 9))) is crossed_interval(np.ones((9, 1))) is None
    assert crossed_interval(np.zeros((3, 4))) is None
    with pytest.raises(ValueError, match="a matrix of finite numbers.*shape \\(3,\\)"):
        crossed_interval(np.zeros(3))
