"""dL/dlambda, as a training step takes it, against central finite differences."""

import keras
import numpy as np
import pytest
from helpers import MODES, text_classifier
from keras import ops

import keras_amp

N = 6
LAM = np.array([0.31, 0.87, 0.55, 0.24, 0.73, 0.5], "float32")
PERMUTATION = np.array([2, 0, 1, 5, 4, 3], "int32")  # example 4 is its own partner
LABELS = np.array([0, 1, 2, 2, 0, 1])
STEP = 0.01


class Probe(keras_amp.AdversarialMixing):
    """Moves lambda by a given amount; keeps the gradient and both losses it is shown."""

    def __init__(self):
        super().__init__(step_size=0.0)
        self.moved = keras.Variable(np.zeros(N, "float32"))
        self.gradient_seen, self.loss, self.adversarial_loss = (
            keras.Variable(np.zeros(N, "float32")) for _ in range(3)
        )

    def draw(self, batch_size, seed_generator):
        return ops.convert_to_tensor(LAM), ops.convert_to_tensor(PERMUTATION)

    def perturb(self, lam, lam_gradient):
        self.gradient_seen.assign(lam_gradient)
        return lam + self.moved

    def select(self, loss, adversarial_loss):
        self.loss.assign(loss)
        self.adversarial_loss.assign(adversarial_loss)
        return super().select(loss, adversarial_loss)


def gradient_and_differences(network, mix_at, x, mode, coupled=False):
    """The gradient of a step, and fourth-order central differences of its losses.

    The learning rate is 0 and every step draws the same noise, so that all steps see the
    same function of lambda. All examples are moved at once; coupled, they are also moved
    one by one, for the differences of the whole batch's sum of losses.
    """
    policy = Probe()
    model = keras_amp.MixupAMPModel(network, mix_at, policy)
    model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", **mode)
    states = [v for v in network.variables if v.dtype != "float32"] + network.weights
    start = [np.array(v) for v in states]

    def losses_at(moved):
        policy.moved.assign(moved)
        model.train_on_batch(x, LABELS)
        for variable, value in zip(states, start, strict=True):
            variable.assign(value)
        return np.array(policy.adversarial_loss).astype("float64")

    def differences(direction):
        near, far = (
            losses_at(h * direction) - losses_at(-h * direction) for h in (STEP, 2 * STEP)
        )
        return (8 * near - far) / (12 * STEP)

    expected = [differences(np.ones(N, "float32"))]
    if coupled:
        each = [differences(e).sum() for e in np.eye(N, dtype="float32")]
        expected.append(np.array(each))
    losses_at(np.zeros(N, "float32"))
    return np.array(policy.gradient_seen), *expected


def assert_gradients_agree(actual, expected):
    assert np.abs(expected).max() > 0.02  # a gradient worth the name
    np.testing.assert_allclose(actual, expected, rtol=2e-3, atol=2e-4)


@pytest.fixture
def ids():
    rng = np.random.default_rng(5)
    ids = rng.integers(1, 30, (N, 7))
    for i, length in enumerate((7, 4, 2, 5, 1, 6)):
        ids[i, length:] = 0
    return ids


def sharpened(network):
    """Larger weights, so that lambda matters."""
    rng = np.random.default_rng(1)
    network.set_weights([rng.normal(0, 0.7, w.shape) for w in network.get_weights()])
    return network


@pytest.mark.parametrize(
    ("mix_at", "mode"),
    [("embedding", "eager"), ("sentence", "graph"), ("embedding", "xla")],
)
def test_gradient_with_dropout(mode, mix_at, ids):
    network = sharpened(text_classifier(dropout=0.4))
    actual, expected = gradient_and_differences(network, mix_at, ids, MODES[mode])
    assert_gradients_agree(actual, expected)
    if mix_at == "embedding":
        np.testing.assert_allclose(actual[4], 0, atol=1e-5)  # it is its own partner
        assert (np.abs(np.delete(actual, 4)) > 1e-3).all()


def test_the_labels_lambda_is_held_constant(ids):
    """At equal hidden states lambda changes the labels' share alone: no gradient."""
    network, policy = sharpened(text_classifier(dropout=0.0)), Probe()
    model = keras_amp.MixupAMPModel(network, "embedding", policy)
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    policy.gradient_seen.assign(np.ones(N, "float32"))
    model.train_on_batch(np.tile(ids[:1], (N, 1)), LABELS)
    np.testing.assert_allclose(policy.gradient_seen, 0, atol=1e-5)


def test_gradient_with_layer_normalization(ids):
    inputs = keras.Input((7,), dtype="int32")
    x = keras.layers.Embedding(30, 6, name="embedding")(inputs)
    x = keras.layers.LayerNormalization(name="first")(x)
    x = keras.layers.Conv1D(5, 2, activation="tanh")(x)
    x = keras.layers.GlobalAveragePooling1D(name="sentence")(x)
    x = keras.layers.LayerNormalization(name="second")(x)
    network = keras.Model(inputs, keras.layers.Dense(3, "softmax")(x))
    start = network.get_weights()
    sharpened(network).get_layer("embedding").set_weights(start[:1])
    assert_gradients_agree(*gradient_and_differences(network, "embedding", ids, {}))


def test_batch_normalization_adds_the_effect_on_the_other_examples(ids):
    """The gradient of the summed losses, which the examples share through the batch."""
    network = text_classifier(dropout=0.3, normalize=True)
    for layer in network.layers:
        if layer.name != "normalize":
            layer.set_weights([3 * w for w in layer.get_weights()])
    actual, together, expected = gradient_and_differences(
        network, "embedding", ids, {}, coupled=True
    )
    assert_gradients_agree(actual, expected)
    # Moved together, each loss also answers to the others' lambda: not its own gradient.
    assert np.abs(actual - together).max() > 0.05
    np.testing.assert_allclose(expected.sum(), together.sum(), rtol=0.01, atol=1e-3)


@pytest.mark.parametrize("encoder", ["lstm", "attention"])
def test_gradient_with_masks(encoder, ids):
    inputs = keras.Input((7,), dtype="int32")
    x = keras.layers.Embedding(30, 6, mask_zero=True, name="embedding")(inputs)
    x = keras.layers.Dropout(0.2, seed=2)(x)
    if encoder == "attention":
        x = keras.layers.MultiHeadAttention(2, 3, dropout=0.2, seed=3)(x, x)
    if encoder == "lstm":
        x = keras.layers.LSTM(5, dropout=0.2, recurrent_dropout=0.2, seed=4)(x)
    else:
        x = keras.layers.GlobalAveragePooling1D()(x)
    network = sharpened(keras.Model(inputs, keras.layers.Dense(3, "softmax")(x)))
    assert_gradients_agree(*gradient_and_differences(network, "embedding", ids, {}))


def test_the_loss_that_is_differenced_is_the_mixup_loss(ids):
    """Independently of the engine: sentences mixed and classified in NumPy."""
    network = sharpened(text_classifier(dropout=0.0))
    policy = Probe()
    model = keras_amp.MixupAMPModel(network, "sentence", policy)
    sgd = keras.optimizers.SGD(0.0)
    model.compile(sgd, "sparse_categorical_crossentropy", run_eagerly=True)
    policy.moved.assign(np.full(N, 0.1, "float32"))
    sentence = keras.Model(network.input, network.get_layer("sentence").output)
    h = np.array(sentence(ids)).astype("float64")
    w, b, u, c = (v.astype("float64") for v in network.get_weights()[-4:])

    def loss(input_lam):
        g = input_lam[:, None] * h + (1 - input_lam[:, None]) * h[PERMUTATION]
        z = np.tanh(g @ w + b) @ u + c
        log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
        rows, lam = np.arange(N), LAM.astype("float64")
        own, other = log_p[rows, LABELS], log_p[rows, LABELS[PERMUTATION]]
        return -(lam * own + (1 - lam) * other)

    model.train_on_batch(ids, LABELS)
    lam = LAM.astype("float64")
    np.testing.assert_allclose(policy.loss, loss(lam), rtol=1e-4)
    np.testing.assert_allclose(policy.adversarial_loss, loss(lam + 0.1), rtol=1e-4)
    exact = (loss(lam + 1e-6) - loss(lam - 1e-6)) / 2e-6
    np.testing.assert_allclose(policy.gradient_seen, exact, rtol=1e-3, atol=1e-5)
