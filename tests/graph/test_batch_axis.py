"""Operations that move the batch axis: mixing stays below them, or is refused."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_amp
from keras_amp.graph import batch_axis
from keras_amp.graph.cuts import cut

RNG = np.random.default_rng(3)
# The batch is as long as the texts, so that a wrong axis shows in the values alone.
X = RNG.normal(size=(4, 4, 3)).astype("float32")
LAM = np.array([0.3, 0.9, 0.55, 0.2], "float32")
PERMUTATION = np.array([2, 0, 1, 3], "int32")


def dense(x):
    return layers.Dense(5, activation="tanh", name="inner")(x)


def on_time_major(x):
    return ops.transpose(dense(ops.transpose(x, (1, 0, 2))), (1, 0, 2))


def on_reversed_axes(x):
    return ops.transpose(layers.Dense(4, "tanh", name="inner")(ops.transpose(x)))


def on_negative_axes(x):
    return ops.transpose(dense(ops.transpose(x, (-2, -3, -1))), (1, 0, 2))


def on_frames(x):
    return ops.reshape(dense(ops.reshape(x, (-1, 3))), (-1, 4, 5))


def on_halves(x):
    """A text's halves as examples of their own, told apart by their place."""
    x = ops.reshape(x, (-1, 2, 3)) + np.array([[[1.0], [2.0]]], "float32")
    return ops.reshape(dense(x), (-1, 4, 5))


def on_stacked(x):
    both = dense(ops.concatenate([x, ops.flip(x, axis=1)], axis=0))
    return both[:4, :] * both[4:, :]


def on_layer_stacked(x):
    both = dense(layers.Concatenate(axis=-3)([x, x * 2.0]))
    return both[:4, :] * both[4:, :]


def on_one_more_axis(x):
    return ops.squeeze(dense(ops.expand_dims(x, -4)), axis=0)


def on_two_more_axes(x):
    return ops.squeeze(dense(ops.expand_dims(x, (0, 2))), axis=(0, -3))


def on_reversed_batch(x):
    return dense(x[::-1, :])


def on_the_first_example(x):
    return dense(x - x[:1, :])


def on_another_rank(x):
    """Broadcasting puts the batch of the smaller one on the axis of time."""
    return dense(ops.add(x, ops.mean(x * 1.0, axis=1)))


def on_rows_of_a_constant(x):
    return dense(ops.add(x, np.arange(12.0).reshape(4, 1, 3).astype("float32")))


def on_einsum(x):
    x = layers.EinsumDense("btd,df->tbf", (4, 5), activation="tanh", name="inner")(x)
    return ops.transpose(x, (1, 0, 2))


def on_joined_einsum(x):
    """The kernel goes along the batch."""
    return layers.EinsumDense("btd,bc->ctd", (4, 3), activation="tanh", name="inner")(x)


MOVED = [f for name, f in sorted(globals().items()) if name.startswith("on_")]
# Those that need to know how large the batch is.
FIXED = (on_einsum, on_joined_einsum, on_reversed_axes, on_layer_stacked, on_stacked)


def apart(x):
    return dense(ops.transpose(x, (0, 2, 1)))


def negative_apart(x):
    return dense(ops.squeeze(ops.expand_dims(ops.transpose(x, (-3, -1, -2)), -1), -1))


def shortened(x):
    x = ops.concatenate([x[:, 1:], x[..., :2, :], x[:, None, 0]], axis=-2)
    return dense(ops.expand_dims(x, (1, -1))[:, 0, :, :, 0])


def resized(x):
    return dense(ops.reshape(x, (-1, 2, 6)) + np.ones((1, 1, 6), "float32") - 2.0)


def einsum(x):
    return layers.EinsumDense("...td,df->...tf", (4, 5), "tanh", name="inner")(x)


KEPT = [apart, negative_apart, shortened, resized, einsum]


def classifier(upper):
    inputs = keras.Input(batch_shape=(4 if upper in FIXED else None, 4, 3))
    x = upper(layers.Identity(name="mixed")(inputs))
    return keras.Model(inputs, layers.Dense(2, "softmax")(layers.Flatten()(x)))


def split_and_mixed(network, rewrite):
    """Where it mixes, and what it predicts for mixtures."""
    (split,) = cut(network, "mixed", rewrite, move_up=True)
    pair = split.run_below(X).pair(ops.convert_to_tensor(LAM), PERMUTATION)
    return split.mixed_behind, np.array(split.run_above(pair, LAM))


@pytest.mark.parametrize("upper", MOVED + KEPT)
def test_mixing_moves_up_only_where_examples_stay_apart(upper):
    """And the mixtures are those of the network as it is."""
    network = classifier(upper)
    (_, expected), (places, mixed) = (
        split_and_mixed(network, rewrite) for rewrite in (False, True)
    )
    if upper in KEPT:
        assert places == ["inner_preactivation"]
    else:
        assert "inner_preactivation" not in places
    np.testing.assert_allclose(mixed, expected, rtol=1e-5)
    # That is, of the network behind the mixture of the inputs.
    lam = LAM[:, None, None].astype("float64")
    mixture = (lam * X + (1 - lam) * X[PERMUTATION]).astype("float32")
    np.testing.assert_allclose(network(mixture), expected, rtol=1e-5)


@pytest.mark.parametrize("upper", [on_time_major, on_frames])
def test_training_equals_that_of_the_network_as_it_is(upper):
    losses = []
    for rewrite in (True, False):
        keras.utils.set_random_seed(0)
        policy = keras_amp.AdversarialMixing(step_size=0.5)
        model = keras_amp.MixupAMPModel(
            classifier(upper), "mixed", policy, seed=3, rewrite=rewrite
        )
        model.compile(
            keras.optimizers.SGD(1.0), "sparse_categorical_crossentropy", run_eagerly=True
        )
        y = np.arange(4) % 2
        losses.append([model.train_on_batch(X, y) for _ in range(2)])
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_the_loss_along_lambda_is_that_of_mixtures():
    network = classifier(on_time_major)
    y = np.arange(4) % 2
    curve = keras_amp.loss_along_lambda(network, (X, y), "mixed", lambdas=[0.25])
    mixture = 0.25 * X + 0.75 * X[::-1]
    p = np.log(np.array(network(mixture)).astype("float64"))
    rows = np.arange(4)
    expected = -(0.25 * p[rows, y] + 0.75 * p[rows, y[::-1]])
    np.testing.assert_allclose(curve.losses[:, 0], expected, rtol=1e-5)


class Folds(layers.Layer):
    """A layer of the user's that joins the batch and the time."""

    def call(self, x):
        return ops.reshape(x, (-1, x.shape[-1]))


# What is no longer the batch: the time, the frames of all texts, or a new axis.
PLACES = {
    "transposed": lambda x: layers.Identity(name="place")(ops.transpose(x, (1, 0, 2))),
    "folded": lambda x: layers.Dense(2, name="place")(ops.reshape(x, (-1, 3))),
    "folded by a layer": lambda x: Folds(name="place")(x),
    "stacked": lambda x: layers.Concatenate(axis=0, name="place")([x, x]),
    "one more axis": lambda x: layers.Identity(name="place")(x[None, :]),
}


@pytest.mark.parametrize("length", [4, None])
@pytest.mark.parametrize("place", PLACES)
def test_a_place_without_a_batch_axis_is_refused(place, length):
    inputs = keras.Input((length, 3))
    x = PLACES[place](inputs)
    x = x if place == "one more axis" else ops.reshape(x, (-1, 12))
    x = x[0, :, 0] if place == "one more axis" else x
    network = keras.Model(inputs, layers.Dense(2, "softmax")(x))
    with pytest.raises(ValueError, match=r"first axis is the batch.*'place'"):
        keras_amp.MixupAMPModel(network, "place")


def test_a_place_where_the_batch_has_come_back_is_not_refused():
    inputs = keras.Input((4, 3))
    x = layers.Identity(name="place")(on_frames(on_time_major_twice(inputs)))
    network = keras.Model(inputs, layers.Dense(2, "softmax")(layers.Flatten()(x)))
    assert keras_amp.MixupAMPModel(network, "place").mix_points == ["place"]


def on_time_major_twice(x):
    return ops.transpose(ops.transpose(x, (1, 0, 2)), (1, 0, 2))


class Unsure(layers.Layer):
    """A layer of the user's that does not say how large the batch is."""

    def call(self, x):
        return x * 2.0

    def compute_output_shape(self, input_shape):
        return (None, *input_shape[1:])


class Fixed(layers.Layer):
    """A layer of the user's whose shapes fail for all batches but one."""

    def call(self, x):
        return x * 2.0

    def compute_output_shape(self, input_shape):
        if input_shape[0] not in (None, 4):
            raise NotImplementedError
        return input_shape


@pytest.mark.parametrize("layer", [Unsure, Fixed])
@pytest.mark.parametrize("batch_size", [None, 4])
def test_what_the_shapes_do_not_tell_is_accepted(layer, batch_size):
    inputs = keras.Input(batch_shape=(batch_size, 4, 3))
    x = layers.Flatten()(layer(name="place")(inputs))
    network = keras.Model(inputs, layers.Dense(2, "softmax")(x))
    assert keras_amp.MixupAMPModel(network, "place").mix_points == ["place"]


def test_unknown_lengths_are_no_batch():
    inputs = keras.Input((None, 3))
    turned = ops.transpose(inputs, (1, 0, 2))
    function = keras.Function([inputs], [turned])
    assert batch_axis.is_first(function, [inputs, turned]) == [True, False]


def test_the_images_of_a_video_are_mixed_one_by_one_only_where_they_are_examples():
    """A network over all frames, which then joins those of a video, is refused there."""
    video = keras.Input((4, 8, 8, 3))
    frames = ops.reshape(video, (-1, 8, 8, 3))
    x = layers.Conv2D(2, 3, name="frames")(frames)
    x = ops.reshape(layers.GlobalAveragePooling2D()(x), (-1, 4, 2))
    x = layers.GlobalAveragePooling1D(name="video")(x)
    network = keras.Model(video, layers.Dense(2, "softmax")(x))
    with pytest.raises(ValueError, match="'frames'"):
        keras_amp.MixupAMPModel(network, "frames")
    model = keras_amp.MixupAMPModel(network, "video")
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    x = keras.random.normal((6, 4, 8, 8, 3))
    assert np.isfinite(model.train_on_batch(x, np.arange(6) % 2)[0])
