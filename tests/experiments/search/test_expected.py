"""The expected best of n trials, beside the mean over all sets and sequences of n."""

import itertools

import numpy as np
import pytest

pytest.importorskip("optuna", reason='pip install "keras-amp[search]"')

from keras_amp.experiments.search.expected import expected_best

LOSSES = [0.9, 0.2, 0.5, 0.5, 0.7, 0.3]


@pytest.mark.parametrize("number", range(1, 7))
@pytest.mark.parametrize(
    ("replacement", "drawn"),
    [
        (False, itertools.combinations),
        (True, lambda values, n: itertools.product(values, repeat=n)),
    ],
)
def test_it_is_the_mean_over_all_draws(number, replacement, drawn):
    expected = np.mean([min(each) for each in drawn(LOSSES, number)])
    found = expected_best(LOSSES, replacement)[number - 1]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_failed_trial_counts_where_it_would_be_the_best():
    found = expected_best([0.4, np.inf, 0.2])
    assert np.isinf(found[0])
    np.testing.assert_allclose(found[1:], [(0.4 + 0.2 + 0.2) / 3, 0.2])


def test_the_estimator_without_replacement_is_unbiased():
    """The best of 3 of a uniform distribution is 1 / 4 in the mean.

    With replacement it seems worse.
    """
    rng = np.random.default_rng(0)
    samples = rng.random((4000, 6))
    unbiased = np.mean([expected_best(each)[2] for each in samples])
    biased = np.mean([expected_best(each, replacement=True)[2] for each in samples[:400]])
    assert abs(unbiased - 0.25) < 4 * 0.15 / np.sqrt(len(samples))
    assert biased > 0.25 + 0.02
