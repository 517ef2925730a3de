"""MirroredStrategy: two replicas train as one, and draw on their own."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import HALF, WithinHalves, text_classifier
from keras import layers

import keras_amp

RNG = np.random.default_rng(23)
X = RNG.normal(size=(24, 4)).astype("float32")
Y = RNG.integers(0, 3, 24)
WEIGHT = RNG.uniform(0.2, 3.0, 24).astype("float32")


def network():
    x = keras.Input((4,), name="x")
    h = layers.Dense(5, "tanh", name="embed", activity_regularizer="l2")(x)
    h = layers.Dense(6, "tanh", name="encode", kernel_regularizer="l2")(h)
    return keras.Model(x, layers.Dense(3, "softmax")(h))


def trained(weights, policy, loss=None, mix_at="embed", weight=None, **compile_args):
    classifier = network()
    if weights is not None:
        classifier.set_weights(weights)
    start = classifier.get_weights()
    model = keras_amp.MixupAMPModel(classifier, mix_at, policy)
    model.compile(
        keras.optimizers.SGD(0.2, momentum=0.5),
        loss or "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        **compile_args,
    )
    history = model.fit(
        X, Y, sample_weight=weight, batch_size=12, epochs=2, shuffle=False, verbose=0
    ).history
    return start, model, history


CASES = {
    "sample weights": {"weight": WEIGHT},
    "gradient of the mean": {"gradient": "mean", "step_size": 2.0},
    "no choice, summed losses": {"min_op": False, "reduction": "sum"},
    "weighted mean": {"reduction": "mean_with_sample_weight"},
    "eager": {"run_eagerly": True},
}


@pytest.mark.parametrize("name", list(CASES))
def test_two_replicas_train_as_one(strategy, name):
    case = {"step_size": 0.3, **CASES[name]}
    settings = {k: case.pop(k) for k in ("step_size", "gradient", "min_op") if k in case}
    reduction = case.pop("reduction", "sum_over_batch_size")

    def run(weights, **how):
        loss = keras.losses.SparseCategoricalCrossentropy(reduction=reduction)
        policy = WithinHalves(**settings)
        return trained(weights, policy, loss=loss, **{**case, **how})

    # One replica trains eagerly, which spares the tracing: the modes agree.
    start, one, expected = run(None, run_eagerly=True)
    with strategy.scope():
        _, two, history = run(start)
    for before, a, b in zip(start, one.get_weights(), two.get_weights(), strict=False):
        np.testing.assert_allclose(a, b, atol=2e-6)
        assert np.abs(a - before).max() > 1e-3
    for report in ("accuracy", "lam", "lam_delta", "mask_rate", "loss_gap"):
        np.testing.assert_allclose(
            history[report], expected[report], rtol=1e-4, atol=1e-6
        )
    if reduction != "sum":  # Keras reports the replicas' sum of twice the loss then
        np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)


def test_distributed_evaluation_is_the_classifiers_own(strategy):
    with strategy.scope():
        classifier = network()
        model = keras_amp.MixupAMPModel(classifier, "embed")
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        classifier.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    arguments = {"batch_size": 10, "verbose": 0, "return_dict": True}
    ours = model.evaluate(X, Y, **arguments)
    own = classifier.evaluate(X, Y, **arguments)
    assert list(ours) == list(own)
    np.testing.assert_allclose(list(ours.values()), list(own.values()), rtol=1e-5)
    np.testing.assert_allclose(
        model.predict(X, verbose=0), classifier.predict(X, verbose=0), rtol=1e-6
    )


@pytest.mark.parametrize("lam_per", ["example", "batch"])
def test_replicas_draw_on_their_own(strategy, lam_per):
    """Coefficients and partners differ between replicas and between steps."""
    with strategy.scope():
        model = keras_amp.MixupAMPModel(network(), "embed", seed=3)
    policy = keras_amp.Mixup(lam_per=lam_per)

    def draw():
        lam, permutation = policy.draw(8, model.seed_generator)
        return tf.stack([lam, tf.cast(permutation, "float32")])

    run = tf.function(lambda: strategy.run(draw))
    draws = np.array([strategy.experimental_local_results(run()) for _ in range(3)])
    lam, permutation = draws[:, :, 0], draws[:, :, 1]
    assert len(np.unique(lam[:, :, 0])) == 6  # 3 steps of 2 replicas
    assert len(np.unique(permutation.reshape(6, 8), axis=0)) == 6
    assert (np.sort(permutation) == np.arange(8)).all()


def test_training_draws_differ_between_replicas(strategy):
    """The same claim in `fit`."""
    with strategy.scope():
        classifier = network()
        model = keras_amp.MixupAMPModel(classifier, "embed", Recording())
        model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    Recording.seen.clear()
    model.fit(X[:12], Y[:12], batch_size=12, verbose=0)
    (lam, permutation), (other_lam, other_permutation) = Recording.seen
    assert lam.shape == other_lam.shape == (HALF,)
    assert not np.isclose(lam, other_lam).any()
    assert (permutation != other_permutation).any()


class Recording(keras_amp.Mixup):
    """Notes what was drawn in eager mode."""

    seen = []  # noqa: RUF012

    def draw(self, batch_size, seed_generator):
        draws = super().draw(batch_size, seed_generator)
        self.seen.append(tuple(v.numpy() for v in draws))
        return draws


def test_a_last_batch_too_small_to_share(strategy):
    """One example is left: one replica gets none and reports nothing."""
    with strategy.scope():
        model = keras_amp.MixupAMPModel(network(), "embed", seed=1)
        model.compile("sgd", "sparse_categorical_crossentropy")
    history = model.fit(X[:13], Y[:13], batch_size=12, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    assert 0 < history["lam"][0] < 1


def test_dropout_and_batch_normalization(strategy, text_batch):
    """They run distributed; the replicas' copies of a weight stay the same."""
    x, y = text_batch
    mix_at = ["embedding", "sentence"]
    with strategy.scope():
        classifier = text_classifier(normalize=True)
        model = keras_amp.MixupAMPModel(classifier, mix_at, seed=1)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    before = classifier.get_weights()
    # The last batch is smaller.
    history = model.fit(
        x, y, batch_size=8, epochs=2, verbose=0, validation_data=(x, y)
    ).history
    assert np.isfinite(list(history.values())).all()
    assert any(
        (a != b).any() for a, b in zip(before, classifier.get_weights(), strict=True)
    )
    for weight in classifier.trainable_weights:
        first, second = strategy.experimental_local_results(weight.value)
        np.testing.assert_array_equal(first, second)


def test_a_mean_gradient_is_that_of_the_whole_batch(strategy):
    """The mean over 12 examples, not over a replica's 6."""
    policy = {"gradient": "mean", "step_size": 1.0, "max_gradient": None}
    eagerly = {"run_eagerly": True}
    start, _, whole = trained(None, WithinHalves(**policy), **eagerly)
    with strategy.scope():
        _, _, halves = trained(start, WithinHalves(**policy))
    np.testing.assert_allclose(halves["lam_delta"], whole["lam_delta"], rtol=1e-4)
    policy["gradient"] = "example"
    _, _, example = trained(start, WithinHalves(**policy), **eagerly)
    np.testing.assert_allclose(
        example["lam_delta"][0] / 12, whole["lam_delta"][0], rtol=0.05
    )


def test_compiled_steps_are_refused_before_training(strategy):
    with strategy.scope():
        classifier = network()
        model = keras_amp.MixupAMPModel(classifier, "embed")
        model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=True)
    before = classifier.get_weights()
    for train in (lambda: model.fit(X, Y), lambda: model.train_on_batch(X, Y)):
        with pytest.raises(ValueError, match=r"jit_compile.*Received: jit_compile=True"):
            train()
    for a, b in zip(before, classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_automatic_compilation_is_off(strategy):
    with strategy.scope():
        model = keras_amp.MixupAMPModel(network(), "embed")
        model.compile("sgd", "sparse_categorical_crossentropy", jit_compile="auto")
    assert not model.jit_compile
