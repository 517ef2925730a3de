"""Classifiers of several outputs, against plain Keras and a float64 derivation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import LAM, MODES, PERMUTATION, injected
from keras import layers, ops

import keras_amp
from keras_amp.training.labels import numbers_of

RNG = np.random.default_rng(31)
X = RNG.normal(size=(6, 4)).astype("float32")
KINDS = np.array([0, 2, 1, 1, 0, 2])
SIZES = RNG.normal(size=(6, 2)).astype("float32")
RATE, FACTOR = 0.2, 0.3
LOSSES = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
ORDER = ("kind", "size")
ARRANGED = {
    "list": list,
    "tuple": tuple,
    "dict": lambda values: dict(zip(ORDER, values, strict=True)),
}


def network(arranged="list"):
    """Two heads on a layer that is mixed, without an activation."""
    x = keras.Input((4,), name="x")
    h = layers.Dense(5, name="hidden")(x)
    kind = layers.Dense(3, "softmax", name="kind")(h)
    return keras.Model(x, ARRANGED[arranged]([kind, layers.Dense(2, name="size")(h)]))


def compiled(model, arranged="list", metrics=True, **arguments):
    """Compile with one loss for each output, weighted."""
    of = ARRANGED[arranged]
    if metrics:
        arguments |= {
            "metrics": of([["accuracy"], ["mae"]]),
            "weighted_metrics": of([[], ["mse"]]),
        }
    arguments = {
        "loss": of(list(LOSSES.values())),
        "loss_weights": of([1.0, FACTOR]),
        "run_eagerly": True,
        **arguments,
    }
    model.compile(keras.optimizers.SGD(RATE), **arguments)
    return model


def twins(arranged="list", policy=None, mix_at="hidden"):
    """A plain network, and a mixing model of one with the same weights."""
    plain, own = network(arranged), network(arranged)
    own.set_weights(plain.get_weights())
    policy = keras_amp.Mixup(probability=0.0) if policy is None else policy
    return plain, keras_amp.MixupAMPModel(own, mix_at, policy, seed=1)


def assert_alike(plain, model, expected, received):
    """The same weights, and all that plain Keras reports."""
    for a, b in zip(plain.get_weights(), model.classifier.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    for name, value in expected.items():
        np.testing.assert_allclose(received[name], value, rtol=1e-5, err_msg=name)


# === Never mixed: plain Keras ===


@pytest.mark.parametrize("labels", list(ARRANGED))
@pytest.mark.parametrize("outputs", list(ARRANGED))
def test_never_mixed_equals_keras(outputs, labels):
    if (outputs, labels) == ("dict", "tuple"):
        pytest.skip("Keras takes a list of labels for a dict of outputs, and no tuple.")
    plain, model = twins(outputs)
    arranged = "dict" if labels == "dict" else "list"
    if (outputs, labels) == ("tuple", "dict"):
        arranged = "list"  # Keras finds no losses by name in a tuple of outputs
    logs = []
    for each in (plain, model):
        compiled(each, "dict" if outputs == "dict" else arranged)
        given = ARRANGED[labels]([KINDS, SIZES])
        logs.append(
            [each.train_on_batch(X, given, return_dict=True) for _ in range(2)][-1]
        )
    assert {"kind_loss", "size_loss", "kind_accuracy", "size_mae"} <= set(logs[0])
    assert_alike(plain, model, *logs)


WEIGHTS = [RNG.uniform(size=6).astype("float32") for _ in range(2)]


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_never_mixed_fits_as_keras_does(mode):
    """With weights for each output."""
    plain, model = twins("dict")
    found = []
    given = ARRANGED["dict"]([KINDS, SIZES])
    weights = ARRANGED["dict"](WEIGHTS)
    for each, how in ((plain, {}), (model, {"run_eagerly": False, **MODES[mode]})):
        compiled(each, "dict", metrics=False, **how)
        fit = {"batch_size": 3, "shuffle": False, "verbose": 0}
        found.append(each.fit(X, given, sample_weight=weights, **fit).history)
    assert_alike(plain, model, *found)


def mean_and_sum():
    return [
        keras.losses.SparseCategoricalCrossentropy(),
        keras.losses.MeanSquaredError(reduction="sum"),
    ]


def unreduced():
    return [
        keras.losses.SparseCategoricalCrossentropy(reduction="none"),
        keras.losses.MeanSquaredError(reduction=None),
    ]


CASES = {
    "one loss for all": {"loss": "mse", "loss_weights": None, "metrics": False},
    "a mean and a sum": {"loss": mean_and_sum},
    "no reduction": {"loss": unreduced},
    "no loss for an output": {"loss": lambda: [LOSSES["kind"], None], "metrics": False,
                              "loss_weights": None},
    "one weight for all": {"sample_weight": WEIGHTS[0]},
}  # fmt: skip


@pytest.mark.parametrize("name", list(CASES))
def test_never_mixed_equals_keras_with(name):
    case = dict(CASES[name])
    weight = case.pop("sample_weight", None)
    plain, model = twins()
    y = [np.eye(3)[KINDS] if case.get("loss") == "mse" else KINDS, SIZES]
    found = []
    for each in (plain, model):
        made = {k: v() if callable(v) else v for k, v in case.items()}
        logs = compiled(each, **made).train_on_batch(X, y, weight, return_dict=True)
        found.append(logs)
    assert_alike(plain, model, *found)


# === Mixed ===


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


class Derived:
    """The heads in float64: losses of mixtures by example, and their gradients."""

    def __init__(self, classifier):
        weights = [w.astype("float64") for w in classifier.get_weights()]
        self.v, self.a, self.u, self.c, self.s, self.d = weights
        self.h = X @ self.v + self.a

    def losses(self, lam):
        """Those of each output, of inputs mixed by lam; and d total / d hidden state."""
        self.g = lam[:, None] * self.h + (1 - lam[:, None]) * self.h[PERMUTATION]
        p, r = softmax(self.g @ self.u + self.c), self.g @ self.s + self.d
        kind, size, dz, dr = 0.0, 0.0, 0.0, 0.0
        for share, rows in ((LAM, slice(None)), (1.0 - LAM, PERMUTATION)):
            share = share.astype("float64")
            true = np.eye(3)[KINDS[rows]]
            kind = kind - share * np.log((p * true).sum(1))
            size = size + share * np.square(r - SIZES[rows]).mean(1)
            dz = dz + share[:, None] * (p - true)
            dr = dr + share[:, None] * (r - SIZES[rows])  # of the mean of 2 squares
        self.dz, self.dr = dz, FACTOR * dr
        return kind, size, self.dz @ self.u.T + self.dr @ self.s.T

    def step(self, lam):
        """The weights after a step down the mean of the losses at lam."""
        *_, dg = self.losses(lam)
        dg, dz, dr = (d / 6 for d in (dg, self.dz, self.dr))
        dh = lam[:, None] * dg
        np.add.at(dh, PERMUTATION, (1 - lam[:, None]) * dg)
        moves = [X.T @ dh, dh.sum(0), self.g.T @ dz, dz.sum(0), self.g.T @ dr, dr.sum(0)]
        weights = (self.v, self.a, self.u, self.c, self.s, self.d)
        return [w - RATE * m for w, m in zip(weights, moves, strict=True)]


@pytest.mark.parametrize("rewrite", [False, True])
def test_the_larger_sum_of_the_losses_is_trained_on(rewrite):
    policy = injected(keras_amp.AdversarialMixing, step_size=0.1, max_gradient=0.9)
    classifier = network()
    derived, lam = Derived(classifier), LAM.astype("float64")
    kind, size, dg = derived.losses(lam)
    slope = (dg * (derived.h - derived.h[PERMUTATION])).sum(1)
    moved = lam + 0.1 * np.clip(slope, -0.9, 0.9)
    there = derived.losses(moved)
    before, after = kind + FACTOR * size, there[0] + FACTOR * there[1]
    chosen = np.where(after > before, moved, lam)
    kind, size, _ = derived.losses(chosen)

    model = keras_amp.MixupAMPModel(classifier, "hidden", policy, rewrite=rewrite)
    logs = compiled(model).train_on_batch(X, [KINDS, SIZES], return_dict=True)
    for a, b in zip(classifier.get_weights(), derived.step(chosen), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert logs["kind_loss"] == pytest.approx(kind.mean(), rel=1e-5)
    assert logs["size_loss"] == pytest.approx(size.mean(), rel=1e-5)
    assert logs["loss"] == pytest.approx((kind + FACTOR * size).mean(), rel=1e-5)
    assert logs["loss_gap"] == pytest.approx((after - before).mean(), rel=1e-4)
    larger = np.where(LAM[:, None] >= 0.5, SIZES, SIZES[PERMUTATION])
    r = derived.g @ derived.s + derived.d
    assert logs["size_mae"] == pytest.approx(np.abs(r - larger).mean(), rel=1e-5)


def test_divergences_are_added_as_losses_are():
    step = RNG.normal(size=(6, 5)).astype("float32")

    class Given(keras_amp.AdversarialTraining):
        def _random(self, passes, start):
            return ops.convert_to_tensor(step)

    classifier = network("dict")
    v, a, u, c, s, _ = (w.astype("float64") for w in classifier.get_weights())
    h = X @ v + a
    p, q = softmax(h @ u + c), softmax((h + step) @ u + c)
    apart = (p * np.log(p / q)).sum(1) + FACTOR * np.square(step @ s).mean(1)
    policy = Given(direction="random", against="predictions")
    model = compiled(keras_amp.MixupAMPModel(classifier, "hidden", policy), "dict")
    y = ARRANGED["dict"]([KINDS, SIZES])
    logs = model.train_on_batch(X, y, return_dict=True)
    assert logs["divergence"] == pytest.approx(apart.mean(), rel=1e-5)


def test_outputs_of_two_depths_train_in_a_graph():
    """One of them has a label, and a mask, for each word."""
    ids = keras.Input((3,), dtype="int32")
    words = layers.Embedding(9, 4, mask_zero=True, name="words")(ids)
    tags = layers.Dense(3, "softmax", name="tags")(words)
    text = layers.GlobalAveragePooling1D(name="text")(words)
    size = layers.Dense(1, name="size")(layers.Dense(4, name="deep")(text))
    classifier = keras.Model(ids, {"tags": tags, "size": size})
    policy = keras_amp.AdversarialMixing(step_size=0.1)
    model = keras_amp.MixupAMPModel(classifier, ["words"], policy, seed=2)
    losses = {"tags": LOSSES["kind"], "size": "mse"}
    model.compile("sgd", losses, jit_compile=False)
    x = np.array([[1, 2, 0], [3, 0, 0], [4, 5, 6]])
    history = model.fit(x, {"tags": x % 3, "size": np.ones((3, 1))}, verbose=0).history
    total = history["tags_loss"][0] + history["size_loss"][0]
    assert history["loss"][0] == pytest.approx(total, rel=1e-6)
    with pytest.raises(ValueError, match="depend on .*'deep'.*'tags' does not"):
        keras_amp.MixupAMPModel(classifier, "deep")


def test_near_partners_are_near_in_all_labels():
    y = numbers_of([ops.convert_to_tensor(KINDS), ops.convert_to_tensor(SIZES)])
    np.testing.assert_array_equal(y, np.column_stack([KINDS, SIZES]).astype("float32"))


def test_an_override_is_given_the_arranged_labels():
    seen = []

    class Penalized(keras_amp.MixupAMPModel):
        def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
            seen.append((y, y_pred))
            loss = super().compute_loss(x, y, y_pred, sample_weight, training)
            return loss + ops.mean(y_pred["size"] ** 2)

    policy = injected(keras_amp.Mixup)
    model = compiled(Penalized(network("dict"), "hidden", policy), "dict")
    model.train_on_batch(X, {"size": SIZES, "kind": KINDS})
    y, y_pred = seen[-1]  # on JAX Keras calls it to build the model, too
    larger = np.where(LAM >= 0.5, KINDS, KINDS[PERMUTATION])
    np.testing.assert_array_equal(y["kind"], larger)
    assert set(y_pred) == set(ORDER)


# === Around it ===


def test_a_model_is_saved_and_trains_on(tmp_path):
    _, model = twins("dict", injected(keras_amp.Mixup))
    y = ARRANGED["dict"]([KINDS, SIZES])
    compiled(model, "dict").train_on_batch(X, y)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(
        tmp_path / "model.keras", custom_objects={"Injected": type(model.policy)}
    )
    loaded.run_eagerly = True
    a, b = (m.train_on_batch(X, y, return_dict=True) for m in (model, loaded))
    assert a == pytest.approx(b)
    assert set(loaded.predict_on_batch(X)) == set(ORDER)


def test_the_loss_along_lambda_ends_at_the_examples_losses():
    """Each pair is a batch of its own, of one: there a sum is a mean."""
    model = compiled(network(), loss=mean_and_sum())
    y = [KINDS, SIZES]
    curve = keras_amp.loss_along_lambda(model, (X, y), "hidden", [0.0, 0.5, 1.0]).losses
    total = [model.test_on_batch(X[[i]], [v[[i]] for v in y])[0] for i in range(6)]
    np.testing.assert_allclose(curve[:, 2], total, rtol=1e-5)
    np.testing.assert_allclose(curve[:, 0], total[::-1], rtol=1e-5)


def test_two_replicas_train_as_one(strategy):
    start = network().get_weights()
    found = []
    # One replica trains eagerly, which spares the tracing.
    for where, eagerly in ((tf.distribute.get_strategy(), True), (strategy, False)):
        with where.scope():
            classifier = network()
            classifier.set_weights(start)
            policy = keras_amp.Mixup(probability=0.0)
            model = keras_amp.MixupAMPModel(classifier, "hidden", policy)
            how = {"run_eagerly": eagerly, "jit_compile": False}
            compiled(model, metrics=False, loss=mean_and_sum(), **how)
        fit = {"batch_size": 6, "shuffle": False, "verbose": 0}
        found.append((model.fit(X, [KINDS, SIZES], **fit), classifier.get_weights()))
    for a, b in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


WRONG = {
    "one label": (lambda: KINDS, r"in lists .*'kind', 'size'.* Received: labels \(6,\)"),
    "one too many": (lambda: [KINDS, SIZES, SIZES], "lists of their order"),
    "another class": (
        lambda: [KINDS + 1, SIZES],
        "`y` for the output 'kind' to hold class indices from 0 to 2.*Received: 3",
    ),
    "another shape": (
        lambda: [np.eye(4)[KINDS], SIZES],
        "`y` for the output 'kind' to have the shape .*Received: shape",
    ),
    "too few": (
        lambda: [KINDS, SIZES[:5]],
        "`y` for the output 'size' to hold one label .*Received: 5 labels for 6",
    ),
    "texts": (lambda: [KINDS.astype(str), SIZES], "'kind' to hold numbers"),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_wrong_labels_are_named(name):
    _, model = twins()
    labels, match = WRONG[name]
    with pytest.raises(ValueError, match=match):
        compiled(model, metrics=False).fit(X, labels(), verbose=0)


def test_names_of_other_outputs_are_refused():
    _, model = twins("dict")
    with pytest.raises(ValueError, match="dicts by their names. Received: .*'hight'"):
        compiled(model, "dict").fit(X, {"kind": KINDS, "hight": SIZES}, verbose=0)


def test_a_data_sets_wrong_label_is_found_as_it_is_read():
    _, model = twins("dict")
    y = ARRANGED["dict"]([KINDS + 1, SIZES])
    dataset = tf.data.Dataset.from_tensor_slices((X, y)).batch(3)
    with pytest.raises(ValueError, match="the labels of `x` for the output 'kind'"):
        compiled(model, "dict", metrics=False).fit(dataset, verbose=0)


def test_losses_of_which_only_some_are_reduced_are_refused():
    _, model = twins()
    losses = [unreduced()[0], "mse"]
    with pytest.raises(ValueError, match="to be reduced, or none.*Received"):
        compiled(model, loss=losses, metrics=False).train_on_batch(X, [KINDS, SIZES])
