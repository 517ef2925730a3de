"""One whole SGD step against a float64 derivation in NumPy."""

import keras
import numpy as np
import pytest
from helpers import LAM, MODES, PERMUTATION, injected
from keras import ops

import keras_amp

RNG = np.random.default_rng(11)
X = RNG.normal(size=(6, 4))
Y = np.array([0, 1, 2, 2, 0, 1])
WEIGHT = np.array([0.5, 2.0, 1.0, 0.0, 3.0, 1.5])
WEIGHTS = [
    RNG.normal(size=(4, 5)),
    RNG.normal(size=(5,)),
    RNG.normal(size=(5, 6)),
    RNG.normal(size=(6,)),
    RNG.normal(size=(6, 3)),
    RNG.normal(size=(3,)),
]
RATE, L2 = 0.3, 0.01


class NumpyStep:
    """x -> V x + a -> [mix] -> tanh(W h + b) -> softmax(U t + c), derived by hand."""

    def __init__(self, weights, sample_weight=None):
        self.weights = [w.astype("float64") for w in weights]
        self.w = np.ones(6) if sample_weight is None else sample_weight
        v, a = self.weights[:2]
        self.h = X @ v + a
        self.lam = LAM.astype("float64")

    def forward(self, lam_x):
        _, _, w, b, u, c = self.weights
        self.lam_x = lam_x
        self.g = lam_x[:, None] * self.h + (1 - lam_x[:, None]) * self.h[PERMUTATION]
        self.t = np.tanh(self.g @ w + b)
        z = self.t @ u + c
        e = np.exp(z - z.max(1, keepdims=True))
        self.p = e / e.sum(1, keepdims=True)
        # The labels' shares, each with its own example's weight (Eq. 12 and 17).
        one_hot = np.eye(3)
        self.target = (self.lam * self.w)[:, None] * one_hot[Y] + (
            (1 - self.lam) * self.w[PERMUTATION]
        )[:, None] * one_hot[Y[PERMUTATION]]
        return -(self.target * np.log(self.p)).sum(1)

    def hidden_gradient(self):
        """dL_i / dg_i of the last forward pass."""
        u, w = self.weights[4], self.weights[2]
        self.dz = self.p * self.target.sum(1, keepdims=True) - self.target
        self.da = (self.dz @ u.T) * (1 - self.t**2)
        return self.da @ w.T

    def lam_gradient(self):
        return (self.hidden_gradient() * (self.h - self.h[PERMUTATION])).sum(1)

    def descend(self, divisor):
        """The weights after one step down the sum of losses over `divisor`."""
        dg = self.hidden_gradient() / divisor
        da, dz = self.da / divisor, self.dz / divisor
        dh = self.lam_x[:, None] * dg
        np.add.at(dh, PERMUTATION, (1 - self.lam_x[:, None]) * dg)
        gradients = [
            X.T @ dh,
            dh.sum(0),
            self.g.T @ da,
            da.sum(0),
            self.t.T @ dz,
            dz.sum(0),
        ]
        gradients[2] = (
            gradients[2] + 2 * L2 * self.weights[2]
        )  # once, however many passes
        return [w - RATE * g for w, g in zip(self.weights, gradients, strict=True)]


def classifier():
    x = keras.Input((4,))
    h = keras.layers.Dense(5, name="embed")(x)
    t = keras.layers.Dense(
        6, "tanh", kernel_regularizer=keras.regularizers.L2(L2), name="encode"
    )(h)
    model = keras.Model(x, keras.layers.Dense(3, "softmax")(t))
    model.set_weights(WEIGHTS)
    return model


def keras_step(policy, mode, sample_weight=None, loss=None):
    network = classifier()
    model = keras_amp.MixupAMPModel(network, "embed", policy)
    model.compile(
        keras.optimizers.SGD(RATE),
        loss or "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        **mode,
    )
    logs = model.train_on_batch(X, Y, sample_weight=sample_weight, return_dict=True)
    return [w.astype("float64") for w in network.get_weights()], logs


def assert_same(actual, expected):
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, atol=1e-5)


@pytest.mark.parametrize(
    ("weighted", "mode"),
    [(False, MODES["eager"]), (True, MODES["xla"])],
)
def test_rand_op(mode, weighted):
    w = WEIGHT if weighted else None
    expected = NumpyStep(WEIGHTS, w)
    loss = expected.forward(LAM.astype("float64"))
    actual, logs = keras_step(injected(keras_amp.Mixup), mode, w)
    assert_same(actual, expected.descend(6))
    penalty = L2 * (WEIGHTS[2] ** 2).sum()
    np.testing.assert_allclose(logs["loss"], loss.mean() + penalty, rtol=1e-5)
    np.testing.assert_allclose(logs["lam"], LAM.mean(), rtol=1e-6)
    assert logs["lam_delta"] == logs["mask_rate"] == logs["loss_gap"] == 0


@pytest.mark.parametrize(
    ("min_op", "gradient", "weighted", "mode"),
    [
        (True, "example", False, MODES["eager"]),
        (True, "mean", True, MODES["eager"]),
        (False, "example", True, MODES["eager"]),
        (False, "mean", False, MODES["graph"]),
        (True, "example", True, MODES["xla"]),
    ],
)
def test_max_op_and_min_op(mode, min_op, gradient, weighted):
    w = WEIGHT if weighted else None
    step_size = 0.2 if gradient == "example" else 1.5  # large enough to be seen
    expected = NumpyStep(WEIGHTS, w)
    lam = LAM.astype("float64")
    loss = expected.forward(lam)
    slope = expected.lam_gradient() / (6 if gradient == "mean" else 1)
    adversarial_lam = lam + step_size * np.clip(slope, -1, 1)
    adversarial_loss = expected.forward(adversarial_lam)
    mask = adversarial_loss > loss if min_op else np.ones(6, bool)
    chosen = expected.forward(np.where(mask, adversarial_lam, lam))

    policy = injected(
        keras_amp.AdversarialMixing,
        step_size=step_size,
        gradient=gradient,
        min_op=min_op,
    )
    actual, logs = keras_step(policy, mode, w)
    assert_same(actual, expected.descend(6))
    penalty = L2 * (WEIGHTS[2] ** 2).sum()
    np.testing.assert_allclose(logs["loss"], chosen.mean() + penalty, rtol=1e-5)
    np.testing.assert_allclose(
        logs["lam_delta"], np.abs(adversarial_lam - lam).mean(), rtol=1e-4
    )
    np.testing.assert_allclose(logs["mask_rate"], mask.mean())
    np.testing.assert_allclose(
        logs["loss_gap"], (adversarial_loss - loss).mean(), atol=1e-6
    )
    major = np.where(LAM >= 0.5, Y, Y[PERMUTATION])
    np.testing.assert_allclose(
        logs["accuracy"], (expected.p.argmax(1) == major).mean(), rtol=1e-6
    )


def test_min_op_turns_some_examples_back():
    """The derivation above tests a choice only if both answers occur."""
    step = NumpyStep(WEIGHTS)
    lam = LAM.astype("float64")
    loss = step.forward(lam)
    far = step.forward(lam + 1.5 * np.clip(step.lam_gradient(), -1, 1))
    assert 0 < (far > loss).sum() < 6
    policy = injected(keras_amp.AdversarialMixing, step_size=1.5)
    expected = NumpyStep(WEIGHTS)
    expected.forward(np.where(far > loss, lam + 1.5 * np.clip(slope(), -1, 1), lam))
    actual, logs = keras_step(policy, MODES["eager"])
    assert_same(actual, expected.descend(6))
    np.testing.assert_allclose(logs["mask_rate"], (far > loss).mean())


def slope():
    step = NumpyStep(WEIGHTS)
    step.forward(LAM.astype("float64"))
    return step.lam_gradient()


@pytest.mark.parametrize("max_gradient", [None, 0.05])
def test_clipping(max_gradient):
    bound = np.inf if max_gradient is None else max_gradient
    expected = np.abs(0.1 * np.clip(slope(), -bound, bound)).mean()
    assert (np.abs(slope()) > 0.05).any()
    assert (np.abs(slope()) > 1).any()
    policy = injected(
        keras_amp.AdversarialMixing, step_size=0.1, max_gradient=max_gradient
    )
    _, logs = keras_step(policy, MODES["eager"])
    np.testing.assert_allclose(logs["lam_delta"], expected, rtol=1e-4)


@pytest.mark.parametrize("gradient", ["example", "mean"])
def test_one_lambda_per_batch_takes_one_step(gradient):
    """The derivative of the batch mean by the one shared lambda."""
    lam = np.full(6, 0.4, "float32")
    step = NumpyStep(WEIGHTS)
    step.lam = lam.astype("float64")
    step.forward(step.lam)
    expected = 0.1 * np.clip(step.lam_gradient().mean(), -1, 1)
    policy = injected(
        keras_amp.AdversarialMixing,
        lam=lam,
        lam_per="batch",
        gradient=gradient,
        step_size=0.1,
    )
    _, logs = keras_step(policy, MODES["eager"])
    np.testing.assert_allclose(logs["lam_delta"], abs(expected), rtol=1e-4)


@pytest.mark.parametrize(
    "reduction", ["sum", "mean", "mean_with_sample_weight", "sum_over_batch_size", None]
)
def test_the_compiled_reduction_is_honoured(reduction):
    expected = NumpyStep(WEIGHTS, WEIGHT)
    expected.forward(LAM.astype("float64"))
    mixed_weight = LAM * WEIGHT + (1 - LAM) * WEIGHT[PERMUTATION]
    divisor = {
        "sum": 1,
        None: 1,  # as Keras: the gradient of a vector is that of its sum
        "mean_with_sample_weight": mixed_weight.sum(),
    }.get(reduction, 6)
    loss = keras.losses.SparseCategoricalCrossentropy(reduction=reduction)
    policy = injected(keras_amp.Mixup)
    actual, _ = keras_step(policy, MODES["eager"], WEIGHT, loss)
    assert_same(actual, expected.descend(divisor))


LOSSES = {
    "one-hot labels": (keras.losses.CategoricalCrossentropy(), np.eye(3)[Y]),
    "label smoothing": (
        keras.losses.CategoricalCrossentropy(label_smoothing=0.2),
        np.eye(3)[Y],
    ),
    "a name": ("categorical_crossentropy", np.eye(3)[Y]),
    "a resolved name": ("crossentropy", Y),
    "a function": (lambda y, p: ops.mean(ops.square(y - p), axis=-1), np.eye(3)[Y]),
    "a column of labels": (keras.losses.SparseCategoricalCrossentropy(), Y[:, None]),
}


@pytest.mark.parametrize(
    ("name", "mode"),
    [*((name, MODES["eager"]) for name in LOSSES), ("label smoothing", MODES["graph"])],
)
def test_any_loss_is_interpolated(name, mode):
    loss, y = LOSSES[name]
    step = NumpyStep(WEIGHTS)
    step.forward(LAM.astype("float64"))
    smooth = 0.2 if name == "label smoothing" else 0.0
    target = np.eye(3)[Y] * (1 - smooth) + smooth / 3

    def example_loss(target):
        if name == "a function":
            return ((target - step.p) ** 2).mean(1)
        return -(target * np.log(step.p)).sum(1)

    expected = LAM * example_loss(target) + (1 - LAM) * example_loss(target[PERMUTATION])
    model = keras_amp.MixupAMPModel(classifier(), "embed", injected(keras_amp.Mixup))
    model.compile(keras.optimizers.SGD(0.0), loss, **mode)
    logs = model.train_on_batch(X, y, return_dict=True)
    penalty = L2 * (WEIGHTS[2] ** 2).sum()
    np.testing.assert_allclose(logs["loss"], expected.mean() + penalty, rtol=1e-5)


def test_binary_labels():
    x = keras.Input((4,))
    h = keras.layers.Dense(5, "tanh", name="h")(x)
    network = keras.Model(x, keras.layers.Dense(1, "sigmoid")(h))
    model = keras_amp.MixupAMPModel(network, "h", injected(keras_amp.Mixup))
    sgd = keras.optimizers.SGD(0.0)
    model.compile(sgd, "binary_crossentropy", metrics=["accuracy"], run_eagerly=True)
    v, a, u, c = (w.astype("float64") for w in network.get_weights())
    hidden = np.tanh(X @ v + a)
    mixed = LAM[:, None] * hidden + (1 - LAM[:, None]) * hidden[PERMUTATION]
    p = 1 / (1 + np.exp(-(mixed @ u + c)))[:, 0]
    y = Y % 2
    target = LAM * y + (1 - LAM) * y[PERMUTATION]
    expected = -(target * np.log(p) + (1 - target) * np.log(1 - p)).mean()
    logs = model.train_on_batch(X, y, return_dict=True)
    np.testing.assert_allclose(logs["loss"], expected, rtol=1e-5)


def test_class_weights_go_with_their_labels():
    weights = {0: 0.5, 1: 2.0, 2: 1.0}
    step = NumpyStep(WEIGHTS, np.array([weights[y] for y in Y]))
    loss = step.forward(LAM.astype("float64"))
    network = classifier()
    model = keras_amp.MixupAMPModel(network, "embed", injected(keras_amp.Mixup))
    sgd = keras.optimizers.SGD(RATE)
    model.compile(sgd, "sparse_categorical_crossentropy", run_eagerly=True)
    history = model.fit(
        X, Y, batch_size=6, class_weight=weights, shuffle=False, verbose=0
    ).history
    penalty = L2 * (WEIGHTS[2] ** 2).sum()
    np.testing.assert_allclose(history["loss"][0], loss.mean() + penalty, rtol=1e-5)
    assert_same(network.get_weights(), step.descend(6))
