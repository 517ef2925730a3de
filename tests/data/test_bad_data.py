"""Data that a classifier does not take: what was expected, what came, what to do."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import MODES
from keras import layers, ops

import keras_amp

RNG = np.random.default_rng(31)
X = RNG.normal(size=(8, 4)).astype("float32")
Y = np.arange(8) % 3
TEXTS = np.array(["a film", "a plot"] * 4)
SPARSE = "sparse_categorical_crossentropy"
slices = tf.data.Dataset.from_tensor_slices


def network(shape=(4,), **arguments):
    x = keras.Input(shape, name="x", **arguments)
    h = layers.Dense(5, "tanh", name="embed")(layers.Flatten()(x))
    return keras.Model(x, layers.Dense(3, "softmax", name="p")(h), name="mine")


def compiled(classifier=None, loss=SPARSE, policy=None, **arguments):
    policy = policy or keras_amp.Mixup()  # the step of one pass, which is traced sooner
    model = keras_amp.MixupAMPModel(classifier or network(), "embed", policy, seed=1)
    model.compile("sgd", loss, **arguments)
    return model


@pytest.fixture(name="model", scope="module")
def fixture_model():
    return compiled()


def fails(call, match, *args, **kwargs):
    with pytest.raises(ValueError, match=match):
        call(*args, **kwargs)


def ways(model, x, y=Y):
    """Every way of handing in a data set of these, or these."""
    quiet = {"verbose": 0}
    data = slices((x, y))
    return {
        "fit": lambda: model.fit(data, **quiet),
        "validation_data": lambda: model.fit(X, Y, validation_data=data, **quiet),
        "evaluate": lambda: model.evaluate(data, **quiet),
        "predict": lambda: model.predict(slices(x), **quiet),
        "predict with labels": lambda: model.predict(data, **quiet),
    }


# === Single examples ===


@pytest.mark.parametrize("way", list(ways(None, X)))
def test_a_data_set_of_single_examples(model, way):
    match = r"shape \(batch_size, 4\).*'mine'.*Received: shape \(4,\).*\.batch\(32\)"
    fails(ways(model, X)[way], match)


@pytest.mark.parametrize("shape", [(1,), (5, 4), (4, 4, 1)])
def test_single_examples_of_other_shapes(shape):
    data = slices((np.zeros((8, *shape)), Y))
    fails(compiled(network(shape)).fit, r"single example.*\.batch\(32\)", data)


@pytest.mark.parametrize("labels", [Y, np.eye(3)[Y]])
def test_single_labels_beside_inputs_of_unknown_rank(model, labels):
    data = tf.data.Dataset.from_generator(
        lambda: zip(X, labels, strict=True),
        output_signature=(tf.TensorSpec(None), tf.TensorSpec(labels.shape[1:])),
    )
    if labels.ndim == 1:
        fails(model.fit, r"data set of batches.*Received: single examples", data)
    else:  # nothing is known; the step tells
        with pytest.raises((ValueError, TypeError, tf.errors.OpError)):
            model.fit(data, verbose=0)


def test_batches_of_unknown_rank_are_trained_on():
    data = tf.data.Dataset.from_generator(
        lambda: iter([(X, Y)]),
        output_signature=(tf.TensorSpec((None, None)), tf.TensorSpec((None,), "int64")),
    )
    assert np.isfinite(compiled().fit(data, verbose=0).history["loss"]).all()


class Items(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return self.x[index], self.y[index]


@pytest.mark.parametrize("y", [Y, Y[:, None]])
def test_single_examples_from_python(model, y):
    match = "Expected .*batch.*Received: .*single example.*Yield batches"
    fails(model.fit, match, Items(X, y), verbose=0)
    examples = (example for example in zip(X, y, strict=True))
    fails(model.fit, match, examples, steps_per_epoch=2, verbose=0)


def test_single_examples_from_python_in_evaluation(model):
    fails(model.evaluate, "Received: single examples.*Yield batches", Items(X, Y))
    data = Items(X, Y)
    fails(model.fit, "Received: single examples", X, Y, validation_data=data, verbose=0)


@pytest.mark.parametrize(
    "how", ["fit", "evaluate", "train_on_batch", "test_on_batch", "predict", "one"]
)
def test_a_single_array(model, how):
    match = r"Expected `x`.*\(batch_size, 4\).*Received: shape \(4,\).*x\[None\]"
    if how in ("predict", "one"):
        fails(model.predict if how == "predict" else model.predict_on_batch, match, X[0])
    else:
        fails(getattr(model, how), match, X[0], Y[:1])


def test_batches_of_batches(model):
    data = slices((X, Y)).batch(2).batch(2)
    fails(model.fit, r"Received: shape \(None, None, 4\), batches of batches", data)


# === Other shapes ===


def test_inputs_of_another_size(model):
    match = r"`x`.*\(batch_size, 4\).*'x' of 'mine'.*Received: shape \(8, 3\)\."
    for call in (model.fit, model.evaluate, model.train_on_batch):
        fails(call, match, X[:, :3], Y)
    fails(model.predict, match, X[:, :3])
    match = r"`validation_data`.*Received: shape \(8, 3\)"
    fails(model.fit, match, X, Y, validation_data=(X[:, :3], Y), verbose=0)


def test_inputs_and_labels_swapped(model):
    for data in ((Y, X), (slices((Y, X)).batch(4),)):
        fails(model.fit, r"that of the labels.*would do.*swapped\?", *data)


@pytest.mark.parametrize("shape", [(8, 4), (8, 4, 1)])
@pytest.mark.parametrize("expected", [(4,), (4, 1)])
def test_what_keras_takes_is_taken(shape, expected):
    x = X.reshape(shape)
    classifier = network(expected)
    model = compiled(classifier, run_eagerly=True)
    np.testing.assert_allclose(model.predict_on_batch(x), classifier(x), rtol=1e-5)
    assert np.isfinite(model.train_on_batch(x, Y)).all()
    data = slices((x, Y)).batch(8)
    assert np.isfinite(model.fit(data, verbose=0).history["loss"]).all()


def two_inputs(structure):
    words, numbers = keras.Input((6,), name="words"), keras.Input((3,), name="numbers")
    h = layers.Dense(4, name="embed")(layers.Concatenate()([words, numbers]))
    return keras.Model(structure(words, numbers), layers.Dense(3, "softmax")(h))


def test_several_inputs():
    words, numbers = RNG.random((8, 6)), RNG.random((8, 3))
    for structure in (lambda *x: list(x), lambda *x: dict(zip("ab", x, strict=True))):
        model = compiled(two_inputs(structure), run_eagerly=True)
        model.train_on_batch(structure(words, numbers), Y)
        match = r"of `x`.*\(batch_size, 6\).*'words'.*Received: shape \(8, 3\)"
        fails(model.fit, match, structure(numbers, words), Y)
        fails(model.fit, "`x` to hold 2 inputs.*'words'.*Received: 1", words, Y)
    by_name = {"words": words, "numbers": numbers[:, :2]}
    model = compiled(two_inputs(lambda *x: list(x)))
    fails(model.fit, r"'numbers' of `x`.*Received: shape \(8, 2\)", by_name, Y)


# === No arrays ===


def test_nothing(model):
    fails(model.fit, "`x` to hold inputs for 'mine'.*Received: None", None, Y)


def test_lists_of_numbers(model):
    fails(model.fit, r"Expected `x`.*array.*Received: a list.*np\.array", X.tolist(), Y)
    for call in (model.fit, model.evaluate, model.train_on_batch):
        fails(
            call, r"Expected `y`.*array.*Received: a list.*begins with 0", X, Y.tolist()
        )
    weights = [1.0] * 8
    fails(model.fit, "`sample_weight`.*Received: a list", X, Y, sample_weight=weights)
    fails(model.fit, r"`sample_weight`.*Received: 2\.0", X, Y, sample_weight=2.0)


def test_a_list_of_weights_for_one_batch(model):
    match = r"`sample_weight` to be an array.*list that begins with 1\.0"
    fails(model.train_on_batch, match, X, Y, sample_weight=[1.0] * 8)


def test_numbers_in_an_array_of_objects(model):
    match = "numbers for 'mine'.*Received: an array of the dtype object.*float32"
    fails(model.fit, match, X.astype(object), Y, verbose=0)
    fails(model.predict, match, X.astype(object), verbose=0)


@pytest.mark.parametrize("as_dataset", [False, True])
def test_weights_of_another_shape(model, as_dataset):
    match = r"`sample_weight` .*shape \(batch_size,\).*Received: shape \(None, 3\)"
    weights = np.ones((8, 3))
    if as_dataset:
        fails(model.fit, match, slices((X, Y, weights)).batch(8), verbose=0)
    else:
        fails(model.fit, match, X, Y, sample_weight=weights, verbose=0)


def test_weights_of_positions():
    x = keras.Input((5, 2))
    h = layers.Dense(4, name="embed")(x)
    tagger = keras.Model(x, layers.Dense(3, "softmax")(h), name="mine")
    inputs, labels = RNG.random((8, 5, 2)), RNG.integers(0, 3, (8, 5))
    model = compiled(tagger, run_eagerly=True)
    for shape in ((8, 1), (8, 5), (8, 5, 1)):
        model.train_on_batch(inputs, labels, np.ones(shape))
    for shape in ((8,), (8, 4), (8, 5, 2)):  # Keras takes none of them either
        weights = np.ones(shape)
        match = r"\(batch_size, 5\).*Received: shape \(8,"
        fails(model.fit, match, inputs, labels, sample_weight=weights, verbose=0)
        tagger.compile("sgd", SPARSE, run_eagerly=True)
        with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
            tagger.train_on_batch(inputs, labels, weights)


# === Texts ===

KINDS = {
    "array": lambda texts: texts,
    "objects": lambda texts: texts.astype(object),
    "bytes": lambda texts: texts.astype("S"),
    "tensor": tf.constant,
    "list": lambda texts: texts.tolist(),
    "one text": lambda texts: str(texts[0]),
}


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("how", ["fit", "validation_data", "evaluate", "predict"])
def test_texts_for_a_classifier_of_numbers(model, kind, how):
    match = "to hold numbers, for 'mine'.*Received: texts.*TextVectorization"
    texts = KINDS[kind](TEXTS)
    if how == "validation_data":
        fails(model.fit, match, X, Y, validation_data=(texts, Y), verbose=0)
    elif how == "predict":
        fails(model.predict, match, texts)
        fails(model.predict_on_batch, match, texts)
    else:
        fails(getattr(model, how), match, texts, Y)


@pytest.mark.parametrize("way", list(ways(None, X)))
@pytest.mark.parametrize("batched", [False, True])
def test_a_data_set_of_texts(model, way, batched):
    match = "to hold numbers, for 'mine'.*Received: texts.*TextVectorization"
    if not batched:
        fails(ways(model, TEXTS)[way], match)
    elif way == "fit":
        fails(model.fit, match, slices((TEXTS, Y)).batch(4))


def test_texts_from_python(model):
    data = Items(np.array([TEXTS] * 8), np.array([Y] * 8))
    fails(model.fit, "to hold numbers, for 'mine'.*Received: the dtype str", data)


def test_a_table_with_a_column_of_texts(model):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=list("abcd"))
    model.predict(table, verbose=0)
    fails(model.predict, "Received: texts, in the columns 'c'", table.assign(c=TEXTS))
    fails(model.fit, "Received: texts", table["a"].astype(str), Y)


def test_names_as_labels(model):
    match = "`y` to hold numbers.*Received: texts.*StringLookup"
    fails(model.fit, match, X, TEXTS.tolist())
    fails(model.fit, "labels of `x`.*texts.*StringLookup", slices((X, TEXTS)).batch(4))


def test_a_classifier_of_texts_takes_them():
    vectorize = layers.TextVectorization(output_sequence_length=4, vocabulary=["film"])
    x = keras.Input((), dtype="string", name="x")
    h = layers.Embedding(9, 2, name="embed")(vectorize(x))
    h = layers.Dense(3, "softmax")(layers.Flatten()(h))
    model = compiled(keras.Model(x, h, name="mine"), jit_compile=False)
    model.fit(tf.constant(TEXTS), Y, verbose=0)
    model.fit(slices((TEXTS, Y)).batch(4), verbose=0)
    match = r"to hold tensors.*Received: .*`tf\.constant\(texts\)`"
    for texts in (TEXTS, TEXTS.tolist(), TEXTS.astype(object)[:, None]):
        fails(model.fit, match, texts, Y, verbose=0)
        fails(model.predict, match, texts, verbose=0)
    fails(model.fit, "single example", slices((TEXTS, Y)))


class Task(keras.Model):
    """As KerasHub's tasks have one."""

    preprocessor = layers.TextVectorization(output_sequence_length=4)


def test_texts_for_a_task_with_a_preprocessor():
    inner = network()
    task = Task(inner.inputs, inner.outputs[0], name="task")
    model = compiled(task)
    match = r"Received: texts.*dataset\.map\(task\.preprocessor\)"
    fails(model.fit, match, slices((TEXTS, Y)).batch(4))
    fails(model.fit, match, TEXTS.tolist(), Y)
    fails(model.predict, match, TEXTS)


# === Losses that are not of the examples ===


def hardest(y, p):
    return ops.top_k(keras.losses.sparse_categorical_crossentropy(y, p), 4)[0]


def hardest_one(y, p):
    return ops.top_k(keras.losses.sparse_categorical_crossentropy(y, p), 1)[0]


def transposed(y, p):
    return ops.transpose(ops.square(ops.expand_dims(ops.cast(y, p.dtype), 1) - p))


def of_some(y, p):
    losses = keras.losses.sparse_categorical_crossentropy(y, p)
    return tf.boolean_mask(losses, tf.range(tf.shape(losses)[0]) % 2 == 0)


def of_the_hard(y, p):
    losses = keras.losses.sparse_categorical_crossentropy(y, p)
    return losses[losses > ops.mean(losses)]


@pytest.mark.parametrize(
    ("loss", "number", "mode"),
    [
        *((hardest, 4, mode) for mode in MODES),
        (hardest_one, 1, "eager"),
        (hardest_one, 1, "graph"),
        (transposed, 3, "eager"),
        (transposed, 3, "graph"),
    ],
)
def test_a_loss_of_another_number_of_values(loss, number, mode):
    match = f"one loss per example.*{loss.__name__}.*returns {number} for 8 examples"
    model = compiled(None, loss, **MODES[mode])
    before = model.get_weights()
    # A data set says how many examples there are only if no batch can be smaller.
    fails(model.fit, match, slices((X, Y)).batch(8, drop_remainder=True), verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("loss", [hardest_one, of_some])
def test_a_loss_whose_number_of_values_shows_while_it_runs(loss):
    match = f"one loss per example.*{loss.__name__}.*returns [14] for 8 examples"
    fails(compiled(None, loss, jit_compile=False).fit, match, X, Y, verbose=0)


@pytest.mark.parametrize(
    ("loss", "known"), [(hardest, True), (hardest, False), (of_the_hard, False)]
)
def test_its_gradient_does_not_fail_first(loss, known):
    match = f"one loss per example.*{loss.__name__}.*returns . for 6 examples"
    data = slices((np.concatenate([X] * 3), np.concatenate([Y] * 3))).batch(6, known)
    model = compiled(None, loss, keras_amp.AdversarialMixing(), jit_compile=False)
    fails(model.fit, match, data, verbose=0)


def test_xla_makes_another_number_nan():
    model = compiled(None, of_the_hard, jit_compile=True)
    with pytest.warns(RuntimeWarning, match="loss became nan"):
        model.fit(X, Y, verbose=0)


def test_a_single_loss_does_not_stand_for_all_where_xla_drops_assertions():
    model = compiled(None, hardest_one, jit_compile=True)
    fails(model.fit, "one loss per example.*another number", X, Y, verbose=0)


# === Other libraries' models ===


def made_up(*modules):
    """An instance of a class whose ancestors come from these modules."""
    base = object
    for module in modules:
        base = type("Model", (base,), {"__module__": module, "name": "m"})
    return base()


@pytest.mark.parametrize(
    ("modules", "library"),
    [
        (["tf_keras.src.engine.training"], "tf_keras"),
        (["tf_keras.src.engine.training", "__main__"], "tf_keras"),
        (
            ["tensorflow.python.module", "tf_keras.src.models", "transformers.bert"],
            "tf_k",
        ),
        (["torch.nn.modules.module", "__main__"], "PyTorch"),
        (["sklearn.base", "sklearn.linear_model"], "scikit-learn"),
    ],
)
def test_a_model_of_another_library(modules, library):
    match = (
        f"Expected `classifier` to be a model of Keras 3.*Received: a Model of {library}"
    )
    fails(keras_amp.MixupAMPModel, match, made_up(*modules), "embed")
    match = f"Expected `model` to be a model of Keras 3.*of {library}"
    fails(keras_amp.insert_mix_layer, match, made_up(*modules), "embed")


# === Whole numbers at the mix point ===


@pytest.mark.parametrize(
    ("shape", "dtype", "what"),
    [
        ((8, 8, 3), "uint8", "Images"),
        ((8, 8, 3), "int32", "Images"),
        ((8,), "uint8", "Images"),
        ((8, 8), "int32", "images.*token ids"),
        ((8,), "int32", "token ids"),
        ((8,), "bool", "flags"),
    ],
)
def test_whole_numbers_are_named_by_their_look(shape, dtype, what):
    values = np.zeros((2, *shape), dtype)
    match = f"dtype {dtype} and shape .*{what}"
    fails(keras_amp.policies.mix, match, values, values, np.array([0.5, 0.5]))


@pytest.mark.parametrize(
    ("behind", "name"),
    [
        (lambda: layers.Rescaling(1 / 255, name="scale"), "scale"),
        (lambda: layers.Lambda(lambda x: ops.cast(x, "float32"), name="cast"), "cast"),
    ],
)
def test_an_image_of_whole_numbers_at_the_mix_point(behind, name):
    image = keras.Input((8, 8, 3), dtype="uint8", name="image")
    flipped = layers.RandomFlip(dtype="uint8", name="flip")(image)
    h = layers.Flatten()(behind()(flipped))
    classifier = keras.Model(image, layers.Dense(3, "softmax")(h))
    match = f"'image'.*uint8.*Images.*In this model that is '{name}'"
    fails(keras_amp.MixupAMPModel, match, classifier, "image")
    assert keras_amp.MixupAMPModel(classifier, name).mix_points == [name]


def test_token_ids_at_the_mix_point_name_the_embedding():
    ids = keras.Input((7,), dtype="int32", name="ids")
    h = layers.Flatten()(layers.Embedding(9, 2, name="words")(ids))
    model = keras.Model(ids, layers.Dense(3)(h))
    match = "'ids'.*int32.*token ids.*In this model that is 'words'"
    fails(keras_amp.insert_mix_layer, match, model, "ids")


# === Weights files ===


def trained():
    model = compiled(run_eagerly=True)
    model.train_on_batch(X, Y)
    return model


def test_a_models_weights_file_suits_its_classifier(tmp_path):
    model, path = trained(), tmp_path / "mixed.weights.h5"
    model.save_weights(path)
    bare, other = network(), compiled()
    bare.load_weights(path)
    other.load_weights(path)
    for a, b in zip(model.classifier.weights, bare.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(model.variables, other.variables, strict=True):
        if "optimizer" not in a.path and "iteration" not in a.path:
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(model.seed_generator.state, other.seed_generator.state)
    size = path.stat().st_size
    model.classifier.save_weights(tmp_path / "bare.weights.h5")
    assert size < 3 * (tmp_path / "bare.weights.h5").stat().st_size  # nothing is twice


def test_a_weights_file_as_keras_lays_it_out_is_still_read(tmp_path):
    model, path = trained(), tmp_path / "mixed.weights.h5"
    keras.Model.save_weights(model, path)
    other = compiled()
    other.load_weights(path)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(model.seed_generator.state, other.seed_generator.state)


def test_weights_in_several_files(tmp_path):
    model, other = trained(), compiled()
    model.save_weights(tmp_path / "mixed.weights.json", max_shard_size=1)
    other.load_weights(tmp_path / "mixed.weights.json")
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(model.seed_generator.state, other.seed_generator.state)


def test_a_classifiers_weights_file_is_not_the_models(tmp_path):
    path = tmp_path / "bare.weights.h5"
    network().save_weights(path)
    match = r"classifier alone.*model\.classifier\.load_weights\(path\)"
    fails(compiled().load_weights, match, path)
    fails(compiled().load_weights, match, str(path), skip_mismatch=True)
    model = compiled()
    model.classifier.load_weights(path)
