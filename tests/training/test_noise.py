"""Noise, statistics, penalties and the work of a step: what moves, and how often."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from backends import observe
from helpers import (
    LAM,
    MODES,
    PERMUTATION,
    TableNoise,
    fitted,
    injected,
    same_start,
)
from keras import ops

import keras_amp

# Policies, and how many passes above the mix point a step of theirs takes.
PASSES = {
    "mixup": (keras_amp.Mixup, {}, 1),
    "adversarial mixing": (keras_amp.AdversarialMixing, {}, 3),
    "independent noise": (keras_amp.AdversarialMixing, {"noise": "independent"}, 2),
    "without MinOp": (keras_amp.AdversarialMixing, {"min_op": False}, 2),
    "step size 0": (keras_amp.AdversarialMixing, {"step_size": 0.0}, 3),
}
Y = np.array([0, 1, 2, 2, 0, 1])
X = np.random.default_rng(6).normal(size=(6, 4)).astype("float32")
WEIGHT = np.linspace(0.2, 2.0, 20)
SGD = keras.optimizers.SGD
EAGER, GRAPH, XLA = MODES.values()
# Compiling takes seconds and follows the same trace: it is tried where it could differ.
uncompiled = pytest.mark.parametrize("mode", [EAGER, GRAPH])


class Counter(keras.layers.Layer):
    """The identity; counts at run time how often it is computed, in Python."""

    computed = 0  # no variable: what a search changes of these is put back

    def call(self, inputs):
        if not isinstance(inputs, keras.KerasTensor) and self.counting:
            observe(self.count)
        return inputs

    def count(self):
        self.computed += 1

    counting = False  # off while the graph is built


class Noise(keras.layers.Layer):
    """Adds noise; keeps what it added in every pass, in order."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.generator = keras.random.SeedGenerator(9)
        self.seen = []

    def call(self, inputs, training=False):
        if not training or not self.counting:
            return inputs
        noise = keras.random.normal((6, 3), seed=self.generator)
        observe(self.see, noise)
        return inputs + noise

    def see(self, noise):
        self.seen.append(noise.copy())

    counting = False

    def take(self):
        seen, self.seen = np.array(self.seen), []
        return seen


@pytest.fixture(autouse=True)
def counting(monkeypatch):
    """Return a function that starts the counting, once the model is built."""

    def start():
        for layer_class in (Counter, Noise):
            monkeypatch.setattr(layer_class, "counting", True)

    return start


def counted_network():
    x = inputs = keras.Input((4,))
    x = Counter(name="at_the_bottom")(x)
    x = keras.layers.Dense(5, "tanh", name="low")(x)
    x = Counter(name="below")(x)
    x = keras.layers.Dense(5, name="hidden")(x)
    x = Counter(name="above")(x)
    x = keras.layers.Dense(3, "softmax")(x)
    return keras.Model(inputs, Counter(name="at_the_top")(x))


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        *((name, GRAPH) for name in PASSES),
        ("adversarial mixing", EAGER),
        ("independent noise", EAGER),
    ],
)
def test_what_lies_below_is_computed_once_a_step(name, mode, counting):
    policy_class, settings, passes = PASSES[name]
    network = counted_network()
    model = keras_amp.MixupAMPModel(network, "hidden", policy_class(**settings))
    model.compile(SGD(0.1), "sparse_categorical_crossentropy", **mode)
    counting()
    for step in (1, 2):
        model.train_on_batch(X, Y)
        counts = {
            layer.name: int(layer.computed)
            for layer in network.layers
            if isinstance(layer, Counter)
        }
        assert counts == {
            "at_the_bottom": step,
            "below": step,
            "above": passes * step,
            "at_the_top": passes * step,
        }


@uncompiled
def test_plain_training_computes_everything_once(mode, counting):
    network = counted_network()
    network.compile(SGD(0.1), "sparse_categorical_crossentropy", **mode)
    counting()
    network.train_on_batch(X, Y)
    assert [int(c.computed) for c in network.layers if isinstance(c, Counter)] == [1] * 4


# === Noise ===


def noisy_network():
    inputs = keras.Input((4,))
    x = keras.layers.Dense(3, name="hidden")(inputs)
    x = Noise(name="noise")(x)
    return keras.Model(inputs, keras.layers.Dense(3, "softmax")(x))


def noise_of_steps(mode, counting, policy, steps=2):
    network = noisy_network()
    model = keras_amp.MixupAMPModel(network, "hidden", policy)
    model.compile(SGD(0.1), "sparse_categorical_crossentropy", **mode)
    counting()
    taken = []
    for _ in range(steps):
        model.train_on_batch(X, Y)
        taken.append(network.get_layer("noise").take())
    return taken


@pytest.mark.parametrize(
    ("min_op", "mode"), [(True, EAGER), (True, GRAPH), (False, GRAPH)]
)
def test_independent_noise_is_new_in_every_pass(mode, counting, min_op):
    policy = keras_amp.AdversarialMixing(noise="independent", min_op=min_op)
    taken = np.concatenate(noise_of_steps(mode, counting, policy))
    assert len(taken) == 4  # two steps of two passes
    assert len(np.unique(taken[:, 0, 0])) == len(taken)


@uncompiled
def test_shared_noise_is_the_same_in_all_passes_and_new_in_each_step(mode, counting):
    """A step draws once, as a step of the classifier itself would."""
    policy = keras_amp.AdversarialMixing(noise="shared")
    shared = noise_of_steps(mode, counting, policy, steps=3)
    plain = noisy_network()
    plain.compile(SGD(0.1), "sparse_categorical_crossentropy", run_eagerly=True)
    for passes in shared:
        assert len(passes) == 3
        plain.train_on_batch(X, Y)
        expected = plain.get_layer("noise").take()[0]
        for noise in passes:
            np.testing.assert_array_equal(noise, expected)
    first, second, _ = shared
    assert (first[0] != second[0]).all()


class Losses(keras_amp.AdversarialMixing):
    """Does not move lambda; keeps the two losses that it chooses between."""

    def __init__(self, **settings):
        super().__init__(step_size=0.0, **settings)
        self.loss, self.adversarial_loss = (
            keras.Variable(np.zeros(6, "float32")) for _ in range(2)
        )

    def select(self, loss, adversarial_loss):
        self.loss.assign(loss)
        self.adversarial_loss.assign(adversarial_loss)
        return super().select(loss, adversarial_loss)


def masked_classifier():
    """A classifier whose pooling excludes padding, so that a wrong mask shows."""
    ids = keras.Input((7,), dtype="int32")
    x = keras.layers.Embedding(30, 6, mask_zero=True, name="embedding")(ids)
    x = keras.layers.Dropout(0.4, seed=3)(x)
    x = keras.layers.Dense(5, "tanh")(x)
    x = keras.layers.GlobalAveragePooling1D(name="sentence")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.4, seed=4)(x)
    return keras.Model(ids, keras.layers.Dense(3, "softmax")(x))


def test_a_compiled_step_has_the_noise_of_plain_training_in_all_passes():
    """At lambda 1 both trainings are equal; XLA draws noise of its own for both."""

    def build():
        x = inputs = keras.Input((4,))
        x = keras.layers.Dropout(0.4, seed=3, name="hidden")(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.Dropout(0.4, seed=4)(x)
        return keras.Model(inputs, keras.layers.Dense(3, "softmax")(x))

    twin, network = same_start(build, "twin", "ours")
    policy = injected(Losses, np.ones(6, "float32"))
    model = keras_amp.MixupAMPModel(network, "hidden", policy)
    for trained in (twin, model):
        trained.compile(
            SGD(0.2), "sparse_categorical_crossentropy", metrics=["accuracy"], **XLA
        )
    for _ in range(2):
        expected = twin.train_on_batch(X, Y, WEIGHT[:6], return_dict=True)
        logs = model.train_on_batch(X, Y, WEIGHT[:6], return_dict=True)
        np.testing.assert_allclose(policy.loss, policy.adversarial_loss, rtol=1e-6)
        np.testing.assert_allclose(logs["loss_gap"], 0, atol=1e-7)
        assert np.array(policy.loss).std() > 0
    assert_same_weights(twin, network, atol=1e-5)
    for quantity in ("loss", "accuracy"):
        np.testing.assert_allclose(logs[quantity], expected[quantity], rtol=1e-4)
    assert logs["lam"] == 1.0
    assert logs["lam_delta"] == 0.0


def test_with_independent_noise_the_two_losses_differ(text_batch):
    """MinOp then chooses between dropout masks."""
    policy = Losses(noise="independent")
    logs = step(masked_classifier(), "embedding", policy, text_batch, **EAGER)
    assert (np.array(policy.loss) != np.array(policy.adversarial_loss)).all()
    assert 0 < logs["mask_rate"] < 1


def step(classifier, mix_at, policy, data, **mode):
    """What a step on one batch reports."""
    model = keras_amp.MixupAMPModel(classifier, mix_at, policy, seed=4)
    model.compile(SGD(0.2), "sparse_categorical_crossentropy", **mode)
    x, y = (v[:6] for v in data)
    return model.train_on_batch(x, y, return_dict=True)


def trained_on_known_noise(policy, mode, steps):
    """x -> [mix] -> noise -> softmax; the weights and the reports of every step."""
    inputs = keras.Input((4,), name="x")
    outputs = keras.layers.Dense(3, "softmax")(TableNoise()(inputs))
    network = keras.Model(inputs, outputs)
    model = keras_amp.MixupAMPModel(network, "x", policy)
    model.compile(
        SGD(0.5), "sparse_categorical_crossentropy", metrics=["accuracy"], **mode
    )
    weights, reports = [network.get_weights()], []
    for _ in range(steps):
        model.reset_metrics()
        reports.append(model.train_on_batch(X, Y, return_dict=True))
        weights.append(network.get_weights())
    return weights, reports


@pytest.mark.parametrize(
    ("min_op", "mode"), [(True, EAGER), (True, GRAPH), (True, XLA), (False, GRAPH)]
)
def test_with_independent_noise_the_compared_losses_are_trained_on(mode, min_op):
    """Against float64: lambda with the first mask, lambda' with the second; no third."""
    policy = injected(
        keras_amp.AdversarialMixing, step_size=0.3, noise="independent", min_op=min_op
    )
    weights, reports = trained_on_known_noise(policy, mode, steps=3)
    w, b = (v.astype("float64") for v in weights[0])
    x, lam = X.astype("float64"), LAM.astype("float64")
    target = lam[:, None] * np.eye(3)[Y] + (1 - lam[:, None]) * np.eye(3)[Y[PERMUTATION]]

    def forward(lam_x, noise):
        mixed = lam_x[:, None] * x + (1 - lam_x[:, None]) * x[PERMUTATION]
        z = (mixed * noise) @ w + b
        log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
        return -(target * log_p).sum(1), np.exp(log_p), mixed * noise

    chosen_masks = []
    for step, report in enumerate(reports):
        noise, other = TableNoise.TABLE[2 * step : 2 * step + 2]
        loss, p, h = forward(lam, noise)
        slope = ((p - target) @ w.T * noise * (x - x[PERMUTATION])).sum(1)
        adversarial_lam = lam + 0.3 * np.clip(slope, -1, 1)
        adversarial_loss, adversarial_p, adversarial_h = forward(adversarial_lam, other)
        mask = adversarial_loss > loss if min_op else np.ones(6, bool)
        chosen_masks.append(mask)
        p = np.where(mask[:, None], adversarial_p, p)
        h = np.where(mask[:, None], adversarial_h, h)
        w, b = w - 0.5 * h.T @ (p - target) / 6, b - 0.5 * (p - target).mean(0)
        for actual, expected in zip(weights[step + 1], (w, b), strict=True):
            np.testing.assert_allclose(actual, expected, atol=1e-5)
        minimised = np.where(mask, adversarial_loss, loss).mean()
        np.testing.assert_allclose(report["loss"], minimised, rtol=1e-5)
        gap = (adversarial_loss - loss).mean()
        np.testing.assert_allclose(report["loss_gap"], gap, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(report["mask_rate"], mask.mean(), rtol=1e-6)
        # The predictions are those of each example's chosen pass.
        right = p.argmax(1) == np.where(LAM >= 0.5, Y, Y[PERMUTATION])
        np.testing.assert_allclose(report["accuracy"], right.mean(), rtol=1e-6)
    if min_op:
        assert 0 < np.mean(chosen_masks) < 1  # both answers occur


def recurrent_classifier():
    ids = keras.Input((7,), dtype="int32")
    x = keras.layers.Embedding(30, 6, mask_zero=True, name="embedding")(ids)
    x = keras.layers.LSTM(4, name="sentence")(x)
    return keras.Model(ids, keras.layers.Dense(3, "softmax")(x))


def tagger():
    """A class for every word; its predictions carry a mask."""
    ids = keras.Input((7,), dtype="int32")
    x = keras.layers.Embedding(30, 6, mask_zero=True, name="embedding")(ids)
    x = keras.layers.Dense(5, "relu", name="sentence")(x)
    return keras.Model(ids, keras.layers.Dense(3, "softmax")(x))


@pytest.mark.parametrize(
    ("build", "mode", "mix_at"),
    [
        (recurrent_classifier, GRAPH, ["embedding"]),
        (tagger, EAGER, ["embedding", "sentence"]),
    ],
)
def test_without_dropout_the_noise_makes_no_difference(mode, build, mix_at, text_batch):
    """Two passes agree with three: at several mix points, with masks, with a loop."""
    x, y = (v[:6] for v in text_batch)
    if build is tagger:
        y = (y[:, None] + x) % 3
    networks = same_start(build, "shared", "independent")
    histories = []
    modes = {"shared": EAGER, "independent": mode}
    for network, (noise, how) in zip(networks, modes.items(), strict=True):
        others = np.array([2, 0, 1, 5, 3, 4])  # mixed with itself, two losses would tie
        policy = injected(
            keras_amp.AdversarialMixing, LAM, others, step_size=0.3, noise=noise
        )
        _, history = fitted(
            network,
            mix_at,
            policy,
            (x, y),
            epochs=len(mix_at),
            metrics=["accuracy"],
            **how,
        )
        histories.append(history)
    assert_same_weights(*networks, atol=1e-6)
    for report, values in histories[0].items():
        np.testing.assert_allclose(histories[1][report], values, rtol=1e-4, atol=1e-6)
    assert histories[0]["mask_rate"][0] > 0


# === Statistics and penalties ===


def normalizing_network():
    inputs = keras.Input((4,))
    x = keras.layers.Dense(5, name="low")(inputs)
    x = keras.layers.BatchNormalization(momentum=0.8, name="below")(x)
    x = keras.layers.Dense(5, name="hidden")(x)
    x = keras.layers.BatchNormalization(momentum=0.8, name="above")(x)
    return keras.Model(inputs, keras.layers.Dense(3, "softmax")(x))


MOVED = 0.25


class Moving:
    """Moves lambda by `MOVED`, and keeps that of every other example."""

    def perturb(self, lam, lam_gradient):
        return lam + MOVED

    def select(self, loss, adversarial_loss):
        return ops.arange(6) % 2 == 0


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        *((name, EAGER) for name in PASSES),
        ("independent noise", GRAPH),
        ("adversarial mixing", GRAPH),
    ],
)
def test_batch_statistics_move_once_a_step(name, mode):
    """Against NumPy: those of the batch below, of the last pass's mixed batch above."""
    policy_class, settings, passes = PASSES[name]
    lam = LAM.copy()
    if policy_class is keras_amp.AdversarialMixing and name != "step size 0":
        policy_class = type("Moved", (Moving, policy_class), {})
        lam += MOVED * (np.arange(6) % 2 == 0) if passes == 3 else MOVED
    network = normalizing_network()
    w, b, *_ = network.get_layer("low").get_weights()
    v, c = network.get_layer("hidden").get_weights()
    model = keras_amp.MixupAMPModel(network, "hidden", injected(policy_class, **settings))
    model.compile(SGD(0.0), "sparse_categorical_crossentropy", **mode)
    model.train_on_batch(X, Y)

    low = X @ w + b
    normal = (low - low.mean(0)) / np.sqrt(low.var(0) + 1e-3)
    hidden = normal @ v + c
    mixed = lam[:, None] * hidden + (1 - lam[:, None]) * hidden[PERMUTATION]
    for layer, values in (("below", low), ("above", mixed)):
        _, _, mean, variance = network.get_layer(layer).get_weights()
        np.testing.assert_allclose(mean, 0.2 * values.mean(0), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(variance, 0.8 + 0.2 * values.var(0), rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "eagerly"),
    [*((name, True) for name in PASSES), ("adversarial mixing", False)],
)
def test_penalties_count_once(name, eagerly):
    """Of weights and of activities, on both sides of the mix point."""

    class Penalty(keras.layers.Layer):
        def __init__(self, amount):
            super().__init__()
            self.amount = amount

        def call(self, inputs):
            self.add_loss(ops.convert_to_tensor(self.amount))
            return inputs

    policy_class, settings, _ = PASSES[name]
    if "step_size" not in settings and policy_class is keras_amp.AdversarialMixing:
        settings = {**settings, "step_size": 1e-9}  # lambda' = lambda: one known mixture
    l2 = keras.regularizers.L2
    inputs = keras.Input((4,))
    x = keras.layers.Dense(5, name="low", kernel_regularizer=l2(0.1))(inputs)
    x = keras.layers.Activation("tanh", name="hidden")(Penalty(0.7)(x))
    x = keras.layers.Dense(5, name="high", kernel_regularizer=l2(0.03))(x)
    x = Penalty(0.2)(x)
    network = keras.Model(inputs, keras.layers.Dense(3, "softmax", name="top")(x))
    model = keras_amp.MixupAMPModel(network, "hidden", injected(policy_class, **settings))
    model.compile(SGD(0.0), "sparse_categorical_crossentropy", run_eagerly=eagerly)

    weights = {layer.name: layer.get_weights() for layer in network.layers}
    penalty = 0.1 * (weights["low"][0].astype("float64") ** 2).sum() + 0.7
    penalty += 0.03 * (weights["high"][0].astype("float64") ** 2).sum() + 0.2
    unmixed = np.tanh(X @ weights["low"][0] + weights["low"][1])
    mixed = LAM[:, None] * unmixed + (1 - LAM[:, None]) * unmixed[PERMUTATION]
    z = (mixed @ weights["high"][0] + weights["high"][1]) @ weights["top"][0]
    z = z + weights["top"][1]
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    own, other = log_p[range(6), Y], log_p[range(6), Y[PERMUTATION]]
    loss = -(LAM * own + (1 - LAM) * other).mean()
    for _ in range(2):  # nothing piles up from step to step either
        logs = model.train_on_batch(X, Y, return_dict=True)
        np.testing.assert_allclose(logs["loss"], loss + penalty, rtol=1e-5)
        model.reset_metrics()


# === Policies that are equal ===


def assert_same_weights(first, second, atol):
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=atol)


@uncompiled
def test_mixup_is_adversarial_mixing_without_a_step(mode, text_batch):
    networks = same_start(masked_classifier, "first", "second")
    mixup, policy = keras_amp.Mixup(0.5), Losses(alpha=0.5)
    logs = [
        step(networks[0], "embedding", mixup, text_batch, **EAGER),
        step(networks[1], "embedding", policy, text_batch, **mode),
    ]
    np.testing.assert_array_equal(policy.loss, policy.adversarial_loss)
    assert logs[1]["loss_gap"] == logs[1]["mask_rate"] == logs[1]["lam_delta"] == 0.0
    assert np.array(policy.loss).std() > 0
    assert_same_weights(*networks, atol=1e-6)
    np.testing.assert_allclose(logs[0]["loss"], logs[1]["loss"], rtol=1e-5)
    assert logs[0]["lam"] == logs[1]["lam"]


def test_a_step_on_lambda_changes_the_weights(text_batch):
    """The equality above does not hold for other step sizes."""
    networks = same_start(masked_classifier, "first", "second")
    for network, step_size in zip(networks, (0.0, 0.3), strict=True):
        policy = keras_amp.AdversarialMixing(0.5, step_size=step_size)
        step(network, "embedding", policy, text_batch, **EAGER)
    gap = [
        np.abs(a - b).max()
        for a, b in zip(*(n.get_weights() for n in networks), strict=True)
    ]
    assert max(gap) > 1e-5


NEVER = {
    "probability 0": (keras_amp.Mixup, {"probability": 0.0}),
    "adversarial, probability 0": (keras_amp.AdversarialMixing, {"probability": 0.0}),
    "lambda 1, itself": (keras_amp.AdversarialMixing, {"lam": 1, "partner": "itself"}),
    "lambda 1, any partner": (keras_amp.Mixup, {"lam": 1, "partner": "another"}),
}


def never_mixing(name):
    policy_class, settings = NEVER[name]
    if "lam" not in settings:
        return policy_class(**settings)
    order = np.arange(10) if settings["partner"] == "itself" else np.arange(10)[::-1]
    return injected(policy_class, np.ones(10, "float32"), order.astype("int32"))


def fit_of(model, data, **mode):
    """The history of an epoch of two batches, whose examples have weights."""
    model.compile(
        SGD(0.2), "sparse_categorical_crossentropy", metrics=["accuracy"], **mode
    )
    return model.fit(*data, 10, 1, 0, sample_weight=WEIGHT, shuffle=False).history


@pytest.fixture(scope="module")
def plain():
    """What a fit of the classifier itself leads to, and what it began with."""
    classifier = masked_classifier()
    start, history = classifier.get_weights(), {}

    def fit(data):
        history.update(history or fit_of(classifier, data, **EAGER))
        return start, classifier, history

    return fit


@pytest.mark.parametrize(
    ("name", "mix_at", "mode"),
    [
        *((name, "embedding", EAGER) for name in NEVER),
        ("lambda 1, itself", "sentence", GRAPH),
    ],
)
def test_never_mixing_is_plain_fit(name, mix_at, mode, text_batch, plain):
    """Step for step, with dropout, batch normalization, masks and weights."""
    start, classifier, expected = plain(text_batch)
    network = masked_classifier()
    network.set_weights(start)
    model = keras_amp.MixupAMPModel(network, mix_at, never_mixing(name))
    history = fit_of(model, text_batch, **mode)
    assert_same_weights(classifier, network, atol=1e-5)
    for quantity in ("loss", "accuracy"):
        np.testing.assert_allclose(history[quantity], expected[quantity], rtol=1e-4)
    assert history["lam"] == [1.0]
    assert history["lam_delta"] == [0.0]


def test_the_compiled_step_sorts_nothing(text_batch):
    """A sort makes all that XLA compiles for a CPU several times slower."""
    mix_at = ["embedding", "sentence"]  # the program holds the steps of both
    model = keras_amp.MixupAMPModel(masked_classifier(), mix_at, seed=1)
    model.compile(
        "adam", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True
    )
    model.train_on_batch(*text_batch)  # makes every variable
    x, y = (ops.convert_to_tensor(v, "int32") for v in text_batch)
    step = tf.function(
        lambda x, y: model.train_step((x, y)), autograph=False, jit_compile=True
    )
    program = step.experimental_get_compiler_ir(x, y)(stage="hlo")
    assert " dot(" in program
    assert " sort(" not in program
