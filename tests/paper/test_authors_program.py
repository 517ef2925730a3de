"""The authors' program: whole steps against float64, its window, its loss."""

import json

import keras
import numpy as np
import pytest
from helpers import (
    HALF,
    LAM,
    MODES,
    PERMUTATION,
    TableNoise,
    WithinHalves,
    bag_of_words,
    fitted,
    injected,
    one_step,
    same_start,
)

import keras_amp
from keras_amp.paper import (
    AuthorsProgram,
    DoubleSoftmaxCrossentropy,
    SummedBinaryCrossentropy,
)
from keras_amp.paper.authors_program import gap_moments, gap_weights

RNG = np.random.default_rng(31)
X = RNG.normal(size=(6, 4))
Y = np.array([0, 1, 2, 2, 0, 1])
W, B = RNG.normal(size=(4, 3)) / 2, RNG.normal(size=3) / 2
RATE = 0.2
EAGER = MODES["eager"]
STEPS = 12  # longer than the window, so that its first steps leave it
STEP_SIZE = 2.0  # large enough for the mean's small gradient to be seen


# === One step after the other ===


class NumpyProgram:
    """x -> [mix] -> noise -> softmax(h W + b), the program's step derived by hand."""

    def __init__(self, window, step_size=STEP_SIZE, reweigh=True, reading="published"):
        self.w, self.b = W, B
        self.window, self.step_size, self.reweigh = window, step_size, reweigh
        self.reading = reading
        self.lam = LAM.astype("float64")
        one_hot = np.eye(3)
        self.target = (
            self.lam[:, None] * one_hot[Y]
            + (1 - self.lam[:, None]) * one_hot[Y[PERMUTATION]]
        )
        self.past = []  # of each step its gaps

    def forward(self, lam_x, noise):
        """Each example's loss, with its gradient by the logits, and the inputs."""
        h = noise * (lam_x[:, None] * X + (1 - lam_x[:, None]) * X[PERMUTATION])
        e = np.exp(h @ self.w + self.b)
        p, t = e / e.sum(1, keepdims=True), self.target
        loss = -(t * np.log(p) + (1 - t) * np.log(1 - p)).sum(1)
        dp = (1 - t) / (1 - p) - t / p
        return loss, p * (dp - (dp * p).sum(1, keepdims=True)), h

    def weights(self, gap):
        steps = self.past if self.reading == "earlier" else [*self.past, gap]
        known = np.concatenate([np.zeros(0), *steps[-self.window :]])
        known = known[known > 0]
        ddof = 0 if self.reading == "earlier" else 1
        if not self.reweigh or len(known) < 2 or known.std() == 0:
            return np.ones(6)
        mean, std = known.mean(), known.std(ddof=ddof)
        return np.where(gap > mean, 1 + (gap - mean) / std, 1)

    def step(self, noise, adversarial_noise):
        """Descends; returns the report and the weights of the examples."""
        loss, dz, h = self.forward(self.lam, noise)
        slope = ((dz @ self.w.T) * noise * (X - X[PERMUTATION])).sum(1) / 6  # of the mean
        adversarial_lam = self.lam + self.step_size * slope
        adversarial_loss, adversarial_dz, adversarial_h = self.forward(
            adversarial_lam, adversarial_noise
        )
        gap = adversarial_loss - loss
        mask, weight = gap > 0, self.weights(gap)
        self.past.append(gap)
        dz = weight[:, None] * np.where(mask[:, None], adversarial_dz, dz) / 6
        h = np.where(mask[:, None], adversarial_h, h)
        self.w, self.b = self.w - RATE * h.T @ dz, self.b - RATE * dz.sum(0)
        report = {
            "loss": (weight * np.maximum(loss, adversarial_loss)).mean(),
            "lam_delta": np.abs(self.step_size * slope).mean(),
            "mask_rate": mask.mean(),
            "loss_gap": gap.mean(),
        }
        return report, weight


def program_model(policy, mode):
    inputs = keras.Input((4,), name="x")
    outputs = keras.layers.Dense(3, "softmax")(TableNoise()(inputs))
    network = keras.Model(inputs, outputs)
    network.set_weights([W, B])
    model = keras_amp.MixupAMPModel(network, "x", policy)
    model.compile(keras.optimizers.SGD(RATE), SummedBinaryCrossentropy(), **mode)
    return model


def assert_trains_as_derived(model, derived, steps=STEPS):
    """Returns the derived weights of the examples, ``(steps, 6)``."""
    weights = []
    for step in range(steps):
        model.reset_metrics()
        report = model.train_on_batch(X, Y, return_dict=True)
        noise = TableNoise.TABLE[2 * step : 2 * step + 2]
        expected, weight = derived.step(*noise)
        weights.append(weight)
        for name, value in expected.items():
            np.testing.assert_allclose(report[name], value, rtol=2e-4, atol=1e-6)
        for actual, value in zip(
            model.classifier.get_weights(), (derived.w, derived.b), strict=True
        ):
            np.testing.assert_allclose(actual, value, atol=2e-5)
    return np.array(weights)


# What a mode adds is the same for all windows.
@pytest.mark.parametrize(
    ("window", "mode"), [(5, "eager"), (1, "eager"), (2, "graph"), (2, "xla")]
)
def test_steps_of_the_program(window, mode):
    policy = injected(AuthorsProgram, step_size=STEP_SIZE, window=window)
    model = program_model(policy, MODES[mode])
    weights = assert_trains_as_derived(model, NumpyProgram(window))
    assert (weights > 1.1).any(axis=1).sum() > 4
    assert (weights == 1).any(axis=1).all()
    assert (weights[0] > 1).any()  # the first step is one of the window's


def test_steps_of_the_program_as_it_was_read_before():
    policy = injected(AuthorsProgram, step_size=STEP_SIZE, reading="earlier")
    derived = NumpyProgram(5, reading="earlier")
    model = program_model(policy, MODES["graph"])
    weights = assert_trains_as_derived(model, derived)
    assert (weights[0] == 1).all()  # nothing is known yet
    assert (weights[1:] > 1.1).any(axis=1).sum() > 4


def test_the_derivation_tells_windows_and_readings_apart():
    """Else the tests above would not see a window of the wrong length."""
    weights = []
    for window, reading in ((5, "published"), (4, "published"), (5, "earlier")):
        derived = NumpyProgram(window, reading=reading)
        steps = TableNoise.TABLE[: 2 * STEPS].reshape(STEPS, 2, 6, 4)
        weights.append(np.array([derived.step(*noise)[1] for noise in steps]))
    np.testing.assert_array_equal(weights[0][:4], weights[1][:4])
    assert np.abs(weights[0][4:] - weights[1][4:]).max() > 0.05
    assert np.abs(weights[0] - weights[2]).max() > 0.05


def test_without_reweighing_every_example_weighs_the_same():
    policy = injected(AuthorsProgram, step_size=STEP_SIZE, reweigh=False)
    derived = NumpyProgram(5, reweigh=False)
    model = program_model(policy, EAGER)
    assert (assert_trains_as_derived(model, derived, 3) == 1).all()
    assert len(model.weights) == 2  # and nothing is remembered


def test_the_gradient_of_lambda_is_that_of_the_batch_mean():
    """A sixth of each example's own, in a batch of six."""
    steps = [
        program_model(injected(AuthorsProgram, gradient=gradient), EAGER).train_on_batch(
            X, Y, return_dict=True
        )["lam_delta"]
        for gradient in ("mean", "example")
    ]
    np.testing.assert_allclose(6 * steps[0], steps[1], rtol=1e-3)


def test_the_gradient_of_the_weights_is_clipped_where_the_optimizer_clips():
    model = program_model(injected(AuthorsProgram), EAGER)
    sgd = keras.optimizers.SGD(1.0, global_clipnorm=0.01)
    model.compile(sgd, SummedBinaryCrossentropy(), **EAGER)
    model.train_on_batch(X, Y)
    moved = [a - b for a, b in zip(model.classifier.get_weights(), (W, B), strict=True)]
    norm = np.sqrt(sum((m**2).sum() for m in moved))
    np.testing.assert_allclose(norm, 0.01, rtol=1e-3)


# === Weights ===


def weights_among(gap, *steps, window=5, sample=True):
    """``gap_weights`` among steps with the given gaps."""
    rows = [gap_moments(np.array(s, "float32")).numpy() for s in steps]
    rows = [np.zeros(3)] * (window - len(rows)) + rows
    return gap_weights(np.array(gap, "float32"), np.array(rows), sample).numpy()


def test_weights_by_hand():
    # The positive gaps 1, 3, 5, of two steps: mean 3, squared distances 8 in all.
    for sample, std in ((True, 2.0), (False, np.sqrt(8 / 3))):
        weights = weights_among([-9, 0, 3, 4, 11], [1, -7, 3], [5, 0], sample=sample)
        expected = [1, 1, 1, 1 + 1 / std, 1 + 8 / std]
        np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_the_present_step_is_one_of_the_last_five():
    """Six steps of the policy itself, without a model."""
    policy = AuthorsProgram()
    state, past = policy.create_state(), []
    for step in range(1, 7):
        gap = np.array([-1.0, 0.5 * step, 4.0, step], "float32")
        past.append(gap[gap > 0].astype("float64"))
        known = np.concatenate(past[-5:])
        beyond = (gap - known.mean()) / known.std(ddof=1)
        expected = np.where(gap > known.mean(), 1 + beyond, 1)
        actual = policy.example_weights(np.zeros(4, "float32"), gap, state)
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [[-1.0, 0.0]],  # no positive gap
        [[0.3]],  # no deviation from a single one
        [[0.1] * 1000, [0.1] * 77],  # nor among equal ones, however they are summed
        [[1e-30, 1e-30]],
        [[np.inf, 1.0]],
    ],
)
def test_without_a_deviation_all_weights_are_one(steps):
    np.testing.assert_array_equal(weights_among([-1, 0, 0.2, 5.0], *steps), np.ones(4))


def test_a_loss_that_is_not_finite_is_forgotten_after_the_window():
    steps = [[np.inf], [np.nan], [1.0], [3.0]]
    assert (weights_among([9.0], *steps, window=4) == 1).all()
    weights = weights_among([5.0], *steps[1:], window=3)
    np.testing.assert_allclose(weights, [1 + 3 / np.sqrt(2)], rtol=1e-6)


def test_small_deviations_are_told_from_rounding():
    gaps = 1 + 1e-4 * np.random.default_rng(2).normal(size=200)
    known = gaps.astype("float32").astype("float64")
    expected = 1 + (1.001 - known.mean()) / known.std(ddof=1)
    weight = weights_among([1.001], known)
    np.testing.assert_allclose(weight, expected, rtol=1e-2)


# === What the model remembers ===


def noisy_words():
    words = bag_of_words()
    x = keras.layers.Dropout(0.5, seed=3)(words.get_layer("sentence").output)
    return keras.Model(words.input, keras.layers.Dense(3, "softmax")(x))


def text_model(policy, data, epochs=1):
    """A small classifier with dropout, trained by the policy from the same start."""
    keras.utils.set_random_seed(3)
    return fitted(
        noisy_words(),
        "embedding",
        policy,
        data,
        epochs,
        loss=SummedBinaryCrossentropy(),
    )


def window_of(model):
    (moments,) = (v for v in model.weights if v.name == "gap_moments")
    return moments.numpy()


def test_the_window_holds_the_last_steps(text_batch):
    model, _ = text_model(AuthorsProgram(window=3), text_batch, epochs=1)  # two steps
    counts = window_of(model)[:, 0]
    assert counts[0] == 0
    assert (counts[1:] > 0).all()
    assert (counts[1:] < 10).all()
    first = window_of(model)
    model.fit(*text_batch, batch_size=10, verbose=0)
    np.testing.assert_array_equal(window_of(model)[0], first[2])


@pytest.mark.parametrize("whole", [True, False])
def test_a_loaded_model_goes_on_as_if_never_saved(tmp_path, text_batch, whole):
    model, _ = text_model(AuthorsProgram(), text_batch)
    assert window_of(model)[-2:].all()
    if whole:
        model.save(tmp_path / "model.keras")
        other = keras.models.load_model(tmp_path / "model.keras")
    else:
        model.save_weights(tmp_path / "model.weights.h5")
        # The policy's first model keeps its own window.
        other, _ = text_model(model.policy, text_batch, epochs=2)
        other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(window_of(other), window_of(model))
    histories = [
        m.fit(*text_batch, batch_size=10, epochs=1, shuffle=False, verbose=0).history
        for m in (model, other)
    ]
    assert histories[0] == histories[1]
    np.testing.assert_array_equal(window_of(other), window_of(model))
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_new_model_begins_without_a_past(text_batch):
    """With the same policy, and while the first model trains on."""
    policy = AuthorsProgram()
    first, history = text_model(policy, text_batch)
    before = window_of(first)
    second, again = text_model(policy, text_batch)
    assert again == history
    np.testing.assert_array_equal(window_of(first), before)
    np.testing.assert_array_equal(window_of(second), before)


def test_the_users_classifier_holds_nothing_of_it(tmp_path, text_batch):
    model, _ = text_model(AuthorsProgram(), text_batch)
    model.classifier.save(tmp_path / "classifier.keras")
    classifier = keras.models.load_model(tmp_path / "classifier.keras")
    assert len(classifier.weights) == len(model.weights) - 1


@pytest.mark.parametrize("policy_class", [keras_amp.Mixup, keras_amp.AdversarialMixing])
def test_other_policies_neither_weigh_nor_remember(policy_class, text_batch):
    model, _ = one_step(bag_of_words(), "embedding", policy_class(), text_batch)
    assert len(model.weights) == len(model.classifier.weights)
    state = model.policy.create_state()
    assert model.policy.example_weights(LAM, LAM, state) is None


def test_a_users_policy_may_weigh(text_batch):
    """Weights of 0 leave the classifier as it is; constant ones scale the loss."""

    class Weighing(keras_amp.AdversarialMixing):
        def __init__(self, weight, **settings):
            super().__init__(**settings)
            self.weight = weight

        def example_weights(self, loss, adversarial_loss, state):
            return self.weight * np.ones(10)

    batch = tuple(v[:10] for v in text_batch)
    networks = same_start(bag_of_words, "none", "same", "double", "plain")
    start = networks[0].get_weights()
    losses = [
        one_step(network, "embedding", Weighing(weight), batch)[1]["loss"]
        for network, weight in zip(networks[:3], (0.0, 1.0, 2.0), strict=True)
    ]
    for a, b in zip(networks[0].get_weights(), start, strict=True):
        np.testing.assert_array_equal(a, b)
    assert losses[0] == 0.0
    moved = [networks[i].get_weights()[-1] - start[-1] for i in (1, 2)]
    assert np.linalg.norm(moved[1]) > 1.5 * np.linalg.norm(moved[0])
    _, logs = one_step(networks[3], "embedding", keras_amp.AdversarialMixing(), batch)
    np.testing.assert_allclose(losses[1], logs["loss"], rtol=1e-6)


# === Distributed ===


class InHalves(AuthorsProgram):
    """The same draws whether a batch comes whole or in two halves."""

    draw = WithinHalves.draw


def test_two_replicas_take_the_gradient_of_the_whole_batch(strategy):
    """Without noise and weights the step is that of one replica."""
    data = RNG.normal(size=(4 * HALF, 4)).astype("float32"), np.arange(4 * HALF) % 3

    def trained(weights=None, **mode):
        x = keras.Input((4,))
        h = keras.layers.Dense(5, "tanh", name="hidden")(x)
        network = keras.Model(x, keras.layers.Dense(3, "softmax")(h))
        if weights is not None:
            network.set_weights(weights)
        start = network.get_weights()
        policy = InHalves(step_size=2.0, reweigh=False)
        model = keras_amp.MixupAMPModel(network, "hidden", policy)
        model.compile(keras.optimizers.SGD(0.2), SummedBinaryCrossentropy(), **mode)
        fit = model.fit(*data, batch_size=2 * HALF, shuffle=False, verbose=0)
        return start, network.get_weights(), fit.history

    start, one, expected = trained(**EAGER)
    with strategy.scope():
        _, two, history = trained(start)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)
    for report in ("loss", "lam_delta", "mask_rate", "loss_gap"):
        np.testing.assert_allclose(history[report], expected[report], rtol=1e-4)


def test_replicas_remember_their_own_and_are_saved_together(
    strategy, text_batch, tmp_path
):
    """At several points, of which each is mixed as a single one is."""
    points = ["embedding", "sentence"]
    with strategy.scope():
        network = noisy_words()
        model = keras_amp.MixupAMPModel(network, points, AuthorsProgram(), seed=1)
        model.compile("sgd", SummedBinaryCrossentropy())
    fit = model.fit(*text_batch, batch_size=10, epochs=4, verbose=0)  # eight steps
    assert np.isfinite(list(fit.history.values())).all()
    for weight in network.trainable_weights:
        first, second = strategy.experimental_local_results(weight.value)
        np.testing.assert_array_equal(first, second)
    (moments,) = model._policy_state
    windows = [v.numpy() for v in strategy.experimental_local_results(moments.value)]
    assert (windows[0] != windows[1]).any()
    assert all(window.all(axis=1).sum() >= 3 for window in windows)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(window_of(loaded), np.mean(windows, axis=0), rtol=1e-6)


# === Settings ===


def test_defaults_are_the_programs():
    assert AuthorsProgram().get_config() == {
        "alpha": 1.0,
        "step_size": 0.002,
        "max_gradient": None,
        "min_op": True,
        "noise": "independent",
        "gradient": "mean",
        "lam_per": "example",
        "probability": 1.0,
        "clip_lam": False,
        "ascent_steps": 1,
        "step_per": "example",
        "normalize": False,
        "window": 5,
        "reweigh": True,
        "reading": "published",
    }


def test_every_setting_goes_through_the_config():
    settings = {
        "alpha": 0.3,
        "step_size": 0.1,
        "max_gradient": 2.0,
        "min_op": False,
        "noise": "shared",
        "gradient": "example",
        "lam_per": "batch",
        "probability": 0.5,
        "clip_lam": True,
        "ascent_steps": 2,
        "step_per": "dimension",
        "normalize": True,
        "window": 3,
        "reweigh": False,
        "reading": "earlier",
        "probability_per": "example",
        "partners": "near",
        "bandwidth": 0.5,
    }
    policy = AuthorsProgram(**settings)
    assert policy.get_config() == settings
    stored = json.loads(json.dumps(keras.saving.serialize_keras_object(policy)))
    again = keras.saving.deserialize_keras_object(stored)
    assert type(again) is AuthorsProgram
    assert again.get_config() == settings
    assert repr(again) == repr(policy)


@pytest.mark.parametrize(
    ("name", "value"),
    [("window", v) for v in (0, -1, 2.5, None, True)]
    + [("reweigh", v) for v in (None, 1, "no")]
    + [("reading", v) for v in (None, True, "former")],
)
def test_a_bad_setting_is_an_error_that_names_it(name, value):
    with pytest.raises(ValueError, match=f"Expected `{name}` to be.*Received: {name}="):
        AuthorsProgram(**{name: value})


# === The losses ===

P = np.array([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2], [0.05, 0.05, 0.9], [0.3, 0.3, 0.4]])
LABELS = np.array([1, 2, 2, 0])


def binary(target, p):
    return -(target * np.log(p) + (1 - target) * np.log(1 - p)).sum(-1)


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32"])
def test_the_loss_is_the_sum_over_classes(shape, dtype):
    loss = SummedBinaryCrossentropy(reduction=None)
    actual = loss(LABELS.reshape(shape).astype(dtype), P)
    np.testing.assert_allclose(actual, binary(np.eye(3)[LABELS], P), rtol=1e-5)


def test_interpolated_losses_are_the_loss_of_the_mixed_label():
    """Linear in the label, as mixup's two losses are against one mixed target."""
    loss = SummedBinaryCrossentropy(reduction=None, dtype="float64")
    lam, other = np.array([0.3, 1.0, 0.0, 0.55]), LABELS[[3, 2, 0, 1]]
    mixed = lam[:, None] * np.eye(3)[LABELS] + (1 - lam[:, None]) * np.eye(3)[other]
    interpolated = lam * loss(LABELS, P) + (1 - lam) * loss(other, P)
    np.testing.assert_allclose(interpolated, binary(mixed, P), rtol=1e-12)


@pytest.mark.parametrize(
    "reduction", ["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none"]
)
@pytest.mark.parametrize("weighted", [True, False])
def test_reductions_are_those_of_keras(reduction, weighted):
    weight = np.array([0.5, 2.0, 0.0, 1.0]) if weighted else None
    # The mean over three classes, times three.
    expected = 3 * keras.losses.BinaryCrossentropy(reduction=reduction)(
        np.eye(3)[LABELS], P, weight
    )
    actual = SummedBinaryCrossentropy(reduction=reduction)(LABELS, P, weight)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_certain_predictions_have_a_finite_loss():
    loss = SummedBinaryCrossentropy(reduction=None)
    right, wrong = loss(np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]])).numpy()
    np.testing.assert_allclose(right, 0, atol=1e-6)
    np.testing.assert_allclose(wrong, -2 * np.log(1e-7), rtol=0.01)


def test_labels_of_several_positions():
    p = np.stack([P, P[::-1]])
    labels = np.stack([LABELS, LABELS])
    actual = SummedBinaryCrossentropy(reduction=None)(labels, p)
    np.testing.assert_allclose(actual, binary(np.eye(3)[labels], p), rtol=1e-5)


@pytest.mark.parametrize("label", [-1, 3, 0.5])
def test_a_label_that_is_no_class_makes_the_loss_nan(label):
    loss = SummedBinaryCrossentropy(reduction=None)(np.array([label, 1]), P[:2]).numpy()
    assert np.isnan(loss[0])
    assert np.isfinite(loss[1])


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        (np.eye(3)[LABELS], P, r"class indices.*Received: labels of shape \(4, 3\)"),
        (LABELS, P[:, :1], r"two classes. Received: predictions of shape \(4, 1\)"),
    ],
)
def test_what_does_not_fit_is_an_error(y, p, message):
    with pytest.raises(ValueError, match=message):
        SummedBinaryCrossentropy()(y, p)


def test_keras_serialises_the_loss():
    loss = SummedBinaryCrossentropy(reduction="sum", name="mine")
    again = keras.losses.deserialize(json.loads(json.dumps(keras.losses.serialize(loss))))
    assert type(again) is SummedBinaryCrossentropy
    assert again.get_config() == loss.get_config()
    assert (again.reduction, again.name) == ("sum", "mine")


def test_the_loss_trains_a_classifier_without_mixing(mode, text_batch):
    network, (x, y) = bag_of_words(), text_batch
    network.compile(keras.optimizers.SGD(0.2), SummedBinaryCrossentropy(), **mode)
    expected, losses = [], []
    for _ in range(2):
        expected.append(binary(np.eye(3)[y], network(x).numpy()).mean())
        network.reset_metrics()
        losses.append(network.train_on_batch(x, y))
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert losses[1] < losses[0]


def test_the_loss_evaluates_a_classifier(text_batch):
    network, (x, y) = bag_of_words(), text_batch
    network.compile("sgd", SummedBinaryCrossentropy(), metrics=["accuracy"], **EAGER)
    expected = binary(np.eye(3)[y], network(x).numpy()).mean()
    np.testing.assert_allclose(network.evaluate(x, y, verbose=0)[0], expected, rtol=1e-5)


def twice(p, labels):
    """The cross-entropy of a softmax of probabilities, in float64."""
    e = np.exp(p)
    return -np.log(e / e.sum(-1, keepdims=True))[np.arange(len(labels)), labels]


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
@pytest.mark.parametrize("reduction", [None, "sum_over_batch_size", "sum"])
def test_the_softmax_is_applied_twice(shape, reduction):
    loss = DoubleSoftmaxCrossentropy(reduction=reduction)(LABELS.reshape(shape), P)
    # Keras' own takes probabilities that come from no layer for logits.
    keras_loss = keras.losses.SparseCategoricalCrossentropy(True, reduction=reduction)
    np.testing.assert_allclose(loss, keras_loss(LABELS, P), rtol=1e-6)
    if reduction is None:
        np.testing.assert_allclose(loss, twice(P, LABELS), rtol=1e-6)


def test_behind_a_softmax_layer_it_is_applied_twice_too(mode):
    """Where Keras' own loss takes the layer's logits; values and gradients by hand."""
    inputs = keras.Input((4,))
    network = keras.Model(inputs, keras.layers.Dense(3, "softmax")(inputs))
    network.set_weights([W, B])
    network.compile(keras.optimizers.SGD(1.0), DoubleSoftmaxCrossentropy(), **mode)
    e = np.exp(X @ W + B)
    p = e / e.sum(1, keepdims=True)
    q = np.exp(p) / np.exp(p).sum(1, keepdims=True)
    dp = (q - np.eye(3)[Y]) / 6
    dz = p * (dp - (dp * p).sum(1, keepdims=True))
    np.testing.assert_allclose(
        network.train_on_batch(X, Y), twice(p, Y).mean(), rtol=1e-5
    )
    kernel, bias = network.get_weights()
    np.testing.assert_allclose(kernel, W - X.T @ dz, atol=1e-6)
    np.testing.assert_allclose(bias, B - dz.sum(0), atol=1e-6)


@pytest.mark.parametrize("label", [-1, 3, 0.5])
def test_a_label_that_is_no_class_makes_the_second_softmax_nan(label):
    loss = DoubleSoftmaxCrossentropy(reduction=None)(np.array([label, 1]), P[:2]).numpy()
    np.testing.assert_array_equal(np.isnan(loss), [True, False])


def test_keras_serialises_the_double_softmax():
    loss = DoubleSoftmaxCrossentropy(reduction="sum", name="mine")
    again = keras.losses.deserialize(json.loads(json.dumps(keras.losses.serialize(loss))))
    assert type(again) is DoubleSoftmaxCrossentropy
    assert again.get_config() == loss.get_config()


def test_mixing_on_the_double_softmax_trains(text_batch):
    """The mixture of two labels' losses, never mixed, is the classifier's own loss."""
    plain, network = same_start(bag_of_words, "plain", "mixed")
    never = keras_amp.Mixup(probability=0.0)
    mixed = keras_amp.MixupAMPModel(network, "embedding", never)
    losses = []
    for model in (plain, mixed):
        model.compile("adam", DoubleSoftmaxCrossentropy(), **EAGER)
        logs = [model.train_on_batch(*text_batch, return_dict=True) for _ in range(3)]
        losses.append([log["loss"] for log in logs])
    np.testing.assert_allclose(*losses, rtol=1e-5)
