"""Every kind of target with the paper's relatives: Keras' own values, and float64 NumPy.

Never mixed, or with a radius or weight of 0, a step is that of a plain Keras model. Mixed
is the input of a linear layer, so that what a step minimises is a few lines of NumPy; the
gradient of that is taken by central differences.
"""

import functools

import keras
import numpy as np
import pytest
from helpers import LAM, PERMUTATION, injected
from keras import layers, ops

import keras_amp
from keras_amp.graph import keras_compat

RNG = np.random.default_rng(31)
RATE, IGNORED, RADIUS, WEIGHT = 0.1, -100, 0.4, 0.7
PLACES = {"examples": (), "words": (5,), "pixels": (3, 2)}
X = {k: RNG.normal(size=(6, *shape, 4)) for k, shape in PLACES.items()}
LAM64 = LAM.astype("float64")
NEAR = np.array([1, 0, 3, 2, 5, 4], "int32")
training = keras_amp.AdversarialTraining


def log_softmax(z):
    z = z - z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def log_sigmoid(z):
    return -np.logaddexp(0, -z)


class Classes:
    """Softmax; labels are indices, of which some may be ignored."""

    def loss(self, z, y):
        at = np.maximum(y, 0)[..., None]
        return -np.take_along_axis(log_softmax(z), at, -1)[..., 0]

    def apart(self, z, other):
        p, q = log_softmax(z), log_softmax(other)
        return (np.exp(p) * (p - q)).sum(-1)


class Labels:
    """Sigmoid; each of several labels is there or not."""

    def loss(self, z, y):
        return -(y * log_sigmoid(z) + (1 - y) * log_sigmoid(-z)).mean(-1)

    def apart(self, z, other):
        both = [(log_sigmoid(s * z), log_sigmoid(s * other)) for s in (1, -1)]
        return sum(np.exp(p) * (p - q) for p, q in both).mean(-1)


class Numbers:
    """Squares or, as Huber has it, absolute differences beyond a distance."""

    def __init__(self, beyond=None):
        self.beyond = beyond

    def loss(self, z, y):
        far, d = np.abs(z - y), self.beyond
        if d is None:
            return (far**2).mean(-1)
        return np.where(far <= d, far**2 / 2, d * far - d**2 / 2).mean(-1)

    def apart(self, z, other):
        return ((z - other) ** 2).mean(-1)


class Padded(layers.Layer):
    """Puts a mask on its input, each example its own."""

    def compute_mask(self, inputs, mask=None):
        return inputs[..., 0] > -0.5

    def call(self, inputs):
        return inputs


class Plain(keras.Model):
    """Keras' own, with the mask for its metrics, which Keras loses on JAX."""

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        keras_compat.put_mask(y_pred, Padded().compute_mask(x))
        return super().compute_metrics(x, y, y_pred, sample_weight)


class Noise(layers.Layer):
    """Multiplies by the next of its tables, if it has been given any."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking, self.tables = True, []

    def call(self, inputs):
        return inputs * self.tables.pop(0) if self.tables else inputs


class Target:
    """A kind of target, and a model that is trained on it by one policy after another.

    Args:
        kind: What the predictions are.
        place: A key of PLACES: where the labels stand.
        activation: Of the last layer.
        loss: The compiled loss.
        y: Labels.
        weight: Shape of the sample weights behind the batch; None for no weights.
        padded: Whether Keras' mask lies on the predictions.
        metric: A compiled metric.
        outputs: How many numbers are predicted at each.
    """

    def __init__(
        self, kind, place, activation, loss, y, weight, padded, metric, outputs=3
    ):
        self.kind, self.place, self.activation = kind, place, activation
        self.x, self.y, self.loss, self.metric = X[place], y, loss, metric
        self.padded, self.rank = padded, len(PLACES[place])
        self.counts = np.ones(self.x.shape[:-1], "bool")
        if padded:
            self.counts = self.x[..., 0] > -0.5
        self.weight = None if weight is None else RNG.uniform(0.2, 3.0, (6, *weight))
        if weight is not None:
            self.weight[2] = 0.0
        self.kernel = RNG.normal(size=(4, outputs)).astype("float32")

    @functools.cached_property
    def network(self):
        x = h = keras.Input((*PLACES[self.place], 4))
        if self.padded:
            h = Padded()(x)
        h = Noise(name="noise")(layers.Activation("linear", name="place")(h))
        top = layers.Dense(self.kernel.shape[1], self.activation, use_bias=False)
        return keras.Model(x, top(h))

    @functools.cached_property
    def plain(self):
        kind = Plain if self.padded else keras.Model
        return self._compiled(kind(self.network.input, self.network.output))

    @functools.cached_property
    def model(self):
        policy = training(against="predictions")  # it reports all that the others do
        return self._compiled(keras_amp.MixupAMPModel(self.network, "place", policy))

    def _compiled(self, model):
        kind = "metrics" if self.weight is None else "weighted_metrics"
        metrics = {kind: [self.metric]}
        model.compile(keras.optimizers.SGD(RATE), self.loss, run_eagerly=True, **metrics)
        return model

    def trained(self, model, rate=RATE):
        """The kernel after a step, and what it reports."""
        self.network.layers[-1].set_weights([self.kernel])
        model.optimizer.learning_rate = rate
        model.reset_metrics()
        logs = model.train_on_batch(
            self.x, self.y, sample_weight=self.weight, return_dict=True
        )
        return self.network.layers[-1].get_weights()[0], logs

    def trained_by(self, policy, rate=RATE, noise=()):
        self.model.policy = policy
        self.network.get_layer("noise").tables = list(noise)
        return self.trained(self.model, rate)


def indices(place, ignored):
    y = RNG.integers(0, 3, (6, *PLACES[place]))
    if ignored:
        y[RNG.random(y.shape) < 0.3] = y[1] = IGNORED
    return y


def sparse(place, activation, weight, padded=False, ignored=False):
    loss = keras.losses.SparseCategoricalCrossentropy(
        activation is None, ignore_class=IGNORED if ignored else None
    )
    y, metric = indices(place, ignored), "sparse_categorical_accuracy"
    return Target(Classes(), place, activation, loss, y, weight, padded, metric)


def binary(place, activation, weight, padded=False):
    loss = keras.losses.BinaryCrossentropy(activation is None)
    y = RNG.integers(0, 2, (6, *PLACES[place], 3))
    return Target(Labels(), place, activation, loss, y, weight, padded, "binary_accuracy")


def numbers(loss, kind, y, weight, place="examples", padded=False, outputs=1):
    return Target(kind, place, None, loss, y, weight, padded, "mae", outputs)


MSE, PER_POSITION = keras.losses.MeanSquaredError(), RNG.normal(size=(6, 5, 1))
TARGETS = {
    "a number": numbers(MSE, Numbers(), RNG.normal(size=6), (1,)),
    "numbers": numbers(
        keras.losses.Huber(0.8), Numbers(0.8), RNG.normal(size=(6, 3)), (), outputs=3
    ),
    "ordinal": numbers(MSE, Numbers(), RNG.integers(0, 5, 6), None),
    "a number of each word": numbers(
        MSE, Numbers(), PER_POSITION, (5,), "words", padded=True
    ),
    "classes": sparse("examples", "softmax", ()),
    "classes, logits": sparse("examples", None, None),
    "labels": binary("examples", "sigmoid", ()),
    "labels, logits": binary("examples", None, (1,)),
    "labels of words": binary("words", "sigmoid", (1,), padded=True),
    "tags": sparse("words", "softmax", (5,), padded=True, ignored=True),
    "tags, logits": sparse("words", None, (5, 1), ignored=True),
    "pixels": sparse("pixels", None, (3, 2), padded=True),
    "pixels, ignored": sparse("pixels", "softmax", None, padded=True, ignored=True),
}


# === Limits ===

NEVER = {"probability": 0.0}
LIMITS = {  # a policy, and how often the loss counts
    "against labels": (training(0.0, mixup=keras_amp.Mixup(**NEVER)), 2),
    "against predictions": (training(0.0, against="predictions"), 1),
    "in a random direction": (training(0.0, direction="random"), 2),
    "regmixup": (keras_amp.RegMixup(**NEVER), 2),
    "rdrop": (keras_amp.RDrop(2.0), 1),
    "cutmix": (keras_amp.CutMix(probability_per="example", **NEVER), 1),
    "near": (keras_amp.Mixup(partners="near", bandwidth=0.3, **NEVER), 1),
}


@pytest.mark.parametrize("name", TARGETS)
def test_limits_are_plain_keras(name):
    """Each target with three of the policies, each policy with five targets and more."""
    target, first = TARGETS[name], 3 * list(TARGETS).index(name)
    expected, report = target.trained(target.plain)
    assert np.abs(expected - target.kernel).max() > 1e-3
    for limit in (list(LIMITS)[(first + i) % len(LIMITS)] for i in range(3)):
        policy, times = LIMITS[limit]
        actual, logs = target.trained_by(policy, RATE / times)
        np.testing.assert_allclose(actual, expected, atol=1e-6, err_msg=limit)
        assert {"loss", *report} <= set(logs)
        for key, value in report.items():
            value = times * value if key == "loss" else value
            np.testing.assert_allclose(logs[key], value, 2e-6, 1e-7, err_msg=limit)


# === What a step minimises ===


class Step:
    """The losses of a target's examples in float64, by the logits."""

    def __init__(self, target):
        self.target, self.x = target, target.x
        self.kernel = target.kernel.astype("float64")
        weight = np.ones(6) if target.weight is None else target.weight
        self.weight = self.wide(weight)[..., 0] if target.rank else weight.reshape(6)
        y = target.y
        self.y = y if isinstance(target.kind, Classes) else self.wide(y)

    def wide(self, values):
        """Values, with as many axes as the logits have."""
        missing = 2 + self.target.rank - values.ndim
        return values.reshape(*values.shape, *[1] * missing)

    def counts(self, lam=None, partner=PERMUTATION):
        """Which positions count, of the examples or of mixtures."""
        counts = self.target.counts
        if lam is not None:
            lam = self.wide(lam)[..., 0]
            counts = (lam > 0) & counts | (lam < 1) & counts[partner]
        return counts.astype("float64")

    def loss(self, z, lam=None, partner=PERMUTATION, counts=None):
        """Each example's loss; of mixtures between their two labels."""
        counts = self.counts(lam, partner) if counts is None else counts
        lam = np.ones(6) if lam is None else lam
        total, count = 0.0, 0.0
        for share, order in ((lam, np.arange(6)), (1 - lam, partner)):
            y = self.y[order]
            counted = counts * self.wide(share)[..., 0]
            if isinstance(self.target.kind, Classes):
                counted = counted * (y != IGNORED)
            total += counted * self.weight[order] * self.target.kind.loss(z, y)
            count += counted
        return mean(total, count)

    def apart(self, z, other, lam=None):
        counts = self.counts(lam)
        return mean(counts * self.target.kind.apart(z, other), counts)

    def up(self, value, g, lam=None):
        """A step up the gradient of each example's value, as function of its logits."""
        gradient = np.zeros_like(g)
        for i in np.ndindex(g.shape[1:]):
            e = np.zeros_like(g)
            e[(slice(None), *i)] = 1e-5
            both = [value((g + s * e) @ self.kernel) for s in (1, -1)]
            gradient[(slice(None), *i)] = (both[0] - both[1]) / 2e-5
        return RADIUS * unit(gradient * self.counts(lam)[..., None])

    def descended(self, objective):
        """The kernel after a step, and the objective's mean."""
        gradient = np.zeros_like(self.kernel)
        for i in np.ndindex(self.kernel.shape):
            e = np.zeros_like(self.kernel)
            e[i] = 1e-5
            both = [objective(self.kernel + s * e).mean() for s in (1, -1)]
            gradient[i] = (both[0] - both[1]) / 2e-5
        return self.kernel - RATE * gradient, objective(self.kernel).mean()


def mean(values, counts):
    """Each example's mean over what counts, so that the batch's mean is Keras'."""
    values, counts = (v.reshape(6, -1).mean(1) for v in (values, counts))
    return values / counts.mean()


def unit(g):
    size = np.sqrt((g**2).reshape(6, -1).sum(1)).reshape(6, *[1] * (g.ndim - 1))
    return g / np.where(size > 1e-9, size, np.inf)


def mixed(x, partner=PERMUTATION):
    lam = LAM64.reshape(6, *[1] * (x.ndim - 1))
    return lam * x + (1 - lam) * x[partner]


class FixedNoise(keras_amp.AdversarialTraining):
    """Begins in a direction that is known."""

    def search(self, passes, start):
        direction = np.random.default_rng(2).normal(size=passes.zeros(start).shape)
        passes.noise = lambda at: passes._counted(at, direction.astype("float32"))
        return super().search(passes, start)


class Near(type(injected(keras_amp.Mixup))):
    """Partners that are known."""

    def draw_partners(self, *args):
        return ops.convert_to_tensor(NEAR)


def against_labels(step):
    lam, g = LAM64, mixed(step.x)
    delta = step.up(lambda z: step.loss(z, lam), g, lam)
    policy = training(RADIUS, weight=WEIGHT, mixup=injected(keras_amp.Mixup))
    return (
        policy,
        lambda k: step.loss(g @ k, lam) + WEIGHT * step.loss((g + delta) @ k, lam),
    )


def against_predictions(step, lam=None):
    g = step.x if lam is None else mixed(step.x)
    noise = np.random.default_rng(2).normal(size=g.shape) * step.counts(lam)[..., None]
    p = g @ step.kernel
    delta = step.up(lambda z: step.apart(p, z, lam), g + 0.1 * unit(noise), lam)
    mixup = None if lam is None else injected(keras_amp.Mixup)
    policy = FixedNoise(RADIUS, against="predictions", weight=WEIGHT, mixup=mixup)
    return (
        policy,
        lambda k: step.loss(g @ k, lam) + WEIGHT * step.apart(p, (g + delta) @ k, lam),
    )


def regmixup(step):
    policy, g = injected(keras_amp.RegMixup, weight=WEIGHT), mixed(step.x)
    return policy, lambda k: step.loss(step.x @ k) + WEIGHT * step.loss(g @ k, LAM64)


def near(step):
    g = mixed(step.x, NEAR)
    return Near(partners="near"), lambda k: step.loss(g @ k, LAM64, NEAR)


def rdrop(step):
    one, other = (step.x * noise for noise in noise_of(step))

    def objective(k):
        p, q = one @ k, other @ k
        apart = (step.apart(p, q) + step.apart(q, p)) / 2
        return (step.loss(p) + step.loss(q)) / 2 + WEIGHT * apart

    return keras_amp.RDrop(WEIGHT), objective


def noise_of(step):
    return np.random.default_rng(3).uniform(0.5, 1.5, (2, *step.x.shape))


class KnownBox(type(injected(keras_amp.CutMix))):
    """Its box is no box: whatever positions."""

    def box(self, lam, shape, seed=None):
        stays = np.random.default_rng(4).random(
            shape[:2] if len(shape) < 3 else shape[:-1]
        )
        stays = (stays < 0.6).reshape(*stays.shape, *[1] * (len(shape) - stays.ndim))
        return ops.convert_to_tensor(stays, "float32")


def cutmix(step):
    """Each position has the mask of its example; lambda is the share of what counts."""
    stays = np.array(KnownBox().box(None, step.x.shape)) == 1
    g = np.where(stays, step.x, step.x[PERMUTATION])
    if step.target.rank:
        stays = stays[..., 0]
        counts = step.target.counts
    else:
        counts = np.ones((6, 4), "bool")
    partner = counts[PERMUTATION]
    kept, came = (v.reshape(6, -1).sum(1) for v in (counts & stays, partner & ~stays))
    lam = np.where(came, kept / np.maximum(kept + came, 1), 1.0)
    mask = np.where(stays, counts, partner) if step.target.rank else np.ones(6)
    return KnownBox(), lambda k: step.loss(g @ k, lam, counts=mask.astype("float64"))


OTHERS = [against_labels, against_predictions, regmixup, cutmix, near]


@pytest.mark.parametrize("name", TARGETS)
def test_a_step_is_that_of_numpy(name):
    """Each target with the divergences, and with one of the other policies."""
    step, other = Step(TARGETS[name]), list(TARGETS).index(name) % len(OTHERS)
    cases = {
        "against predictions, mixed": lambda step: against_predictions(step, LAM64),
        "rdrop": rdrop,
        "other": OTHERS[other],
    }
    for case, make in cases.items():
        policy, objective = make(step)
        noise = noise_of(step).astype("float32") if case == "rdrop" else ()
        actual, logs = TARGETS[name].trained_by(policy, noise=noise)
        expected, loss = step.descended(objective)
        np.testing.assert_allclose(actual, expected, atol=1e-5, err_msg=case)
        np.testing.assert_allclose(logs["loss"], loss, rtol=1e-5, err_msg=case)
