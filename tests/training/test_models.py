"""MixupAMPModel as a Keras model: modes, inputs, metrics, precision, optimizers.

Most tests compare with a twin: a plain Keras model that is trained on examples mixed in
NumPy. That is possible because the policy below decides everything beforehand.
"""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import MODES, same_start, text_classifier
from keras import layers, ops

import keras_amp

RNG = np.random.default_rng(17)
X = RNG.normal(size=(16, 4)).astype("float32")
Y = RNG.integers(0, 3, 16)
WEIGHT = RNG.uniform(0.2, 3.0, 16).astype("float32")
BATCHES = [slice(0, 6), slice(6, 12), slice(12, 16)]  # the last one is smaller
LAM = np.array([0.3, 0.9, 0.55, 0.2, 0.75, 0.5], "float32")
STEP = 0.25


@keras.saving.register_keras_serializable("tests")
class Known(keras_amp.AdversarialMixing):
    """Every example's partner, step and choice are known: LAM, reversed, STEP, even."""

    def draw(self, batch_size, seed_generator):
        return ops.convert_to_tensor(LAM)[:batch_size], (
            batch_size - 1 - ops.arange(batch_size, dtype="int32")
        )

    def perturb(self, lam, lam_gradient):
        return lam + STEP

    def select(self, loss, adversarial_loss):
        return ops.arange(ops.shape(loss)[0]) % 2 == 0


class Unmixed(keras_amp.AdversarialMixing):
    """Searches as always, but lambda stays 1."""

    def draw(self, batch_size, seed_generator):
        return ops.ones((batch_size,)), (
            batch_size - 1 - ops.arange(batch_size, dtype="int32")
        )

    def perturb(self, lam, lam_gradient):
        return lam


def mixed_by_hand(x=X, y=Y, weight=None, batches=BATCHES):
    """Return the data as `Known` mixes them: inputs, and weighted soft labels."""
    target = np.eye(3)[y] * (1.0 if weight is None else weight[:, None])
    inputs, labels = [], []
    for batch in batches:
        a, t = x[batch], target[batch]
        lam = LAM[: len(a), None]
        input_lam = lam + STEP * (np.arange(len(a)) % 2 == 0)[:, None]
        inputs.append(input_lam * a + (1 - input_lam) * a[::-1])
        labels.append(lam * t + (1 - lam) * t[::-1])
    return np.concatenate(inputs).astype("float32"), np.concatenate(labels)


def soft_crossentropy(y, p):
    return -ops.sum(ops.cast(y, p.dtype) * ops.log(p), axis=-1)


class Penalty(layers.Layer):
    """Adds a loss of its own."""

    def call(self, x):
        self.add_loss(0.1 * ops.mean(ops.square(x)))
        return x


def network(normalize=False, dtype=None):
    x = keras.Input((4,), name="x")
    h = layers.Dense(5, "tanh", name="embed", activity_regularizer="l2", dtype=dtype)(x)
    h = Penalty()(h)
    if normalize:
        h = layers.BatchNormalization(name="normalize")(h)
    h = layers.Dense(
        6, "tanh", name="encode", kernel_regularizer="l1", activity_regularizer="l2"
    )(h)
    return keras.Model(x, layers.Dense(3, "softmax", name="probabilities")(h))


def two(make=network):
    return same_start(make, "ours", "twin")


def train(model, x=X, y=Y, epochs=1, optimizer=None, loss=None, fit=None, **compile_args):
    """Train without shuffling, and eagerly by default, which spares the tracing."""
    if not compile_args.keys() & {"jit_compile", "steps_per_execution"}:
        compile_args["run_eagerly"] = compile_args.get("run_eagerly", True)
    model.compile(
        optimizer or keras.optimizers.SGD(0.2),
        loss or "sparse_categorical_crossentropy",
        **compile_args,
    )
    fit = {"batch_size": 6, **(fit or {})}
    return model.fit(x, y, epochs=epochs, shuffle=False, verbose=0, **fit).history


def assert_same_weights(a, b, atol=2e-6):
    a, b = a.get_weights(), b.get_weights()
    assert len(a) == len(b)
    for ours, twins in zip(a, b, strict=True):
        np.testing.assert_allclose(ours, twins, atol=atol)


def assert_equals_twin(make_optimizer=None, weight=None, epochs=1, **compile_args):
    """Train a model that mixes its inputs, and a twin on inputs mixed by hand."""
    make_optimizer = make_optimizer or (lambda: keras.optimizers.SGD(0.2))
    ours, twin = two()
    start = ours.get_weights()
    fit = {} if weight is None else {"sample_weight": weight}
    history = train(
        keras_amp.MixupAMPModel(ours, "x", Known()),
        optimizer=make_optimizer(),
        epochs=epochs,
        fit=fit,
        **compile_args,
    )
    expected = train(
        twin,
        *mixed_by_hand(weight=weight),
        optimizer=make_optimizer(),
        epochs=epochs,
        loss=soft_crossentropy,
        **compile_args,
    )
    assert_same_weights(ours, twin)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)
    assert any(
        np.abs(a - b).max() > 1e-3 for a, b in zip(start, ours.get_weights(), strict=True)
    )
    return history


# === Ways of running a step ===


@pytest.mark.parametrize(
    ("mode", "weighted"),
    [
        (MODES["eager"], False),
        (MODES["eager"], True),
        (MODES["graph"], True),
        (MODES["xla"], True),
    ],
)
def test_fit_equals_plain_fit_on_mixed_examples(mode, weighted):
    """Two epochs with a smaller last batch, penalties of every kind counted once."""
    weight = WEIGHT if weighted else None
    history = assert_equals_twin(weight=weight, epochs=2, **mode)
    lam = np.concatenate([LAM[: b.stop - b.start] for b in BATCHES])
    np.testing.assert_allclose(history["lam"], lam.mean(), rtol=1e-6)
    np.testing.assert_allclose(history["lam_delta"], STEP, rtol=1e-6)
    np.testing.assert_allclose(history["mask_rate"], 0.5)


def test_auto_compilation():
    """Without an accelerator Keras resolves it to False."""
    assert_equals_twin(jit_compile="auto")


@pytest.mark.parametrize(("steps", "jit_compile"), [(3, False), (2, True)])
def test_several_steps_per_execution(steps, jit_compile):
    assert_equals_twin(steps_per_execution=steps, jit_compile=jit_compile)


@pytest.mark.parametrize("mode", [{"run_eagerly": True}, {"jit_compile": False}])
def test_never_mixing_is_plain_training(mode, text_batch):
    """With dropout, batch normalization, masks and Adam, step for step."""

    def make():
        return text_classifier(mask_zero=True, normalize=True)

    ours, twin = two(make)
    x, y = text_batch
    arguments = {"metrics": ["accuracy"], "fit": {"batch_size": 8}, "epochs": 2, **mode}
    model = keras_amp.MixupAMPModel(ours, "embedding", Unmixed())
    history = train(model, x, y, optimizer=keras.optimizers.Adam(0.02), **arguments)
    expected = train(twin, x, y, optimizer=keras.optimizers.Adam(0.02), **arguments)
    assert_same_weights(ours, twin, atol=2e-4)  # Adam magnifies rounding
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-4)
    assert not history["lam_delta"][0]


@pytest.mark.parametrize("mode", [MODES["eager"], MODES["xla"]])
def test_penalties_below_the_mix_point_count_once(mode):
    ours, twin = two()
    history = train(keras_amp.MixupAMPModel(ours, "encode", Unmixed()), **mode)
    expected = train(twin, **mode)
    assert_same_weights(ours, twin)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)


@pytest.mark.parametrize(
    ("point", "mode"),
    [
        ("x", {"run_eagerly": True}),
        ("embed", {"jit_compile": False}),
        ("embed", {"jit_compile": True}),
        ("encode", {"jit_compile": False}),
    ],
)
def test_batch_statistics_move_once_a_step(mode, point):
    """The moving mean takes the mean of one batch: that of the final pass."""
    ours = network(normalize=True)
    below = keras.Model(ours.input, ours.get_layer("normalize").input)
    batch = [slice(0, 6)]
    if point == "x":
        seen = below.predict(mixed_by_hand(batches=batch)[0], verbose=0)
    elif point == "embed":
        seen = mixed_by_hand(below.predict(X[:6], verbose=0), Y[:6], batches=batch)[0]
    else:
        seen = below.predict(X[:6], verbose=0)
    train(keras_amp.MixupAMPModel(ours, point, Known()), X[:6], Y[:6], epochs=1, **mode)
    normalize = ours.get_layer("normalize")
    np.testing.assert_allclose(normalize.moving_mean, 0.01 * seen.mean(0), atol=1e-7)
    expected = 0.99 + 0.01 * seen.var(0)
    np.testing.assert_allclose(normalize.moving_variance, expected, rtol=1e-5)


@pytest.mark.parametrize("mode", [MODES["eager"], MODES["xla"]])
def test_batch_of_one(mode):
    """The only partner is the example itself, so that lambda changes nothing."""

    class One(keras_amp.AdversarialMixing):
        def draw(self, batch_size, seed_generator):
            return ops.full((batch_size,), 0.2), super().draw(batch_size, seed_generator)[
                1
            ]

    ours, twin = two()
    arguments = {"x": X[:3], "y": Y[:3], "fit": {"batch_size": 1}, **mode}
    history = train(keras_amp.MixupAMPModel(ours, "embed", One()), **arguments)
    expected = train(twin, **arguments)
    assert_same_weights(ours, twin, atol=1e-5)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)
    np.testing.assert_allclose(history["lam_delta"], 0, atol=1e-6)


def test_epochs_do_not_trace_the_step_again():
    model = keras_amp.MixupAMPModel(network(), ["embed", "encode"])
    traces, step = [], model.train_step
    model.train_step = lambda data: (traces.append(data), step(data))[1]
    train(model, epochs=4, jit_compile=False, fit={"validation_data": (X, Y)})
    assert len(traces) == 1  # the last, smaller batch included


# === Inputs ===


def two_inputs():
    a, b = keras.Input((3,), name="a"), keras.Input((1,), name="b")
    h = layers.Dense(5, "tanh", name="embed")(layers.Concatenate()([a, b]))
    return keras.Model({"a": a, "b": b}, layers.Dense(3, "softmax")(h))


def listed_inputs():
    a, b = keras.Input((3,), name="a"), keras.Input((1,), name="b")
    h = layers.Dense(5, "tanh", name="embed")(layers.Concatenate()([a, b]))
    return keras.Model([a, b], layers.Dense(3, "softmax")(h))


def one_input():
    x = keras.Input((4,), name="x")
    h = layers.Dense(5, "tanh", name="embed")(x)
    return keras.Model(x, layers.Dense(3, "softmax")(h))


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X[BATCHES[index]], Y[BATCHES[index]]


def dataset(x, y=Y):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(6)


A, B = X[:, :3], X[:, 3:]
INPUTS = {
    "tensors": (one_input, tf.constant(X), tf.constant(Y)),
    "a column of labels": (one_input, X, Y[:, None]),
    "labels in a list": (one_input, X, [Y]),
    "a data set": (one_input, dataset(X), None),
    "a data set of known sizes": (
        one_input,
        dataset(X).apply(lambda d: d.take(2).concatenate(d.skip(2))),
        None,
    ),
    "batches in Python": (one_input, Batches(), None),
    "a dict": (two_inputs, {"a": A, "b": B}, Y),
    "a dict, in a data set": (two_inputs, dataset({"a": A, "b": B}), None),
    "a list": (listed_inputs, [A, B], Y),
    "a tuple": (listed_inputs, (A, B), Y),
    "a tuple, in a data set": (listed_inputs, dataset((A, B)), None),
    "a dict for listed inputs": (listed_inputs, {"b": B, "a": A}, Y),
}


@pytest.mark.parametrize("name", list(INPUTS))
def test_every_kind_of_input(name):
    make, x, y = INPUTS[name]
    twin, ours = one_input(), make()
    ours.set_weights(twin.get_weights())
    train(keras_amp.MixupAMPModel(twin, "embed", Known()))
    fit = {"batch_size": 6 if y is not None else None}
    # A graph where a data set says what its shapes are, and not how large.
    mode = MODES["eager" if y is not None or type(x) is Batches else "graph"]
    train(keras_amp.MixupAMPModel(ours, "embed", Known()), x, y, fit=fit, **mode)
    assert_same_weights(ours, twin)


def test_a_generator():
    ours, twin = two(one_input)
    train(keras_amp.MixupAMPModel(twin, "embed", Known()), epochs=1)
    model = keras_amp.MixupAMPModel(ours, "embed", Known())
    sgd = keras.optimizers.SGD(0.2)
    model.compile(sgd, "sparse_categorical_crossentropy", run_eagerly=True)
    model.fit(((X[b], Y[b]) for b in BATCHES), verbose=0)
    assert_same_weights(ours, twin)


def test_weights_in_a_data_set():
    ours, twin = two(one_input)
    data = tf.data.Dataset.from_tensor_slices((X, Y, WEIGHT)).batch(6)
    train(
        keras_amp.MixupAMPModel(ours, "embed", Known()),
        data,
        None,
        fit={"batch_size": None},
    )
    fit = {"sample_weight": WEIGHT}
    train(keras_amp.MixupAMPModel(twin, "embed", Known()), fit=fit)
    assert_same_weights(ours, twin)


@pytest.mark.parametrize("mix_at", ["embed", None])
def test_a_sequential_classifier(mix_at):
    mix = [] if mix_at else [keras_amp.MixLayer()]
    ours = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, "tanh", name="embed"),
            *mix,
            layers.Dense(3, "softmax"),
        ]
    )
    twin = one_input()
    ours.set_weights(twin.get_weights())
    train(keras_amp.MixupAMPModel(twin, "embed", Known()))
    train(keras_amp.MixupAMPModel(ours, mix_at, Known()))
    assert_same_weights(ours, twin)


def test_a_sequential_classifier_built_by_a_call():
    ours = keras.Sequential([layers.Dense(5, "tanh"), layers.Dense(3, "softmax")])
    ours(X)
    twin = one_input()
    ours.set_weights(twin.get_weights())
    train(keras_amp.MixupAMPModel(twin, "embed", Known()))
    train(keras_amp.MixupAMPModel(ours, ours.layers[0].name, Known()))
    assert_same_weights(ours, twin)


# === Several mix points ===


def losses_at(points, classifier, steps, **mode):
    """The losses of steps that change nothing, so that the mix point alone matters."""
    model = keras_amp.MixupAMPModel(classifier, points, Known(), seed=8)
    model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", **mode)
    return [model.train_on_batch(X[:6], Y[:6]) for _ in range(steps)]


def loss_of(logs):
    return float(logs[0])


@pytest.mark.parametrize(
    ("mode", "inside"),
    [
        ({"run_eagerly": True}, False),
        ({"jit_compile": True}, False),
        ({"jit_compile": False}, True),
    ],
)
def test_every_mix_point_is_picked_over_time(mode, inside):
    classifier = network()
    points = ["x", "embed", "encode"]
    if inside:  # the classifier brings its MixLayers along
        picked = classifier
        for point in points[1:]:
            picked = keras_amp.insert_mix_layer(picked, point, f"mix_{point}")
        points, several = points[1:], None
    else:
        picked, several = classifier, points
    expected = [loss_of(losses_at(p, classifier, 1)[0]) for p in points]
    assert len({round(loss, 3) for loss in expected}) == len(points)
    actual = np.array([loss_of(logs) for logs in losses_at(several, picked, 30, **mode)])
    nearest = np.abs(actual[:, None] - expected)
    np.testing.assert_allclose(nearest.min(1), 0, atol=1e-5)
    counts = np.bincount(nearest.argmin(1), minlength=len(points))
    assert counts.min() >= 30 / len(points) / 3


@pytest.mark.parametrize("points", ["embed", ["embed"], ["x", "embed", "encode"]])
def test_the_names_of_the_mix_points(points):
    model = keras_amp.MixupAMPModel(network(), points)
    assert model.mix_points == ([points] if isinstance(points, str) else points)


class Spare(layers.Layer):
    """Holds a weight that plays no part."""

    def build(self, shape):
        self.spare = self.add_weight(shape=(2,), initializer="ones", name="spare")

    def call(self, x):
        return x


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize(
    ("points", "jit_compile"),
    [("embed", False), (["embed", "spare"], False), (["embed", "spare"], True)],
)
def test_a_weight_that_plays_no_part(points, jit_compile):
    def make():
        x = keras.Input((4,), name="x")
        h = Spare(name="spare")(layers.Dense(5, "tanh", name="embed")(x))
        return keras.Model(x, layers.Dense(3, "softmax")(h))

    ours, twin = two(make)
    optimizer = keras.optimizers.SGD(0.2, momentum=0.9)
    train(
        keras_amp.MixupAMPModel(ours, points, Unmixed()),
        optimizer=optimizer,
        jit_compile=jit_compile,
    )
    twins = keras.optimizers.SGD(0.2, momentum=0.9)
    train(twin, optimizer=twins, jit_compile=jit_compile)
    assert_same_weights(ours, twin)
    # The optimizer knows it all the same: a saved state fits a model loaded from disk.
    assert [v.shape for v in optimizer.variables] == [v.shape for v in twins.variables]


# === The classifier ===


def test_predict_and_evaluate_are_the_classifiers_own(text_batch):
    classifier = text_classifier(normalize=True)
    model = keras_amp.MixupAMPModel(classifier, "embedding")
    x, y = text_batch
    arguments = {"metrics": ["accuracy"], "weighted_metrics": ["accuracy"]}
    train(model, x, y, **arguments)
    assert model.classifier is classifier
    arguments["run_eagerly"] = True
    classifier.compile("sgd", "sparse_categorical_crossentropy", **arguments)
    np.testing.assert_array_equal(
        model.predict(x, verbose=0), classifier.predict(x, verbose=0)
    )
    np.testing.assert_array_equal(
        model.predict_on_batch(x), classifier.predict_on_batch(x)
    )
    np.testing.assert_array_equal(model(x), classifier(x))
    for weight in (None, np.linspace(0, 2, 20)):
        call = {"sample_weight": weight, "verbose": 0, "batch_size": 8}
        for how in (call, {**call, "return_dict": True}):
            ours, own = model.evaluate(x, y, **how), classifier.evaluate(x, y, **how)
            assert type(ours) is type(own)
            if isinstance(own, dict):
                assert list(ours) == list(own)
                ours, own = list(ours.values()), list(own.values())
            np.testing.assert_allclose(ours, own, rtol=1e-6)


def test_validation_is_the_classifiers_evaluation():
    model = keras_amp.MixupAMPModel(network(), "embed")
    for data in ((X, Y), (X, Y, WEIGHT), dataset(X)):
        history = train(model, metrics=["accuracy"], fit={"validation_data": data})
        x, y, *weight = data if isinstance(data, tuple) else (data, None)
        weight = weight[0] if weight else None
        own = model.classifier
        how = {"metrics": ["accuracy"], "run_eagerly": True}
        own.compile("sgd", "sparse_categorical_crossentropy", **how)
        expected = own.evaluate(
            x,
            y,
            sample_weight=weight,
            verbose=0,
            batch_size=6 if y is not None else None,
            return_dict=True,
        )
        assert {f"val_{n}" for n in expected} == {n for n in history if "val_" in n}
        for name, value in expected.items():
            np.testing.assert_allclose(history[f"val_{name}"][-1], value, rtol=1e-5)


def test_validation_split():
    ours, twin = two()
    split = {"validation_split": 0.25}
    history = train(keras_amp.MixupAMPModel(ours, "embed", Known()), fit=split)
    apart = {"validation_data": (X[12:], Y[12:])}
    model = keras_amp.MixupAMPModel(twin, "embed", Known())
    expected = train(model, X[:12], Y[:12], fit=apart)
    assert_same_weights(ours, twin)
    np.testing.assert_allclose(history["val_loss"], expected["val_loss"], rtol=1e-6)


READ_WITHOUT_US = """
import sys, keras, numpy as np
classifier = keras.models.load_model(sys.argv[1])
np.save(sys.argv[2], classifier.predict(np.load(sys.argv[3]), verbose=0))
assert not classifier.compiled
assert not any(name.split(".")[0] == "keras_amp" for name in sys.modules)
assert not any("amp" in str(type(l)).lower() for l in classifier._flatten_layers())
"""


def test_three_changed_lines(tmp_path, text_batch):
    """The classifier is trained in place, and loads where keras_amp is not installed."""
    x, y = text_batch
    train_set = tf.data.Dataset.from_tensor_slices((x, y)).batch(5)
    classifier = text_classifier()
    before = classifier.get_weights()
    model = keras_amp.MixupAMPModel(classifier, mix_at="embedding")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train_set, validation_data=train_set, verbose=0)
    classifier.save(tmp_path / "classifier.keras")
    after = classifier.get_weights()
    assert all((a != b).any() for a, b in zip(before, after, strict=True))

    np.save(tmp_path / "x.npy", x)
    names = ("classifier.keras", "predictions.npy", "x.npy")
    subprocess.run(
        [sys.executable, "-c", READ_WITHOUT_US, *names],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        check=True,
    )
    actual = np.load(tmp_path / "predictions.npy")
    np.testing.assert_allclose(actual, model.predict(x, verbose=0), atol=1e-6)


# === What is reported ===

FOUR = {"lam", "lam_delta", "mask_rate", "loss_gap"}


@pytest.mark.parametrize("policy", [keras_amp.Mixup(), keras_amp.AdversarialMixing()])
def test_the_names_that_are_reported(policy):
    model = keras_amp.MixupAMPModel(network(), "embed", policy)
    history = train(
        model, metrics=["accuracy", keras.metrics.SparseCategoricalCrossentropy()]
    )
    assert set(history) == {"loss", "accuracy", "sparse_categorical_crossentropy"} | FOUR
    assert np.isfinite(list(history.values())).all()
    logs = model.train_on_batch(X, Y, return_dict=True)
    assert set(logs) == set(history)
    assert set(model.evaluate(X, Y, verbose=0, return_dict=True)) == (set(history) - FOUR)
    assert set(model.test_on_batch(X, Y, return_dict=True)) == set(history) - FOUR


def test_metrics_look_at_the_label_with_the_larger_share(mode):
    """Here the predictions are known beforehand, as the step size of SGD is zero."""
    classifier = network()
    p = classifier.predict(mixed_by_hand()[0], verbose=0)
    reversed_ = np.concatenate([np.arange(16)[b][::-1] for b in BATCHES])
    own = np.concatenate([LAM[: b.stop - b.start] >= 0.5 for b in BATCHES])
    major = np.where(own, Y, Y[reversed_])
    weight = np.where(own, WEIGHT, WEIGHT[reversed_])
    hit = p.argmax(1) == major
    assert 0 < hit.mean() < 1
    assert not np.array_equal(major, Y)
    history = train(
        keras_amp.MixupAMPModel(classifier, "x", Known()),
        epochs=1,
        optimizer=keras.optimizers.SGD(0.0),
        metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2, name="top2")],
        weighted_metrics=["accuracy", "sparse_categorical_crossentropy"],
        fit={"sample_weight": WEIGHT},
        **mode,
    )
    np.testing.assert_allclose(history["accuracy"], hit.mean(), rtol=1e-6)
    np.testing.assert_allclose(
        history["weighted_accuracy"], np.average(hit, weights=weight), rtol=1e-5
    )
    second = (np.argsort(-p, 1)[:, :2] == major[:, None]).any(1)
    np.testing.assert_allclose(history["top2"], second.mean(), rtol=1e-6)
    entropy = -np.log(p[np.arange(16), major])
    np.testing.assert_allclose(
        history["sparse_categorical_crossentropy"],
        np.average(entropy, weights=weight),
        rtol=1e-4,
    )


def test_one_hot_labels_and_their_metrics():
    ours, twin = two()
    arguments = {"metrics": ["accuracy", keras.metrics.AUC(name="auc")]}
    history = train(
        keras_amp.MixupAMPModel(ours, "embed", Known()),
        X,
        np.eye(3)[Y],
        loss="categorical_crossentropy",
        **arguments,
    )
    twins = keras_amp.MixupAMPModel(twin, "embed", Known())
    expected = train(twins, metrics=["accuracy"])
    assert_same_weights(ours, twin, atol=1e-5)
    np.testing.assert_allclose(history["accuracy"], expected["accuracy"])
    assert 0 < history["auc"][-1] < 1


def test_class_weights_and_sample_weights_multiply():
    by_class = {0: 0.5, 1: 2.0, 2: 1.0}
    ours, twin = two()
    product = np.array([by_class[y] for y in Y], "float32")
    model = keras_amp.MixupAMPModel(ours, "x", Known())
    train(model, fit={"class_weight": by_class})
    train(twin, *mixed_by_hand(weight=product), loss=soft_crossentropy)
    assert_same_weights(ours, twin)


def test_losses_and_metrics_by_the_outputs_name():
    ours, twin = two()
    history = train(
        keras_amp.MixupAMPModel(ours, "embed", Known()),
        loss={"probabilities": "sparse_categorical_crossentropy"},
        metrics={"probabilities": ["accuracy"]},
        weighted_metrics={"probabilities": ["accuracy"]},
        fit={"validation_data": (X, Y)},
    )
    train(keras_amp.MixupAMPModel(twin, "embed", Known()))
    assert_same_weights(ours, twin)
    assert {"accuracy", "weighted_accuracy", "val_accuracy"} <= set(history)


def test_loss_weights():
    ours, twin = two(one_input)
    rate = keras.optimizers.SGD
    model = keras_amp.MixupAMPModel(ours, "embed", Known())
    train(model, optimizer=rate(0.1), loss_weights=[2.0])
    train(keras_amp.MixupAMPModel(twin, "embed", Known()), optimizer=rate(0.2))
    assert_same_weights(ours, twin)


@pytest.mark.parametrize("wrap", [lambda p: [p], lambda p: {"p": p}])
def test_an_output_inside_a_structure(wrap):
    ours, twin = two(one_input)
    classifier = keras.Model(ours.input, wrap(ours.output))
    model = keras_amp.MixupAMPModel(classifier, "embed", Known())
    fit = {"validation_data": (X, Y)}
    history = train(model, metrics=["accuracy"], fit=fit)
    twins = keras_amp.MixupAMPModel(twin, "embed", Known())
    expected = train(twins, metrics=["accuracy"], fit=fit)
    assert_same_weights(ours, twin)
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-6)


def tagger():
    ids = keras.Input((4,), dtype="int32")
    h = layers.Embedding(9, 5, mask_zero=True, name="embedding")(ids)
    h = layers.Dense(5, "tanh", name="hidden")(h)
    return keras.Model(ids, layers.Dense(3, "softmax")(h))


@pytest.mark.parametrize("points", ["embedding", ["embedding", "hidden"]])
def test_padding_does_not_count_in_the_metrics(points):
    """One label per word; at one mix point as at several."""
    ids = np.array([[1, 2, 0, 0], [3, 4, 5, 6], [7, 0, 0, 0], [8, 1, 2, 0]])
    tags = ids % 3
    classifier = tagger()
    model = keras_amp.MixupAMPModel(classifier, points, Unmixed())
    zero = keras.optimizers.SGD(0.0)
    logs = train(model, ids, tags, epochs=1, optimizer=zero, metrics=["accuracy"])
    hit = classifier.predict(ids, verbose=0).argmax(-1) == tags
    np.testing.assert_allclose(logs["accuracy"], hit[ids > 0].mean(), rtol=1e-6)
    assert hit[ids > 0].mean() != hit.mean()


# === Optimizers ===

OPTIMIZERS = {
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "Adam": lambda: keras.optimizers.Adam(0.01, epsilon=1e-2),
    "weight decay": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1, epsilon=1e-2),
    "clipped norm": lambda: keras.optimizers.SGD(0.2, clipnorm=0.05),
    "clipped global norm": lambda: keras.optimizers.SGD(0.2, global_clipnorm=0.05),
    "clipped values": lambda: keras.optimizers.SGD(0.2, clipvalue=0.01),
    "accumulated gradients": lambda: keras.optimizers.SGD(
        0.2, gradient_accumulation_steps=2
    ),
    "averaged weights": lambda: keras.optimizers.SGD(0.2, use_ema=True, ema_momentum=0.7),
    "averaged weights, written back": lambda: keras.optimizers.SGD(
        0.2, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=2
    ),
    "scaled loss": lambda: keras.optimizers.SGD(0.2, loss_scale_factor=64.0),
    "a schedule": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.ExponentialDecay(0.3, 2, 0.5)
    ),
}


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_every_optimizer_option_works_as_in_plain_keras(name):
    assert_equals_twin(make_optimizer=OPTIMIZERS[name])


def test_accumulated_gradients_equal_one_larger_step():
    """Two halves that mix within themselves, against the whole batch."""

    class Halves(Known):
        def draw(self, batch_size, seed_generator):
            within = 3 - 1 - ops.arange(batch_size, dtype="int32") % 3
            first = ops.arange(batch_size, dtype="int32") // 3 * 3
            return ops.convert_to_tensor(np.tile(LAM[:3], 2))[:batch_size], first + within

        def select(self, loss, adversarial_loss):
            return ops.arange(ops.shape(loss)[0]) % 3 == 0

    small, large = two(one_input)
    accumulating = keras.optimizers.SGD(0.2, gradient_accumulation_steps=2)
    train(
        keras_amp.MixupAMPModel(small, "embed", Halves()),
        X[:6],
        Y[:6],
        optimizer=accumulating,
        fit={"batch_size": 3},
    )
    train(keras_amp.MixupAMPModel(large, "embed", Halves()), X[:6], Y[:6])
    assert_same_weights(small, large)


@pytest.mark.parametrize(
    ("optimizer", "mode"),
    [
        ("SGD", MODES["eager"]),
        ("Adagrad", MODES["eager"]),
        ("Lion", MODES["eager"]),
        ("Adam", MODES["graph"]),
        ("Adam", MODES["xla"]),
    ],
)
def test_sparse_gradients_of_embeddings(optimizer, mode, text_batch):
    x, y = text_batch
    ours, twin = two(lambda: text_classifier(dropout=0.0))
    make = getattr(keras.optimizers, optimizer)
    model = keras_amp.MixupAMPModel(ours, ["embedding", "hidden"], Unmixed())
    train(model, x, y, optimizer=make(0.01), **mode)
    train(twin, x, y, optimizer=make(0.01), **mode)
    for a, b in zip(ours.get_weights(), twin.get_weights(), strict=True):
        # Where a gradient is zero but for rounding, its sign is a matter of chance.
        assert np.mean(np.abs(a - b) > 1e-4) < 0.02


@pytest.mark.parametrize(
    ("frozen", "points"),
    [
        (["embed"], "embed"),
        (["encode"], "embed"),
        (["embed", "encode"], "embed"),
        (["embed"], ["embed", "encode"]),
    ],
)
def test_frozen_layers_stay(frozen, points):
    ours, twin = two()
    for model in (ours, twin):
        for name in frozen:
            model.get_layer(name).trainable = False
    start = [w.copy() for w in ours.get_weights()]
    train(keras_amp.MixupAMPModel(ours, points, Unmixed()))
    train(twin)
    assert_same_weights(ours, twin)
    moved = {
        v.path.split("/")[-2]
        for v, old in zip(ours.weights, start, strict=True)
        if (v.numpy() != old).any()
    }
    assert moved == {"embed", "encode", "probabilities"} - set(frozen)


def test_a_frozen_batch_normalization_does_not_move():
    classifier = network(normalize=True)
    classifier.get_layer("normalize").trainable = False
    before = classifier.get_layer("normalize").get_weights()
    train(keras_amp.MixupAMPModel(classifier, "embed", Known()))
    for a, b in zip(before, classifier.get_layer("normalize").get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_nothing_to_train_is_said_as_in_plain_keras():
    classifier = network()
    model = keras_amp.MixupAMPModel(classifier, "embed")
    model.trainable = False
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        train(model, epochs=1)


# === Precision ===


HALVES = ["mixed_bfloat16", "mixed_float16"]


@pytest.fixture
def precision(request):
    yield request.param
    keras.config.set_dtype_policy("float32")


class Watching(keras_amp.AdversarialMixing):
    """Notes the dtypes that a policy meets."""

    def __init__(self, **arguments):
        super().__init__(step_size=0.1, **arguments)
        self.met = {}

    def draw(self, batch_size, seed_generator):
        return Known.draw(self, batch_size, seed_generator)

    def perturb(self, lam, lam_gradient):
        self.met.update(lam=lam.dtype.name, lam_gradient=lam_gradient.dtype.name)
        return super().perturb(lam, lam_gradient)

    def select(self, loss, adversarial_loss):
        self.met.update(
            loss=loss.dtype.name, adversarial_loss=adversarial_loss.dtype.name
        )
        return super().select(loss, adversarial_loss)


@pytest.mark.parametrize(
    ("precision", "mode"),
    [(HALVES[0], MODES["eager"]), (HALVES[1], MODES["graph"]), (HALVES[1], MODES["xla"])],
    indirect=["precision"],
)
def test_mixed_precision_updates_as_float32_does(precision, mode):
    plain = one_input()
    start = plain.get_weights()
    single = {"x": X[:6], "y": Y[:6], **mode}
    expected = train(keras_amp.MixupAMPModel(plain, "embed", Watching()), **single)

    keras.config.set_dtype_policy(precision)
    mixed = one_input()
    mixed.set_weights(start)
    assert mixed.get_layer("embed").compute_dtype == precision.removeprefix("mixed_")
    model = keras_amp.MixupAMPModel(mixed, "embed", Watching())
    history = train(model, **single)
    assert set(model.policy.met.values()) == {"float32"}
    scaling = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaling == (precision == "mixed_float16")
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=0.02)
    np.testing.assert_allclose(history["lam_delta"], expected["lam_delta"], rtol=0.05)
    for before, after, exact in zip(
        start, mixed.get_weights(), plain.get_weights(), strict=True
    ):
        scale = np.abs(exact - before).max()
        np.testing.assert_allclose(after - before, exact - before, atol=0.03 * scale)


@pytest.mark.parametrize("precision", HALVES, indirect=True)
def test_mixed_precision_equals_plain_fit_when_unmixed(precision):
    keras.config.set_dtype_policy(precision)
    ours, twin = two(one_input)
    history = train(keras_amp.MixupAMPModel(ours, ["x", "embed"], Unmixed()))
    expected = train(twin)
    assert_same_weights(ours, twin, atol=1e-3)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-3)


@pytest.mark.parametrize("points", ["embed", ["x", "embed"]])
def test_overflowing_gradients_are_skipped_and_the_scale_is_lowered(points):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        classifier = one_input()
        before = classifier.get_weights()
        inner = keras.optimizers.SGD(0.2)
        optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=2.0**40)
        model = keras_amp.MixupAMPModel(classifier, points, Known())
        logs = train(model, X[:6], Y[:6], epochs=1, optimizer=optimizer)
        assert float(optimizer.dynamic_scale) == 2.0**39
        for a, b in zip(before, classifier.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        assert 0 < logs["loss"][0] < 10  # as it is, not scaled
    finally:
        keras.config.set_dtype_policy("float32")


def test_a_float64_classifier():
    ours, twin = two(lambda: float64_network())
    train(keras_amp.MixupAMPModel(ours, "embed", Unmixed()), X.astype("float64"))
    train(twin, X.astype("float64"))
    assert_same_weights(ours, twin)


def float64_network():
    x = keras.Input((4,), dtype="float64")
    h = layers.Dense(5, "tanh", name="embed", dtype="float64")(x)
    return keras.Model(x, layers.Dense(3, "softmax", dtype="float64")(h))
