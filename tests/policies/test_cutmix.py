"""CutMix and masks: each position keeps that of the example that it comes from."""

import keras
import numpy as np
import pytest
from helpers import injected
from keras import layers, ops

import keras_amp
from keras_amp.graph import keras_compat
from keras_amp.graph.mask_places import places_of
from keras_amp.graph.pairs import Hidden, positions, side_by_side

RNG = np.random.default_rng(41)
PARTNER = np.array([2, 0, 3, 1])
LAM = np.array([0.2, 0.9, 0.5, 0.7], "float32")


def hidden(*shape, mask=None):
    x = ops.convert_to_tensor(RNG.normal(size=(4, *shape)), "float32")
    if mask is not None:
        keras_compat.put_mask(x, ops.convert_to_tensor(mask))
    return x


def booleans(*shape):
    return RNG.random((4, *shape)) < 0.5


MASKS = {  # shapes of a hidden state and of a mask, and how the mask has its positions
    "words": ((7, 3), (7,), np.s_[:]),
    "a column": ((7, 3), (7, 1), np.s_[..., None]),
    "what is looked at": ((7, 3), (1, 7), np.s_[:, None]),
    "pairs of words": ((7, 3), (7, 7), np.s_[:, None]),
    "pixels": ((3, 2, 4), (3, 2), np.s_[:]),
    "pixels and a channel": ((3, 2, 4), (3, 2, 1), np.s_[..., None]),
    "features": ((5,), (5,), np.s_[:]),
}


@pytest.mark.parametrize("meaning", ["keep", "hide"])
@pytest.mark.parametrize("name", MASKS)
def test_a_mask_is_that_of_the_example_at_each_position(name, meaning):
    shape, of_mask, having = MASKS[name]
    h, mask, stays = hidden(*shape), booleans(*of_mask), booleans(*(shape[:-1] or shape))
    wide = stays if len(shape) == 1 else stays[..., None]
    joined = ops.convert_to_tensor(np.broadcast_to(wide, h.shape), "float32")
    expected = np.where(stays[having], mask, mask[PARTNER])
    for dtype in ("bool", "int32"):
        state = Hidden([h], [ops.cast(mask, dtype)], [meaning])
        (actual,) = state.pair(LAM, PARTNER, joined).masks
        np.testing.assert_array_equal(np.array(actual) != 0, expected)
        assert actual.dtype == dtype


def test_the_first_channels_of_images():
    keras.config.set_image_data_format("channels_first")
    try:
        stays, mask = booleans(1, 3, 2), booleans(3, 2)
        h = hidden(4, 3, 2, mask=mask)
        joined = ops.convert_to_tensor(np.broadcast_to(stays, h.shape), "float32")
        pair = Hidden([h], [], []).pair(LAM, PARTNER, joined)
        expected = np.where(stays[:, 0], mask, mask[PARTNER])
        np.testing.assert_array_equal(pair.implicit_masks[0], expected)
        (counts,) = positions(pair, [])
        np.testing.assert_array_equal(counts, expected[:, None])
        box = keras_amp.CutMix().box(np.full(4, 0.5), (4, 4, 3, 2), seed=1)
        assert box.shape == (4, 1, 3, 2)
    finally:
        keras.config.set_image_data_format("channels_last")


def test_other_masks_are_united():
    """What picks words out, and what is about none of the positions."""
    h, picked, other = hidden(7, 3), booleans(7), booleans(2)
    stays = ops.convert_to_tensor(np.broadcast_to(booleans(7, 1), h.shape), "float32")
    masks = [ops.convert_to_tensor(picked), ops.convert_to_tensor(other)]
    pair = Hidden([h], masks, ["select", "keep"]).pair(LAM, PARTNER, stays)
    for actual, mask in zip(pair.masks, (picked, other), strict=True):
        np.testing.assert_array_equal(actual, mask | mask[PARTNER])


def test_several_hidden_states_have_a_mask_each():
    """As many features as words: the mask is about the words."""
    words, numbers, mask = hidden(7, 3), hidden(7), booleans(7)
    (place,) = places_of(mask, [numbers, words])
    assert (place.state, place.first, place.axes) == (1, 1, [1])
    stays = [booleans(7), np.broadcast_to(booleans(7, 1), words.shape)]
    joined = side_by_side([ops.convert_to_tensor(s, "float32") for s in stays])
    state = Hidden([numbers, words], [ops.convert_to_tensor(mask)], ["keep"])
    pair = state.pair(LAM, PARTNER, joined)
    expected = np.where(stays[1][..., 0], mask, mask[PARTNER])
    np.testing.assert_array_equal(pair.masks[0], expected)


# === In training ===

IDS = RNG.integers(1, 9, (8, 6))
for row, length in enumerate([6, 2, 5, 1, 3, 4, 6, 2]):
    IDS[row, length:] = 0
Y = RNG.integers(0, 3, 8)
ORDER = np.array([3, 0, 1, 2, 6, 7, 5, 4])
SHARES = np.array([0.1, 0.4, 0.9, 0.3, 0.6, 0.8, 0.2, 1.0], "float32")


class Watching(keras_amp.CutMix):
    """Its boxes are drawn, and noted."""

    def search(self, passes, start):
        self.__dict__["at"] = (searched := super().search(passes, start)).at
        return searched


def by_keras_mask():
    words = keras.Input((6,), dtype="int32")
    h = layers.Embedding(9, 4, mask_zero=True, name="embed")(words)
    h = layers.GlobalAveragePooling1D()(h)
    return keras.Model(words, layers.Dense(3, "softmax")(h))


def by_an_input():
    words = keras.Input((6,), dtype="int32")
    mask = keras.Input((6,), dtype="int32", name="padding_mask")
    h = layers.Embedding(9, 4, name="embed")(words)
    counts = ops.expand_dims(ops.cast(mask, "float32"), -1)
    h = ops.sum(h * counts, axis=1) / (1.0 + ops.sum(counts, axis=1))
    return keras.Model([words, mask], layers.Dense(3, "softmax")(h))


@pytest.mark.parametrize("build", [by_keras_mask, by_an_input])
def test_a_step_is_that_of_a_twin_on_texts_that_are_cut_by_hand(build):
    ours, twin = build(), build()
    twin.set_weights(ours.get_weights())
    policy = injected(Watching, SHARES, ORDER)
    model = keras_amp.MixupAMPModel(ours, "embed", policy, seed=5)
    how = {"optimizer": keras.optimizers.SGD(0.5), "run_eagerly": True}
    model.compile(loss="sparse_categorical_crossentropy", **how)

    def inputs(ids):
        return [ids, (ids > 0).astype("int32")] if build is by_an_input else ids

    logs = model.train_on_batch(inputs(IDS), Y, return_dict=True)
    stays = np.array(policy.at.lam)[..., 0] == 1
    assert not stays[:7].all(axis=1).any()
    cut = np.where(stays, IDS, IDS[ORDER])
    kept, came = ((cut > 0) & stays).sum(1), ((cut > 0) & ~stays).sum(1)
    lam = np.where(came, kept / np.maximum(kept + came, 1), 1.0)
    assert (lam == 1).sum() > 1  # a box may bring padding only
    assert (lam < 1).sum() > 2
    np.testing.assert_allclose(policy.at.draw.lam, lam, rtol=1e-6)
    classes = np.eye(3)
    target = lam[:, None] * classes[Y] + (1 - lam[:, None]) * classes[Y[ORDER]]
    how["optimizer"] = keras.optimizers.SGD(0.5)
    twin.compile(loss="categorical_crossentropy", **how)
    expected = twin.train_on_batch(inputs(cut), target, return_dict=True)
    np.testing.assert_allclose(logs["loss"], expected["loss"], rtol=1e-5)
    for a, b in zip(ours.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_box_in_each_of_several_hidden_states():
    """Images and numbers that are mixed together: a rectangle, and a range."""
    image, number = keras.Input((6, 6, 1)), keras.Input((8,))
    one = layers.Activation("linear", name="image")(image)
    other = layers.Activation("linear", name="numbers")(number)
    h = layers.Concatenate()([layers.Flatten()(one), other])
    policy = injected(Watching, SHARES, ORDER)
    model = keras_amp.MixupAMPModel(
        keras.Model([image, number], layers.Dense(1)(h)), ("image", "numbers"), policy
    )
    model.compile("sgd", "mse", run_eagerly=True)
    model.train_on_batch([np.ones((8, 6, 6, 1)), np.ones((8, 8))], np.ones(8))
    stays = np.array(policy.at.lam)
    cut, numbers = stays[:, :36].reshape(8, 6, 6) == 0, stays[:, 36:] == 0
    for box in cut:
        assert box.sum() == box.any(0).sum() * box.any(1).sum()
    for part in numbers:
        assert (np.diff(np.pad(part, 1).astype(int)) == 1).sum() <= 1
    assert cut[0].any()
    assert numbers[0].any()
    np.testing.assert_allclose(policy.at.draw.lam, stays.mean(1), rtol=1e-6)
