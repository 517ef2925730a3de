"""Other steps on lambda, against a derivation in NumPy: several, and one a dimension."""

import keras
import numpy as np
import pytest
from helpers import MODES
from keras import ops

import keras_amp

SIZE, DIMENSIONS, CLASSES = 6, 5, 3
LAM = np.array([0.9, 0.2, 0.55, 0.7, 1.0, 0.4])
PARTNER = np.array([3, 0, 4, 1, 5, 2])
SETTINGS = [
    {"ascent_steps": 3, "step_size": 0.2},
    {"ascent_steps": 2, "step_size": 0.3, "normalize": True},
    {"step_per": "dimension", "step_size": 0.8},
    {"step_per": "dimension", "step_size": 0.3, "normalize": True, "max_gradient": None},
    {"step_per": "dimension", "step_size": 0.3, "normalize": True, "max_gradient": 0.7},
    {"step_per": "dimension", "ascent_steps": 3, "step_size": 0.4, "clip_lam": True},
    {"step_per": "dimension", "step_size": 0.9, "min_op": False, "gradient": "mean"},
    {"step_per": "dimension", "step_size": 0.9, "noise": "independent"},
    {"ascent_steps": 3, "step_size": 0.2, "noise": "independent"},
]


class Drawn(keras_amp.AdversarialMixing):
    """Known coefficients and partners."""

    def draw(self, batch_size, seed_generator):
        return ops.cast(LAM, "float32"), ops.cast(PARTNER, "int32")


def examples(seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(SIZE, DIMENSIONS))
    return x, random.integers(CLASSES, size=SIZE)


def classifier(weights=None):
    model = keras.Sequential(
        [
            keras.Input((DIMENSIONS,), name="x"),
            keras.layers.Activation("linear", name="hidden"),
            keras.layers.Activation("tanh"),
            keras.layers.Dense(CLASSES, use_bias=False, activation="softmax"),
        ]
    )
    if weights is not None:
        model.set_weights([weights])
    return model


def losses_and_gradients(weights, lam):
    """Losses ``(SIZE,)`` and dL/dlambda of every dimension, in float64, for the inputs'
    ``lam`` of the shape of the inputs."""
    x, y = examples()
    mixed = lam * x + (1 - lam) * x[PARTNER]
    hidden = np.tanh(mixed)
    scores = hidden @ weights
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    own, other = np.eye(CLASSES)[y], np.eye(CLASSES)[y[PARTNER]]
    target = LAM[:, None] * own + (1 - LAM[:, None]) * other
    by_mixed = ((np.exp(log_p) - target) @ weights.T) * (1 - hidden**2)
    weight_gradient = hidden[:, :, None] * (np.exp(log_p) - target)[:, None, :]
    return -(target * log_p).sum(1), by_mixed * (x - x[PARTNER]), weight_gradient


def expected(weights, policy):
    """lambda', the losses at lambda and lambda', and the weights' gradient."""
    whole = policy.step_per == "example"
    lam = np.repeat(LAM[:, None], DIMENSIONS, axis=1)
    for _ in range(policy.ascent_steps):
        _, gradient, _ = losses_and_gradients(weights, lam)
        if whole:
            gradient = gradient.sum(axis=1, keepdims=True)
        if policy.gradient == "mean":
            gradient = gradient / SIZE
        if policy.normalize:
            size = np.sqrt((gradient**2).mean(axis=1, keepdims=True))
            gradient = gradient / np.where(size > 0, size, 1)
        if policy.max_gradient is not None:
            gradient = np.clip(gradient, -policy.max_gradient, policy.max_gradient)
        lam = lam + policy.step_size * gradient
        if policy.clip_lam:
            lam = np.clip(lam, 0, 1)
    start = np.repeat(LAM[:, None], DIMENSIONS, axis=1)
    loss, _, at_lam = losses_and_gradients(weights, start)
    adversarial, _, at_moved = losses_and_gradients(weights, lam)
    mask = adversarial > loss if policy.min_op else np.ones(SIZE, bool)
    gradient = np.where(mask[:, None, None], at_moved, at_lam).mean(axis=0)
    return lam, loss, adversarial, mask, gradient


# Every setting eagerly; in a graph, `noise` decides on how gradients are taken.
@pytest.mark.parametrize(
    ("settings", "mode"),
    [
        *((settings, "eager") for settings in SETTINGS),
        *((SETTINGS[-1], mode) for mode in ("graph", "xla")),
        (SETTINGS[5], "graph"),
    ],
    ids=str,
)
def test_a_step_is_the_derived_one(settings, mode):
    weights = np.random.default_rng(1).normal(size=(DIMENSIONS, CLASSES))
    policy = Drawn(**settings)
    model = keras_amp.MixupAMPModel(classifier(weights), "hidden", policy)
    model.monitor()
    model.compile(
        keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy", **MODES[mode]
    )
    logs = model.train_on_batch(*examples(), return_dict=True)
    lam, loss, adversarial, mask, gradient = expected(weights, policy)
    assert np.abs(adversarial - loss).max() > 0.01  # or it would show nothing
    found = {name: float(value) for name, value in logs.items()}
    assert found == {
        "lam": pytest.approx(LAM.mean(), rel=1e-5),
        "lam_delta": pytest.approx(np.abs(lam - LAM[:, None]).mean(), rel=1e-4),
        "mask_rate": pytest.approx(mask.mean()),
        "mixup_loss": pytest.approx(loss.mean(), rel=1e-5),
        "adversarial_loss": pytest.approx(adversarial.mean(), rel=1e-5),
        "loss_gap": pytest.approx((adversarial - loss).mean(), rel=1e-3),
        "loss": pytest.approx(np.where(mask, adversarial, loss).mean(), rel=1e-5),
        "lam_gradient": pytest.approx(found["lam_gradient"]),
    }
    (moved,) = model.classifier.get_weights()
    np.testing.assert_allclose(moved, weights - 0.5 * gradient, rtol=1e-4, atol=1e-6)


def test_a_policy_changed_afterwards_is_an_error_that_says_so():
    # Mixing has moved up behind the linear layer, where there are other dimensions.
    model = keras.Sequential(
        [
            keras.Input((DIMENSIONS,)),
            keras.layers.Activation("tanh", name="hidden"),
            keras.layers.Dense(4, activation="relu"),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    policy = keras_amp.AdversarialMixing()
    mixed = keras_amp.MixupAMPModel(model, "hidden", policy)
    mixed.compile("sgd", "sparse_categorical_crossentropy")
    policy.step_per = "dimension"
    with pytest.raises(ValueError, match="made with a policy of step_per='dimension'"):
        mixed.train_on_batch(*examples())


def test_places_of_different_shapes_are_mixed_at_random():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Embedding(9, 5, name="words"),
            keras.layers.Activation("tanh"),
            keras.layers.GlobalMaxPooling1D(name="sentence"),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    policy = keras_amp.AdversarialMixing(
        step_size=0.2, step_per="dimension", normalize=True, max_gradient=None
    )
    mixed = keras_amp.MixupAMPModel(model, ["words", "sentence"], policy, seed=1)
    mixed.compile("sgd", "sparse_categorical_crossentropy", jit_compile=True)
    x, y = np.random.default_rng(0).integers(9, size=(10, 4)), np.arange(10) % CLASSES
    assert mixed.mixed_behind == [["words"], ["sentence"]]
    for _ in range(12):
        mixed.reset_metrics()
        logs = mixed.train_on_batch(x, y, return_dict=True)
        assert np.isfinite(logs["loss"])
        assert logs["loss_gap"] > 0


def test_words_move_where_they_differ_from_the_partners():
    """The mixed state leaves the line between the two, but not where they agree."""
    layer = keras_amp.MixLayer()
    x = np.array([[[1.0, 2.0], [3.0, 4.0]]], "float32")
    partner = np.array([[[1.0, 0.0], [3.0, 0.0]]], "float32")
    lam = np.array([[[0.1, 0.5], [0.9, 0.25]]], "float32")
    mixed = layer(x, partner=partner, lam=lam)
    np.testing.assert_allclose(mixed, [[[1.0, 1.0], [3.0, 1.0]]], rtol=1e-6)
