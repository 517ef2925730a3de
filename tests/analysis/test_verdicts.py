"""Verdicts, and the seeds that would decide: by hand and by simulation."""

import numpy as np
import pytest
from scipy import stats

from keras_amp.analysis.permutation import equivalence_test, sign_flip_test
from keras_amp.analysis.significance import holm
from keras_amp.analysis.verdicts import seeds_needed, verdict, verdicts

WAVE = np.array([0.3, -0.2, 0.1, -0.4, 0.2, 0.0, -0.1, 0.1])


@pytest.mark.parametrize(
    ("apart", "margin", "text"),
    [
        (WAVE - 2, 0.5, "better"),
        (WAVE + 2, None, "worse"),
        (WAVE - 0.3, 1.0, "better, by less than the margin"),
        (WAVE + 0.4, 1.0, "worse, by less than the margin"),
        (WAVE, 0.5, "equal"),
        (WAVE, None, "undecided"),  # the mean is 0: no number of seeds shows it
        ([0.0] * 8, None, "undecided"),
        ([0.0] * 8, 0.1, "equal"),
        ([-1.0], 0.5, "undecided"),
        ([], 0.5, "undecided"),
        # All of one sign, and 2 in 2**5 cases are: a sixth seed would do.
        ([-1.0] * 5, None, "undecided; about 6 seeds would decide"),
    ],
)
def test_verdicts(apart, margin, text):
    assert str(verdict(apart, margin)) == text


def test_a_verdict_says_what_it_rests_on():
    apart = 2 * WAVE + 0.2
    found = verdict(apart, 0.4)
    assert (found.word, found.seeds) == ("undecided", 8)
    assert found.difference == pytest.approx(0.2)
    assert found.p == sign_flip_test(apart)
    assert found.p_equal == equivalence_test(apart, 0.4)
    assert found.needed == seeds_needed(apart, 0.4) > 8
    assert verdict(apart, 0.4, p_adjusted=0.04, p_equal=0.2).word == "worse"
    assert verdict(apart, 0.4, p_adjusted=0.2, p_equal=0.04).word == "equal"


def test_several_are_corrected_by_holms_method():
    several = [WAVE - 2, WAVE - 0.1, WAVE + 0.1, [1.0]]
    found = verdicts(several, [0.5, 0.1, None, 0.5])
    p_values = holm([sign_flip_test(apart) for apart in several[:3]])
    assert [each.p for each in found] == [*p_values, None]
    equal = holm(
        [equivalence_test(a, m) for a, m in ((WAVE - 2, 0.5), (WAVE - 0.1, 0.1))]
    )
    assert [each.p_equal for each in found] == [*equal, None, None]
    waiting = verdicts(several[:1], None, waiting=4)[0]
    assert waiting.p == 5 * sign_flip_test(several[0])
    alone = [verdict(apart).needed for apart in several[1:3]]
    assert all(a < b.needed for a, b in zip(alone, found[1:3], strict=True))


def test_so_many_seeds_do_decide():
    """Of the t-test's power, and nearly of the sign-flip test's."""
    rng = np.random.default_rng(0)
    observed = stats.norm.ppf((np.arange(6) + 0.5) / 6)  # mean 0
    observed = observed / observed.std(ddof=1)
    many = seeds_needed(observed + 0.9)
    draws = rng.normal(0.9, 1, (300, many))
    power = np.mean(stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05)
    assert power == pytest.approx(0.8, abs=0.07)
    shown = np.mean([sign_flip_test(apart) < 0.05 for apart in draws[:150]])
    assert shown == pytest.approx(0.8, abs=0.1)
    many = seeds_needed(observed + 0.1, margin=1.0)  # fewer than show the difference
    draws = rng.normal(0.1, 1, (300, many))
    equal = np.mean([equivalence_test(apart, 1.0) < 0.05 for apart in draws[:150]])
    assert many < seeds_needed(observed + 0.1)
    assert equal == pytest.approx(0.8, abs=0.1)


def test_where_no_number_of_seeds_is_known():
    assert seeds_needed([1.0]) is None
    assert seeds_needed([1.0, -1.0]) is None  # no difference, no margin
    assert seeds_needed([1.0, -1.0001]) is None  # above 10,000
    assert seeds_needed([1.0, 1.0], level=0.001) == 11  # 2 / 2**11 is below it
