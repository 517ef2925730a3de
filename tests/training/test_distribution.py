"""MirroredStrategy: two replicas train as one, and draw on their own."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import HALF, WithinHalves
from keras import layers, ops

import keras_amp

RNG = np.random.default_rng(23)
X = RNG.normal(size=(24, 4)).astype("float32")
Y = RNG.integers(0, 3, 24)
WEIGHT = RNG.uniform(0.2, 3.0, 24).astype("float32")


def network():
    """Has penalties on either side of "embed"."""
    x = keras.Input((4,), name="x")
    h = layers.Dense(5, "tanh", name="embed", activity_regularizer="l2")(x)
    return keras.Model(x, layers.Dense(3, "softmax", kernel_regularizer="l2")(h))


def trained(weights, policy, loss, batches, weight=None, **compile_args):
    classifier = network()
    if weights is not None:
        classifier.set_weights(weights)
    start = classifier.get_weights()
    model = keras_amp.MixupAMPModel(classifier, "embed", policy)
    sgd = keras.optimizers.SGD(0.2)
    model.compile(sgd, loss, metrics=["accuracy"], **compile_args)
    fit = {"sample_weight": weight, "batch_size": 12, "shuffle": False, "verbose": 0}
    rows = 12 * batches
    return start, model, model.fit(X[:rows], Y[:rows], **fit).history


EAGER = {"run_eagerly": True}
CASES = {  # the gradient of the mean is that over 12 examples, not over a replica's 6
    "weights, gradient of the mean": {
        "weight": WEIGHT, "gradient": "mean", "step_size": 2.0
    },
    "no choice, summed losses": {"min_op": False, "reduction": "sum", **EAGER},
    "weighted mean": {"reduction": "mean_with_sample_weight", **EAGER},
}  # fmt: skip


@pytest.mark.parametrize("name", list(CASES))
def test_two_replicas_train_as_one(strategy, name):
    case = {"step_size": 0.3, **CASES[name]}
    settings = {k: case.pop(k) for k in ("step_size", "gradient", "min_op") if k in case}
    batches = 1 if "run_eagerly" in case else 2
    reduction = case.pop("reduction", "sum_over_batch_size")

    def run(weights, **how):
        loss = keras.losses.SparseCategoricalCrossentropy(reduction=reduction)
        policy = WithinHalves(**settings)
        return trained(weights, policy, loss, batches, **{**case, **how})

    # One replica trains eagerly, which spares the tracing: the modes agree.
    start, one, expected = run(None, **EAGER)
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


class WithinHalf(keras_amp.Mixup):
    """Draws as `WithinHalves` does."""

    draw = WithinHalves.draw


class KnownStart(keras_amp.AdversarialTraining):
    """Its directions begin at what is known."""

    def search(self, passes, start):
        passes.noise = lambda at: passes.zeros(at) + ops.arange(-1.0, 4.0)
        return super().search(passes, start)


def test_two_replicas_train_as_one_by_another_policy(strategy):
    policy = KnownStart(0.5, against="predictions", mixup=WithinHalf())

    def run(weights):
        loss = "sparse_categorical_crossentropy"
        return trained(weights, policy, loss, 1, WEIGHT[:12], **EAGER)

    start, one, expected = run(None)
    with strategy.scope():
        _, two, history = run(start)
    for a, b in zip(one.get_weights(), two.get_weights(), strict=False):
        np.testing.assert_allclose(a, b, atol=2e-6)
    for name, value in expected.items():
        np.testing.assert_allclose(history[name], value, rtol=1e-4, atol=1e-6)


def test_distributed_evaluation_is_the_classifiers_own(strategy):
    with strategy.scope():
        classifier = network()
        model = keras_amp.MixupAMPModel(classifier, "embed")
        for compiled in (model, classifier):
            loss = "sparse_categorical_crossentropy"
            compiled.compile("sgd", loss, metrics=["accuracy"], **EAGER)
    arguments = {"batch_size": 16, "verbose": 0, "return_dict": True}
    ours = model.evaluate(X, Y, **arguments)
    own = classifier.evaluate(X, Y, **arguments)
    assert list(ours) == list(own)
    np.testing.assert_allclose(list(ours.values()), list(own.values()), rtol=1e-5)
    np.testing.assert_allclose(
        model.predict(X[:4], verbose=0), classifier.predict(X[:4], verbose=0), rtol=1e-6
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
    history = model.fit(X[:3], Y[:3], batch_size=2, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    assert 0 < history["lam"][0] < 1


def test_dropout_and_batch_normalization(strategy, text_batch):
    """They run distributed; the replicas' copies of a weight stay the same."""
    x, y = (v[:12] for v in text_batch)
    with strategy.scope():
        ids = keras.Input((7,), dtype="int32")
        h = layers.Embedding(30, 4, name="embedding")(ids)
        h = layers.GlobalAveragePooling1D(name="sentence")(layers.Dropout(0.3)(h))
        h = layers.Dropout(0.3)(layers.BatchNormalization()(h))
        classifier = keras.Model(ids, layers.Dense(3, "softmax")(h))
        mix_at = ["embedding", "sentence"]
        model = keras_amp.MixupAMPModel(classifier, mix_at, seed=1)
        model.compile("sgd", "sparse_categorical_crossentropy")
    before = classifier.get_weights()
    # The last batch is smaller.
    history = model.fit(x, y, batch_size=8, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    assert any(
        (a != b).any() for a, b in zip(before, classifier.get_weights(), strict=True)
    )
    for weight in classifier.trainable_weights:
        first, second = strategy.experimental_local_results(weight.value)
        np.testing.assert_array_equal(first, second)


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


def test_several_workers_are_refused():
    with tf.distribute.MultiWorkerMirroredStrategy().scope():
        model = keras_amp.MixupAMPModel(network(), "embed")
        model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match=r"issues/20585.* KERAS_BACKEND=jax"):
        model.fit(X, Y, verbose=0)
