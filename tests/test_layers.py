"""MixLayer: the identity when called alone, the mixture when called with a partner."""

import keras
import numpy as np
import pytest
from backends import gradients
from keras import ops

import keras_amp
from keras_amp.graph import keras_compat

RNG = np.random.default_rng(4)
A, B = RNG.normal(size=(2, 3, 5, 2)).astype("float32")
LAM = np.array([0.0, 0.3, 1.0], "float32")
IDS = np.array([[4, 5, 6, 7, 8], [9, 8, 7, 0, 0], [1, 0, 0, 0, 0]])


@pytest.mark.parametrize("training", [True, False, None])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
def test_alone_it_is_the_identity(training, dtype):
    inputs = ops.cast(A, dtype)
    outputs = keras_amp.MixLayer()(inputs, training=training)
    assert outputs.dtype == inputs.dtype
    np.testing.assert_array_equal(
        ops.cast(outputs, "float64"), ops.cast(inputs, "float64")
    )


def test_alone_it_passes_gradients_on_unchanged():
    layer = keras_amp.MixLayer()
    (found,) = gradients(
        lambda inputs: layer(inputs, training=True) * B, ops.convert_to_tensor(A)
    )
    np.testing.assert_array_equal(found, B)


def test_it_has_no_weights_and_no_random_state():
    layer = keras_amp.MixLayer(name="here")
    layer(A)
    assert layer.built
    assert layer.name == "here"
    assert layer.weights == layer.variables == []


def test_with_a_partner_it_mixes():
    expected = np.stack([LAM[i] * A[i] + (1 - LAM[i]) * B[i] for i in range(3)])
    mixed = keras_amp.MixLayer()(A, partner=B, lam=LAM)
    np.testing.assert_allclose(mixed, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(mixed[2], A[2])
    np.testing.assert_array_equal(keras_amp.MixLayer()(A, B, LAM), mixed)


def test_a_compiled_gradient_finds_the_largest_mixtures():
    """XLA computes them anew, and the gradient of a maximum compares them with it.

    That is, for lambda, the difference of the two in the largest mixture.
    """
    lam = RNG.uniform(0.1, 0.9, 16).astype("float32")
    a, b = RNG.normal(size=(2, 16, 7, 20)).astype("float32")
    mixed = lam[:, None, None] * a + (1 - lam[:, None, None]) * b
    place = mixed.argmax(1)[:, None]
    slopes = np.take_along_axis(a - b, place, 1) * (mixed.max(1)[:, None] > 0)

    def largest(lam):
        return ops.max(ops.relu(keras_amp.MixLayer()(a, b, lam)), axis=1)

    (found,) = gradients(largest, ops.convert_to_tensor(lam), jit_compile=True)
    np.testing.assert_allclose(found, slopes.sum((1, 2)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_lambda_stays_in_float32_in_a_network_of_lower_precision(policy):
    """1.001 is a neighbour of 1 in neither; a layer that casts lambda would lose it."""
    layer = keras_amp.MixLayer(dtype=policy)
    a, b = ops.cast([[1000.0]], layer.compute_dtype), ops.cast([[-1000.0]], "float16")
    mixed = layer(a, partner=ops.cast(b, a.dtype), lam=np.array([0.50002], "float32"))
    assert keras.backend.standardize_dtype(mixed.dtype) == layer.compute_dtype
    assert float(ops.cast(mixed, "float32")[0, 0]) == pytest.approx(0.04, rel=0.02)


def test_called_on_symbolic_tensors_it_belongs_to_the_graph():
    a, b = keras.Input((5, 2)), keras.Input((5, 2))
    lam = keras.Input((), dtype="float32")
    mixed = keras_amp.MixLayer()(a, partner=b, lam=lam)
    assert mixed.shape == (None, 5, 2)
    assert mixed.dtype == "float32"
    model = keras.Model([a, b, lam], mixed)
    expected = LAM[:, None, None] * A + (1 - LAM[:, None, None]) * B
    np.testing.assert_allclose(
        model.predict([A, B, LAM], verbose=0), expected, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("symbolic", [True, False])
@pytest.mark.parametrize(("given", "missing"), [("partner", "lam"), ("lam", "partner")])
def test_a_partner_needs_lambda_and_lambda_a_partner(symbolic, given, missing):
    layer = keras_amp.MixLayer(name="here")
    value = {"partner": B, "lam": LAM}[given]
    inputs = A
    if symbolic:
        inputs, value = keras.Input((5, 2)), keras.Input(value.shape[1:])
    with pytest.raises(ValueError, match=f"'here'.*`{given}` without `{missing}`"):
        layer(inputs, **{given: value})


@pytest.mark.parametrize("symbolic", [True, False])
def test_mixing_token_ids_is_an_error(symbolic):
    ids, lam = IDS, LAM
    if symbolic:
        ids, lam = keras.Input((5,), dtype="int32"), keras.Input(())
    with pytest.raises(ValueError, match=r"floating-point.*dtype int"):
        keras_amp.MixLayer()(ids, partner=ids, lam=lam)


def sentence_encoder(mix):
    ids = keras.Input((5,), dtype="int32")
    x = keras.layers.Embedding(10, 4, mask_zero=True, name="embedding")(ids)
    if mix:
        x = keras_amp.MixLayer(name="mix")(x)
    x = keras.layers.LSTM(3, name="lstm")(x)
    return keras.Model(ids, x)


def test_the_mask_passes_on():
    embedded = keras.layers.Embedding(10, 4, mask_zero=True)(IDS)
    layer = keras_amp.MixLayer()
    for outputs in (layer(embedded), layer(embedded, partner=embedded, lam=LAM)):
        np.testing.assert_array_equal(keras_compat.mask_of(outputs), IDS != 0)


def test_a_recurrent_layer_above_sees_the_mask():
    plain, mixing = sentence_encoder(False), sentence_encoder(True)
    mixing.set_weights(plain.get_weights())
    encoded = mixing.predict(IDS, verbose=0)
    np.testing.assert_array_equal(encoded, plain.predict(IDS, verbose=0))
    # Independently: each sentence cut to its own length.
    for i, length in enumerate((5, 3, 1)):
        x = plain.get_layer("embedding")(IDS[i : i + 1, :length])
        alone = plain.get_layer("lstm")(x, mask=None)
        np.testing.assert_allclose(encoded[i], alone[0], rtol=1e-5, atol=1e-6)


def test_a_network_with_it_trains_as_one_without():
    plain, mixing = sentence_encoder(False), sentence_encoder(True)
    mixing.set_weights(plain.get_weights())
    target = RNG.normal(size=(3, 3))
    for model in (plain, mixing):
        model.compile("adam", "mse", run_eagerly=True)
        model.fit(IDS, target, epochs=3, verbose=0)
    for expected, actual in zip(plain.get_weights(), mixing.get_weights(), strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_it_saves_and_loads_in_a_keras_file(tmp_path):
    model = sentence_encoder(True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.get_layer("mix"), keras_amp.MixLayer)
    np.testing.assert_array_equal(
        loaded.predict(IDS, verbose=0), model.predict(IDS, verbose=0)
    )


def test_its_config_rebuilds_it():
    layer = keras_amp.MixLayer(name="here", dtype="mixed_bfloat16")
    again = keras_amp.MixLayer.from_config(layer.get_config())
    assert again.name == "here"
    assert again.dtype_policy.name == "mixed_bfloat16"
    assert not again.autocast
    assert keras_amp.MixLayer().name.startswith("mix_layer")
