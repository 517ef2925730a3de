"""The loss along lambda: against float64 NumPy, and what is drawn of it read back."""

import csv

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import MODES, bag_of_words, text_classifier
from keras import ops
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import keras_amp
from keras_amp.analysis import pair_evaluator
from keras_amp.analysis.curve import write_curve
from keras_amp.callbacks import LossAlongLambda

RNG = np.random.default_rng(11)
LAMBDAS = np.array([0.0, 0.1, 0.35, 0.5, 0.8, 1.0])
IDS = RNG.integers(1, 20, (9, 7))  # an odd number: one is its own partner
Y = RNG.integers(0, 3, 9)


# === Two models, and their losses in float64 ===


def convolutional(**top):
    """Embedding, convolution, maximum over the words, two classifying layers."""
    ids = keras.Input((7,), dtype="int32")
    x = keras.layers.Embedding(20, 5, name="embedding")(ids)
    x = keras.layers.Dropout(0.4, name="word_dropout")(x)
    x = keras.layers.Conv1D(7, 3, activation="relu", name="conv")(x)
    x = keras.layers.GlobalMaxPooling1D(name="sentence")(x)
    x = keras.layers.Dense(6, activation="tanh", name="hidden")(x)
    x = keras.layers.Dropout(0.4, name="dropout")(x)
    top = {"units": 3, "activation": "softmax", **top}
    x = keras.layers.Dense(name="probabilities", **top)(x)
    model = keras.Model(ids, x)
    for weight in model.trainable_weights:
        weight.assign(RNG.normal(size=weight.shape))
    return model


def weights_of(model, name):
    return [w.astype("float64") for w in model.get_layer(name).get_weights()]


def words_of(model, ids):
    return weights_of(model, "embedding")[0][ids]


def sentence_of(model, words):
    kernel, bias = weights_of(model, "conv")
    windows = np.stack([words[i : i + 3] for i in range(len(words) - 2)])
    return np.maximum(np.einsum("twd,wdf->tf", windows, kernel) + bias, 0).max(axis=0)


def logits_of(model, sentence):
    w, b = weights_of(model, "hidden")
    v, c = weights_of(model, "probabilities")
    return np.tanh(sentence @ w + b) @ v + c


def cross_entropies(z):
    return np.log(np.exp(z - z.max()).sum()) + z.max() - z


def by_hand(model, partner, place, lambdas=LAMBDAS, ids=IDS, y=Y):
    losses = np.empty((len(ids), len(lambdas)))
    for i, j in enumerate(partner):
        for k, lam in enumerate(lambdas):
            words = [words_of(model, ids[n]) for n in (i, j)]
            if place == "embedding":
                mixed = sentence_of(model, lam * words[0] + (1 - lam) * words[1])
            else:
                own, other = (sentence_of(model, w) for w in words)
                mixed = lam * own + (1 - lam) * other
            loss = cross_entropies(logits_of(model, mixed))
            losses[i, k] = lam * loss[y[i]] + (1 - lam) * loss[y[j]]
    return losses


# === The values ===


@pytest.mark.parametrize("place", ["embedding", "sentence"])
@pytest.mark.parametrize("partner", ["reversed", [3, 3, 0, 8, 1, 5, 6, 2, 4]])
def test_every_loss_is_that_of_numpy(place, partner):
    model = convolutional()
    curve = keras_amp.loss_along_lambda(model, (IDS, Y), place, LAMBDAS, partner)
    order = np.arange(9)[::-1] if partner == "reversed" else partner
    assert curve.losses.dtype == "float64"
    np.testing.assert_allclose(
        curve.losses, by_hand(model, order, place), rtol=2e-5, atol=1e-6
    )
    np.testing.assert_allclose(curve.mean, curve.losses.mean(axis=0))
    np.testing.assert_array_equal(curve.lambdas, LAMBDAS)
    assert curve.place == place


def plain_losses(model):
    """The losses of the examples as they are, unmixed."""
    return -np.log(np.array(model(IDS), "float64")[np.arange(9), Y])


@pytest.mark.parametrize(
    ("place", "rewrite", "mode"),
    [
        ("embedding", True, "xla"),
        ("sentence", True, "eager"),
        ("embedding", False, "eager"),
        ("sentence", False, "graph"),
    ],
)
def test_the_ends_are_the_plain_losses(place, rewrite, mode):
    model = keras_amp.MixupAMPModel(text_classifier(), place, rewrite=rewrite)
    model.compile("adam", "sparse_categorical_crossentropy", **MODES[mode])
    curve = keras_amp.loss_along_lambda(model, (IDS, Y), lambdas=3, batch_size=8)
    plain = plain_losses(model.classifier)
    np.testing.assert_allclose(curve.losses[:, 2], plain, atol=1e-6)
    np.testing.assert_allclose(curve.losses[:, 0], plain[::-1], atol=1e-6)


def test_reversed_pairs_give_a_symmetric_mean():
    curve = keras_amp.loss_along_lambda(convolutional(), (IDS, Y), "sentence")
    np.testing.assert_allclose(curve.mean, curve.mean[::-1], atol=1e-6)
    np.testing.assert_allclose(curve.losses, curve.losses[::-1, ::-1], atol=1e-6)
    # The one in the middle is mixed with itself.
    np.testing.assert_allclose(curve.losses[4], curve.losses[4, 0], atol=1e-6)
    np.testing.assert_allclose(curve.lambdas, np.arange(21) / 20)


def test_seeded_partners_are_a_permutation_that_the_seed_fixes():
    model = convolutional()

    def ends(seed):
        curve = keras_amp.loss_along_lambda(
            model, (IDS, Y), "sentence", 2, "seeded", seed=seed
        )
        return curve.losses

    first = ends(5)
    np.testing.assert_array_equal(first, ends(5))
    np.testing.assert_allclose(np.sort(first[:, 0]), np.sort(first[:, 1]), rtol=1e-5)
    assert np.abs(first - ends(6)).max() > 0.01


def test_pairs_choose_rows_of_the_whole():
    model = convolutional()
    whole = keras_amp.loss_along_lambda(model, (IDS, Y), "embedding", 4).losses
    for pairs, rows in ((1, [0]), (9, range(9)), ([7, 0, 7], [7, 0, 7])):
        curve = keras_amp.loss_along_lambda(model, (IDS, Y), "embedding", 4, pairs=pairs)
        np.testing.assert_allclose(curve.losses, whole[rows], rtol=1e-6)


def test_the_batch_size_changes_nothing():
    model = convolutional()
    first, *others = (
        keras_amp.loss_along_lambda(model, (IDS, Y), "embedding", 5, batch_size=size)
        for size in (7, 1, 4, 1000)
    )
    for curve in others:
        np.testing.assert_allclose(first.losses, curve.losses, rtol=1e-5)


def test_a_fixed_batch_size_of_the_model_is_kept():
    ids = keras.Input(batch_shape=(4, 7), dtype="int32")
    x = keras.layers.Embedding(20, 5, name="embedding")(ids)
    x = keras.layers.GlobalMaxPooling1D()(x)
    model = keras.Model(ids, keras.layers.Dense(3, "softmax")(x))
    curve = keras_amp.loss_along_lambda(model, (IDS, Y), "embedding", 2)
    p = np.concatenate([model(IDS[i : i + 4]) for i in (0, 4)] + [model(IDS[5:])[3:]])
    plain = -np.log(p[np.arange(9), Y])
    np.testing.assert_allclose(curve.losses[:, 1], plain, rtol=1e-5)


def test_data_sets_are_read_whole():
    model = convolutional()
    given = keras_amp.loss_along_lambda(model, (IDS, Y), "sentence", 3).losses
    weighted = tf.data.Dataset.from_tensor_slices((IDS, Y, np.zeros(9))).batch(4)
    for data in (keras_amp.data.batches(IDS, Y, 4), weighted, (IDS, Y, np.zeros(9))):
        curve = keras_amp.loss_along_lambda(model, data, "sentence", 3)
        np.testing.assert_array_equal(curve.losses, given)


# === Losses and labels ===


def test_one_hot_and_column_labels():
    model = convolutional()
    sparse = keras_amp.loss_along_lambda(model, (IDS, Y), "sentence", 4).losses
    one_hot, column = np.eye(3)[Y], Y[:, None]
    for labels in (one_hot, column):
        curve = keras_amp.loss_along_lambda(model, (IDS, labels), "sentence", 4)
        np.testing.assert_allclose(curve.losses, sparse, rtol=1e-5)
    amp = keras_amp.MixupAMPModel(model, "sentence")
    for mode in ("eager", "xla"):
        amp.compile("adam", keras.losses.CategoricalCrossentropy(), **MODES[mode])
        curve = keras_amp.loss_along_lambda(amp, (IDS, one_hot), lambdas=4)
        np.testing.assert_allclose(curve.losses, sparse, rtol=1e-5)


def test_binary_cross_entropy():
    model, y = convolutional(units=1, activation="sigmoid"), Y % 2
    curve = keras_amp.loss_along_lambda(model, (IDS, y), "sentence", LAMBDAS)
    sentences = [sentence_of(model, words_of(model, ids)) for ids in IDS]
    for i, j in enumerate(range(8, -1, -1)):
        for k, lam in enumerate(LAMBDAS):
            z = logits_of(model, lam * sentences[i] + (1 - lam) * sentences[j])[0]
            target = lam * y[i] + (1 - lam) * y[j]
            p = np.clip(1 / (1 + np.exp(-z)), 1e-7, 1 - 1e-7)  # as Keras clips
            expected = -(target * np.log(p) + (1 - target) * np.log(1 - p))
            assert curve.losses[i, k] == pytest.approx(expected, rel=1e-4)


def test_logits_need_their_loss():
    model = convolutional(activation=None)
    with pytest.raises(ValueError, match="Pass `loss`, such as"):
        keras_amp.loss_along_lambda(model, (IDS, Y), "sentence")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    curve = keras_amp.loss_along_lambda(model, (IDS, Y), "sentence", LAMBDAS, loss=loss)
    order = np.arange(9)[::-1]
    np.testing.assert_allclose(
        curve.losses, by_hand(model, order, "sentence"), rtol=2e-5, atol=1e-6
    )
    assert not model.compiled
    model.compile("adam", loss, loss_weights=[2.0])
    weighted = keras_amp.loss_along_lambda(model, (IDS, Y), "sentence", LAMBDAS)
    np.testing.assert_allclose(weighted.losses, 2 * curve.losses, rtol=1e-6)


def test_a_loss_may_be_given_over_the_compiled_one():
    model = convolutional()
    model.compile("adam", "sparse_categorical_crossentropy")
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.3)
    curve = keras_amp.loss_along_lambda(
        model, (IDS, np.eye(3)[Y]), "sentence", 2, loss=loss
    )
    z = logits_of(model, sentence_of(model, words_of(model, IDS[2])))
    expected = (0.7 * np.eye(3)[Y[2]] + 0.1) @ cross_entropies(z)
    assert curve.losses[2, 1] == pytest.approx(expected, rel=1e-4)
    assert model.loss == "sparse_categorical_crossentropy"


# === Structures, masks, mix points ===


def masked_model(kind):
    """The mean of the words that count, by a mask of one kind."""
    ids = keras.Input((7,), dtype="int32", name="token_ids")
    inputs = ids
    embedding = keras.layers.Embedding(
        20, 5, mask_zero=kind == "implicit", name="embedding"
    )
    x = embedding(ids)
    if kind == "implicit":
        x = keras.layers.GlobalAveragePooling1D(name="sentence")(x)
    else:
        mask = ops.not_equal(ids, 0)
        if kind == "input":
            mask = keras.Input((7,), dtype="int32", name="padding_mask")
            inputs = {"token_ids": ids, "padding_mask": mask}
        elif kind == "padding":
            mask = ops.logical_not(ops.equal(ids, 0))
        mask = ops.expand_dims(ops.cast(mask, "float32"), -1)
        x = ops.sum(x * mask, axis=1) / ops.sum(mask, axis=1)
        x = keras.layers.Identity(name="sentence")(x)
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax", name="top")(x))
    for weight in model.trainable_weights:
        weight.assign(RNG.normal(size=weight.shape))
    return model


@pytest.mark.parametrize("kind", ["implicit", "computed", "padding", "input"])
@pytest.mark.parametrize("eager", [True, False])
def test_masks_are_united_between_the_ends(kind, eager):
    ids, lengths = IDS.copy(), np.array([7, 2, 3, 1, 6, 5, 4, 2, 3])
    ids[np.arange(7) >= lengths[:, None]] = 0
    model = masked_model(kind)
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=eager)
    x = ids
    if kind == "input":
        x = {"token_ids": ids, "padding_mask": (ids != 0).astype("int32")}
    curve = keras_amp.loss_along_lambda(model, (x, Y), "embedding", LAMBDAS)
    table, (w, b) = weights_of(model, "embedding")[0], weights_of(model, "top")
    for i, j in enumerate(range(8, -1, -1)):
        for k, lam in enumerate(LAMBDAS):
            shares = ((i, lam), (j, 1 - lam))
            length = max(lengths[n] for n, share in shares if share > 0)
            mean = sum(share * table[ids[n, :length]] for n, share in shares).mean(axis=0)
            loss = cross_entropies(mean @ w + b)
            expected = lam * loss[Y[i]] + (1 - lam) * loss[Y[j]]
            assert curve.losses[i, k] == pytest.approx(expected, rel=2e-5)


def test_several_mix_points_are_named():
    model = keras_amp.MixupAMPModel(convolutional(), ["embedding", "sentence"])
    model.compile("adam", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="one of the mix points 'embedding', 'sentence'"):
        keras_amp.loss_along_lambda(model, (IDS, Y))
    at = [
        keras_amp.loss_along_lambda(model, (IDS, Y), place, 5)
        for place in ("embedding", "sentence", "hidden")  # the last is none of its own
    ]
    assert [curve.place for curve in at] == ["embedding", "sentence", "hidden"]
    for a, b in ((0, 1), (1, 2)):
        assert np.abs(at[a].losses - at[b].losses).max() > 1e-3
        ends = (at[n].losses[:, ::4] for n in (a, b))
        np.testing.assert_allclose(*ends, atol=1e-5)


def test_a_mix_layer_of_the_classifier_is_found():
    ids = keras.Input((7,), dtype="int32")
    x = keras.layers.Embedding(20, 5, name="embedding")(ids)
    x = keras.layers.GlobalMaxPooling1D()(keras_amp.MixLayer(name="here")(x))
    model = keras.Model(ids, keras.layers.Dense(3, "softmax")(x))
    curve = keras_amp.loss_along_lambda(model, (IDS, Y), lambdas=4)
    named = keras_amp.loss_along_lambda(model, (IDS, Y), "embedding", lambdas=4)
    assert curve.place == "here"
    np.testing.assert_allclose(curve.losses, named.losses, rtol=1e-6)


def test_a_nested_layer_is_named_by_its_path():
    inner = convolutional()
    ids = keras.Input((7,), dtype="int32")
    outer = keras.Model(ids, keras.layers.Softmax()(inner(ids)))
    nested = f"{inner.name}/conv"
    curve = keras_amp.loss_along_lambda(outer, (IDS, Y), nested, 3, loss=None)
    assert curve.place == nested
    np.testing.assert_allclose(curve.losses[:, 2], plain_losses(outer), rtol=1e-5)


def test_an_output_by_name_with_its_loss_by_name():
    ids = keras.Input((7,), dtype="int32", name="ids")
    x = keras.layers.Embedding(20, 5, name="embedding")(ids)
    x = keras.layers.GlobalMaxPooling1D()(x)
    model = keras.Model({"ids": ids}, {"kind": keras.layers.Dense(3, "softmax")(x)})
    model.compile("adam", {"kind": "sparse_categorical_crossentropy"})
    data = ({"ids": IDS}, {"kind": Y})
    curve = keras_amp.loss_along_lambda(model, data, "embedding", 2)
    plain = plain_losses(lambda ids: model({"ids": ids})["kind"])
    np.testing.assert_allclose(curve.losses[:, 1], plain, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(dtype):
    keras.config.set_dtype_policy(dtype)
    try:
        model = text_classifier()
    finally:
        keras.config.set_dtype_policy("float32")
    model.compile("adam", "sparse_categorical_crossentropy")
    curve = keras_amp.loss_along_lambda(model, (IDS, Y), "embedding", 3)
    np.testing.assert_allclose(curve.losses[:, 2], plain_losses(model), rtol=2e-2)
    assert np.isfinite(curve.losses).all()


# === What it costs, and what it leaves alone ===


@keras.saving.register_keras_serializable(package="tests")
class Counter(keras.layers.Layer):
    """Counts the calls of Python and of the compiled graph."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.traces, self.rows = [], []
        self.supports_masking = True

    def call(self, x):
        if not isinstance(x, keras.KerasTensor):
            self.traces.append(tuple(x.shape))
            tf.py_function(lambda n: self.rows.append(int(n)), [tf.shape(x)[0]], [])
        return x


def test_below_is_computed_once_an_example_and_nothing_is_traced_anew():
    ids = keras.Input((7,), dtype="int32")
    x = keras.layers.Embedding(20, 5, name="embedding")(ids)
    below, above = Counter(name="below_counter"), Counter(name="above_counter")
    x = keras.layers.Identity(name="here")(below(x))
    x = keras.layers.GlobalMaxPooling1D()(above(x))
    model = keras.Model(ids, keras.layers.Dense(3, "softmax")(x))
    pairs = pair_evaluator.Mixtures(model, (IDS, Y), "here", 21, batch_size=3)
    for counter in (below, above):
        counter.traces.clear()  # of the symbolic calls that make the graphs
    first = pairs.losses()
    # A user's own layer is traced twice: first to see what else it does.
    assert (len(below.traces), sum(below.rows)) == (2, 9)
    # Each of the four pairs seen from one side, and the middle one: 5 * 21 = 105 rows.
    assert (len(above.traces), sum(above.rows)) == (2, 105)
    np.testing.assert_array_equal(pairs.losses(), first)
    assert (len(below.traces), len(above.traces)) == (2, 2)
    for weight in model.trainable_weights:
        weight.assign(weight + 0.5)
    assert np.abs(pairs.losses() - first).max() > 1e-3  # the weights as they are now
    # Of the examples that take part alone.
    below.rows.clear()
    pair_evaluator.Mixtures(
        model, (IDS, Y), "here", 5, pairs=[1, 7], batch_size=100
    ).losses()
    assert sum(below.rows) == 2


def test_nothing_of_the_model_changes():
    ids = keras.Input((7,), dtype="int32")
    x = keras.layers.Embedding(20, 5, name="embedding")(ids)
    x = keras.layers.Dropout(0.5, seed=1)(x)
    x = keras.layers.Conv1D(4, 2, activity_regularizer="l2", name="conv")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalMaxPooling1D(name="sentence")(x)
    model = keras.Model(ids, keras.layers.Dense(3, "softmax")(x))
    before = [np.array(v) for v in model.variables]
    for place in ("embedding", "sentence"):
        keras_amp.loss_along_lambda(model, (IDS, Y), place, 3)
    for old, new in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, np.array(new))
    assert not model.compiled
    assert not model.losses  # of the calls inside a graph
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    model.train_on_batch(IDS, Y)


# === Bad input ===


@pytest.fixture(scope="module")
def classifier():
    """Of no test its own: what is wrong is said before anything is done with it."""
    return bag_of_words()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mix_at": "embeding"}, "Did you mean 'embedding'"),
        ({"mix_at": None}, "Expected `mix_at` to say where to mix"),
        ({"lambdas": []}, "`lambdas` .* Received: none"),
        ({"lambdas": 1}, "an integer >= 2.* Received: lambdas=1"),
        ({"lambdas": True}, "Received: lambdas=True"),
        ({"lambdas": [0.5, 1.01]}, r"values in \[0, 1\]"),
        ({"lambdas": [np.nan]}, r"values in \[0, 1\]"),
        ({"lambdas": "many"}, "Received: lambdas='many'"),
        ({"partner": np.arange(8)}, r"of the shape \(9,\)"),
        ({"partner": np.arange(9) + 1}, "with values from 0 to 8"),
        ({"partner": np.arange(9) / 2}, "integer array"),
        ({"partner": "random"}, "Received: partner='random'"),
        ({"partner": [[0], [1, 2]]}, "integer array"),
        ({"partner": "seeded"}, "Expected `seed` to be an integer"),
        ({"pairs": 0}, "from 1 to 9.* Received: pairs=0"),
        ({"pairs": 10}, "Received: pairs=10"),
        ({"pairs": []}, "Received: pairs=\\[\\]"),
        ({"pairs": [9]}, "indices from 0 to 8"),
        ({"pairs": "all"}, "Received: pairs='all'"),
        ({"batch_size": 0}, "`batch_size` to be an integer >= 1"),
        ({"data": (IDS, np.full(9, 3))}, "class indices from 0 to 2.* Received: 3"),
        ({"data": (IDS, Y[:8])}, "8 labels for 9 examples"),
        ({"data": (IDS[:0], Y[:0])}, "at least one example"),
        ({"data": (IDS,)}, "inputs and labels"),
        ({"data": (IDS, None)}, "one array of labels. Received: no"),
        ({"data": (IDS, [Y, Y])}, "one array of labels. Received: 2"),
        ({"data": (IDS, 3)}, "Received: a single number"),
        ({"data": keras_amp.data.batches(IDS, Y, 4).repeat()}, "to end"),
        ({"data": keras_amp.data.batches(IDS, Y, 4).unbatch()}, "single examples"),
        ({"data": keras_amp.data.batches(IDS, Y, 4).take(0)}, "at least one batch"),
        ({"data": tf.data.Dataset.range(3).batch(2)}, "batches \\(x, y\\)"),
    ],
)
def test_bad_input_is_said(arguments, message, classifier):
    arguments = {"data": (IDS, Y), "mix_at": "embedding", **arguments}
    with pytest.raises(ValueError, match=message):
        keras_amp.loss_along_lambda(classifier, **arguments)


def test_bad_types_are_said(classifier):
    with pytest.raises(TypeError, match="a tuple .* Received: ndarray"):
        keras_amp.loss_along_lambda(classifier, IDS, "embedding")
    with pytest.raises(TypeError, match="the name of one layer"):
        keras_amp.loss_along_lambda(classifier, (IDS, Y), ["embedding"])
    with pytest.raises(TypeError, match="`seed` to be an integer"):
        keras_amp.loss_along_lambda(
            classifier, (IDS, Y), "embedding", partner="seeded", seed="a"
        )


def test_batches_of_different_lengths_are_not_put_together(classifier):
    def batches():
        yield IDS[:2], Y[:2]
        yield IDS[2:4, :5], Y[2:4]

    spec = tf.TensorSpec((None, None), "int32"), tf.TensorSpec((None,), "int32")
    data = tf.data.Dataset.from_generator(batches, output_signature=spec)
    with pytest.raises(ValueError, match="of one shape.* \\(5,\\) and \\(7,\\)"):
        keras_amp.loss_along_lambda(classifier, data, "embedding")


# === Files ===


def columns_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return dict(zip(header, np.array(rows, "float64").T, strict=True))


def test_a_curve_is_written_whole(tmp_path):
    curve = keras_amp.loss_along_lambda(convolutional(), (IDS, Y), "embedding", 5)
    curve.to_csv(tmp_path / "curve.csv")
    columns = columns_of(tmp_path / "curve.csv")
    assert list(columns) == ["lam", "mean", *(f"pair-{i}" for i in range(9))]
    np.testing.assert_allclose(columns["lam"], curve.lambdas)
    np.testing.assert_allclose(columns["mean"], curve.mean, rtol=1e-8)
    np.testing.assert_allclose(columns["pair-8"], curve.losses[8], rtol=1e-8)
    assert [path.name for path in tmp_path.iterdir()] == ["curve.csv"]
    assert "'embedding', 9 pairs at 5 lambdas from 0 to 1" in repr(curve)


def test_a_run_s_curve_has_both_places(tmp_path):
    model = keras_amp.backbones.text_cnn(20, 3, 7, embedding_dim=5, filters=4, seed=1)
    write_curve(tmp_path, model, IDS, Y, lambdas=5)
    columns = columns_of(tmp_path / "curve.csv")
    assert list(columns) == ["lam", "word", "sentence"]
    for place, layer in (("word", "embedding"), ("sentence", "sentence")):
        curve = keras_amp.loss_along_lambda(model, (IDS, Y), layer, 5)
        np.testing.assert_allclose(columns[place], curve.mean, rtol=1e-7)


def test_a_place_that_a_model_lacks_has_no_losses(tmp_path):
    ids = keras.Input((7,), dtype="int32")
    x = keras.layers.Embedding(20, 5, name="tokens")(ids)
    x = keras.layers.GlobalMaxPooling1D(name="sentence")(x)
    model = keras.Model(ids, keras.layers.Dense(3, "softmax")(x))
    write_curve(tmp_path, model, IDS, Y, lambdas=3)
    columns = columns_of(tmp_path / "curve.csv")
    assert np.isnan(columns["word"]).all()
    assert np.isfinite(columns["sentence"]).all()


# === The callback ===


def trained(callbacks=(), epochs=1, **compile_args):
    """A model with noise, trained by a batch an epoch."""
    keras.utils.set_random_seed(3)
    ids = keras.Input((7,), dtype="int32")
    x = keras.layers.Embedding(20, 4, name="embedding")(ids)
    x = keras.layers.Dropout(0.4)(x)
    x = keras.layers.GlobalAveragePooling1D(name="sentence")(x)
    classifier = keras.Model(ids, keras.layers.Dense(3, "softmax")(x))
    model = keras_amp.MixupAMPModel(
        classifier, ["embedding", "sentence"], keras_amp.Mixup(), seed=1
    )
    model.compile("sgd", "sparse_categorical_crossentropy", **compile_args)
    model.fit(IDS, Y, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return model


def events_of(folder):
    return EventAccumulator(str(folder), {"tensors": 0}).Reload()


def test_the_callback_draws_and_leaves_the_training_alone(tmp_path):
    pytest.importorskip("keras_amp.analysis.figures")
    callback = LossAlongLambda((IDS, Y), 5, pairs=(0, 3), log_dir=tmp_path)
    how = {"epochs": 2, "run_eagerly": True}
    model = trained([callback], **how)
    for own, other in zip(model.weights, trained(**how).weights, strict=True):
        np.testing.assert_array_equal(np.array(own), np.array(other))
    assert list(callback.curves) == [0, 1]
    folder = tmp_path / "loss_along_lambda"
    for place in ("embedding", "sentence"):
        curve = keras_amp.loss_along_lambda(model, (IDS, Y), place, 5)
        np.testing.assert_allclose(callback.curves[1][place].losses, curve.losses)
        columns = columns_of(folder / "epoch-1.csv")
        np.testing.assert_allclose(columns[f"mean of 9, {place}"], curve.mean, rtol=1e-7)
        for pair in (0, 3):
            drawn = columns[f"pair {pair}, {place}"]
            np.testing.assert_allclose(drawn, curve.losses[pair], rtol=1e-7)
    files = {path.name for path in folder.glob("epoch-*")}
    assert files == {f"epoch-{n}.{k}" for n in (0, 1) for k in ("png", "svg", "csv")}
    assert b"<svg" in (folder / "epoch-0.svg").read_bytes()
    events = events_of(folder).Tensors("loss_along_lambda")
    assert [event.step for event in events] == [0, 1]
    for event in events:
        width, height, encoded = tf.make_ndarray(event.tensor_proto)
        drawn = tf.io.decode_png((folder / f"epoch-{event.step}.png").read_bytes(), 4)
        assert (int(height), int(width)) == drawn.shape[:2]
        np.testing.assert_array_equal(tf.io.decode_png(encoded, 4), drawn)


def test_without_a_folder_the_curves_are_kept_as_often_as_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    callback = LossAlongLambda(
        keras_amp.data.batches(IDS, Y, 4), LAMBDAS, (), every=2, mix_at="sentence"
    )
    trained([callback], epochs=4, run_eagerly=True)
    assert list(callback.curves) == [0, 2, 3]  # the last one, too
    assert {place for at in callback.curves.values() for place in at} == {"sentence"}
    assert callback.curves[3]["sentence"].losses.shape == (9, 6)
    assert not list(tmp_path.iterdir())


def test_a_plain_classifier_is_drawn_where_the_callback_says():
    model = bag_of_words()
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    callback = LossAlongLambda((IDS, Y), 3, mix_at=["embedding", "sentence"])
    model.fit(IDS, Y, verbose=0, callbacks=[callback])
    assert list(callback.curves[0]) == ["embedding", "sentence"]
    with pytest.raises(ValueError, match="to say where to mix"):
        model.fit(IDS, Y, verbose=0, callbacks=[LossAlongLambda((IDS, Y))])


def test_a_folder_that_cannot_be_written_is_said_before_training(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for log_dir in (tmp_path / "file", tmp_path / "file" / "logs"):
        callback = LossAlongLambda((IDS, Y), log_dir=log_dir)
        with pytest.raises(OSError, match="`log_dir` .* can be written"):
            trained([callback])


def test_a_distributed_training_is_drawn(tmp_path, strategy):
    with strategy.scope():
        model = keras_amp.MixupAMPModel(
            bag_of_words(), "embedding", keras_amp.Mixup(), seed=1
        )
        model.compile("sgd", "sparse_categorical_crossentropy")
    callback = LossAlongLambda((IDS, Y), 3)
    model.fit(IDS[:8], Y[:8], verbose=0, callbacks=[callback])
    losses = callback.curves[0]["embedding"].losses
    plain = plain_losses(model.classifier)
    np.testing.assert_allclose(losses[:, 2], plain, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pairs": (9,)}, "indices from 0 to 8"),
        ({"every": 0}, "`every` to be an integer >= 1"),
        ({"lambdas": 1}, "`lambdas`"),
        ({"data": (IDS[:0], Y[:0])}, "at least one example"),
    ],
)
def test_the_callback_checks_its_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        LossAlongLambda(**{"data": (IDS, Y), **arguments})


def test_the_callback_checks_the_labels_before_training():
    with pytest.raises(ValueError, match="class indices from 0 to 2"):
        trained([LossAlongLambda((IDS, Y + 1))])
