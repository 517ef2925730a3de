"""LSTMs in two parts against a derivation in NumPy, finite differences and Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from backends import ROUNDING, gradients
from keras import layers, ops

import keras_amp
from keras_amp.graph import keras_compat
from keras_amp.graph.layer_parts import Projection, Recurrence, is_divisible_lstm
from keras_amp.graph.lstm import lstm

RNG = np.random.default_rng(5)
TIME, BATCH, UNITS, DIM = 6, 4, 3, 5
PROJECTED = RNG.normal(size=(TIME, BATCH, 4 * UNITS))
KERNEL = RNG.normal(size=(UNITS, 4 * UNITS))
# Short and long texts, a gap in the middle, and one without a word.
MASK = np.array(
    [[1, 1, 1, 0, 0, 0], [1] * 6, [1, 0, 0, 1, 1, 0], [0] * 6], bool
).T  # (time, batch_size)
INPUTS = RNG.normal(size=(BATCH, TIME, DIM)).astype("float32")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_hand(projected, kernel, mask):
    """The equations of the module's docstring, example by example."""
    states = np.zeros((TIME, BATCH, UNITS))
    for example in range(BATCH):
        h, c = np.zeros(UNITS), np.zeros(UNITS)
        for t in range(TIME):
            if mask is None or mask[t, example]:
                i, f, g, o = np.split(projected[t, example] + h @ kernel, 4)
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                h = sigmoid(o) * np.tanh(c)
            states[t, example] = h
    return states


@pytest.mark.parametrize("mask", [None, MASK], ids=["no_mask", "mask"])
def test_states_follow_the_equations(mask):
    got = np.array(lstm(PROJECTED, KERNEL, mask))
    np.testing.assert_allclose(got, by_hand(PROJECTED, KERNEL, mask), atol=ROUNDING)


@pytest.mark.parametrize("mask", [None, MASK], ids=["no_mask", "mask"])
def test_gradients_are_those_of_finite_differences(mask):
    weights = RNG.normal(size=(TIME, BATCH, UNITS))
    points = [PROJECTED, KERNEL]
    found = gradients(
        lambda projected, kernel: lstm(projected, kernel, mask) * weights,
        *map(ops.convert_to_tensor, points),
    )
    for which, gradient in enumerate(found):
        expected = np.zeros_like(points[which])
        for index in np.ndindex(expected.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [point.copy() for point in points]
                moved[which][index] += step
                ends.append((by_hand(*moved, mask) * weights).sum())
            expected[index] = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(gradient, expected, atol=max(ROUNDING, 1e-8))


ZOO = {
    "sequences": lambda: layers.LSTM(UNITS, return_sequences=True),
    "last_state": lambda: layers.LSTM(UNITS),
    "backwards": lambda: layers.LSTM(UNITS, return_sequences=True, go_backwards=True),
    "last_state_backwards": lambda: layers.LSTM(UNITS, go_backwards=True),
    "no_bias": lambda: layers.LSTM(UNITS, use_bias=False),
    "zeros_where_masked": lambda: layers.LSTM(
        UNITS, return_sequences=True, zero_output_for_mask=True
    ),
    **{
        mode: lambda mode=mode: layers.Bidirectional(
            layers.LSTM(UNITS, return_sequences=True), merge_mode=mode
        )
        for mode in ("concat", "sum", "mul", "ave")
    },
    "two_last_states": lambda: layers.Bidirectional(layers.LSTM(UNITS)),
    "backwards_first": lambda: layers.Bidirectional(
        layers.LSTM(UNITS, go_backwards=True, return_sequences=True),
        backward_layer=layers.LSTM(UNITS, return_sequences=True),
    ),
}


def called(layer):
    """The node of a layer's only call."""
    layer(keras.Input((TIME, DIM)))
    (node,) = keras_compat.calls_of(layer)
    return node


def outputs_and_gradients(function, layer, shape, mode):
    """What a function computes of ``INPUTS``, traced for inputs of a shape."""

    def run(x):
        variables = layer.trainable_variables
        found = gradients(lambda x: ops.sin(function(x)), x, variables=variables)
        return [function(x), *found]

    if mode != "eager":
        signature = [tf.TensorSpec(shape, "float32")]
        run = tf.function(run, input_signature=signature, jit_compile=mode == "xla")
    return run(ops.convert_to_tensor(INPUTS))


# Every layer eagerly; a compiler sees the same loop for all of them.
@pytest.mark.parametrize(
    ("build", "masked", "mode"),
    [
        *((build, masked, "eager") for build in ZOO for masked in (False, True)),
        ("backwards", False, "graph"),
    ],
)
def test_the_parts_compute_what_keras_computes(build, masked, mode):
    layer = ZOO[build]()
    assert is_divisible_lstm(called(layer))
    for variable in layer.weights:  # biases that are not zero, too
        variable.assign(RNG.normal(size=variable.shape))
    mask = ops.convert_to_tensor(MASK.T) if masked else None
    projection, recurrence = Projection(layer), Recurrence(layer)
    expected = outputs_and_gradients(
        lambda x: layer(x, mask=mask), layer, INPUTS.shape, "eager"
    )
    got = outputs_and_gradients(
        lambda x: recurrence(projection(x), mask=mask), layer, INPUTS.shape, mode
    )
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    shape = recurrence.compute_output_shape(projection.compute_output_shape(INPUTS.shape))
    assert tuple(shape) == expected[0].shape


@pytest.mark.parametrize(
    ("build", "masked", "mode"),
    [
        ("backwards", False, "graph"),  # masked, a whole model is trained below
        ("concat", True, "xla"),
    ],
)
def test_texts_of_unknown_length(build, masked, mode):
    layer = ZOO[build]()
    inputs = keras.Input((None, DIM))
    node = keras_compat.node_of(layer(inputs))
    assert is_divisible_lstm(node)
    mask = ops.convert_to_tensor(MASK.T) if masked else None
    projection, recurrence = Projection(layer), Recurrence(layer)
    expected = outputs_and_gradients(
        lambda x: layer(x, mask=mask), layer, INPUTS.shape, "eager"
    )
    got = outputs_and_gradients(
        lambda x: recurrence(
            projection(x),
            # Of unknown length, too, as a mask that is computed from the ids.
            mask=None if mask is None else mask[:, : ops.shape(x)[1]],
        ),
        layer,
        (None, None, DIM),
        mode,
    )
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_model_trains_on_batches_padded_to_their_own_length():
    texts = [RNG.integers(1, 9, size=n) for n in (3, 5, 4, 2, 7, 6, 1, 4)]
    signature = tf.TensorSpec((None,), "int32"), tf.TensorSpec((), "int32")
    examples = tf.data.Dataset.from_generator(
        lambda: zip(texts, np.arange(8) % 3, strict=True), output_signature=signature
    )
    weights = []
    for rewrite in (True, False):
        keras.utils.set_random_seed(2)
        ids = keras.Input((None,), dtype="int32")
        x = layers.Embedding(9, DIM, mask_zero=True, name="embedding")(ids)
        x = layers.LSTM(UNITS)(x)
        classifier = keras.Model(ids, layers.Dense(3, "softmax")(x))
        # Two passes, which are those of shared noise where there is none.
        policy = keras_amp.AdversarialMixing(step_size=0.1, noise="independent")
        model = keras_amp.MixupAMPModel(
            classifier, "embedding", policy, seed=1, rewrite=rewrite
        )
        model.compile(
            keras.optimizers.SGD(0.5),
            "sparse_categorical_crossentropy",
            run_eagerly=not rewrite,  # which spares the tracing of what is compared with
        )
        model.fit(examples.padded_batch(4), verbose=0)
        weights.append(classifier.get_weights())
    for got, expected in zip(*weights, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("build", ["sequences", "last_state", "concat"])
def test_masks_reach_the_loop_and_are_passed_on_as_by_the_layer(build):
    layer = ZOO[build]()
    x = layers.Masking()(INPUTS * MASK.T[:, :, None])
    expected = layer(x)
    outputs = Recurrence(layer)(Projection(layer)(x))
    np.testing.assert_allclose(outputs, expected, atol=1e-6)
    found, wanted = map(keras_compat.mask_of, (outputs, expected))
    assert (found is None) == (wanted is None)
    assert wanted is None or (np.array(found) == np.array(wanted)).all()


def test_half_precision():
    layer = layers.LSTM(UNITS, return_sequences=True, dtype="mixed_bfloat16")
    called(layer)
    outputs = Recurrence(layer)(Projection(layer)(INPUTS))
    assert outputs.dtype == "bfloat16"
    np.testing.assert_allclose(
        ops.cast(outputs, "float32"), ops.cast(layer(INPUTS), "float32"), atol=0.02
    )


class OwnLSTM(layers.LSTM):
    def call(self, sequences, initial_state=None, mask=None, training=False):
        return super().call(sequences, initial_state, mask, training) * 2


OTHERS = {
    "dropout": lambda: layers.LSTM(UNITS, dropout=0.1),
    "recurrent_dropout": lambda: layers.LSTM(UNITS, recurrent_dropout=0.1),
    "activation": lambda: layers.LSTM(UNITS, activation="relu"),
    "gates": lambda: layers.LSTM(UNITS, recurrent_activation="hard_sigmoid"),
    "unrolled": lambda: layers.LSTM(UNITS, unroll=True),
    "states": lambda: layers.LSTM(UNITS, return_state=True),
    "penalty": lambda: layers.LSTM(UNITS, activity_regularizer="l2"),
    "own_call": lambda: OwnLSTM(UNITS),
    "two_outputs": lambda: layers.Bidirectional(layers.LSTM(UNITS), merge_mode=None),
    "inside_another": lambda: layers.Bidirectional(layers.LSTM(UNITS, dropout=0.1)),
    "no_lstm": lambda: layers.GRU(UNITS),
    "bias_of_one": lambda: layers.Bidirectional(
        layers.LSTM(UNITS),
        backward_layer=layers.LSTM(UNITS, go_backwards=True, use_bias=False),
    ),
}


@pytest.mark.parametrize("build", OTHERS)
def test_all_others_are_left_to_keras(build):
    assert not is_divisible_lstm(called(OTHERS[build]()))


def test_states_to_begin_with_are_left_to_keras():
    layer = layers.LSTM(UNITS)
    inputs = keras.Input((TIME, DIM))
    state = layers.Dense(UNITS)(inputs[:, 0])
    layer(inputs, initial_state=[state, state])
    assert not any(map(is_divisible_lstm, keras_compat.calls_of(layer)))


def test_a_stateful_lstm_is_left_to_keras():
    layer = layers.LSTM(UNITS, stateful=True)
    layer(keras.Input(batch_shape=(BATCH, TIME, DIM)))
    assert not any(map(is_divisible_lstm, keras_compat.calls_of(layer)))


@pytest.mark.parametrize("use_cudnn", ["auto", True, False])
def test_cudnn_is_left_to_keras_where_there_is_a_gpu(use_cudnn, monkeypatch):
    node = called(layers.LSTM(UNITS))
    node.operation.use_cudnn = use_cudnn
    assert is_divisible_lstm(node)
    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: ["gpu:0"])
    assert is_divisible_lstm(node) == (use_cudnn is False)
