"""The random draws against SciPy's distributions, eagerly and compiled."""

import functools
from collections import Counter
from itertools import permutations

import keras
import numpy as np
import pytest
import tensorflow as tf
from backends import run_as
from keras import ops
from scipy import stats

import keras_amp
from keras_amp.policies import random
from keras_amp.policies.random import symmetric_beta, uniform_permutation

N = 20_000


@functools.cache
def drawing_beta(alpha, how, n):
    """A function that draws, and the generator it draws by."""
    generator = keras.random.SeedGenerator(0)

    def draw():
        return symmetric_beta((n,), alpha, generator)

    return run_as(how, draw, generator), generator


def beta_draws(alpha, how="eager", n=N, seed=3):
    """Draws in float64, made in the given way."""
    draw, generator = drawing_beta(alpha, how, n)
    generator.state.assign(keras.random.SeedGenerator(seed).state)
    return np.array(draw()).astype("float64")


@pytest.mark.parametrize(
    ("alpha", "how"),
    [
        *((alpha, "eager") for alpha in (0.5, 1.0, 2.0, 3.7, 8.0)),
        (0.5, "xla"),
    ],
)
def test_draws_follow_the_beta_distribution(alpha, how):
    test = stats.kstest(beta_draws(alpha, how), stats.beta(alpha, alpha).cdf)
    assert test.pvalue > 0.001


@pytest.mark.parametrize(
    ("alpha", "how"),
    [*((alpha, "eager") for alpha in (0.05, 0.1, 0.2, 0.35)), (0.1, "xla")],
)
def test_both_tails_follow_the_beta_distribution(alpha, how):
    lam = beta_draws(alpha, how)
    # Digit by digit where float32 has them: above its smallest numbers, below 1/2.
    cdf, smallest = stats.beta(alpha, alpha).cdf, 1e-37
    start, held = cdf(smallest), lam[(lam > smallest) & (lam < 0.5)]
    lower = stats.kstest(held, lambda x: (cdf(x) - start) / (0.5 - start))
    assert lower.pvalue > 0.001
    assert stats.binomtest(int((lam <= smallest).sum()), N, start).pvalue > 0.001
    # Near 1 float32 rounds the draws; SciPy's are rounded alike for the comparison.
    reference = np.random.default_rng(8).beta(alpha, alpha, N)
    reference = reference.astype("float32").astype("float64")
    assert stats.ks_2samp(lam, reference).pvalue > 0.001


@pytest.mark.parametrize("alpha", [0.05, 0.2, 1.0, 8.0, 20.0])
def test_mean_and_variance(alpha):
    lam = beta_draws(alpha, "eager", n=200_000)
    variance = 1 / (4 * (2 * alpha + 1))
    standard_error = np.sqrt(variance / len(lam))
    np.testing.assert_allclose(lam.mean(), 0.5, atol=4 * standard_error)
    np.testing.assert_allclose(lam.var(), variance, rtol=0.02)


@pytest.mark.parametrize(
    ("alpha", "how"),
    [
        *((alpha, "eager") for alpha in (1e-30, 1e-3, 0.05, 20.0, 1e3, 1e30)),
        *((alpha, "xla") for alpha in (1e-30, 1e30)),
    ],
)
def test_draws_are_finite_and_inside_the_unit_interval(alpha, how):
    lam = beta_draws(alpha, how, n=200_000)
    assert np.isfinite(lam).all()
    assert lam.min() >= 0
    assert lam.max() <= 1


@pytest.mark.parametrize("alpha", [1e-3, 0.2, 1.0, 1e3])
def test_the_ends_of_the_uniform_draws_are_harmless(monkeypatch, alpha):
    u, v = [0.0, 1e-38, 0.5, 1 - 2**-24], [0.0, 0.25, 0.5, 0.75, 1 - 2**-24]
    uniform = iter(np.meshgrid(u, v))  # each with each
    monkeypatch.setattr(
        keras.random,
        "uniform",
        lambda *_, **__: ops.convert_to_tensor(next(uniform), "float32"),
    )
    lam = np.array(symmetric_beta((5, 4), alpha))
    assert lam.shape == (5, 4)
    assert ((lam >= 0) & (lam <= 1)).all()


def test_large_alpha_concentrates_and_small_alpha_separates():
    assert np.abs(beta_draws(1e3) - 0.5).max() < 0.1
    assert np.minimum(beta_draws(1e-3), 1 - beta_draws(1e-3)).mean() < 0.002


def test_the_distribution_is_symmetric():
    lam = beta_draws(0.7, n=50_000)
    assert stats.ks_2samp(lam[::2], 1 - lam[1::2]).pvalue > 0.001
    assert stats.binomtest(int((lam > 0.5).sum()), len(lam)).pvalue > 0.001


def test_draws_are_independent_of_each_other():
    first, second = beta_draws(1.0).reshape(2, -1)
    assert stats.pearsonr(first, second).pvalue > 0.001
    lam = beta_draws(1.0)
    assert stats.pearsonr(lam[1:], lam[:-1]).pvalue > 0.001


def test_draws_are_float32_of_the_shape_asked_for():
    lam = symmetric_beta((3, 2), 0.4, seed=1)
    assert lam.shape == (3, 2)
    assert lam.dtype == "float32"


@pytest.mark.parametrize("how", ["eager", "graph", "xla"])
def test_the_same_seed_draws_the_same(how):
    first, again, other = (beta_draws(0.4, how, 50, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_a_generator_moves_on():
    generator = keras.random.SeedGenerator(7)
    first, second = (np.array(symmetric_beta((50,), 1.0, generator)) for _ in range(2))
    assert (first != second).all()


# Those of more than `most_ranked` positions are sorted.
@pytest.mark.parametrize(
    ("how", "most_ranked"),
    [("graph", random.MOST_RANKED), ("xla", random.MOST_RANKED), ("graph", 3)],
)
def test_all_permutations_of_four_are_equally_likely(how, most_ranked, monkeypatch):
    monkeypatch.setattr(random, "MOST_RANKED", most_ranked)
    generator = keras.random.SeedGenerator(5)
    draw = run_as(
        how,
        lambda: ops.stack([uniform_permutation(4, generator) for _ in range(5)]),
        generator,
    )
    rounds = [np.array(draw()) for _ in range(600)]
    counts = Counter(map(tuple, np.concatenate(rounds).tolist()))
    assert set(counts) == set(permutations(range(4)))
    assert stats.chisquare(list(counts.values())).pvalue > 0.001


@pytest.mark.parametrize(
    ("size", "how"),
    [(1, "eager"), (2, "eager"), (7, "eager"), (1000, "eager"), (7, "graph"), (7, "xla")],
)
def test_a_permutation_of_any_size(size, how):
    generator = keras.random.SeedGenerator(5)
    permutation = run_as(how, lambda: uniform_permutation(size, generator), generator)()
    assert permutation.dtype == "int32"
    np.testing.assert_array_equal(np.sort(permutation), np.arange(size))


def test_a_size_known_only_while_running():
    generator = keras.random.SeedGenerator(5)
    draw = tf.function(lambda size: uniform_permutation(size, generator))
    for size in (1, 6, 9):
        drawn = draw(ops.convert_to_tensor(size))
        np.testing.assert_array_equal(np.sort(drawn), np.arange(size))


@pytest.mark.parametrize("draws", [[0.5] * 5, [0.2, 0.9, 0.2, 0.9, 0.1]])
def test_tied_draws_still_make_a_permutation(monkeypatch, draws):
    uniform = lambda *_, **__: ops.convert_to_tensor(draws, "float32")  # noqa: E731
    monkeypatch.setattr(keras.random, "uniform", uniform)
    permutation = np.array(uniform_permutation(5))
    np.testing.assert_array_equal(permutation, np.argsort(np.argsort(draws, stable=True)))


def test_the_compiled_draw_holds_no_sort_and_no_loop():
    policies = [
        keras_amp.Mixup(alpha=0.4, lam_per=lam_per, probability=0.5)
        for lam_per in ("example", "batch")
    ]
    generator = keras.random.SeedGenerator(1)
    draw = tf.function(
        lambda: [policy.draw(24, generator) for policy in policies], jit_compile=True
    )
    program = draw.experimental_get_compiler_ir()(stage="optimized_hlo").lower()
    assert "f32[24]" in program  # it is the program of the draw
    assert "sort(" not in program
    assert "while(" not in program


# === Many positions ===

HOWS = ["eager", "graph", "graph, unknown size", "xla, unknown size"]


def drawing(size, how, generator):
    """A callable that draws a permutation of `size`, in the given way."""
    if how in ("eager", "graph"):
        return run_as(how, lambda: uniform_permutation(size, generator), generator)
    signature = tf.TensorSpec((None if "unknown" in how else size,), "bool")
    draw = tf.function(
        lambda batch: uniform_permutation(
            tf.shape(batch)[0] if "unknown" in how else batch.shape[0], generator
        ),
        input_signature=[signature],
        jit_compile=how.startswith("xla"),
    )
    batch = tf.zeros((size,), "bool")

    def program(stage):
        return draw.experimental_get_compiler_ir(batch)(stage=stage).lower()

    call = lambda: draw(batch)  # noqa: E731
    call.program = program
    return call


@pytest.mark.parametrize("how", HOWS)
def test_a_large_permutation_is_one_and_repeats_by_its_seed(how):
    size = 30_000  # all pairs would take 4 GB
    generator = keras.random.SeedGenerator(5)
    draw, start = drawing(size, how, generator), np.array(generator.state)
    first, other = np.array(draw()), np.array(draw())
    generator.state.assign(start)
    again = np.array(draw())
    np.testing.assert_array_equal(np.sort(first), np.arange(size))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.99


@pytest.mark.parametrize("how", HOWS)
def test_up_to_some_thousand_positions_get_the_ranks_of_float32_draws(how, monkeypatch):
    """What a seed gave in committed results, it gives for ever."""
    assert random.MOST_RANKED == 4096
    if how != "eager":  # a mode does not depend on how many there are
        monkeypatch.setattr(random, "MOST_RANKED", 200)
    size, generator = random.MOST_RANKED, keras.random.SeedGenerator(5)
    start = np.array(generator.state)
    drawn = np.array(drawing(size, how, generator)())
    generator.state.assign(start)
    draw = tf.function(
        lambda: keras.random.uniform((size,), seed=generator),
        jit_compile=how.startswith("xla"),
    )
    ranks = np.argsort(np.argsort(np.array(draw()), kind="stable"), kind="stable")
    np.testing.assert_array_equal(drawn, ranks)


@pytest.mark.parametrize(
    ("how", "stage"), [("xla", "hlo"), ("xla, unknown size", "optimized_hlo")]
)
def test_a_compiled_program_orders_in_one_way_only(how, stage):
    """As the size is known when XLA compiles, even where it was not when traced."""
    few = drawing(24, how, keras.random.SeedGenerator(1)).program(stage)
    many = drawing(100_000, how, keras.random.SeedGenerator(1)).program(stage)
    assert "[24,24]" in few
    assert not any(word in few for word in ("sort(", "topk", "while(", "conditional("))
    assert "sort(" in many
    assert "[100000,100000]" not in many
    assert "conditional(" not in many


def test_a_policys_draw_for_a_large_batch():
    policy = keras_amp.Mixup(alpha=0.4)
    generator = keras.random.SeedGenerator(1)
    draw = tf.function(lambda: policy.draw(100_000, generator), jit_compile=True)
    program = draw.experimental_get_compiler_ir()(stage="hlo")
    assert "[100000,100000]" not in program
    lam, permutation = draw()
    assert stats.kstest(lam, stats.beta(0.4, 0.4).cdf).pvalue > 0.001
    np.testing.assert_array_equal(np.sort(permutation), np.arange(100_000))


def test_the_fixed_points_of_large_permutations_follow_poissons_law(monkeypatch):
    """As those of a uniform permutation do up to 1 / n!."""
    size = 500
    monkeypatch.setattr(random, "MOST_RANKED", size - 1)
    draw = drawing(size, "graph", keras.random.SeedGenerator(3))
    fixed = [int((np.array(draw()) == np.arange(size)).sum()) for _ in range(1000)]
    observed = np.bincount(np.minimum(fixed, 4), minlength=5)
    expected = [*stats.poisson(1).pmf(range(4)), stats.poisson(1).sf(3)]
    assert stats.chisquare(observed, 1000 * np.array(expected)).pvalue > 0.001


def test_tied_draws_of_one_sort_are_ordered_by_the_other(monkeypatch):
    monkeypatch.setattr(random, "MOST_RANKED", 3)
    first, second = [0.5, 0.1, 0.3, 0.2], [0.4, 0.4, 0.4, 0.1]
    uniform = lambda *_, **__: ops.convert_to_tensor([*first, *second], "float32")  # noqa: E731
    monkeypatch.setattr(keras.random, "uniform", uniform)
    # By the first draws: 1, 3, 2, 0; of these places the last comes first by the second.
    assert np.array(uniform_permutation(4)).tolist() == [0, 1, 3, 2]
    tied = lambda *_, **__: ops.convert_to_tensor([*first, *[0.4] * 4], "float32")  # noqa: E731
    monkeypatch.setattr(keras.random, "uniform", tied)
    assert np.array(uniform_permutation(4)).tolist() == [1, 3, 2, 0]
