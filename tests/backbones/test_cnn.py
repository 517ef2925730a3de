"""Kim's CNN, and the word vectors that it shares with the BiLSTM."""

import json

import keras
import numpy as np
import pytest
from helpers import MODES, one_step
from keras import ops

import keras_amp
from keras_amp.backbones import MIX_POINTS, bilstm_attention, mix_point, text_cnn

RNG = np.random.default_rng(23)
VECTORS = RNG.normal(size=(30, 6)).astype("float32")


def cnn(**arguments):
    return text_cnn(30, 3, 7, embedding_dim=6, filters=4, seed=8, **arguments)


def bilstm(**arguments):
    return bilstm_attention(30, 3, 7, embedding_dim=6, units=4, seed=8, **arguments)


both = pytest.mark.parametrize("build", [cnn, bilstm])


def vectors_of(model):
    return model.get_layer("embedding").get_weights()[0]


def test_shapes_and_probabilities(text_batch):
    model = cnn()
    assert model.input.dtype == "int32"
    assert model.get_layer("sentence").output.shape == (None, 3 * 4)
    probabilities = model(text_batch[0])
    assert probabilities.shape == (20, 3)
    np.testing.assert_allclose(ops.sum(probabilities, axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize(("level", "mode"), [("sentence", "graph"), ("word", "eager")])
def test_trains_at_words_and_sentences(level, mode, text_batch):
    model = cnn()
    before = model.get_weights()
    point = mix_point(model, level)
    _, logs = one_step(model, point, None, text_batch, **MODES[mode])
    assert np.isfinite(logs["loss"])
    for weight, old, new in zip(model.weights, before, model.get_weights(), strict=True):
        assert not np.array_equal(old, new), weight.path


def test_a_text_shorter_than_the_filters_is_an_error():
    with pytest.raises(ValueError, match="Expected `sequence_length` .* Received: "):
        text_cnn(30, 3, 4)


# === Word vectors, in both backbones ===


@both
def test_given_vectors_are_what_words_begin_with(build):
    np.testing.assert_array_equal(vectors_of(build(vectors=VECTORS)), VECTORS)
    assert not np.allclose(vectors_of(build()), VECTORS)


@pytest.mark.parametrize(("build", "vectors"), [(cnn, VECTORS), (bilstm, None)])
def test_frozen_vectors_stay(build, vectors, text_batch):
    model = build(vectors=vectors, trainable_vectors=False)
    before, dense_before = vectors_of(model), model.get_layer("probabilities").kernel + 0
    for level in MIX_POINTS:
        one_step(model, mix_point(model, level), keras_amp.Mixup(), text_batch)
    np.testing.assert_array_equal(vectors_of(model), before)
    assert not np.allclose(model.get_layer("probabilities").kernel, dense_before)


@both
def test_trainable_vectors_move(build, text_batch):
    model = build(vectors=VECTORS)
    one_step(model, "embedding", keras_amp.Mixup(), text_batch)
    moved = ~np.isclose(vectors_of(model), VECTORS).all(axis=1)
    assert set(np.unique(text_batch[0])) - {0} <= set(np.flatnonzero(moved))


@both
def test_vectors_leave_the_other_initial_weights_alone(build):
    with_vectors, without = build(vectors=VECTORS), build()
    for a, b in zip(
        with_vectors.get_weights()[1:], without.get_weights()[1:], strict=True
    ):
        np.testing.assert_array_equal(a, b)


@both
def test_vectors_are_saved_as_weights_and_not_as_settings(build, tmp_path, text_batch):
    model = build(vectors=VECTORS, trainable_vectors=False)
    assert len(json.dumps(model.get_layer("embedding").get_config())) < 1000
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(vectors_of(loaded), VECTORS)
    assert not loaded.get_layer("embedding").trainable
    np.testing.assert_array_equal(loaded(text_batch[0]), model(text_batch[0]))


@both
def test_vectors_of_another_shape_are_an_error(build):
    with pytest.raises(ValueError, match=r"`vectors`.*\(30, 6\).*Received:.*\(29, 6\)"):
        build(vectors=VECTORS[1:])
    with pytest.raises(ValueError, match=r"`vectors`.*\(30, 6\).*Received:.*\(30, 5\)"):
        build(vectors=VECTORS[:, 1:])


@both
def test_vectors_that_are_not_finite_are_an_error(build):
    vectors = VECTORS.copy()
    vectors[4, 2] = np.nan
    with pytest.raises(ValueError, match="`vectors`.*finite.*row 4"):
        build(vectors=vectors)


@both
def test_seeds_are_reproducible(build, text_batch):
    results = []
    for seed in (3, 3, 4):
        arguments = {"seed": seed, "dropout": 0.5, "embedding_dim": 6}
        narrow = {"filters": 4} if build is cnn else {"units": 4}
        make = text_cnn if build is cnn else bilstm_attention
        model = make(30, 3, 7, **arguments, **narrow)
        one_step(model, "embedding", keras_amp.Mixup(), text_batch)
        results.append(model.get_weights())
    for same, first, other in zip(*results[1::-1], results[2], strict=True):
        np.testing.assert_array_equal(same, first)
        assert not np.array_equal(first, other)


def test_convolutions_begin_as_they_are_told_to():
    """Xavier's normal of gain 2: 2 * sqrt(2 / (fan_in + fan_out)), not cut off."""
    wide = {"embedding_dim": 60, "filters": 100, "seed": 8}
    model = text_cnn(30, 3, 7, convolution_gain=2.0, **wide)
    plain = text_cnn(30, 3, 7, **wide)
    for width in (3, 4, 5):
        kernel = model.get_layer(f"convolution_{width}").get_weights()[0]
        std = 2 * np.sqrt(2 / (width * 60 + width * 100))
        np.testing.assert_allclose(kernel.std(), std, rtol=0.02)
        assert np.abs(kernel).max() > 3 * std
        assert (
            np.abs(plain.get_layer(f"convolution_{width}").get_weights()[0]).max() < std
        )
    for name in ("embedding", "probabilities"):
        for a, b in zip(
            model.get_layer(name).get_weights(),
            plain.get_layer(name).get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="`convolution_gain`.*> 0.*0"):
        cnn(convolution_gain=0)
