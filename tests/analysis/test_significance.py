"""Paired tests and intervals: against SciPy, brute force and numbers derived by hand."""

import itertools
import math
import warnings

import numpy as np
import pytest

pytest.importorskip("scipy", reason='pip install "keras-amp[experiments]"')

from scipy import stats

from keras_amp.analysis.significance import (
    bootstrap_interval,
    by_seed,
    holm,
    least_wilcoxon,
    pair,
    relative_improvement,
    t_test,
    verdict,
    wilcoxon,
)


def pairs_of(apart):
    """Pairs whose differences are the given ones."""
    apart = np.asarray(apart, "float64")
    return np.stack([10 + apart, np.full(len(apart), 10.0)], axis=1)


def flipped(apart):
    """The signed-rank test by going through all changes of sign, zeros ranked first."""
    apart = np.asarray(apart, "float64")
    sizes = np.abs(apart)
    ranks = [(sizes < s).sum() + ((sizes == s).sum() + 1) / 2 for s in sizes]
    signed = np.where(apart == 0, 0, ranks)
    sums = [signed @ signs for signs in itertools.product([-1, 1], repeat=len(apart))]
    found = signed @ np.sign(apart)
    return np.mean(np.abs(sums) >= abs(found) - 1e-9)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spread", [2, 5, 1000])  # many ties, some, next to none
def test_wilcoxon_is_exact_with_ties_and_zeros(seed, spread):
    rng = np.random.default_rng([seed, spread])
    apart = rng.integers(-spread, 2 * spread, 3 + seed) / 5
    assert wilcoxon(pairs_of(apart)) == pytest.approx(flipped(apart))
    everything = stats.PermutationMethod(np.inf)
    found = stats.wilcoxon(apart, zero_method="pratt", method=everything)
    assert wilcoxon(pairs_of(apart)) == pytest.approx(found.pvalue)


@pytest.mark.parametrize(
    ("apart", "p"),
    [
        ([-1, -2, -3, -4, -5], 2 / 2**5),
        ([-1, -2, -3, -4, -5, -6], 2 / 2**6),
        ([0.2] * 6, 2 / 2**6),  # all alike: the sign test
        ([0, 0, 0, 0], 1.0),
        # The zero has rank 1 and no sign: 2 of 2**4 cases are as far out.
        ([0, 1, 1, 2, 3], 2 / 2**4),
        # Ranks 2.5, 2.5 and 4: the sum is 4, and of 8 cases only two, 2.5 + 2.5 - 4 and
        # its opposite, are nearer to 0.
        ([0, -1, 1, 2], 6 / 8),
    ],
)
def test_wilcoxon_by_hand(apart, p):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert wilcoxon(pairs_of(apart)) == pytest.approx(p)


def test_zeros_count_as_pratt_has_it_and_are_not_dropped():
    """Ranks 2 to 6, not 1 to 5: as far out are the sums of the negative ones up to 5.

    With the zero these are {}, 2, 3, 4, 5 and 2 + 3; without it those up to 3 are {}, 1,
    2, 3 and 1 + 2. Each has its opposite, of 2**5 cases.
    """
    apart = [0, -1, -2, 3, 4, 5]
    assert wilcoxon(pairs_of(apart)) == pytest.approx(12 / 32)
    assert wilcoxon(pairs_of(apart[1:])) == pytest.approx(10 / 32)


def test_wilcoxon_of_many_seeds_with_ties_is_near_the_exact_one():
    apart = np.repeat([-0.2, 0.4, 0.6], [4, 6, 5])
    found, exact = wilcoxon(pairs_of(apart)), flipped(apart)
    assert found == pytest.approx(exact, abs=4 * math.sqrt(exact / 10_000))
    assert found == wilcoxon(pairs_of(apart))


def test_rounding_makes_no_difference_of_equal_ones():
    """6.4 - 6.2 and 8.2 - 8.0 differ in the last bits, and are ties."""
    pairs = np.array([[6.4, 6.2], [8.2, 8.0], [7.0, 7.4]])
    assert pairs[0, 0] - pairs[0, 1] != pairs[1, 0] - pairs[1, 1]
    assert wilcoxon(pairs) == pytest.approx(flipped([1, 1, -2]))
    assert t_test(pairs[:2]) == (0.5, None)
    assert t_test(np.array([[0.3, 0.1 + 0.2]] * 3)) == (1.0, None)


def test_few_seeds_cannot_be_below_the_least_p_value():
    for seeds in range(2, 9):
        least = least_wilcoxon(seeds)
        assert wilcoxon(pairs_of(1 + np.arange(seeds))) == pytest.approx(least)
        assert least == pytest.approx(flipped(1 + np.arange(seeds)))
    assert least_wilcoxon(0) == least_wilcoxon(1) == 1


def test_the_t_test_is_the_paired_one():
    rng = np.random.default_rng(3)
    pairs = rng.normal(10, 1, (7, 2))
    p, (low, high) = t_test(pairs)
    apart = pairs[:, 0] - pairs[:, 1]
    error = apart.std(ddof=1) / math.sqrt(7)
    assert p == pytest.approx(2 * stats.t.sf(abs(apart.mean() / error), 6))
    assert p == pytest.approx(stats.ttest_rel(*pairs.T).pvalue)
    half = stats.t.ppf(0.975, 6) * error
    assert (low, high) == pytest.approx((apart.mean() - half, apart.mean() + half))


def test_one_seed_and_none_have_no_tests():
    for seeds in (0, 1):
        pairs = pairs_of([-1.0] * seeds)
        assert t_test(pairs) == (None, None)
        assert wilcoxon(pairs) is None
        assert bootstrap_interval(pairs) is None


def test_the_bootstrap_of_two_seeds_by_hand():
    """Both draws are the first in a quarter of the resamples, the second in another."""
    assert bootstrap_interval(pairs_of([-1.0, 3.0])) == pytest.approx((-1, 3))


@pytest.mark.parametrize("apart", [[0.0] * 5, [-0.2] * 5, [0.6, 0.6]])
def test_the_bootstrap_of_equal_differences_is_a_point(apart):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bootstrap_interval(pairs_of(apart)) == pytest.approx((apart[0],) * 2)


def test_the_bootstrap_is_that_of_resampled_means():
    apart = np.random.default_rng(1).normal(-0.5, 1, 10).round(2)
    draws = np.random.default_rng(2).choice(apart, (200_000, 10)).mean(axis=1)
    found = bootstrap_interval(pairs_of(apart))
    assert found == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.03)
    assert found == bootstrap_interval(pairs_of(apart))


def test_pairs_are_common_seeds_with_common_folds_averaged():
    errors = {(2, 0): 4.0, (2, 1): 8.0, (0, 0): 1.0, (0, 1): 3.0, (1, 0): 9.0}
    others = {(0, 0): 5.0, (2, 1): 7.0, (2, 0): 6.0, (3, 0): 1.0}
    assert pair(errors, others).tolist() == [[1.0, 5.0], [6.0, 6.5]]
    assert pair(errors, {}).shape == (0, 2)
    assert by_seed({}) == {}
    assert list(by_seed(errors).items()) == [(0, 2.0), (1, 9.0), (2, 6.0)]


def test_the_relative_improvement_over_no_errors_is_unknown():
    assert math.isnan(relative_improvement(1.0, 0.0))
    assert relative_improvement(9.0, 10.0) == 10
    assert relative_improvement(6.6, 6.5) == pytest.approx(-1.538, abs=1e-3)


def test_adjusted_p_values_are_at_least_those_of_the_least():
    """What a page says that Wilcoxon's test cannot show, it cannot."""
    rng = np.random.default_rng(5)
    for _ in range(50):
        seeds = rng.integers(2, 11, 6)
        least = [least_wilcoxon(n) for n in seeds]
        p = [min(1, bound * rng.integers(1, 20)) for bound in least]
        assert np.all(np.array(holm(least)) <= np.array(holm(p)))


@pytest.mark.parametrize(
    ("difference", "p_values", "seeds", "word"),
    [
        (-1.0, [0.01, 0.04], 10, "better"),
        (1.0, [0.01, 0.04], 10, "worse"),
        (-1.0, [0.01, 0.05], 10, "no difference shown"),
        (-1.0, [0.2, 0.01], 10, "no difference shown"),
        (-1.0, [None, None], 1, "nothing can be said"),
        (math.nan, [None, None], 0, "cannot be compared"),
    ],
)
def test_verdicts(difference, p_values, seeds, word):
    assert verdict(difference, p_values, seeds) == word
