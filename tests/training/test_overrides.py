"""Overridden methods: honoured in training and evaluation as by Keras, or refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from backends import JAX, gradients
from helpers import LAM, MODES, PERMUTATION, injected
from keras import ops

import keras_amp

RNG = np.random.default_rng(4)
X, Y = RNG.normal(size=(18, 5)).astype("float32"), np.arange(18) % 3
WEIGHT = RNG.uniform(0.5, 2.0, 18).astype("float32")
NEVER = keras_amp.Mixup(probability=0.0)


class Constant(keras.Model):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        return super().compute_loss(x, y, y_pred, sample_weight) + 100.0


class Everything(keras.Model):
    """A multiplied loss; penalties on predictions, inputs, weights and by the step."""

    def compute_loss(self, *args, **kwargs):
        loss = super().compute_loss(*args, **kwargs)
        x, _, y_pred = args[:3]
        logs = ops.log(ops.cast(y_pred, "float32") + 1e-6)
        penalty = 0.3 * ops.mean(ops.sum(ops.exp(logs) * logs, axis=-1))
        kernel = ops.cast(self.get_layer("hidden").kernel, "float32")
        step = ops.cast(self.optimizer.iterations, "float32")
        return 0.5 * loss + penalty + 0.01 * (1 + step) * ops.mean(kernel**2 + x[0, 0])


class Tracked(keras.Model):
    """In the style of Keras' guides: a metric of its own, counted as it is called."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.norm = keras.metrics.Mean(name="norm")

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        loss = super().compute_loss(
            x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training
        )
        penalty = ops.mean(ops.square(y_pred)) + 0.1 * sum(self.losses)
        self.norm.update_state(penalty)
        return loss + penalty if training else loss

    @property
    def metrics(self):
        return [*super().metrics, self.norm]


class OwnTotal(keras.Sequential):
    """Reports a loss of its own making under Keras' name."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.total = keras.metrics.Mean(name="loss")

    def compute_loss(self, x, y, y_pred, sample_weight, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        self.total.update_state(2 * loss)
        return loss

    def reset_metrics(self):
        self.total.reset_state()

    @property
    def metrics(self):
        return [self.total]


class Evaluated(keras.Model):
    """A custom evaluation: the mean of the predictions for x and -x."""

    def test_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        y_pred = (self(x, training=False) + self(-x, training=False)) / 2
        loss = self.compute_loss(x, y, y_pred, sample_weight, training=False)
        self._loss_tracker.update_state(2 * loss)
        logs = self.compute_metrics(x, y, y_pred, sample_weight)
        return {**logs, "size": ops.mean(ops.abs(x))}

    def predict_step(self, data):
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        return (self(x, training=False) + self(-x, training=False)) / 2


def network(kind, dropout=0.2, **arguments):
    keras.utils.set_random_seed(6)
    layers = [
        keras.Input((5,)),
        keras.layers.Dense(
            4, "tanh", kernel_regularizer="l2", name="hidden", **arguments
        ),
        keras.layers.Dropout(dropout, seed=1, **arguments),
        keras.layers.Dense(3, "softmax", dtype="float32", activity_regularizer="l2"),
    ]
    if issubclass(kind, keras.Sequential):
        return kind(layers)
    outputs = layers[0]
    for layer in layers[1:]:
        outputs = layer(outputs)
    model = kind(layers[0], outputs)
    if arguments:
        model.dtype_policy = arguments["dtype"]
    return model


def both(kind, model_class=keras_amp.MixupAMPModel, policy=NEVER, **compile_args):
    """The class trained by Keras, and by the mixing model; compiled alike."""
    arguments = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    arguments.update(compile_args)
    optimizer = arguments.pop("optimizer", lambda: keras.optimizers.SGD(0.3))
    layers = arguments.pop("layers", {})
    models = [network(kind, **layers) for _ in range(2)]
    models[1] = model_class(models[1], "hidden", policy, seed=1)
    for model in models:
        model.compile(optimizer=optimizer(), **arguments)
    return models


def check_alike(models, rtol=2e-5, epochs=1, evaluated=True):
    """Train and evaluate both; compare their reports, weights and predictions."""
    fit = {"x": X, "y": Y, "sample_weight": WEIGHT, "shuffle": False, "verbose": 0}
    fit.update(batch_size=12, epochs=epochs)
    fit["validation_data"] = (X[:8], Y[:8]) if evaluated else None
    expected, got = (model.fit(**fit).history for model in models)
    assert not set(expected) - set(got)
    own = {"lam", "lam_delta", "mask_rate", "loss_gap", "loss", "accuracy"}
    assert set(got) - set(expected) <= own | {"val_accuracy"}
    for name, values in expected.items():
        np.testing.assert_allclose(got[name], values, rtol=rtol, err_msg=name)
    plain, ours = models
    for a, b in zip(plain.get_weights(), ours.classifier.get_weights(), strict=True):
        np.testing.assert_allclose(b, a, rtol=50 * rtol, atol=rtol)
    if plain.run_eagerly or JAX:
        expected, got = (model.predict(X, verbose=0) for model in models)
    else:
        expected, got = (model.predict_step((tf.constant(X),)) for model in models)
    np.testing.assert_allclose(got, expected, rtol=50 * rtol)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        (Constant, "eager"),
        (Tracked, "eager"),
        (OwnTotal, "eager"),
        (Everything, "graph"),
        (Evaluated, "graph"),
    ],
)
def test_never_mixed_equals_keras(kind, mode):
    check_alike(both(kind, **MODES[mode]), epochs=1 + (kind is OwnTotal))


def test_with_gradient_accumulation_and_mixed_precision():
    def optimizer():
        return keras.optimizers.SGD(0.3, gradient_accumulation_steps=2)

    how = {"layers": {"dtype": "mixed_float16"}, "run_eagerly": True}
    check_alike(both(Everything, optimizer=optimizer, **how), rtol=2e-3)


def test_distributed(strategy):
    with strategy.scope():
        models = both(Tracked, layers={"dropout": 0.0}, metrics=None, jit_compile=False)
    # Trained alone: what each of two replicas evaluates is no matter of the mixing.
    check_alike(models, evaluated=False)


def test_a_classifier_that_was_compiled_and_trained_before(tmp_path):
    """Its own compilation disturbs nothing, and is still there afterwards."""
    models = both(Evaluated, layers={"dropout": 0.0}, run_eagerly=True)
    classifier = models[1].classifier
    classifier.compile("sgd", "mse", metrics=["mae", "mse"], run_eagerly=True)
    classifier.fit(X, np.eye(3)[Y], verbose=0)
    models[0].set_weights(classifier.get_weights())
    optimizer = classifier.optimizer
    check_alike(models)
    assert classifier.optimizer is optimizer
    assert classifier.loss == "mse"
    logs = classifier.evaluate(X, np.eye(3)[Y], verbose=0, return_dict=True)
    assert set(logs) == {"loss", "mae", "mse", "size"}
    models[1].save(tmp_path / "model.keras")
    objects = {"Evaluated": Evaluated}
    loaded = keras.models.load_model(tmp_path / "model.keras", custom_objects=objects)
    loaded.run_eagerly = True
    np.testing.assert_allclose(
        loaded.evaluate(X, Y, verbose=0), models[1].evaluate(X, Y, verbose=0), rtol=1e-5
    )
    expected, got = (m.test_on_batch(X, Y, return_dict=True) for m in (models[0], loaded))
    assert expected.keys() == got.keys()


def test_without_overrides_an_earlier_compilation_disturbs_nothing():
    how = {"run_eagerly": True}
    models = both(keras.Model, layers={"dropout": 0.0}, **how)
    classifier = models[1].classifier
    how["metrics"] = ["sparse_top_k_categorical_accuracy"]
    classifier.compile("sgd", "sparse_categorical_crossentropy", **how)
    classifier.fit(X, Y, verbose=0)
    models[0].set_weights(classifier.get_weights())
    check_alike(models)


class Confident(keras_amp.MixupAMPModel):
    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        return 2.0 * loss + 0.3 * ops.mean(y_pred[:, 0] * x[:, 1])


@pytest.mark.parametrize(
    ("overriding", "noise", "mode"),
    [
        ("subclass", "shared", MODES["eager"]),
        ("subclass", "independent", MODES["eager"]),
        ("both", "shared", MODES["eager"]),
        ("both", "independent", MODES["eager"]),
        ("both", "shared", MODES["xla"]),
    ],
)
def test_the_gradient_of_a_mixture(overriding, noise, mode):
    """Compare with a gradient through the layers, with hidden states mixed by hand."""
    kind = Everything if overriding == "both" else keras.Model
    policy = injected(keras_amp.AdversarialMixing, step_size=0.0, noise=noise)
    layers = {"dropout": 0.0}
    optimizer = lambda: keras.optimizers.SGD(1.0)  # noqa: E731
    plain, model = both(
        kind, Confident, policy, layers=layers, optimizer=optimizer, **mode
    )
    x, y, weight = X[:6], Y[:6], WEIGHT[:6]
    _, hidden, _, top = plain.layers
    lam = LAM[:, None]
    major = np.where(LAM >= 0.5, y, y[PERMUTATION])

    def predicted():
        h = hidden(x)
        return top(lam * h + (1 - lam) * ops.take(h, PERMUTATION, axis=0))

    def total():
        y_pred = predicted()
        own, partner = (
            -ops.log(ops.sum(y_pred * np.eye(3, dtype="float32")[v], axis=1))
            for v in (y, y[PERMUTATION])
        )
        loss = LAM * weight * own + (1 - LAM) * weight[PERMUTATION] * partner
        # Keras divides a layer's activity by the batch size.
        activity = 0.01 * ops.sum(y_pred**2) / 6
        total = ops.mean(loss) + 0.01 * ops.sum(hidden.kernel**2) + activity
        if overriding == "both":
            entropy = ops.sum(y_pred * ops.log(y_pred + 1e-6), axis=1)
            size = ops.mean(hidden.kernel**2) + x[0, 0]
            total = 0.5 * total + 0.3 * ops.mean(entropy) + 0.01 * size
        return 2.0 * total + 0.3 * ops.mean(y_pred[:, 0] * x[:, 1])

    weights = plain.trainable_variables
    loss, y_pred = float(total()), np.array(predicted())
    expected = [
        np.array(v) - g
        for v, g in zip(weights, gradients(total, variables=weights), strict=True)
    ]
    logs = model.train_on_batch(x, y, weight, return_dict=True)
    np.testing.assert_allclose(logs["loss"], loss, rtol=1e-5)
    accuracy = np.average(np.argmax(y_pred, axis=1) == major)
    np.testing.assert_allclose(logs["accuracy"], accuracy, rtol=1e-6)
    for value, got in zip(expected, model.trainable_variables, strict=True):
        np.testing.assert_allclose(got, value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("run_eagerly", [True, False])
def test_it_is_called_once_a_step(run_eagerly):
    policy = keras_amp.AdversarialMixing(ascent_steps=1 + run_eagerly)
    classifier = network(Tracked)
    names = ["hidden", classifier.layers[2].name]
    model = keras_amp.MixupAMPModel(classifier, names, policy, seed=1)
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=run_eagerly)
    model.fit(X, Y, batch_size=9, verbose=0)
    assert float(classifier.norm.count) == 2


def test_labels_are_those_of_the_larger_share():
    seen = {}

    class Seen(keras.Model):
        def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
            seen.update(x=x, y=y, w=sample_weight, training=training)
            return super().compute_loss(x, y, y_pred, sample_weight, training)

    policy = injected(keras_amp.AdversarialMixing)
    model = both(Seen, policy=policy, run_eagerly=True)[1]
    model.train_on_batch(X[:6], Y[:6], WEIGHT[:6])
    own = LAM >= 0.5
    np.testing.assert_array_equal(seen["x"], X[:6])
    np.testing.assert_array_equal(seen["y"], np.where(own, Y[:6], Y[:6][PERMUTATION]))
    weights = np.where(own, WEIGHT[:6], WEIGHT[:6][PERMUTATION])
    np.testing.assert_array_equal(seen["w"], weights)
    assert seen["training"]
    model.test_on_batch(X[:6], Y[:6])
    assert not seen["training"]


def test_the_regularization_of_a_subclass_counts():
    """A second head, whose weights have a penalty."""

    class Headed(keras_amp.MixupAMPModel):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.head = keras.layers.Dense(1, kernel_regularizer="l2")
            self.head.build((None, 3))

        def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
            loss = super().compute_loss(x, y, y_pred, sample_weight, training)
            return loss + ops.mean(self.head(y_pred))

    optimizer = lambda: keras.optimizers.SGD(0.0)  # noqa: E731
    how = {"layers": {"dropout": 0.0}, "run_eagerly": True}
    plain, model = both(Constant, Headed, optimizer=optimizer, **how)
    added = 0.01 * np.sum(np.square(model.head.kernel)) + np.mean(model.head(plain(X)))
    for method in ("train_on_batch", "test_on_batch"):
        expected, got = (getattr(m, method)(X, Y)[0] for m in (plain, model))
        np.testing.assert_allclose(got - expected, added, atol=1e-4)


class NotMixed(keras.Model):
    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        return keras.losses.sparse_categorical_crossentropy(y, y_pred)


class Smoothed(keras.Model):
    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        return super().compute_loss(x, y, y_pred**2, sample_weight, training)


class Unweighted(keras.Model):
    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        return super().compute_loss(x, y, y_pred)


class NotMixedEither(keras_amp.MixupAMPModel):
    compute_loss = NotMixed.compute_loss


@pytest.mark.parametrize(
    ("kind", "model_class", "message"),
    [
        (NotMixed, keras_amp.MixupAMPModel, "build on.*NotMixed.*compile"),
        (keras.Model, NotMixedEither, "build on.*NotMixedEither.*compile"),
        (Smoothed, keras_amp.MixupAMPModel, "hand its `y_pred` on"),
        (Unweighted, keras_amp.MixupAMPModel, "hand its `sample_weight` on.*None"),
    ],
)
def test_what_cannot_be_mixed_is_refused(kind, model_class, message):
    model = both(kind, model_class, run_eagerly=True)[1]
    with pytest.raises(ValueError, match=message):
        model.train_on_batch(X, Y, WEIGHT)
    if kind is Smoothed:  # as the classifier's own evaluation it is fine
        np.testing.assert_allclose(
            model.evaluate(X, Y, verbose=0),
            both(kind, run_eagerly=True)[0].evaluate(X, Y, verbose=0),
            rtol=1e-5,
        )


def test_what_would_be_lost_is_refused():
    class OwnStep(keras.Model):
        def train_step(self, *arguments):
            return super().train_step(*arguments)

    class OwnMetrics(keras.Sequential):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return super().compute_metrics(x, y, y_pred, sample_weight)

    for kind, method in ((OwnStep, "train_step"), (OwnMetrics, "compute_metrics")):
        message = rf"{kind.__name__} overrides `{method}\(\)`"
        with pytest.raises(ValueError, match=message):
            keras_amp.MixupAMPModel(network(kind), "hidden")
    patched = network(keras.Model)
    patched.train_step = lambda *_: {}
    with pytest.raises(ValueError, match="train_step"):
        keras_amp.MixupAMPModel(patched, "hidden")
    # It only reads the network.
    keras_amp.loss_along_lambda(
        network(OwnStep), (X, Y), "hidden", loss="sparse_categorical_crossentropy"
    )


def test_metrics_may_be_computed_by_a_subclass():
    class Counting(keras_amp.MixupAMPModel):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            logs = super().compute_metrics(x, y, y_pred, sample_weight)
            return {**logs, "largest": ops.max(y_pred)}

    model = both(keras.Model, Counting, run_eagerly=True)[1]
    logs = model.fit(X, Y, verbose=0, validation_data=(X, Y)).history
    assert {"largest", "val_largest"} <= set(logs)


def test_a_layer_inserted_instead_warns_of_what_is_lost():
    with pytest.warns(UserWarning, match=r"`compute_loss\(\)`.*mix_at='hidden'"):
        keras_amp.insert_mix_layer(network(Constant), "hidden")
    with pytest.warns(UserWarning, match=r"`test_step\(\)`, `predict_step\(\)`"):
        keras_amp.insert_mix_layer(network(Evaluated), "hidden")
