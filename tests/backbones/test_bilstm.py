"""The bidirectional LSTM and its attention; word vectors are tested with the CNN."""

import keras
import numpy as np
import pytest
from helpers import MODES, assert_compiles, one_step
from keras import ops

from keras_amp.backbones import AttentionPooling, bilstm_attention, mix_point
from keras_amp.graph.cuts import cut

RNG = np.random.default_rng(31)
STATES = RNG.normal(size=(4, 6, 5)).astype("float32")
LENGTHS = np.array([6, 3, 1, 0])
MASK = np.arange(6) < LENGTHS[:, None]


def bilstm(sequence_length=7, units=4, **arguments):
    return bilstm_attention(
        30, 3, sequence_length, embedding_dim=6, units=units, seed=8, **arguments
    )


def padded(ids, length):
    return np.pad(ids, ((0, 0), (0, length - ids.shape[1])))


def lengths_of(ids):
    return (ids != 0).sum(axis=1)


# === Attention ===


def attention_by_hand(states, w, length):
    """Eq. 9-11 of Zhou et al. in float64, over the words that are there."""
    states = states[:length].astype("float64")
    scores = np.exp(np.tanh(states) @ w.astype("float64"))
    a = scores / scores.sum()
    return a, a @ states


def test_attention_is_that_of_the_paper():
    layer = AttentionPooling()
    pooled = ops.convert_to_numpy(layer(STATES, mask=MASK))
    attention = ops.convert_to_numpy(layer.attention(STATES, mask=MASK))
    w = ops.convert_to_numpy(layer.w)[:, 0]
    for i, length in enumerate(LENGTHS[:3]):
        a, r = attention_by_hand(STATES[i], w, length)
        np.testing.assert_allclose(attention[i, :length], a, rtol=2e-6)
        np.testing.assert_allclose(pooled[i], r, rtol=1e-5, atol=1e-6)
    assert (attention[~MASK] == 0).all()


def test_attention_without_a_mask_sees_every_word():
    layer = AttentionPooling()
    everything = layer(STATES, mask=np.ones((4, 6), "bool"))
    np.testing.assert_array_equal(layer(STATES), everything)
    np.testing.assert_allclose(ops.sum(layer.attention(STATES), axis=1), 1, rtol=1e-6)


def test_a_text_of_padding_pools_to_zero_with_a_finite_gradient():
    tf = pytest.importorskip("tensorflow")
    layer = AttentionPooling()
    states = tf.constant(STATES)
    with tf.GradientTape() as tape:
        tape.watch(states)
        pooled = layer(states, mask=MASK)
    gradients = tape.gradient(pooled, [states, layer.w.value])
    assert (pooled.numpy()[3] == 0).all()
    assert (gradients[0].numpy()[~MASK] == 0).all()
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_attention_compiles():
    """As the network's LSTMs do, which the step replaces by their two parts."""
    layer = AttentionPooling()
    layer.build(STATES.shape)
    assert_compiles(layer, STATES, MASK)


@pytest.mark.parametrize("dtype", ["float16", "mixed_float16", "mixed_bfloat16"])
def test_attention_in_less_precision(dtype):
    layer = AttentionPooling(keras.initializers.Constant(9.0), dtype=dtype)
    states = 100 * STATES  # scores of up to 45, whose exponentials float16 does not hold
    pooled = ops.cast(layer(states, mask=MASK), "float32")
    attention = ops.convert_to_numpy(layer.attention(states, mask=MASK))
    assert attention.dtype == "float32"
    np.testing.assert_allclose(attention.sum(axis=1), [1, 1, 1, 0], rtol=1e-6)
    assert (attention[~MASK] == 0).all()
    expected = (attention[:, :, None] * states).sum(axis=1)
    np.testing.assert_allclose(pooled, expected, rtol=0.02, atol=1)


def test_attention_as_a_layer():
    layer = AttentionPooling("zeros", keras.regularizers.L2(0.1), name="pool")
    copy = AttentionPooling.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert copy(STATES).shape == (4, 5) == layer.compute_output_shape((4, 6, 5))
    inputs = keras.Input((6, 5))
    output = layer(keras.layers.Masking()(inputs))
    assert output.shape == (None, 5)
    assert getattr(output, "_keras_mask", None) is None
    assert len(layer.losses) == 1


# === The model ===


def test_shapes_and_probabilities(text_batch):
    model = bilstm(num_layers=2)
    assert model.get_layer("sentence").output.shape == (None, 8)
    probabilities = model(text_batch[0])
    assert probabilities.shape == (20, 3)
    np.testing.assert_allclose(ops.sum(probabilities, axis=1), 1, rtol=1e-6)


def test_it_is_as_wide_as_the_papers():
    model = bilstm_attention(30, 6, 40)
    assert model.get_layer("embedding").output.shape == (None, 40, 300)
    assert model.get_layer("sentence").output.shape == (None, 1024)
    assert model.get_layer("dropout").rate == 0.5


def test_no_layer_at_all_is_an_error():
    with pytest.raises(ValueError, match="Expected `num_layers` .* Received: num_lay"):
        bilstm(num_layers=0)


def test_the_two_directions_begin_apart():
    bidirectional = bilstm().get_layer("bilstm_1")
    forward, backward = (
        layer.get_weights()
        for layer in (bidirectional.forward_layer, bidirectional.backward_layer)
    )
    assert not np.allclose(forward[0], backward[0])
    assert not np.allclose(forward[1], backward[1])


@pytest.mark.parametrize(("level", "mode"), [("sentence", "graph"), ("word", "eager")])
def test_trains_at_words_and_sentences(level, mode, text_batch):
    model = bilstm(num_layers=2 if mode == "eager" else 1)
    before = model.get_weights()
    text_batch[0][3] = 0  # a text of nothing but padding
    point = mix_point(model, level)
    _, logs = one_step(model, point, None, text_batch, **MODES[mode])
    assert np.isfinite(logs["loss"])
    for weight, old, new in zip(model.weights, before, model.get_weights(), strict=True):
        assert np.isfinite(new).all(), weight.path
        assert not np.array_equal(old, new), weight.path


def test_trains_in_half_precision(text_batch):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        _, logs = one_step(bilstm(), "embedding", None, text_batch)
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(logs["loss"])


@pytest.mark.parametrize("num_layers", [1, 2])
def test_more_padding_changes_nothing(num_layers, text_batch):
    short, long = bilstm(7, num_layers=num_layers), bilstm(12, num_layers=num_layers)
    long.set_weights(short.get_weights())
    np.testing.assert_allclose(
        short(text_batch[0]), long(padded(text_batch[0], 12)), rtol=1e-5
    )


def test_more_padding_changes_nothing_in_a_mixed_pair(text_batch):
    ids = text_batch[0][:4]  # 4, 7, 4 and 7 words
    lam = np.array([0.3, 0.6, 0.5, 0.9], "float32")
    permutation = np.array([1, 3, 0, 2])
    results = []
    for length in (7, 12):
        model = bilstm(length, dropout=0.0)
        (split,) = cut(model, "embedding")
        pair = split.run_below(padded(ids, length)).pair(lam, permutation)
        longer = np.maximum(lengths_of(ids), lengths_of(ids)[permutation])
        np.testing.assert_array_equal(np.sum(pair.implicit_masks[0], axis=1), longer)
        results.append(split.run_above(pair, lam))
    np.testing.assert_allclose(*results, rtol=1e-5)


def test_padding_receives_no_attention(text_batch):
    model = bilstm()
    ids = text_batch[0]
    states = keras.Model(model.input, model.get_layer("bilstm_1").output)(ids)
    attention = model.get_layer("attention").attention(states, mask=ids != 0)
    assert (ops.convert_to_numpy(attention)[ids == 0] == 0).all()


def test_a_text_of_padding_is_finite(text_batch):
    ids = np.zeros_like(text_batch[0])
    model = bilstm(num_layers=2)
    bias = ops.softmax(model.get_layer("probabilities").bias)
    np.testing.assert_allclose(model(ids), np.tile(bias, (20, 1)), rtol=1e-6)


@pytest.mark.parametrize("use_cudnn", [False, "auto"])
def test_saved_models_predict_alike_and_keep_their_kernels(
    use_cudnn, tmp_path, text_batch
):
    model = bilstm(use_cudnn=use_cudnn)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(text_batch[0]), model(text_batch[0]))
    for name in ("forward_layer", "backward_layer"):
        layer = getattr(loaded.get_layer("bilstm_1"), name)
        assert layer.use_cudnn == use_cudnn
        assert layer.supports_jit or use_cudnn
