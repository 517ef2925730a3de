"""Mixing behind affine layers equals mixing before them: results, gradients, places."""

import functools

import keras
import numpy as np
import pytest
from helpers import MODES, injected
from keras import layers, ops

import keras_amp
from keras_amp.backbones import bilstm_attention, text_cnn

RNG = np.random.default_rng(11)
IDS = RNG.integers(1, 30, (6, 7))
IMAGES = RNG.normal(size=(6, 8, 8, 3)).astype("float32")
LABELS = np.arange(6) % 3


def head(x, inputs, rate=0.3):
    x = layers.Dropout(rate, seed=5)(x)
    return keras.Model(inputs, layers.Dense(3, "softmax", name="probabilities")(x))


def embedded(**arguments):
    ids = keras.Input((7,), dtype="int32")
    return ids, layers.Embedding(30, 6, name="place", **arguments)(ids)


def cnn():
    model = text_cnn(30, 3, 7, embedding_dim=6, filters=4, seed=1)
    model.get_layer("embedding").name = "place"
    return model


def separable():
    """Without noise, which XLA draws otherwise than TensorFlow."""
    inputs, x = embedded()
    x = layers.SeparableConv1D(5, 2, activation="relu", name="separable")(x)
    return head(layers.GlobalMaxPooling1D()(x), inputs, rate=0.0)


def affine_chain():
    """Reshapes, a linear layer and an average before the first activation."""
    inputs, x = embedded()
    x = layers.Dense(8, name="linear")(x)
    x = layers.Reshape((7, 2, 4))(x)
    x = layers.Permute((2, 1, 3))(x)
    x = ops.reshape(x, (-1, 14, 4))
    x = layers.AveragePooling1D(2, padding="same")(x) + 0.5
    x = layers.Conv1D(3, 2, padding="causal", activation="tanh", name="causal")(x)
    return head(layers.GlobalAveragePooling1D()(x), inputs)


def residual():
    """The tensor itself is read behind the activation, too: two tensors are mixed."""
    inputs, x = embedded()
    y = layers.Dense(6, "relu", name="branch")(x)
    return head(layers.GlobalAveragePooling1D()(layers.Add()([x, y])), inputs)


def affine_residual():
    inputs, x = embedded()
    y = layers.Dense(6, name="branch")(x)
    x = layers.Dense(4, "relu", name="joined")(layers.Add(name="sum")([x, y]))
    return head(layers.GlobalMaxPooling1D()(x), inputs)


def images():
    inputs = keras.Input((8, 8, 3))
    x = layers.Identity(name="place")(inputs)
    x = layers.ZeroPadding2D()(x)
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2DTranspose(3, 2, activation="relu", name="up")(x)
    return head(layers.GlobalAveragePooling2D()(x), inputs)


def nested():
    """The place and the layer that mixing moves behind lie inside a nested model."""
    inner_input = keras.Input((7,), dtype="int32")
    x = layers.Embedding(30, 6, name="place")(inner_input)
    x = layers.Dense(5, "gelu", name="inner_dense")(x)
    inner = keras.Model(inner_input, x, name="encoder")
    ids = keras.Input((7,), dtype="int32")
    return head(layers.GlobalMaxPooling1D()(inner(ids)), ids)


def masked():
    """The embedding's mask passes a dense layer, and decides on the average above it."""
    inputs, x = embedded(mask_zero=True)
    x = layers.Dense(5, "tanh", name="hidden")(x)
    return head(layers.GlobalAveragePooling1D()(x), inputs)


def masked_average():
    """An average over words that count weighs the words of the two otherwise."""
    inputs, x = embedded(mask_zero=True)
    x = layers.GlobalAveragePooling1D()(x)
    return head(layers.Dense(4, "relu", name="hidden")(x), inputs)


def normalized():
    inputs, x = embedded()
    x = layers.LayerNormalization()(x)
    return head(layers.GlobalAveragePooling1D()(layers.Dense(4, "relu")(x)), inputs)


def penalized():
    inputs, x = embedded()
    x = layers.Dense(4, "relu", activity_regularizer="l2", name="hidden")(x)
    return head(layers.GlobalMaxPooling1D()(x), inputs)


def shared():
    """A layer that is called twice keeps its activation."""
    inputs, x = embedded()
    dense = layers.Dense(6, "tanh", name="twice")
    return head(layers.GlobalMaxPooling1D()(dense(dense(x))), inputs)


def own_kind():
    """A subclass may compute anything."""

    class Squared(layers.Dense):
        def call(self, inputs):
            return super().call(inputs) ** 2

    inputs, x = embedded()
    return head(layers.GlobalMaxPooling1D()(Squared(4)(x)), inputs)


def recurrent():
    """Only the first layer's projection: its loop is not affine."""
    model = bilstm_attention(30, 3, 7, embedding_dim=6, units=4, num_layers=2, seed=1)
    model.get_layer("embedding").name = "place"
    return model


def last_state():
    inputs, x = embedded()
    x = layers.Dense(5, name="linear")(x)
    return head(layers.LSTM(4, name="lstm")(x), inputs)


def logits():
    """The output itself is never mixed: something must lie above."""
    inputs, x = embedded()
    x = layers.GlobalMaxPooling1D()(x)
    x = layers.Dense(5, name="hidden")(x)
    return keras.Model(inputs, layers.Dense(3, name="logits")(x))


PRE = "_preactivation"
ZOO = {
    cnn: {f"convolution_{k}{PRE}" for k in (3, 4, 5)},
    separable: {"separable" + PRE},
    affine_chain: {"causal" + PRE},
    residual: {"place", "branch" + PRE},
    affine_residual: {"joined" + PRE},
    images: {"conv" + PRE},
    nested: {"inner_dense" + PRE},
    masked: {"hidden" + PRE},
    masked_average: {"place"},
    normalized: {"place"},
    penalized: {"place"},
    shared: {"place"},
    own_kind: {"place"},
    recurrent: {"bilstm_1_projection"},
    last_state: {"lstm_projection"},
    logits: {"place"},
}


def trained(build, rewrite, policy=None, mix_at="place", mode="eager"):
    """A model after one step, its weights, and what the step reports."""
    keras.utils.set_random_seed(4)
    classifier = build()
    # A step large enough to show, and labels' coefficients on both sides of a half.
    policy = policy or injected(keras_amp.AdversarialMixing, step_size=0.3)
    model = keras_amp.MixupAMPModel(classifier, mix_at, policy, seed=2, rewrite=rewrite)
    from_logits = build is logits
    model.compile(
        keras.optimizers.SGD(0.1),
        keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits),
        **MODES[mode],
    )
    x = IMAGES if build is images else np.where(np.arange(7) < 5, IDS, IDS * (IDS > 15))
    report = model.train_on_batch(x, LABELS, return_dict=True)
    return model, classifier.get_weights(), report


@functools.cache
def trained_as_it_is(build):
    """Weights and reports after an eager step without a rewrite."""
    plain, weights, report = trained(build, False)
    assert plain.mixed_behind == [["place"]]
    return weights, report


# Every network eagerly; what a mode adds is the same for all of them.
@pytest.mark.parametrize(
    ("build", "mode"),
    [*((build, "eager") for build in ZOO), (last_state, "graph"), (separable, "xla")],
)
def test_a_step_is_that_of_the_network_as_it_is(build, mode):
    """Weights, and so their gradients, losses and the choice are equal."""
    _, weights, report = trained(build, True, mode=mode)
    expected, expected_report = trained_as_it_is(build)
    for got, wanted in zip(weights, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)
    assert set(report) == set(expected_report)
    for name, wanted in expected_report.items():
        np.testing.assert_allclose(report[name], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("build", ZOO)
def test_mixing_moves_as_far_up_as_it_can_and_no_further(build):
    model = keras_amp.MixupAMPModel(build(), "place")
    assert set(model.mixed_behind[0]) == ZOO[build]
    assert model.mix_points == ["place"]
    assert keras_amp.MixupAMPModel(build(), "place", rewrite=False).mixed_behind == [
        ["place"]
    ]


def test_mixing_moves_from_each_of_several_places():
    results = []
    for rewrite in (True, False):
        places = ["place", "joined"]
        model, *_ = trained(affine_residual, rewrite, mix_at=places)
        for _ in range(3):
            model.train_on_batch(IDS, LABELS)
        results.append(model.get_weights())
        below = ["joined" + PRE] if rewrite else ["place"]
        assert model.mixed_behind == [below, ["joined"]]
    for got, wanted in zip(*results, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


def test_independent_noise_is_drawn_above_the_place_alike():
    policy = injected(keras_amp.AdversarialMixing, step_size=0.3, noise="independent")
    (_, weights, _), (_, expected, _) = (
        trained(affine_residual, rewrite, policy) for rewrite in (True, False)
    )
    for got, wanted in zip(weights, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("build", [cnn, last_state])
def test_plain_mixup_stays_where_it_is(build):
    """A single evaluation gains nothing; LSTMs are replaced all the same."""
    policy = injected(keras_amp.Mixup)
    model, weights, _ = trained(build, True, policy)
    assert model.mixed_behind == [["place"]]
    (split,) = model._training_step.splits
    names = [layer.name for layer in split.above.layers]
    assert ("lstm_recurrence" in names) == (build is last_state)
    _, expected, _ = trained(build, False, policy)
    for got, wanted in zip(weights, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


def test_layers_below_the_place_are_replaced_too():
    model, weights, _ = trained(last_state, True, mix_at="lstm")
    (split,) = model._training_step.splits
    assert "lstm_recurrence" in [layer.name for layer in split.below.layers]
    _, expected, _ = trained(last_state, False, mix_at="lstm")
    for got, wanted in zip(weights, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


def test_half_precision_mixes_in_its_own_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model, weights, _ = trained(separable, True)
        (split,) = model._training_step.splits
        assert {x.dtype for x in split.below.outputs} == {"bfloat16"}
        _, expected, _ = trained(separable, False)
    finally:
        keras.config.set_dtype_policy("float32")
    for got, wanted in zip(weights, expected, strict=True):
        np.testing.assert_allclose(got, wanted, atol=0.02)


def test_what_lies_below_is_computed_once(monkeypatch):
    calls = []
    call = layers.Conv1D.call
    monkeypatch.setattr(
        layers.Conv1D, "call", lambda self, x: calls.append(self.name) or call(self, x)
    )
    for rewrite, times in ((True, 1), (False, 3)):
        model, *_ = trained(cnn, rewrite)
        calls.clear()
        model.train_on_batch(IDS, LABELS)
        assert sorted(calls) == sorted([f"convolution_{k}" for k in (3, 4, 5)] * times)


def test_the_classifier_is_left_as_it_was(tmp_path):
    model, *_ = trained(cnn, True, keras_amp.AdversarialMixing())
    classifier = model.classifier
    assert [layer.activation.__name__ for layer in classifier.layers
            if isinstance(layer, layers.Conv1D)] == ["relu"] * 3  # fmt: skip
    expected = classifier(IDS)
    for saved in (classifier, model):
        saved.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(loaded(IDS), expected, rtol=1e-5)
    assert loaded.rewrite
    assert loaded.mixed_behind == model.mixed_behind
