"""Padding: a position counts if it counts in either of the two mixed sentences."""

import keras
import numpy as np
import pytest
from helpers import MODES, injected
from keras import ops

import keras_amp
from keras_amp.graph.cuts import cut

IDS = np.array(
    [
        [5, 3, 7, 2, 9, 4],
        [8, 1, 0, 0, 0, 0],
        [6, 0, 0, 0, 0, 0],
        [2, 2, 7, 1, 0, 0],
    ]
)
LENGTHS = np.array([6, 2, 1, 4])
Y = np.array([0, 1, 2, 1])
LAM = np.array([0.3, 0.8, 0.5, 1.0], "float32")
PERMUTATION = np.array([1, 2, 0, 0], "int32")
UNITED = np.array([6, 2, 6, 4])  # the last one's partner has no share


def pooled_loss(network, lam, permutation, united):
    """The mean mixup loss, sentence by sentence: each is cut, mixed and averaged."""
    table = network.get_layer("embedding").get_weights()[0].astype("float64")
    w, b = (v.astype("float64") for v in network.get_layer("top").get_weights())
    losses = []
    for i, j in enumerate(permutation):
        own, other = table[IDS[i, : united[i]]], table[IDS[j, : united[i]]]
        z = (lam[i] * own + (1 - lam[i]) * other).mean(0) @ w + b
        log_p = z - np.log(np.exp(z).sum())
        losses.append(-(lam[i] * log_p[Y[i]] + (1 - lam[i]) * log_p[Y[j]]))
    return np.mean(losses)


def implicit():
    ids = keras.Input((6,), dtype="int32")
    x = keras.layers.Embedding(10, 4, mask_zero=True, name="embedding")(ids)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(ids, keras.layers.Dense(3, "softmax", name="top")(x))


def masked_mean(x, mask):
    mask = ops.expand_dims(ops.cast(mask, "float32"), -1)
    return ops.sum(x * mask, axis=1) / ops.sum(mask, axis=1)


def mask_input(dtype="int32", name="padding_mask", inside=lambda mask: mask):
    ids = keras.Input((6,), dtype="int32", name="token_ids")
    mask = keras.Input((6,), dtype=dtype, name=name)
    x = keras.layers.Embedding(10, 4, name="embedding")(ids)
    x = keras.layers.Identity(name="sentence")(masked_mean(x, inside(mask)))
    return keras.Model([ids, mask], keras.layers.Dense(3, "softmax", name="top")(x))


def computed_mask(words):
    """The model computes its mask from the ids itself."""
    ids = keras.Input((6,), dtype="int32")
    x = keras.layers.Embedding(10, 4, name="embedding")(ids)
    x = masked_mean(x, words(ids))
    return keras.Model(ids, keras.layers.Dense(3, "softmax", name="top")(x))


EAGER = {"run_eagerly": True}


def first_loss(
    network, x, mode=EAGER, policy=keras_amp.Mixup, lam=LAM, order=PERMUTATION
):
    policy = injected(policy, lam, order)
    model = keras_amp.MixupAMPModel(network, "embedding", policy)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", **mode)
    return model.train_on_batch(x, Y, return_dict=True)["loss"]


def assert_united(network, x, mode=EAGER, **arguments):
    rng = np.random.default_rng(0)
    for layer in (network.get_layer("embedding"), network.get_layer("top")):
        layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    expected = pooled_loss(network, LAM, PERMUTATION, UNITED)
    own_only = pooled_loss(network, LAM, PERMUTATION, LENGTHS)
    assert abs(expected - own_only) > 0.01  # the first sentence's mask alone shows
    np.testing.assert_allclose(first_loss(network, x, mode, **arguments), expected, 1e-5)


@pytest.mark.parametrize("mode", [MODES["eager"], MODES["graph"]])
def test_the_mask_of_an_embedding(mode):
    assert_united(implicit(), IDS, mode)


@pytest.mark.parametrize("dtype", ["int32", "bool", "float32", "uint8"])
def test_a_mask_input_around_the_mix_layer(dtype):
    assert_united(mask_input(dtype), [IDS, (IDS != 0).astype(dtype)])


def test_a_mask_input_in_every_mode(mode):
    assert_united(mask_input("bool"), [IDS, IDS != 0], mode)


@pytest.mark.parametrize("name", ["mask", "attention_mask", "mask_1", "Padding-Mask"])
def test_mask_inputs_are_known_by_the_word_in_their_name(name):
    assert_united(mask_input(name=name), [IDS, IDS != 0])


def test_masks_in_a_dict_of_inputs():
    network = mask_input("bool")
    network = keras.Model({x.name: x for x in network.inputs}, network.output)
    assert_united(network, {"token_ids": IDS, "padding_mask": IDS != 0})


WORDS = {
    "unequal": lambda ids: ops.not_equal(ids, 0),
    "greater": lambda ids: ids > 0,
    "not equal": lambda ids: ops.logical_not(ops.equal(ids, 0)),
    "one less equality": lambda ids: 1.0 - ops.cast(ops.equal(ids, 0), "float32"),
    "selected by equality": lambda ids: ops.where(ops.equal(ids, 0), 0.0, 1.0),
}


@pytest.mark.parametrize("words", list(WORDS))
def test_a_mask_that_the_model_computes(words):
    assert_united(computed_mask(WORDS[words]), IDS)


END = 10  # IDS has none


class NotZero(keras.layers.Layer):
    def call(self, ids):
        return ids != 0


class Below5000(keras.layers.Layer):
    def call(self, ids):
        return ids < 5000


class Kept(keras.layers.Layer):
    """True is taken away."""

    def call(self, hidden):
        return ops.where(hidden, 0.0, 1.0)


# What they say is followed to the comparisons: True stands for words in the end.
DECIDED = {
    "less": lambda ids: Kept()(ids < 1),
    "at most": lambda ids: Kept()(ids <= 0),
    "at least": lambda ids: ids >= 1,
    "number first": lambda ids: ops.not_equal(0, ids),
    "number on the left": lambda ids: ops.less(0, ids),
    "and": lambda ids: ops.logical_and(ids != 0, ids != END),
    "or": lambda ids: Kept()(ops.logical_or(ops.equal(ids, 0), ops.equal(ids, END))),
    "not or": lambda ids: ops.logical_not(ops.logical_or(ids < 1, ops.equal(ids, END))),
    "xor": lambda ids: Kept()(ops.logical_xor(ops.equal(ids, 0), ops.equal(ids, END))),
    "cast": lambda ids: ops.cast(ids, "bool"),
    "shifted": lambda ids: ops.equal(ops.minimum(ids, 1), 1),
    "many": lambda ids: Kept()(ops.all(ops.equal(ops.expand_dims(ids, -1), 0), axis=-1)),
    "layer": lambda ids: NotZero()(ids),
    "turned": lambda ids: ops.transpose(ops.transpose(ids) != 0),
    "counted": lambda ids: ops.less(
        ops.arange(6), ops.sum(ops.cast(ids != 0, "int32"), axis=1, keepdims=True)
    ),
}


@pytest.mark.parametrize("words", list(DECIDED))
def test_the_meaning_of_what_a_model_computes_is_followed(words):
    assert_united(computed_mask(DECIDED[words]), IDS)


def test_padding_may_be_negative():
    for words in (
        lambda i: i >= 0,
        lambda i: i != -1,
        lambda i: Kept()(ops.equal(i, -1)),
    ):
        ids = keras.Input((6,), dtype="int32")
        # An embedding of what stands one above, so that the weights are the same.
        x = keras.layers.Embedding(10, 4, name="embedding")(ops.maximum(ids, 0))
        x = masked_mean(x, words(ids))
        network = keras.Model(ids, keras.layers.Dense(3, "softmax", name="top")(x))
        assert_united(network, np.where(IDS == 0, -1, IDS))


def test_rows_of_zeros_are_padding():
    numbers = keras.Input((6, 4))
    x = keras.layers.Identity(name="place")(numbers)
    x = masked_mean(x, ops.any(numbers != 0.0, axis=-1))
    network = keras.Model(numbers, keras.layers.Dense(3, "softmax")(x))
    (split,) = cut(network, "place")
    assert split.mask_meanings == ["keep"]


# True picks ids out, or stands for what one cannot tell: whatever is done would be wrong
# for someone.
UNDECIDED = {
    "equal": lambda ids: ops.equal(ids, END),
    "not_equal": lambda ids: ids != END,
    "greater": lambda ids: ops.logical_and(ids > 100, ids < 200),
    "less": lambda ids: ids < 5000,  # all words, and padding, but some
    "logical_and": lambda ids: ops.equal(ops.cumsum(ops.equal(ids, END), axis=1), 0),
    "max": lambda ids: ops.equal(ids, ops.max(ids, axis=1, keepdims=True)),
    "layer": lambda ids: Below5000()(ids),
}


@pytest.mark.parametrize("words", list(UNDECIDED))
def test_a_boolean_that_selects_is_an_error_that_names_it(words):
    network = computed_mask(UNDECIDED[words])
    with pytest.raises(ValueError, match=r"around the mix layer.*`masks=\{\""):
        keras_amp.MixupAMPModel(network, "embedding")


@pytest.mark.parametrize("name", ["segment_ids", "token_type_ids"])
def test_the_first_part_of_a_text_is_no_padding(name):
    ids = keras.Input((6,), dtype="int32", name="token_ids")
    parts = keras.Input((6,), dtype="int32", name=name)
    x = keras.layers.Embedding(10, 4, name="embedding")(ids)
    x = masked_mean(x, ops.equal(parts, 0))
    network = keras.Model([ids, parts], keras.layers.Dense(3, "softmax")(x))
    with pytest.raises(ValueError, match="'equal.*', which reaches"):
        keras_amp.MixupAMPModel(network, "embedding")


def test_what_weights_decide_is_an_error():
    ids = keras.Input((6,), dtype="int32")
    x = keras.layers.Embedding(10, 4, name="embedding")(ids)
    scores = keras.layers.Embedding(10, 1, name="scores")(ids)
    x = masked_mean(x, ops.squeeze(scores, -1) > 0)
    network = keras.Model(ids, keras.layers.Dense(3, "softmax")(x))
    with pytest.raises(ValueError, match="'greater.*', which reaches"):
        keras_amp.MixupAMPModel(network, "embedding")


def selecting():
    """Pools at the words 2 and 7: True stands for what is picked."""
    ids = keras.Input((6,), dtype="int32")
    picked = ops.logical_or(ops.equal(ids, 2), ops.equal(ids, 7))
    picked._keras_history.operation.name = "picked"
    x = keras.layers.Embedding(10, 4, name="embedding")(ids)
    counts = ops.expand_dims(ops.cast(picked, "float32"), -1)
    x = ops.sum(x * counts, axis=1) / ops.maximum(ops.sum(counts, axis=1), 1.0)
    return keras.Model(ids, keras.layers.Dense(3, "softmax", name="top")(x))


def test_a_selection_is_taken_of_each_example_and_united():
    network = selecting()
    table = network.get_layer("embedding").get_weights()[0].astype("float64")
    w, b = (v.astype("float64") for v in network.get_layer("top").get_weights())
    losses = []
    for i, j in enumerate(PERMUTATION):
        picked = np.isin(IDS[i], [2, 7]) | (np.isin(IDS[j], [2, 7]) & (LAM[i] < 1))
        mixed = LAM[i] * table[IDS[i]] + (1 - LAM[i]) * table[IDS[j]]
        z = (mixed[picked].mean(0) if picked.any() else np.zeros(4)) @ w + b
        log_p = z - np.log(np.exp(z).sum())
        losses.append(-(LAM[i] * log_p[Y[i]] + (1 - LAM[i]) * log_p[Y[j]]))
    policy = injected(keras_amp.Mixup, LAM, PERMUTATION)
    masks = {"picked": "select"}
    for model in (
        keras_amp.MixupAMPModel(network, "embedding", policy, masks=masks),
        keras_amp.MixupAMPModel(
            keras_amp.insert_mix_layer(network, "embedding", masks=masks), policy=policy
        ),
    ):
        model.compile(
            keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", **EAGER
        )
        loss = model.train_on_batch(IDS, Y, return_dict=True)["loss"]
        np.testing.assert_allclose(loss, np.mean(losses), 1e-5)


@pytest.mark.parametrize("dtype", ["bool", "int32", "float32"])
def test_a_key_padding_mask_hides(dtype):
    """PyTorch's convention: True where padding stands."""

    def words(mask):
        return 1.0 - ops.cast(mask, "float32")

    network = mask_input(dtype, "key_padding_mask", words)
    with pytest.raises(ValueError, match='masks={"key_padding_mask": "select"}'):
        keras_amp.MixupAMPModel(network, "embedding")
    hidden = (IDS == 0).astype(dtype)
    policy = injected(keras_amp.Mixup, LAM, PERMUTATION)
    model = keras_amp.MixupAMPModel(
        network, "embedding", policy, masks={"key_padding_mask": "hide"}
    )
    model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", **EAGER)
    loss = model.train_on_batch([IDS, hidden], Y, return_dict=True)["loss"]
    expected = pooled_loss(network, LAM, PERMUTATION, UNITED)
    np.testing.assert_allclose(loss, expected, 1e-5)
    curves = [
        keras_amp.loss_along_lambda(m, ([IDS, hidden], Y), "embedding", 3, **how).losses
        for m, how in ((model, {}), (network, {"masks": model.masks}))
    ]
    np.testing.assert_array_equal(*curves)


def test_the_part_that_is_said_is_united_within_what_is_computed():
    network = selecting()
    ids = network.inputs[0]
    x = network.get_layer("embedding").output
    both = ops.logical_and(ids != 0, ops.equal(ids, END))
    network = keras.Model(ids, keras.layers.Dense(2, "softmax")(masked_mean(x, both)))
    said = {both._keras_history.operation._inbound_nodes[0].input_tensors[1]
            ._keras_history.operation.name: "select"}  # fmt: skip
    (split,) = cut(network, "embedding", masks=said)
    assert sorted(split.mask_meanings) == ["keep", "select"]


def test_masks_are_saved(tmp_path):
    model = keras_amp.MixupAMPModel(selecting(), "embedding", masks={"picked": "select"})
    model.compile("adam", "sparse_categorical_crossentropy")
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").masks == model.masks
    inserted = keras_amp.insert_mix_layer(selecting(), "embedding", masks=model.masks)
    inserted.save(tmp_path / "inserted.keras")
    loaded = keras.models.load_model(tmp_path / "inserted.keras")
    assert keras_amp.MixupAMPModel(loaded).mix_points == ["mix"]


@pytest.mark.parametrize(
    ("masks", "error", "message"),
    [
        (["picked"], TypeError, "`masks` to be a dict"),
        ({"picked": "words"}, ValueError, "'keep', 'hide', 'select'"),
        ({"piked": "select"}, ValueError, "Received: 'piked'. Did you mean 'picked'"),
    ],
)
def test_masks_that_say_nothing_are_errors(masks, error, message):
    with pytest.raises(error, match=message):
        keras_amp.MixupAMPModel(selecting(), "embedding", masks=masks)


def test_a_mask_that_is_the_same_for_all_is_handed_on():
    """No word may look ahead, whatever the words are."""
    ids = keras.Input((6,), dtype="int32")
    x = keras.layers.Embedding(10, 4, name="embedding")(ids)
    ahead = ops.triu(ops.ones_like(ids)[0:1, :] * ops.ones((6, 1), "int32")) > 0
    weights = ops.where(ahead, 0.0, 1.0)
    x = ops.mean(ops.matmul(weights, x), axis=1)
    network = keras.Model(ids, keras.layers.Dense(3, "softmax", name="top")(x))
    (split,) = cut(network, "embedding")
    assert split.mask_meanings == ["shared"]
    policy = injected(keras_amp.Mixup, LAM, PERMUTATION)
    model = keras_amp.MixupAMPModel(network, "embedding", policy)
    model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", **EAGER)
    loss = model.train_on_batch(IDS, Y, return_dict=True)["loss"]
    curve = keras_amp.loss_along_lambda(
        model, (IDS, Y), lambdas=LAM, partner=PERMUTATION, batch_size=3
    )
    np.testing.assert_allclose(np.diag(curve.losses).mean(), loss, rtol=1e-5)
    table = network.get_layer("embedding").get_weights()[0]
    mixed = LAM[:, None, None] * table[IDS]
    mixed = mixed + (1 - LAM[:, None, None]) * table[IDS[PERMUTATION]]
    pooled = (np.tri(6, k=-1) @ mixed).mean(1)
    p = np.log(np.array(network.get_layer("top")(pooled)))
    rows = np.arange(4)
    expected = -(LAM * p[rows, Y] + (1 - LAM) * p[rows, Y[PERMUTATION]])
    np.testing.assert_allclose(loss, expected.mean(), rtol=1e-5)


@pytest.mark.parametrize(
    "inside",
    [
        lambda mask: ops.logical_not(ops.equal(mask, 0)),
        lambda mask: 1 - ops.cast(ops.logical_not(ops.cast(mask, "bool")), "int32"),
        lambda mask: ops.where(ops.cast(1 - mask, "bool"), 0.0, 1.0),
    ],
)
def test_what_is_computed_of_a_mask_input_follows_the_united_mask(inside):
    network = mask_input("int32", inside=inside)
    assert_united(network, [IDS, (IDS != 0).astype("int32")])


@pytest.mark.parametrize("make", [implicit, lambda: computed_mask(WORDS["unequal"])])
@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_an_example_without_a_share_brings_no_mask(lam, make):
    """All the way to one sentence: its own words, averaged over its own length."""
    network = make()
    order = np.array([1, 2, 3, 0], "int32")
    lam = np.full(4, lam, "float32")
    united = LENGTHS if lam[0] else LENGTHS[order]
    expected = pooled_loss(network, lam, order, united)
    np.testing.assert_allclose(first_loss(network, IDS, lam=lam, order=order), expected)


@pytest.mark.parametrize("mask_zero", [True, False])
def test_every_pass_of_the_search_sees_the_united_mask(mask_zero):
    """The losses at lambda and at lambda', which is lambda here."""
    seen = {}

    class Policy(keras_amp.AdversarialMixing):
        def select(self, loss, adversarial_loss):
            seen["loss"] = ops.mean(loss)
            return super().select(loss, adversarial_loss)

    network = implicit() if mask_zero else computed_mask(WORDS["unequal"])
    expected = pooled_loss(network, LAM, PERMUTATION, UNITED)
    policy = injected(Policy, LAM, PERMUTATION, step_size=0.0)
    model = keras_amp.MixupAMPModel(network, "embedding", policy)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", **EAGER)
    logs = model.train_on_batch(IDS, Y, return_dict=True)
    np.testing.assert_allclose(logs["loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(logs["loss_gap"], 0, atol=1e-6)
    assert "loss" in seen


def test_a_recurrent_layer_reads_to_the_end_of_the_longer_sentence():
    ids = keras.Input((6,), dtype="int32")
    x = keras.layers.Embedding(10, 4, mask_zero=True, name="embedding")(ids)
    x = keras.layers.LSTM(3, name="lstm")(x)
    network = keras.Model(ids, keras.layers.Dense(3, "softmax", name="top")(x))
    lstm, top = network.get_layer("lstm"), network.get_layer("top")
    table = network.get_layer("embedding").get_weights()[0]
    losses = []
    for i, (j, end) in enumerate(zip(PERMUTATION, UNITED, strict=True)):
        mixed = LAM[i] * table[IDS[i, :end]] + (1 - LAM[i]) * table[IDS[j, :end]]
        p = np.array(top(lstm(mixed[None])))[0]
        losses.append(-(LAM[i] * np.log(p[Y[i]]) + (1 - LAM[i]) * np.log(p[Y[j]])))
    np.testing.assert_allclose(first_loss(network, IDS), np.mean(losses), rtol=1e-5)


def test_the_united_mask_reaches_layers_behind_a_layer_that_passes_it_on():
    ids = keras.Input((6,), dtype="int32")
    x = keras.layers.Embedding(10, 4, mask_zero=True, name="embedding")(ids)
    x = keras.layers.Dropout(0.0)(keras.layers.Activation("linear")(x))
    x = keras.layers.GlobalAveragePooling1D()(x)
    network = keras.Model(ids, keras.layers.Dense(3, "softmax", name="top")(x))
    assert_united(network, IDS)


def test_a_padding_mask_and_an_implicit_mask_together():
    ids = keras.Input((6,), dtype="int32", name="token_ids")
    mask = keras.Input((6,), dtype="int32", name="padding_mask")
    x = keras.layers.Embedding(10, 4, mask_zero=True, name="embedding")(ids)
    a = keras.layers.GlobalAveragePooling1D()(x)
    x = ops.add(a, masked_mean(x, mask)) / 2
    network = keras.Model([ids, mask], keras.layers.Dense(3, "softmax", name="top")(x))
    assert_united(network, [IDS, IDS != 0])


def test_no_mask_is_asked_for_above_the_sentences():
    network = mask_input()
    (split,) = cut(network, "sentence")
    assert len(split.above.inputs) == 1


# === What bypasses the mix layer and is no mask ===


def with_feature(dtype, name="feature"):
    ids = keras.Input((6,), dtype="int32", name="token_ids")
    feature = keras.Input((2,), dtype=dtype, name=name)
    x = keras.layers.Embedding(10, 4, name="embedding")(ids)
    x = keras.layers.GlobalAveragePooling1D(name="pooled")(x)
    x = keras.layers.Concatenate(name="joined")([x, ops.cast(feature, "float32")])
    return keras.Model([ids, feature], keras.layers.Dense(3, "softmax")(x))


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("name", ["feature", "unmasked", "masked_count"])
def test_an_input_that_bypasses_the_mix_layer_is_an_error_that_names_it(dtype, name):
    with pytest.raises(ValueError, match=f"the input '{name}' reaches .* Mix behind"):
        keras_amp.MixupAMPModel(with_feature(dtype, name), "embedding")


def test_mixing_behind_the_join_is_the_way_out():
    model = keras_amp.MixupAMPModel(with_feature("float32"), "joined")
    model.compile("sgd", "sparse_categorical_crossentropy", **EAGER)
    x = [IDS, np.ones((4, 2), "float32")]
    assert np.isfinite(model.train_on_batch(x, Y, return_dict=True)["loss"])


def test_a_residual_connection_around_the_mix_layer_is_an_error():
    """The tensor that bypasses comes from an input, whose values were not mixed."""
    ids = keras.Input((6,), dtype="int32", name="token_ids")
    x = keras.layers.Embedding(10, 4, name="embedding")(ids)
    y = keras.layers.Dense(4, name="dense")(x)
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Add(name="residual")([x, y]))
    network = keras.Model(ids, keras.layers.Dense(3, "softmax", name="top")(x))
    with pytest.raises(ValueError, match="input 'token_ids' reaches 'residual'"):
        keras_amp.MixupAMPModel(network, "dense")
    for whole in ("embedding", "residual"):
        assert keras_amp.MixupAMPModel(network, whole).mix_points == [whole]
