"""The sign-flip test and its two one-sided ones: against SciPy, loops and simulations."""

import itertools

import numpy as np
import pytest
from scipy import stats

from keras_amp.analysis.permutation import (
    DRAWS,
    equivalence_test,
    least_p,
    sign_flip_test,
)


def flipped(apart, alternative):
    """The p-value by going through all changes of sign, in whole hundredths."""
    apart = np.rint(100 * np.asarray(apart)).astype(int)
    sums = np.array([apart @ s for s in itertools.product([-1, 1], repeat=len(apart))])
    if alternative == "two-sided":
        return np.mean(abs(sums) >= abs(apart.sum()))
    return np.mean(sums <= apart.sum() if alternative == "less" else sums >= apart.sum())


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
@pytest.mark.parametrize("spread", [2, 1000])  # many ties, next to none
def test_it_is_exact_and_equals_scipys(alternative, spread):
    rng = np.random.default_rng(spread)
    for seeds in range(2, 11):
        apart = rng.integers(-spread, 2 * spread, seeds) / 100
        found = sign_flip_test(apart, alternative)
        assert found == pytest.approx(flipped(apart, alternative), abs=1e-15)
        assert found >= least_p(seeds, alternative)
    theirs = stats.permutation_test(
        (apart,), np.sum, permutation_type="samples", alternative=alternative
    )
    assert found == pytest.approx(theirs.pvalue)


def test_sums_that_differ_by_rounding_are_ties():
    """Without the tolerance most of these 2,000 sums would not count as far out."""
    apart = np.array([0.1, 0.2, 0.3, -0.7, 0.6, 0.4, 0.1, 0.2, -0.3, 0.1, 0.5])
    assert sign_flip_test(apart) == flipped(apart, "two-sided")
    errors = np.array([6.4, 8.2, 7.0, 5.6]), np.array([6.2, 8.0, 7.2, 5.4])
    assert sign_flip_test(errors[0] - errors[1]) == flipped([1, 1, -1, 1], "two-sided")
    assert sign_flip_test(1e6 * apart) == sign_flip_test(apart)
    assert sign_flip_test([0.1 + 0.2 - 0.3] * 5) == sign_flip_test([0.0] * 5) == 1


def test_random_draws_are_near_the_exact_ones(monkeypatch):
    apart = np.random.default_rng(4).normal(0.3, 1, 15).round(2)
    exact = sign_flip_test(apart)
    monkeypatch.setattr("keras_amp.analysis.permutation.EXACT", 10)
    found = sign_flip_test(apart)
    assert found == sign_flip_test(apart) != exact
    assert found == pytest.approx(exact, abs=5 * np.sqrt(exact / DRAWS))
    assert sign_flip_test(np.ones(40)) == 1 / (DRAWS + 1)  # no p-value is 0


def test_it_keeps_its_level_and_has_the_power_of_the_t_test():
    rng = np.random.default_rng(7)
    noise = rng.normal(size=(400, 8))
    false = np.mean([sign_flip_test(apart) < 0.05 for apart in noise])
    assert false == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 400))
    shifted = noise + 1.0
    power = np.mean([sign_flip_test(apart) < 0.05 for apart in shifted])
    theirs = np.mean(stats.ttest_1samp(shifted, 0, axis=1).pvalue < 0.05)
    assert power == pytest.approx(theirs, abs=0.06)


def test_equivalence_is_two_one_sided_tests():
    apart = np.random.default_rng(2).normal(0.1, 0.4, 12).round(2)
    found = equivalence_test(apart, 0.5)
    sides = flipped(apart - 0.5, "less"), flipped(apart + 0.5, "greater")
    assert found == pytest.approx(max(sides))
    theirs = max(
        stats.ttest_1samp(apart, side, alternative=alternative).pvalue
        for side, alternative in ((0.5, "less"), (-0.5, "greater"))
    )
    assert found == pytest.approx(theirs, abs=0.01)


def test_equal_is_said_no_more_often_than_it_may_be():
    """At the margin itself two methods are not equal."""
    rng = np.random.default_rng(8)
    apart = rng.normal(0.5, 0.3, (400, 8))
    false = np.mean([equivalence_test(each, 0.5) < 0.05 for each in apart])
    assert false == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 400))
    right = np.mean([equivalence_test(each - 0.5, 0.5) < 0.05 for each in apart])
    assert right > 0.9


def test_one_seed_and_none_have_no_test():
    for apart in ([], [1.0]):
        assert sign_flip_test(apart) is equivalence_test(apart, 1.0) is None


def test_what_it_cannot_take():
    with pytest.raises(ValueError, match="finite numbers.*1 that are not"):
        sign_flip_test([1.0, np.nan])
    with pytest.raises(ValueError, match="`alternative` to be one of.*'lower'"):
        sign_flip_test([1.0, 2.0], "lower")
    with pytest.raises(ValueError, match="`margin` to be a number above 0.*0"):
        equivalence_test([1.0, 2.0], 0)
