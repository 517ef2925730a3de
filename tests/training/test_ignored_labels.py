"""Labels that a loss leaves out of its mean: Keras' own values, and float64 NumPy.

The tasks: classes of examples, tags of words, classes of pixels. Mixed are the logits, so
that a whole step, search included, is a few lines of NumPy.
"""

import keras
import numpy as np
import pytest
from helpers import LAM, MODES, PERMUTATION, injected
from keras import layers, ops

import keras_amp
from keras_amp.graph import keras_compat
from keras_amp.training.losses import ExampleLoss

IGNORED = -100
RNG = np.random.default_rng(29)
POSITIONS = {"classes": (), "tags": (5,), "pixels": (3, 2)}
X = {k: RNG.normal(size=(12, *shape, 4)) for k, shape in POSITIONS.items()}
Y, WEIGHT = {}, {}
for task, shape in POSITIONS.items():
    Y[task] = RNG.integers(0, 3, (12, *shape))
    Y[task][RNG.random((12, *shape)) < 0.4] = IGNORED
    Y[task][[1, 8]] = IGNORED  # whole examples
    WEIGHT[task] = RNG.uniform(0.2, 3.0, (12, *shape))
REDUCTIONS = ["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none"]
STEP = {"step_size": 0.2}


def own_mask(y, p):
    """A user's loss that leaves labels out by itself, as a function."""
    counts = ops.not_equal(y, IGNORED)
    loss = ops.sparse_categorical_crossentropy(ops.where(counts, y, 0), p)
    keras_compat.put_mask(loss, counts)
    return loss


class OwnMask(keras.losses.Loss):
    """The same as a class."""

    def call(self, y_true, y_pred):
        return own_mask(y_true, y_pred)


def ignoring(reduction="sum_over_batch_size"):
    return keras.losses.SparseCategoricalCrossentropy(
        ignore_class=IGNORED, reduction=reduction
    )


def words(x):
    """A mask that each example has of its own, by its first feature."""
    return x[..., 0] > -0.5


class Padded(layers.Layer):
    """Puts `words` on its input as Keras' mask."""

    def compute_mask(self, inputs, mask=None):
        return words(inputs)

    def call(self, inputs):
        return inputs


class Plain(keras.Model):
    """Keras' own, with the mask for its metrics, which Keras loses on JAX."""

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        keras_compat.put_mask(y_pred, words(x))
        return super().compute_metrics(x, y, y_pred, sample_weight)


def network(task, padded=False, kind=keras.Model):
    x = keras.Input((*POSITIONS[task], 4))
    h = Padded()(x) if padded else x
    h = layers.Dense(3, name="logits")(h)
    return kind(x, layers.Activation("softmax", name="softmax")(h))


def trained(model, task, loss, weight=None, rate=0.5, **compile_args):
    """What two steps report, each of one half."""
    compile_args.setdefault("weighted_metrics", ["accuracy"])
    model.compile(keras.optimizers.SGD(rate), loss, **compile_args)
    logs = [
        model.train_on_batch(
            X[task][half],
            Y[task][half],
            sample_weight=None if weight is None else weight[half],
            return_dict=True,
        )
        for half in (slice(6), slice(6, 12))
    ]
    return {name: [log[name] for log in logs] for name in logs[0]}


# === Never mixed ===


def assert_never_mixed_is_keras(task, loss, weight=None, padded=False, **compile_args):
    ours = network(task, padded)
    plain = network(task, padded, Plain if padded else keras.Model)
    plain.set_weights(start := ours.get_weights())
    never = keras_amp.Mixup(probability=0.0)
    model = keras_amp.MixupAMPModel(ours, "logits", never)
    actual = trained(model, task, loss, weight, **compile_args)
    expected = trained(plain, task, loss, weight, **compile_args)
    assert np.abs(plain.get_weights()[0] - start[0]).max() > 1e-3
    for a, b in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    for name, values in expected.items():
        np.testing.assert_allclose(actual[name], values, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("task", "reduction"),
    [*(("tags", reduction) for reduction in REDUCTIONS), ("classes", REDUCTIONS[0]),
     ("classes", "mean_with_sample_weight"), ("pixels", "mean")],
)  # fmt: skip
def test_never_mixed_is_keras(task, reduction):
    rate = 0.5 if "mean" in reduction or "batch" in reduction else 0.02
    weight = None if reduction == "mean" else WEIGHT[task]
    assert_never_mixed_is_keras(
        task, ignoring(reduction), weight, rate=rate, run_eagerly=True
    )


def test_losses_without_a_reduction_train_as_their_sum():
    """As in Keras; on JAX Keras trains on reduced ones only."""
    found, never = [], keras_amp.Mixup(probability=0.0)
    for reduction in ("none", "sum"):
        keras.utils.set_random_seed(1)
        model = keras_amp.MixupAMPModel(network("tags"), "logits", never)
        logs = trained(
            model, "tags", ignoring(reduction), WEIGHT["tags"], 0.02, run_eagerly=True
        )
        found.append((logs["loss"], *model.get_weights()))
    (each, *weights), (total, *expected) = found
    np.testing.assert_allclose(each, np.divide(total, Y["tags"][:6].size), rtol=1e-5)
    for a, b in zip(weights, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


LOSSES = {
    "function": own_mask,
    "class": OwnMask(),
    "weighted": OwnMask(reduction="mean_with_sample_weight"),
}


@pytest.mark.parametrize("name", list(LOSSES))
@pytest.mark.parametrize("padded", [False, True])
def test_a_mask_of_any_loss_meets_that_of_the_predictions(name, padded):
    weight = WEIGHT["tags"][:, :1] if name == "weighted" else None
    assert_never_mixed_is_keras(
        "tags", LOSSES[name], weight, padded, run_eagerly=True, loss_weights=0.7
    )


def test_never_mixed_is_keras_in_a_graph():
    assert_never_mixed_is_keras(
        "tags", ignoring(), WEIGHT["tags"], True, jit_compile=False
    )


def test_weights_of_examples_count_once_in_their_mean():
    """Keras divides by the sum of the weights as they are given, one per example."""
    loss = keras.losses.CategoricalCrossentropy(reduction="mean_with_sample_weight")
    y = np.eye(3)[np.maximum(Y["tags"], 0)]
    history = []
    for wrap in (lambda model: model, never_mixed):
        keras.utils.set_random_seed(3)
        model = wrap(network("tags"))
        model.compile("sgd", loss, run_eagerly=True)
        weight = WEIGHT["tags"][:, :1]
        logs = model.train_on_batch(X["tags"], y, sample_weight=weight, return_dict=True)
        history.append(logs["loss"])
    np.testing.assert_allclose(history[0], history[1], rtol=1e-6)


def never_mixed(model):
    return keras_amp.MixupAMPModel(model, "logits", keras_amp.Mixup(probability=0.0))


def test_two_replicas(strategy):
    histories, weights = [], []
    for wrap in (lambda model: model, never_mixed):
        with strategy.scope():
            keras.utils.set_random_seed(3)
            model = network("tags")
            wrapped = wrap(model)
            how = {"weighted_metrics": None, "jit_compile": False}
            histories.append(trained(wrapped, "tags", ignoring(), **how))
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], rtol=1e-5)


# === Mixed: the rule, in NumPy ===


class NumpyStep:
    """A step of six examples on mixed logits, each label with its own mask."""

    def __init__(self, task, kernel, weight=None, padded=False, reduction="mean"):
        self.x, self.kernel = X[task][:6], kernel.astype("float64")
        self.rank = len(POSITIONS[task])
        self.reduction = reduction
        self.weight = np.ones(self.x.shape[:-1]) if weight is None else weight[:6]
        self.y, self.lam = Y[task][:6], LAM.astype("float64")
        self.counts = (self.y != IGNORED).astype("float64")
        self.unite = np.ones_like(self.weight)
        if padded:
            self.unite = words(self.x) | words(self.x)[PERMUTATION]
        # For both labels: what counts, with weights, by its share of the mixture.
        self.shares = self._both(self._of_shares(self.counts * self.weight))
        divisor = self.shares
        if self.reduction == "mean":
            divisor = self._both(self._of_shares(self.counts))
        self.divisor = 1.0 if reduction == "sum" else sum(d.sum() for d in divisor) / 6

    def _of_shares(self, values):
        lam = self._column(self.lam)
        return lam * values, (1 - lam) * values[PERMUTATION]

    def _both(self, values):
        return [self.unite * v for v in values]

    def _column(self, lam):
        return lam.reshape(-1, *[1] * self.rank)

    def losses(self, lam):
        """Return each example's sum of losses, divided by the batch's mean count."""
        lam = self._column(lam)[..., None]
        self.mixed = lam * self.x + (1 - lam) * self.x[PERMUTATION]
        z = self.mixed @ self.kernel
        e = np.exp(z - z.max(-1, keepdims=True))
        self.p = e / e.sum(-1, keepdims=True)
        one_hot = np.eye(3)[np.maximum(self.y, 0)]
        both = (one_hot, one_hot[PERMUTATION])
        self.target = sum(
            s[..., None] * t for s, t in zip(self.shares, both, strict=True)
        )
        loss = -(self.target * np.log(self.p)).sum(-1)
        return loss.reshape(6, -1).sum(1) / self.divisor

    def logits_gradient(self):
        total = self.target.sum(-1, keepdims=True)
        return (total * self.p - self.target) / self.divisor

    def lam_gradient(self):
        z = self.x @ self.kernel
        gradient = self.logits_gradient() * (z - z[PERMUTATION])
        return gradient.reshape(6, -1).sum(1)

    def kernel_gradient(self, weigh=1.0):
        over = 1.0 if self.reduction == "sum" else 6.0
        weigh = self._column(np.broadcast_to(weigh, 6))[..., None]
        return np.einsum(
            "nd,nc->dc",
            self.mixed.reshape(-1, 4),
            (weigh * self.logits_gradient()).reshape(-1, 3) / over,
        )


POLICIES = {
    "mixup": (keras_amp.Mixup, {}),
    "shared noise": (keras_amp.AdversarialMixing, STEP),
    "independent noise": (keras_amp.AdversarialMixing, {**STEP, "noise": "independent"}),
    "no choice": (keras_amp.AdversarialMixing, {**STEP, "min_op": False}),
}
FACTORS = np.array([1.0, 0.5, 2.0, 0.0, 3.0, 1.5])


def weighing(base):
    class Weighing(base):
        def example_weights(self, loss, adversarial_loss, state):
            return ops.convert_to_tensor(FACTORS, "float32")

    return Weighing


def assert_a_step_is_that_of_numpy(
    task, policy="shared noise", reduction="mean", weight=None, padded=False, **how
):
    classifier = network(task, padded)
    kernel = np.array(classifier.get_layer("logits").kernel)
    step = NumpyStep(task, kernel, weight, padded, reduction)
    before = after = step.losses(step.lam)
    lam = step.lam
    base, settings = POLICIES[policy]
    if settings:
        moved = step.lam + 0.2 * np.clip(step.lam_gradient(), -1, 1)
        after = step.losses(moved)
        chosen = (after > before) | (policy == "no choice")
        assert policy == "no choice" or before.sum() == 0 or chosen.any()
        lam = np.where(chosen, moved, lam)
    weigh = FACTORS if policy == "shared noise" else 1.0
    losses = weigh * step.losses(lam)
    if policy == "shared noise":
        base = weighing(base)
    model = keras_amp.MixupAMPModel(classifier, "logits", injected(base, **settings))
    reduction = "sum_over_batch_size" if reduction == "mean" else reduction
    model.compile(keras.optimizers.SGD(0.5), ignoring(reduction), **how)
    given = None if weight is None else weight[:6]
    logs = model.train_on_batch(
        X[task][:6], Y[task][:6], sample_weight=given, return_dict=True
    )
    total = losses.sum() if reduction == "sum" else losses.mean()
    np.testing.assert_allclose(logs["loss"], total, rtol=1e-5)
    np.testing.assert_allclose(logs["loss_gap"], (after - before).mean(), atol=2e-6)
    gradient = step.kernel_gradient(weigh)
    actual = (kernel - np.array(classifier.get_layer("logits").kernel)) / 0.5
    np.testing.assert_allclose(
        actual, gradient, atol=2e-6 * max(1, np.abs(gradient).max())
    )


@pytest.mark.parametrize("reduction", ["mean", "mean_with_sample_weight", "sum"])
@pytest.mark.parametrize("task", list(POSITIONS))
def test_a_mixture_s_labels_have_a_mask_each(task, reduction):
    assert_a_step_is_that_of_numpy(
        task, reduction=reduction, weight=WEIGHT[task], run_eagerly=True
    )


@pytest.mark.parametrize("policy", list(POLICIES))
def test_every_policy_sees_the_masked_losses(policy):
    assert_a_step_is_that_of_numpy("tags", policy, padded=True, run_eagerly=True)


@pytest.mark.parametrize("mode", ["eager", "xla"])
def test_a_step_however_it_runs(mode):
    weight = WEIGHT["tags"]
    assert_a_step_is_that_of_numpy("tags", weight=weight, padded=True, **MODES[mode])


def test_the_authors_program_trains_on_them():
    policy = keras_amp.paper.AuthorsProgram()
    model = keras_amp.MixupAMPModel(network("tags"), "logits", policy)
    model.compile(keras.optimizers.SGD(0.5), ignoring(), run_eagerly=True)
    losses = [model.train_on_batch(X["tags"], Y["tags"]) for _ in range(3)]
    assert np.isfinite(losses).all()
    assert losses[2] < losses[0]


@pytest.mark.parametrize("adversarial", [False, True])
def test_a_batch_of_which_nothing_counts_changes_nothing(adversarial):
    policy = keras_amp.AdversarialMixing() if adversarial else keras_amp.Mixup()
    model = keras_amp.MixupAMPModel(network("tags"), "logits", policy)
    model.compile("sgd", ignoring(), run_eagerly=True)
    before = model.get_weights()
    logs = model.train_on_batch(X["tags"], np.full((12, 5), IGNORED), return_dict=True)
    assert logs["loss"] == logs["loss_gap"] == 0
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_example_of_which_nothing_counts_has_no_loss():
    model = network("tags")
    model.compile("sgd", ignoring())
    p = model(X["tags"])
    label = (Y["tags"], None)
    loss = ExampleLoss(ignoring()).mixture(p, label, label, np.ones(12, "float32"))
    assert (ops.convert_to_numpy(loss)[[1, 8]] == 0).all()
    np.testing.assert_allclose(np.mean(loss), ignoring()(Y["tags"], p), rtol=1e-6)


# === Along lambda ===


@pytest.mark.parametrize("padded", [False, True])
def test_a_pair_s_loss_along_lambda_is_its_own(padded):
    """The loss of a pair does not depend on the other pairs of its batch."""
    model = network("tags", padded)
    model.compile("sgd", ignoring(), jit_compile=False)
    lambdas = [0.0, 0.3, 1.0]
    curves = [
        keras_amp.loss_along_lambda(
            model, (X["tags"], Y["tags"]), "logits", lambdas, batch_size=size
        ).losses
        for size in (1, 64)
    ]
    np.testing.assert_allclose(*curves, rtol=1e-5, atol=1e-7)
    kernel = np.array(model.get_layer("logits").kernel).astype("float64")
    y, counts = np.maximum(Y["tags"], 0), Y["tags"] != IGNORED
    mask = words(X["tags"]) if padded else np.ones_like(counts)
    expected = np.zeros((12, 3))
    for i in range(12):
        j = 11 - i
        for k, lam in enumerate(lambdas):
            p = keras.ops.softmax(
                (lam * X["tags"][i] + (1 - lam) * X["tags"][j]) @ kernel
            )
            loss = -np.log(np.array(p))
            united = (lam > 0) & mask[i] | (lam < 1) & mask[j]
            shares = [(lam, i), (1 - lam, j)]
            total = sum(s * counts[n] * united for s, n in shares).sum()
            summed = sum(
                s * (counts[n] * united * loss[np.arange(5), y[n]]).sum()
                for s, n in shares
            )
            expected[i, k] = summed / total if total else 0.0
    np.testing.assert_allclose(curves[1], expected, rtol=1e-4, atol=1e-6)
    assert (expected == 0).any()


# === The check of labels ===


class Remapped(keras.losses.SparseCategoricalCrossentropy):
    """A subclass of Keras' loss that ignores all labels below 0."""

    def call(self, y_true, y_pred):
        loss = super().call(ops.maximum(y_true, 0), y_pred)
        keras_compat.put_mask(loss, y_true >= 0)
        return loss


@pytest.mark.parametrize("wrap", ["plain", "list", "dict", "subclass"])
def test_the_ignored_class_is_a_label_however_the_loss_is_given(wrap):
    loss = {
        "plain": ignoring(),
        "list": [ignoring()],
        "dict": {"softmax": ignoring()},
        "subclass": Remapped(),
    }[wrap]
    assert_never_mixed_is_keras("tags", loss, run_eagerly=True)


def test_another_label_outside_of_the_classes_is_none():
    model = never_mixed(network("tags"))
    model.compile("sgd", {"softmax": ignoring()})
    with pytest.raises(ValueError, match="class indices from 0 to 2"):
        model.fit(X["tags"], np.where(Y["tags"] == IGNORED, -1, Y["tags"]), verbose=0)
