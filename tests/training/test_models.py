"""MixupAMPModel as a Keras model: modes, inputs, metrics, precision, optimizers.

Most tests compare with a twin: a plain Keras model that is trained on examples mixed in
NumPy. That is possible because the policy below decides everything beforehand.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import MODES, bag_of_words, same_start, text_classifier
from keras import layers, ops

import keras_amp

RNG = np.random.default_rng(17)
X = RNG.normal(size=(9, 4)).astype("float32")
Y = RNG.integers(0, 3, 9)
WEIGHT = RNG.uniform(0.2, 3.0, 9).astype("float32")
BATCHES = [slice(0, 6), slice(6, 9)]  # the last one is smaller
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


class Drawn(keras_amp.Mixup):
    """The same without a step: one pass, for what the search plays no part in."""

    draw = Known.draw


class Unmixed(keras_amp.AdversarialMixing):
    """Searches as always, but lambda stays 1."""

    def draw(self, batch_size, seed_generator):
        return ops.ones((batch_size,)), (
            batch_size - 1 - ops.arange(batch_size, dtype="int32")
        )

    def perturb(self, lam, lam_gradient):
        return lam


class NeverMixed(keras_amp.Mixup):
    """The same in one pass."""

    draw = Unmixed.draw


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


def network():
    """Has penalties of every kind."""
    x = keras.Input((4,), name="x")
    h = layers.Dense(5, "tanh", name="embed", activity_regularizer="l2")(x)
    h = Penalty()(h)
    h = layers.Dense(
        6, "tanh", name="encode", kernel_regularizer="l1", activity_regularizer="l2"
    )(h)
    return keras.Model(x, layers.Dense(3, "softmax", name="probabilities")(h))


def small():
    x = keras.Input((4,), name="x")
    h = layers.Dense(5, "tanh", name="embed")(x)
    return keras.Model(x, layers.Dense(3, "softmax", name="probabilities")(h))


def two(make=small):
    return same_start(make, "ours", "twin")


class Traced(keras_amp.MixupAMPModel):
    """Counts how often its step is traced, or taken eagerly."""

    traces = 0

    def train_step(self, *arguments):
        self.traces += 1
        return super().train_step(*arguments)


def sgd():
    return keras.optimizers.SGD(0.2)


def eagerly(compile_args):
    """Train eagerly by default, which spares the tracing."""
    default = not compile_args.keys() & {"jit_compile", "steps_per_execution"}
    return {"run_eagerly": default, **compile_args}


def compiled(model, optimizer=None, loss=None, **compile_args):
    loss = loss or "sparse_categorical_crossentropy"
    model.compile(optimizer or sgd(), loss, **eagerly(compile_args))
    return model


def train(model, x=X, y=Y, epochs=1, fit=None, **compile_args):
    """Train without shuffling."""
    fit = {"batch_size": 6, **(fit or {})}
    model = compiled(model, **compile_args)
    return model.fit(x, y, epochs=epochs, shuffle=False, verbose=0, **fit).history


def step(model, x=X[:6], y=Y[:6], weight=None, **compile_args):
    """Train on one batch."""
    return compiled(model, **compile_args).train_on_batch(x, y, weight, return_dict=True)


def assert_same_weights(a, b, atol=2e-6):
    a, b = a.get_weights(), b.get_weights()
    assert len(a) == len(b)
    for ours, twins in zip(a, b, strict=True):
        np.testing.assert_allclose(ours, twins, atol=atol)


def assert_equals_twin(
    make=small, make_optimizer=sgd, weight=None, batches=BATCHES, epochs=1, **mode
):
    """Train a model that mixes its inputs, and a twin eagerly on inputs mixed by hand."""
    ours, twin = two(make)
    start = ours.get_weights()
    fit = {"batch_size": batches[0].stop}
    model = Traced(ours, "x", Known())
    history = train(
        model,
        optimizer=make_optimizer(),
        epochs=epochs,
        fit={**fit, "sample_weight": weight},
        **mode,
    )
    expected = train(
        twin,
        *mixed_by_hand(weight=weight, batches=batches),
        optimizer=make_optimizer(),
        epochs=epochs,
        loss=soft_crossentropy,
        fit=fit,
    )
    assert_same_weights(ours, twin)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)
    assert any(
        np.abs(a - b).max() > 1e-3 for a, b in zip(start, ours.get_weights(), strict=True)
    )
    return model, history


# === Ways of running a step ===


@pytest.mark.parametrize(
    ("mode", "weight"), [(MODES["eager"], None), ({"jit_compile": "auto"}, WEIGHT)]
)
def test_fit_equals_plain_fit_on_mixed_examples(mode, weight):
    """Two epochs with a smaller last batch, penalties of every kind counted once."""
    model, history = assert_equals_twin(network, weight=weight, epochs=2, **mode)
    lam = np.concatenate([LAM[: b.stop - b.start] for b in BATCHES])
    np.testing.assert_allclose(history["lam"], lam.mean(), rtol=1e-6)
    np.testing.assert_allclose(history["lam_delta"], STEP, rtol=1e-6)
    selected = np.concatenate([np.arange(b.stop - b.start) % 2 == 0 for b in BATCHES])
    np.testing.assert_allclose(history["mask_rate"], selected.mean(), rtol=1e-6)
    assert not model.jit_compile  # without an accelerator Keras resolves "auto" to False
    # A graph is traced once, the last, smaller batch included.
    assert model.traces == (4 if model.run_eagerly else 1)


@pytest.mark.parametrize(("steps", "jit_compile"), [(3, False), (2, True)])
def test_several_steps_per_execution(steps, jit_compile):
    """The last batch is of one example, and at two steps it is left over."""
    batches = [slice(0, 4), slice(4, 8), slice(8, 9)]
    mode = {"steps_per_execution": steps, "jit_compile": jit_compile}
    assert_equals_twin(batches=batches, **mode)


@pytest.mark.parametrize("mode", [MODES["eager"], MODES["xla"]])
def test_penalties_on_either_side_of_the_mix_point_count_once(mode):
    ours, twin = two(network)
    logs = step(keras_amp.MixupAMPModel(ours, "embed", Unmixed()), **mode)
    expected = step(twin)
    assert_same_weights(ours, twin)
    np.testing.assert_allclose(logs["loss"], expected["loss"], rtol=1e-5)


@pytest.mark.parametrize("mode", [MODES["eager"], MODES["graph"]])
def test_batch_of_one(mode):
    """The only partner is the example itself, so that lambda changes nothing."""

    class One(keras_amp.AdversarialMixing):
        def draw(self, batch_size, seed_generator):
            return ops.full((batch_size,), 0.2), super().draw(batch_size, seed_generator)[
                1
            ]

    ours, twin = two()
    data = X[:1], Y[:1]
    logs = step(keras_amp.MixupAMPModel(ours, "embed", One()), *data, **mode)
    expected = step(twin, *data)
    assert_same_weights(ours, twin, atol=1e-5)
    np.testing.assert_allclose(logs["loss"], expected["loss"], rtol=1e-5)
    np.testing.assert_allclose(logs["lam_delta"], 0, atol=1e-6)


# === Inputs ===


def two_inputs():
    a, b = keras.Input((3,), name="a"), keras.Input((1,), name="b")
    h = layers.Dense(5, "tanh", name="embed")(layers.Concatenate()([a, b]))
    return keras.Model({"a": a, "b": b}, layers.Dense(3, "softmax")(h))


def listed_inputs():
    a, b = keras.Input((3,), name="a"), keras.Input((1,), name="b")
    h = layers.Dense(5, "tanh", name="embed")(layers.Concatenate()([a, b]))
    return keras.Model([a, b], layers.Dense(3, "softmax")(h))


@pytest.fixture(scope="module")
def plain():
    """What arrays and integer labels lead to: weights before and after, and a history."""
    classifier = small()
    start = classifier.get_weights()
    model = keras_amp.MixupAMPModel(classifier, "embed", Drawn())
    history = train(model, metrics=["accuracy"], fit={"validation_data": (X, Y)})
    return start, classifier, history


def like(plain, classifier):
    """Give a classifier the weights that the plain one began with."""
    classifier.set_weights(plain[0])
    return classifier


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return len(BATCHES)

    def __getitem__(self, index):
        return X[BATCHES[index]], Y[BATCHES[index]]


def dataset(x, y=Y):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(6)


A, B = X[:, :3], X[:, 3:]
INPUTS = {
    "tensors": (small, ops.convert_to_tensor(X), ops.convert_to_tensor(Y)),
    "a column of labels": (small, X, Y[:, None]),
    "labels in a list": (small, X, [Y]),
    "a data set": (small, dataset(X), None),
    "a data set of known sizes": (
        small,
        dataset(X).apply(lambda d: d.take(2).concatenate(d.skip(2))),
        None,
    ),
    "batches in Python": (small, Batches(), None),
    "a dict": (two_inputs, {"a": A, "b": B}, Y),
    "a dict, in a data set": (two_inputs, dataset({"a": A, "b": B}), None),
    "a list": (listed_inputs, [A, B], Y),
    "a tuple": (listed_inputs, (A, B), Y),
    "a tuple, in a data set": (listed_inputs, dataset((A, B)), None),
    "a dict for listed inputs": (listed_inputs, {"b": B, "a": A}, Y),
}


@pytest.mark.parametrize("name", list(INPUTS))
def test_every_kind_of_input(name, plain):
    make, x, y = INPUTS[name]
    ours = like(plain, make())
    fit = {"batch_size": 6 if y is not None else None}
    # A graph where a data set says what its shapes are, and not how large.
    mode = MODES["eager" if y is not None or type(x) is Batches else "graph"]
    train(keras_amp.MixupAMPModel(ours, "embed", Drawn()), x, y, fit=fit, **mode)
    assert_same_weights(ours, plain[1])


def test_a_generator(plain):
    ours = like(plain, small())
    model = compiled(keras_amp.MixupAMPModel(ours, "embed", Drawn()))
    model.fit(((X[b], Y[b]) for b in BATCHES), verbose=0)
    assert_same_weights(ours, plain[1])


def test_weights_in_a_data_set():
    ours, twin = two()
    data = tf.data.Dataset.from_tensor_slices((X[:6], Y[:6], WEIGHT[:6])).batch(6)
    model = keras_amp.MixupAMPModel(ours, "embed", Drawn())
    train(model, data, None, fit={"batch_size": None})
    step(keras_amp.MixupAMPModel(twin, "embed", Drawn()), weight=WEIGHT[:6])
    assert_same_weights(ours, twin)


@pytest.mark.parametrize("mix_at", ["embed", None])
def test_a_sequential_classifier(mix_at, plain):
    mix = [] if mix_at else [keras_amp.MixLayer()]
    ours = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, "tanh", name="embed"),
            *mix,
            layers.Dense(3, "softmax"),
        ]
    )
    train(keras_amp.MixupAMPModel(like(plain, ours), mix_at, Drawn()))
    assert_same_weights(ours, plain[1])


def test_a_sequential_classifier_built_by_a_call(plain):
    ours = keras.Sequential([layers.Dense(5, "tanh"), layers.Dense(3, "softmax")])
    ours(X)
    name = ours.layers[0].name
    train(keras_amp.MixupAMPModel(like(plain, ours), name, Drawn()))
    assert_same_weights(ours, plain[1])


# === Several mix points ===


def three_layers():
    x = keras.Input((4,), name="x")
    h = layers.Dense(5, "tanh", name="embed")(x)
    h = layers.Dense(6, "tanh", name="encode")(h)
    return keras.Model(x, layers.Dense(3, "softmax")(h))


def losses_at(points, classifier, steps, **mode):
    """The losses of steps that change nothing, so that the mix point alone matters."""
    model = Traced(classifier, points, Drawn(), seed=8)
    optimizer = keras.optimizers.SGD(0.0)
    compiled(model, optimizer, **mode)
    losses = [float(model.train_on_batch(X[:6], Y[:6])[0]) for _ in range(steps)]
    assert model.run_eagerly or model.traces == 1
    return losses


@pytest.mark.parametrize(
    ("mode", "inside"), [(MODES["eager"], False), (MODES["xla"], True)]
)
def test_every_mix_point_is_picked_over_time(mode, inside):
    classifier = three_layers()
    points = ["x", "embed", "encode"]
    if inside:  # the classifier brings its MixLayers along
        picked = classifier
        for point in points[1:]:
            picked = keras_amp.insert_mix_layer(picked, point, f"mix_{point}")
        points, several = points[1:], None
    else:
        picked, several = classifier, points
    expected = [losses_at(point, classifier, 1)[0] for point in points]
    assert len({round(loss, 3) for loss in expected}) == len(points)
    actual = np.array(losses_at(several, picked, 30, **mode))
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
@pytest.mark.parametrize("points", ["embed", ["embed", "spare"]])
def test_a_weight_that_plays_no_part(points):
    def make():
        x = keras.Input((4,), name="x")
        h = Spare(name="spare")(layers.Dense(5, "tanh", name="embed")(x))
        return keras.Model(x, layers.Dense(3, "softmax")(h))

    ours, twin = two(make)
    optimizer, twins = (keras.optimizers.SGD(0.2, momentum=0.9) for _ in range(2))
    model = keras_amp.MixupAMPModel(ours, points, NeverMixed())
    step(model, optimizer=optimizer, **MODES["graph"])
    step(twin, optimizer=twins)
    assert_same_weights(ours, twin)
    # The optimizer knows it all the same: a saved state fits a model loaded from disk.
    assert [v.shape for v in optimizer.variables] == [v.shape for v in twins.variables]


# === The classifier ===


def test_predict_and_evaluate_are_the_classifiers_own(text_batch):
    classifier = text_classifier(normalize=True)
    model = keras_amp.MixupAMPModel(classifier, "embedding", keras_amp.Mixup())
    x, y = text_batch
    arguments = {"metrics": ["accuracy"], "weighted_metrics": ["accuracy"]}
    step(model, x, y, **arguments)
    assert model.classifier is classifier
    compiled(classifier, **arguments)
    np.testing.assert_array_equal(
        model.predict(x, verbose=0), classifier.predict(x, verbose=0)
    )
    np.testing.assert_array_equal(
        model.predict_on_batch(x), classifier.predict_on_batch(x)
    )
    np.testing.assert_array_equal(model(x), classifier(x))
    for weight, as_dict in ((None, False), (np.linspace(0, 2, 20), True)):
        how = {"sample_weight": weight, "verbose": 0, "batch_size": 12}
        how["return_dict"] = as_dict
        ours, own = model.evaluate(x, y, **how), classifier.evaluate(x, y, **how)
        assert type(ours) is type(own)
        if as_dict:
            assert list(ours) == list(own)
            ours, own = list(ours.values()), list(own.values())
        np.testing.assert_allclose(ours, own, rtol=1e-6)


def test_validation_is_the_classifiers_evaluation():
    model = keras_amp.MixupAMPModel(small(), "embed", Drawn())
    for data in ((X, Y), (X, Y, WEIGHT), dataset(X)):
        fit = {"validation_data": data}
        history = train(model, X[:6], Y[:6], metrics=["accuracy"], fit=fit)
        x, y, *weight = data if isinstance(data, tuple) else (data, None)
        own = compiled(model.classifier, metrics=["accuracy"])
        expected = own.evaluate(
            x,
            y,
            sample_weight=weight[0] if weight else None,
            verbose=0,
            batch_size=6 if y is not None else None,
            return_dict=True,
        )
        assert {f"val_{n}" for n in expected} == {n for n in history if "val_" in n}
        for name, value in expected.items():
            np.testing.assert_allclose(history[f"val_{name}"][-1], value, rtol=1e-5)


def test_validation_split():
    ours, twin = two()
    split = {"validation_split": 1 / 3}
    history = train(keras_amp.MixupAMPModel(ours, "embed", Drawn()), fit=split)
    apart = {"validation_data": (X[6:], Y[6:])}
    model = keras_amp.MixupAMPModel(twin, "embed", Drawn())
    expected = train(model, X[:6], Y[:6], fit=apart)
    assert_same_weights(ours, twin)
    np.testing.assert_allclose(history["val_loss"], expected["val_loss"], rtol=1e-6)


READ_WITHOUT_US = """
import sys, keras, numpy as np
classifier = keras.models.load_model(sys.argv[1])
np.save(sys.argv[2], classifier(np.load(sys.argv[3])))
assert not classifier.compiled
assert not any(name.split(".")[0] == "keras_amp" for name in sys.modules)
assert not any("amp" in str(type(l)).lower() for l in classifier._flatten_layers())
"""


def test_three_changed_lines(tmp_path, text_batch, fresh):
    """The classifier is trained in place, and loads where keras_amp is not installed."""
    x, y = text_batch
    train_set = tf.data.Dataset.from_tensor_slices((x, y)).batch(5)
    classifier = bag_of_words()
    before = classifier.get_weights()
    model = keras_amp.MixupAMPModel(classifier, mix_at="embedding")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train_set, validation_data=train_set, verbose=0)
    classifier.save(tmp_path / "classifier.keras")
    after = classifier.get_weights()
    assert all((a != b).any() for a, b in zip(before, after, strict=True))

    np.save(tmp_path / "x.npy", x)
    names = ("classifier.keras", "predictions.npy", "x.npy")
    fresh.run(READ_WITHOUT_US, *names, folder=tmp_path)
    actual = np.load(tmp_path / "predictions.npy")
    np.testing.assert_allclose(actual, model(x), atol=1e-6)


# === What is reported ===

FOUR = {"lam", "lam_delta", "mask_rate", "loss_gap"}


@pytest.mark.parametrize("policy", [keras_amp.Mixup(), keras_amp.AdversarialMixing()])
def test_the_names_that_are_reported(policy):
    model = keras_amp.MixupAMPModel(small(), "embed", policy)
    metrics = ["accuracy", keras.metrics.SparseCategoricalCrossentropy()]
    history = train(model, X[:6], Y[:6], metrics=metrics)
    assert set(history) == {"loss", "accuracy", "sparse_categorical_crossentropy"} | FOUR
    assert np.isfinite(list(history.values())).all()
    logs = model.train_on_batch(X, Y, return_dict=True)
    assert set(logs) == set(history)
    assert set(model.evaluate(X, Y, verbose=0, return_dict=True)) == (set(history) - FOUR)
    assert set(model.test_on_batch(X, Y, return_dict=True)) == set(history) - FOUR


@pytest.mark.parametrize("mode", [MODES["eager"], MODES["graph"]])
def test_metrics_look_at_the_label_with_the_larger_share(mode):
    """Here the predictions are known beforehand, as the step size of SGD is zero."""
    classifier = small()
    p = np.array(classifier(mixed_by_hand()[0]))
    reversed_ = np.concatenate([np.arange(9)[b][::-1] for b in BATCHES])
    own = np.concatenate([LAM[: b.stop - b.start] >= 0.5 for b in BATCHES])
    major = np.where(own, Y, Y[reversed_])
    weight = np.where(own, WEIGHT, WEIGHT[reversed_])
    hit = p.argmax(1) == major
    assert 0 < hit.mean() < 1
    assert not np.array_equal(major, Y)
    history = train(
        keras_amp.MixupAMPModel(classifier, "x", Known()),
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
    entropy = -np.log(p[np.arange(9), major])
    np.testing.assert_allclose(
        history["sparse_categorical_crossentropy"],
        np.average(entropy, weights=weight),
        rtol=1e-4,
    )


def test_one_hot_labels_and_their_metrics(plain):
    ours = like(plain, small())
    history = train(
        keras_amp.MixupAMPModel(ours, "embed", Drawn()),
        X,
        np.eye(3)[Y],
        loss="categorical_crossentropy",
        metrics=["accuracy", keras.metrics.AUC(name="auc")],
    )
    assert_same_weights(ours, plain[1], atol=1e-5)
    np.testing.assert_allclose(history["accuracy"], plain[2]["accuracy"])
    assert 0 < history["auc"][-1] < 1


def test_losses_and_metrics_by_the_outputs_name(plain):
    ours = like(plain, small())
    history = train(
        keras_amp.MixupAMPModel(ours, "embed", Drawn()),
        loss={"probabilities": "sparse_categorical_crossentropy"},
        metrics={"probabilities": ["accuracy"]},
        weighted_metrics={"probabilities": ["accuracy"]},
        fit={"validation_data": (X, Y)},
    )
    assert_same_weights(ours, plain[1])
    assert {"accuracy", "weighted_accuracy", "val_accuracy"} <= set(history)


def test_loss_weights(plain):
    ours = like(plain, small())
    model = keras_amp.MixupAMPModel(ours, "embed", Drawn())
    train(model, optimizer=keras.optimizers.SGD(0.1), loss_weights=[2.0])
    assert_same_weights(ours, plain[1])


@pytest.mark.parametrize("wrap", [lambda p: [p], lambda p: {"p": p}])
def test_an_output_inside_a_structure(wrap, plain):
    ours = like(plain, small())
    classifier = keras.Model(ours.input, wrap(ours.output))
    model = keras_amp.MixupAMPModel(classifier, "embed", Drawn())
    history = train(model, metrics=["accuracy"], fit={"validation_data": (X, Y)})
    assert_same_weights(ours, plain[1])
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(history[name], plain[2][name], rtol=1e-6)


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
    model = keras_amp.MixupAMPModel(classifier, points, NeverMixed())
    zero = keras.optimizers.SGD(0.0)
    logs = step(model, ids, tags, optimizer=zero, metrics=["accuracy"])
    hit = np.array(classifier(ids)).argmax(-1) == tags
    np.testing.assert_allclose(logs["accuracy"], hit[ids > 0].mean(), rtol=1e-6)
    assert hit[ids > 0].mean() != hit.mean()


# === Optimizers ===

AVERAGED = {"use_ema": True, "ema_momentum": 0.7}
HALVED = keras.optimizers.schedules.ExponentialDecay(0.3, 1, 0.5)
OPTIMIZERS = {
    "momentum, a schedule, clipped norm": lambda: keras.optimizers.SGD(
        HALVED, momentum=0.9, nesterov=True, clipnorm=0.05
    ),
    "Adam, weight decay, clipped global norm, averaged weights": lambda: (
        keras.optimizers.AdamW(
            0.01, weight_decay=0.1, epsilon=1e-2, global_clipnorm=0.05, **AVERAGED
        )
    ),
    "accumulated gradients, clipped values": lambda: keras.optimizers.SGD(
        0.2, gradient_accumulation_steps=2, clipvalue=0.01
    ),
    "scaled loss, averaged weights, written back": lambda: keras.optimizers.SGD(
        0.2, loss_scale_factor=64.0, ema_overwrite_frequency=2, **AVERAGED
    ),
}


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_every_optimizer_option_works_as_in_plain_keras(name):
    batches = [slice(0, 3), slice(3, 6), slice(6, 9)]
    assert_equals_twin(make_optimizer=OPTIMIZERS[name], batches=batches)


def test_accumulated_gradients_equal_one_larger_step():
    """Two halves that mix within themselves, against the whole batch."""

    class Halves(Known):
        def draw(self, batch_size, seed_generator):
            within = 3 - 1 - ops.arange(batch_size, dtype="int32") % 3
            first = ops.arange(batch_size, dtype="int32") // 3 * 3
            return ops.convert_to_tensor(np.tile(LAM[:3], 2))[:batch_size], first + within

        def select(self, loss, adversarial_loss):
            return ops.arange(ops.shape(loss)[0]) % 3 == 0

    halves, whole = two()
    accumulating = keras.optimizers.SGD(0.2, gradient_accumulation_steps=2)
    train(
        keras_amp.MixupAMPModel(halves, "embed", Halves()),
        X[:6],
        Y[:6],
        optimizer=accumulating,
        fit={"batch_size": 3},
    )
    step(keras_amp.MixupAMPModel(whole, "embed", Halves()))
    assert_same_weights(halves, whole)


@pytest.mark.parametrize(
    ("optimizer", "mode"),
    [("Adagrad", "eager"), ("Adam", "graph"), ("SGD", "xla")],
)
def test_sparse_gradients_of_embeddings(optimizer, mode, text_batch):
    ours, twin = two(bag_of_words)
    make = getattr(keras.optimizers, optimizer)
    model = keras_amp.MixupAMPModel(ours, ["embedding", "sentence"], NeverMixed())
    step(model, *text_batch, optimizer=make(0.01), **MODES[mode])
    step(twin, *text_batch, optimizer=make(0.01))
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
    ours, twin = two(three_layers)
    for model in (ours, twin):
        for name in frozen:
            model.get_layer(name).trainable = False
    start = [w.copy() for w in ours.get_weights()]
    step(keras_amp.MixupAMPModel(ours, points, NeverMixed()))
    step(twin)
    assert_same_weights(ours, twin)
    moved = {
        v.path.split("/")[-2]
        for v, old in zip(ours.weights, start, strict=True)
        if (np.array(v) != old).any()
    }
    assert moved == {"embed", "encode", ours.layers[-1].name} - set(frozen)


def test_a_frozen_batch_normalization_does_not_move():
    x = keras.Input((4,), name="x")
    h = layers.Dense(5, "tanh", name="embed")(x)
    normalize = layers.BatchNormalization()
    classifier = keras.Model(x, layers.Dense(3, "softmax")(normalize(h)))
    normalize.trainable = False
    before = normalize.get_weights()
    step(keras_amp.MixupAMPModel(classifier, "embed", Known()))
    for a, b in zip(before, normalize.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_nothing_to_train_is_said_as_in_plain_keras():
    model = keras_amp.MixupAMPModel(small(), "embed", Drawn())
    model.trainable = False
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        step(model)


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
    [(HALVES[0], MODES["eager"]), (HALVES[1], MODES["xla"])],
    indirect=["precision"],
)
def test_mixed_precision_updates_as_float32_does(precision, mode):
    single = small()
    start = single.get_weights()
    expected = step(keras_amp.MixupAMPModel(single, "embed", Watching()))

    keras.config.set_dtype_policy(precision)
    mixed = small()
    mixed.set_weights(start)
    assert mixed.get_layer("embed").compute_dtype == precision.removeprefix("mixed_")
    model = keras_amp.MixupAMPModel(mixed, "embed", Watching())
    logs = step(model, **mode)
    assert set(model.policy.met.values()) == {"float32"}
    scaling = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaling == (precision == "mixed_float16")
    np.testing.assert_allclose(logs["loss"], expected["loss"], rtol=0.02)
    np.testing.assert_allclose(logs["lam_delta"], expected["lam_delta"], rtol=0.05)
    for before, after, exact in zip(
        start, mixed.get_weights(), single.get_weights(), strict=True
    ):
        scale = np.abs(exact - before).max()
        np.testing.assert_allclose(after - before, exact - before, atol=0.03 * scale)


@pytest.mark.parametrize("precision", HALVES, indirect=True)
def test_mixed_precision_equals_plain_fit_when_unmixed(precision):
    keras.config.set_dtype_policy(precision)
    ours, twin = two()
    logs = step(keras_amp.MixupAMPModel(ours, ["x", "embed"], Unmixed()))
    expected = step(twin)
    assert_same_weights(ours, twin, atol=1e-3)
    np.testing.assert_allclose(logs["loss"], expected["loss"], rtol=1e-3)


@pytest.mark.parametrize("points", ["embed", ["x", "embed"]])
def test_overflowing_gradients_are_skipped_and_the_scale_is_lowered(points):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        classifier = small()
        before = classifier.get_weights()
        inner = keras.optimizers.SGD(0.2)
        optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=2.0**40)
        model = keras_amp.MixupAMPModel(classifier, points, Known())
        logs = step(model, optimizer=optimizer)
        assert float(optimizer.dynamic_scale) == 2.0**39
        for a, b in zip(before, classifier.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        assert 0 < logs["loss"] < 10  # as it is, not scaled
    finally:
        keras.config.set_dtype_policy("float32")


def test_a_float64_classifier():
    ours, twin = two(float64_network)
    x = X[:6].astype("float64")
    step(keras_amp.MixupAMPModel(ours, "embed", Unmixed()), x)
    step(twin, x)
    assert_same_weights(ours, twin)


def float64_network():
    x = keras.Input((4,), dtype="float64")
    h = layers.Dense(5, "tanh", name="embed", dtype="float64")(x)
    return keras.Model(x, layers.Dense(3, "softmax", dtype="float64")(h))
