"""Errors paired by seed, and Holm's method: numbers derived by hand."""

import math

import numpy as np
import pytest

from keras_amp.analysis.significance import by_seed, holm, pair, relative_improvement


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


def test_adjusted_p_values_are_what_the_smaller_ones_need():
    rng = np.random.default_rng(5)
    for size in range(6):
        p = rng.random(size).round(1)
        order = np.argsort(p, kind="stable")
        need = np.minimum(1, (size - np.arange(size)) * p[order])
        expected = np.empty(size)
        expected[order] = np.maximum.accumulate(need)
        assert holm(p) == pytest.approx(list(expected))
