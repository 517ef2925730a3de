"""Inserted MixLayers: same predictions, same weights, and a way to train."""

import keras
import numpy as np
import pytest
from helpers import text_classifier
from keras import layers, ops

import keras_amp
from keras_amp.graph.cuts import cut
from keras_amp.graph.lookup import as_function

RNG = np.random.default_rng(9)
IDS = RNG.integers(1, 20, (8, 6))
IDS[::2, 4:] = 0
IMAGES = RNG.normal(size=(8, 8, 8, 3)).astype("float32")
Y = np.array([0, 1, 2, 1, 0, 2, 2, 1])

# === The models, each with the place it mixes at ===


def plain_cnn():
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(20, 5, name="embedding")(inputs)
    convolutions = [layers.Conv1D(3, width, activation="relu")(x) for width in (2, 3)]
    pooled = [layers.GlobalMaxPooling1D()(c) for c in convolutions]
    x = layers.Concatenate(name="sentence")(pooled)
    x = layers.Dropout(0.5, name="dropout")(x)
    return keras.Model(inputs, layers.Dense(3, "softmax", name="top")(x))


def sequential():
    return keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            layers.Embedding(20, 5, name="embedding", mask_zero=True),
            layers.LSTM(4, name="lstm"),
            layers.Dense(3, "softmax"),
        ],
        name="sequence",
    )


def encoder(name="encoder", prefix=""):
    inputs = keras.Input((6,), dtype="int32", name=f"{prefix}words")
    x = layers.Embedding(20, 5, mask_zero=True, name=f"{prefix}embedding")(inputs)
    x = layers.LayerNormalization(name=f"{prefix}normalize")(x)
    x = layers.GlobalAveragePooling1D(name=f"{prefix}average")(x)
    return keras.Model(inputs, x, name=name)


def nested():
    inputs = keras.Input((6,), dtype="int32", name="ids")
    x = encoder()(inputs)
    x = layers.Dropout(0.2, name="dropout")(x)
    return keras.Model(inputs, layers.Dense(3, "softmax", name="top")(x), name="task")


def nested_two_deep():
    inputs = keras.Input((6,), dtype="int32", name="tokens")
    inner = keras.Sequential(
        [encoder("innermost"), layers.Dense(4, "tanh")], name="inner"
    )
    outer_inputs = keras.Input((6,), dtype="int32", name="outer_words")
    outer = keras.Model(
        outer_inputs, layers.Dense(5, name="last")(inner(outer_inputs)), name="outer"
    )
    return keras.Model(inputs, layers.Dense(3, "softmax", name="top")(outer(inputs)))


def with_operations():
    """Operators, slices and ``keras.ops`` functions in the graph, and two branches."""
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(20, 5, name="embedding")(inputs)
    a = ops.tanh(x) * 2 + 1
    b = ops.relu(x[:, 1:3])
    x = ops.concatenate([ops.mean(a, axis=1), ops.max(b, axis=1)], axis=-1)
    return keras.Model(inputs, layers.Dense(3, "softmax")(x))


def image_model():
    """An inverted residual block, as MobileNet's: with normalization and an addition."""
    inputs = keras.Input((8, 8, 3))
    start = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(inputs)
    x = layers.BatchNormalization()(layers.Conv2D(8, 1, use_bias=False)(start))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(layers.ReLU(6.0)(x))
    x = layers.BatchNormalization()(layers.Conv2D(4, 1, use_bias=False)(x))
    x = layers.Add(name="block_add")([start, x])
    x = layers.GlobalAveragePooling2D()(layers.ReLU(6.0)(x))
    return keras.Model(inputs, layers.Dense(3, "softmax")(x))


def bert():
    keras_hub = pytest.importorskip("keras_hub", reason="needs the extra 'hub'")
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=50,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=12,
    )
    return keras_hub.models.BertTextClassifier(
        backbone, num_classes=3, activation="softmax", preprocessor=None
    )


def bert_batch():
    ids = RNG.integers(1, 50, (8, 12))
    mask = (np.arange(12) < RNG.integers(3, 13, (8, 1))).astype("int32")
    return {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": mask}


MODELS = {
    "plain CNN, words": (plain_cnn, "embedding", IDS),
    "plain CNN, sentences": (plain_cnn, "sentence", IDS),
    "sequential": (sequential, "embedding", IDS),
    "nested": (nested, "encoder/embedding", IDS),
    "nested, behind the whole": (nested, "encoder", IDS),
    "nested two deep": (nested_two_deep, "outer/inner/innermost/normalize", IDS),
    "operations": (with_operations, "embedding", IDS),
    "images": (image_model, "block_add", IMAGES),
    "BERT, words": (bert, "bert_backbone/embeddings_dropout", bert_batch()),
    "BERT, inside": (bert, "transformer_layer_0", bert_batch()),
}
cases = pytest.mark.parametrize("name", list(MODELS))


def prediction(model, x):
    return np.asarray(model(x, training=False))


@cases
def test_insertion_changes_no_output(name):
    make, after, x = MODELS[name]
    model = make()
    before = prediction(model, x)
    operations = [operation.name for operation in as_function(model, "").operations]
    mixed = keras_amp.insert_mix_layer(model, after)
    np.testing.assert_array_equal(prediction(mixed, x), before)
    # The original is untouched, and both share every weight.
    np.testing.assert_array_equal(prediction(model, x), before)
    again = as_function(model, "").operations
    assert [operation.name for operation in again] == operations
    assert {id(w) for w in mixed.weights} == {id(w) for w in model.weights}
    assert isinstance(mixed.get_layer("mix"), keras_amp.MixLayer)
    assert mixed.name == model.name


@cases
def test_a_step_trains_the_original_in_place_below_and_above(name):
    make, after, x = MODELS[name]
    classifier = make()
    model = keras_amp.MixupAMPModel(classifier, after, seed=1)
    model.compile(
        keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy", run_eagerly=True
    )
    start = [np.array(w) for w in classifier.trainable_weights]
    before = prediction(classifier, x)
    logs = model.train_on_batch(x, Y, return_dict=True)
    assert np.isfinite(list(logs.values())).all()
    assert logs["lam_delta"] > 0
    moved = [
        not np.array_equal(w, s)
        for w, s in zip(classifier.trainable_weights, start, strict=True)
    ]
    assert moved[0]  # the lowest layer's
    assert moved[-1]  # the highest layer's
    assert (prediction(classifier, x) != before).any()


@cases
def test_the_parts_of_a_split_make_the_whole(name):
    """Below, then above at lambda 1, is the model; in inference, dropout apart."""
    make, after, x = MODELS[name]
    model = make()
    (split,) = cut(model, after)
    hidden, *masks = keras.tree.flatten(split.below(x, training=False))
    mask = getattr(hidden, "_keras_mask", None)
    output = split.above(
        [hidden, *masks], training=False, mask=[mask, *[None] * len(masks)]
    )
    np.testing.assert_allclose(output, prediction(model, x), rtol=1e-5, atol=1e-6)


def test_berts_split_hands_over_its_padding_mask():
    (split,) = cut(bert(), "bert_backbone/embeddings_dropout")
    assert [x.name for x in split.below.outputs[1:]] == ["padding_mask"]


@pytest.mark.parametrize("name", ["plain CNN, words", "nested", "sequential"])
def test_the_inserted_model_saves_and_loads(name, tmp_path):
    make, after, x = MODELS[name]
    mixed = keras_amp.insert_mix_layer(make(), after, name="here")
    mixed.save(tmp_path / "mixed.keras")
    loaded = keras.models.load_model(tmp_path / "mixed.keras")
    np.testing.assert_array_equal(prediction(loaded, x), prediction(mixed, x))
    assert isinstance(loaded.get_layer("here"), keras_amp.MixLayer)
    assert keras_amp.MixupAMPModel(loaded).mix_points == ["here"]


def test_the_inserted_layer_stands_behind_the_named_one():
    mixed = keras_amp.insert_mix_layer(nested(), "normalize")
    names = [layer.name for layer in mixed.layers]
    # The nested model is opened; its layers join the outer ones.
    assert names == [
        *("ids", "embedding", "normalize", "mix", "average", "dropout", "top")
    ]
    whole = keras_amp.insert_mix_layer(nested(), "encoder")
    assert [layer.name for layer in whole.layers] == [
        *("ids", "encoder", "mix", "dropout", "top")
    ]


def test_training_one_model_trains_the_other():
    model = nested()
    mixed = keras_amp.insert_mix_layer(model, "normalize")
    mixed.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    mixed.train_on_batch(IDS, Y)
    np.testing.assert_array_equal(prediction(model, IDS), prediction(mixed, IDS))


def test_two_insertions_and_one_of_them_to_train_at():
    mixed = keras_amp.insert_mix_layer(plain_cnn(), "embedding", name="words")
    mixed = keras_amp.insert_mix_layer(mixed, "sentence", name="sentences")
    assert keras_amp.MixupAMPModel(mixed).mix_points == ["words", "sentences"]
    model = keras_amp.MixupAMPModel(mixed, "sentences")
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    assert model.mix_points == ["sentences"]
    assert np.isfinite(model.train_on_batch(IDS, Y, return_dict=True)["loss"])


def test_a_mix_layer_inside_a_nested_model_is_found():
    inputs = keras.Input((6,), dtype="int32")
    x = keras_amp.insert_mix_layer(encoder(), "embedding", name="inside")(inputs)
    network = keras.Model(inputs, layers.Dense(3, "softmax")(x))
    model = keras_amp.MixupAMPModel(network)
    assert model.mix_points == ["inside"]
    (split,) = cut(network, None)
    hidden, *_ = keras.tree.flatten(split.below(IDS))
    embedding = network.layers[1].get_layer("embedding")
    np.testing.assert_array_equal(hidden, embedding(IDS))


# === Inputs ===


def test_mixing_at_an_input_layer():
    inputs = keras.Input((4,), name="features")
    network = keras.Model(inputs, layers.Dense(3, "softmax")(layers.Dense(5)(inputs)))
    x = RNG.normal(size=(8, 4))
    mixed = keras_amp.insert_mix_layer(network, "features")
    np.testing.assert_array_equal(prediction(mixed, x), prediction(network, x))
    assert [layer.name for layer in mixed.layers][:2] == ["features", "mix"]
    model = keras_amp.MixupAMPModel(network, "features")
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    start = network.get_weights()
    model.train_on_batch(x, Y)
    for now, then in zip(network.get_weights(), start, strict=True):
        assert (now != then).any()


def two_inputs(structure):
    a = keras.Input((6,), dtype="int32", name="a")
    b = keras.Input((6,), dtype="int32", name="b")
    embed = layers.Embedding(20, 5)
    x = layers.Subtract(name="difference")([embed(a), embed(b)])
    x = layers.GlobalMaxPooling1D()(x)
    return keras.Model(structure(a, b), layers.Dense(3, "softmax")(x))


@pytest.mark.parametrize(
    ("structure", "eager"),
    [
        (lambda a, b: {"a": a, "b": b}, False),
        (lambda a, b: (a, b), True),
        (lambda a, b: [a, b], True),
    ],
)
def test_dict_tuple_and_list_inputs(structure, eager):
    network = two_inputs(structure)
    x = structure(IDS, IDS[::-1].copy())
    mixed = keras_amp.insert_mix_layer(network, "difference")
    np.testing.assert_array_equal(prediction(mixed, x), prediction(network, x))
    model = keras_amp.MixupAMPModel(network, "difference", keras_amp.Mixup())
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=eager)
    model.fit(x, Y, batch_size=8, verbose=0)
    np.testing.assert_allclose(
        model.predict(x, verbose=0), prediction(network, x), rtol=1e-5, atol=1e-6
    )


def test_a_nested_model_that_takes_a_dict():
    inner = two_inputs(lambda a, b: {"a": a, "b": b})
    ids, other = keras.Input((6,), dtype="int32"), keras.Input((6,), dtype="int64")
    network = keras.Model([ids, other], inner({"b": other, "a": ids}))
    x = [IDS, IDS[::-1].copy()]
    mixed = keras_amp.insert_mix_layer(network, "difference")
    np.testing.assert_allclose(prediction(mixed, x), prediction(network, x), rtol=1e-6)


def test_several_branches_behind_the_mix_point_all_see_the_mixture():
    inputs = keras.Input((4,))
    h = layers.Dense(5, name="h")(inputs)
    branches = [layers.Dense(3, name=f"branch_{i}")(h) for i in range(3)]
    branches.append(layers.Dense(3, name="residual")(h))
    network = keras.Model(inputs, layers.Softmax()(layers.Add()(branches)))
    (split,) = cut(network, "h")
    assert len(split.below.outputs) == len(split.above.inputs) == 1
    assert len(split.above.trainable_weights) == 8


@pytest.mark.parametrize("called_with", [True, False, None])
@pytest.mark.parametrize("training", [True, False, None])
def test_an_opened_model_trains_or_infers_as_the_closed_one(called_with, training):
    inputs, states = keras.Input((4,)), keras.Input((4,))
    x = layers.BatchNormalization(name="statistics")(layers.Dense(5, name="h")(states))
    inner = keras.Model(
        states, layers.Dropout(0.5, seed=1, name="noise")(x), name="inner"
    )
    x = inner(inputs) if called_with is None else inner(inputs, training=called_with)
    network = keras.Model(inputs, layers.Dense(3)(x))
    mixed = keras_amp.insert_mix_layer(network, "h")
    assert "inner" not in [layer.name for layer in mixed.layers]
    x = RNG.normal(size=(8, 4)).astype("float32")
    noise = inner.get_layer("noise").seed_generator.state
    statistics = inner.get_layer("statistics").non_trainable_weights
    results = []
    for model in (network, mixed):
        start = [np.array(v) for v in (noise, *statistics)]
        results.append([np.asarray(model(x, training=training))])
        results[-1] += [np.array(v) for v in (noise, *statistics)]
        for variable, value in zip((noise, *statistics), start, strict=True):
            variable.assign(value)
    for expected, actual in zip(*results, strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_a_frozen_nested_model_stays_frozen():
    network = nested()
    network.get_layer("encoder").trainable = False
    model = keras_amp.MixupAMPModel(network, "normalize")
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    frozen, top = network.get_layer("encoder"), network.get_layer("top")
    start, top_start = frozen.get_weights(), top.get_weights()
    model.train_on_batch(IDS, Y)
    for now, then in zip(frozen.get_weights(), start, strict=True):
        np.testing.assert_array_equal(now, then)
    assert (top.get_weights()[0] != top_start[0]).any()


# === Names ===


def twins():
    """Two nested models with layers of the same names."""
    inputs = keras.Input((6,), dtype="int32", name="ids")
    pair = [encoder("left"), encoder("right")]
    x = layers.Concatenate(name="both")([model(inputs) for model in pair])
    x = layers.Dense(5, "tanh", name="average")(x)
    return keras.Model(inputs, layers.Dense(3, "softmax")(x), name="twins")


def test_an_ambiguous_name_lists_the_candidates():
    with pytest.raises(ValueError, match=r"'embedding', which 2 layers have") as error:
        keras_amp.insert_mix_layer(twins(), "embedding")
    assert str(error.value).endswith("left/embedding, right/embedding")
    with pytest.raises(ValueError, match=r"left/average, right/average, /average"):
        keras_amp.insert_mix_layer(twins(), "average")


@pytest.mark.parametrize(
    ("after", "opened"),
    [("left/embedding", "left"), ("right/average", "right"), ("/average", None)],
)
def test_a_path_tells_which_is_meant(after, opened):
    network = twins()
    mixed = keras_amp.insert_mix_layer(network, after) if not opened else None
    if opened:
        # The other nested model keeps its layers to itself; "average" is taken outside.
        network.get_layer(opened).get_layer("average").name = "inner_average"
        after = after.replace("/average", "/inner_average")
        mixed = keras_amp.insert_mix_layer(network, after)
    np.testing.assert_array_equal(prediction(mixed, IDS), prediction(network, IDS))
    whole = {layer.name for layer in mixed.layers} & {"left", "right"}
    assert whole == {"left", "right"} - {opened}


@pytest.mark.parametrize(
    "after", ["normalize", "innermost/normalize", "outer/inner/innermost/normalize"]
)
def test_the_end_of_a_path_will_do_where_it_is_unique(after):
    mixed = keras_amp.insert_mix_layer(nested_two_deep(), after)
    assert [n for n in (x.name for x in mixed.layers) if n.startswith("mix")] == ["mix"]
    if not after.startswith("outer/"):
        with pytest.raises(ValueError, match="Expected the name of a layer"):
            keras_amp.insert_mix_layer(nested_two_deep(), "/" + after)


@pytest.mark.parametrize("after", ["/encoder/embedding", "/encoder", "/dropout"])
def test_a_leading_slash_starts_at_the_outermost_level(after):
    keras_amp.insert_mix_layer(nested(), after)


def test_an_unknown_name_lists_and_suggests():
    with pytest.raises(ValueError, match=r"'embeding'. Did you mean") as error:
        keras_amp.insert_mix_layer(nested(), "embeding")
    assert "'encoder/embedding'" in str(error.value)
    for name in ("ids", "encoder", "encoder/normalize", "dropout", "top"):
        assert name in str(error.value).split("layers are: ")[1]
    with pytest.raises(ValueError, match="Received: 'xyz'. Its layers are"):
        keras_amp.insert_mix_layer(nested(), "xyz")


@pytest.mark.parametrize("after", ["", "/", None, 3, "encoder/", "encoder/top"])
def test_a_name_that_denotes_no_layer_is_an_error(after):
    if after == "encoder/":  # a path may end in a slash
        keras_amp.insert_mix_layer(nested(), after)
        return
    with pytest.raises(ValueError, match="Expected the name of a layer of 'task'"):
        keras_amp.insert_mix_layer(nested(), after)


def test_colliding_names_of_opened_layers_are_an_error_with_a_way_out():
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Dense(4, name="normalize")(encoder()(inputs))
    network = keras.Model(inputs, layers.Dense(3)(x))
    with pytest.raises(ValueError, match=r"two layers named 'normalize'. Rename one"):
        keras_amp.insert_mix_layer(network, "embedding")
    network.get_layer("normalize").name = "outer_normalize"
    mixed = keras_amp.insert_mix_layer(network, "embedding")
    np.testing.assert_array_equal(prediction(mixed, IDS), prediction(network, IDS))


@pytest.mark.parametrize("name", ["top", "dropout", "normalize"])
def test_the_new_layer_needs_a_name_of_its_own(name):
    with pytest.raises(ValueError, match=f"`name` to be new.*name='{name}'"):
        keras_amp.insert_mix_layer(nested(), "embedding", name=name)
    keras_amp.insert_mix_layer(nested(), "embedding", name=name + "_mix")


def test_a_model_that_has_a_layer_called_mix_can_be_trained():
    inputs = keras.Input((4,))
    x = layers.Dense(5, name="h")(inputs)
    network = keras.Model(inputs, layers.Dense(3, name="mix")(x))
    assert keras_amp.MixupAMPModel(network, "h").mix_points == ["h"]


# === What cannot be mixed ===


def test_a_layer_called_several_times_is_an_error():
    inputs = keras.Input((5,))
    shared = layers.Dense(5, name="shared")
    network = keras.Model(inputs, layers.Dense(3)(shared(shared(inputs))))
    with pytest.raises(ValueError, match="'shared', which is called 2 times"):
        keras_amp.insert_mix_layer(network, "shared")


def test_a_layer_inside_a_model_called_several_times_is_an_error():
    a, b = (keras.Input((6,), dtype="int32") for _ in range(2))
    both = encoder()
    network = keras.Model([a, b], layers.Dense(3)(layers.Add()([both(a), both(b)])))
    for after in ("embedding", "encoder"):
        with pytest.raises(ValueError, match="which is called 2 times"):
            keras_amp.insert_mix_layer(network, after)


def test_a_layer_shared_with_another_model_is_no_trouble():
    shared = layers.Dense(5, name="shared")
    models = []
    for _ in range(2):
        inputs = keras.Input((4,))
        models.append(keras.Model(inputs, layers.Dense(3, "softmax")(shared(inputs))))
    x = RNG.normal(size=(8, 4))
    mixed = keras_amp.insert_mix_layer(models[1], "shared")
    np.testing.assert_array_equal(prediction(mixed, x), prediction(models[1], x))


def test_a_layer_used_below_and_above_the_mix_point_trains_by_both():
    inputs = keras.Input((5,))
    shared = layers.Dense(5, "tanh", name="shared")
    x = layers.Dense(5, name="h")(shared(inputs))
    network = keras.Model(inputs, layers.Dense(3, "softmax")(shared(x)))
    x = RNG.normal(size=(8, 5))
    mixed = keras_amp.insert_mix_layer(network, "h")
    np.testing.assert_array_equal(prediction(mixed, x), prediction(network, x))
    never = keras_amp.Mixup(probability=0.0)
    model = keras_amp.MixupAMPModel(network, "h", never)
    plain = keras.models.clone_model(network)
    plain.set_weights(network.get_weights())
    for trained in (model, plain):
        sgd = keras.optimizers.SGD(0.5)
        trained.compile(sgd, "sparse_categorical_crossentropy", run_eagerly=True)
        trained.train_on_batch(x, Y)
    for a, b in zip(network.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("after", ["ids", "/ids"])
def test_mixing_token_ids_is_an_error(after):
    with pytest.raises(ValueError, match=r"floating-point.*'ids'.*int32.*embedding"):
        keras_amp.insert_mix_layer(nested(), after)


def test_an_integer_output_is_an_error():
    inputs = keras.Input((4,))
    x = layers.Discretization(bin_boundaries=[0.0, 1.0], name="bins")(inputs)
    network = keras.Model(inputs, layers.Dense(3)(layers.Embedding(3, 2)(x)[:, 0]))
    with pytest.raises(ValueError, match="'bins', whose output is int"):
        keras_amp.insert_mix_layer(network, "bins")


def test_a_layer_with_several_outputs_is_an_error():
    inputs = keras.Input((6, 4))
    x, h, c = layers.LSTM(5, return_state=True, name="lstm")(inputs)
    network = keras.Model(inputs, layers.Dense(3)(x + h + c))
    with pytest.raises(
        ValueError, match="one output tensor. Received: 'lstm', which has 3"
    ):
        keras_amp.insert_mix_layer(network, "lstm")


def test_a_layer_that_leads_nowhere_or_ends_the_model_is_an_error():
    network = plain_cnn()
    with pytest.raises(ValueError, match="Expected layers above the mix layer"):
        keras_amp.MixupAMPModel(network, "top")


class Doubled(keras.Model):
    """A functional model whose class computes more than its graph."""

    def call(self, inputs, training=None):
        return 2 * super().call(inputs, training=training)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="subclassed")
        self.dense = layers.Dense(3)

    def call(self, inputs):
        return self.dense(inputs)


def unbuilt():
    return keras.Sequential([layers.Dense(3, name="dense")], name="unbuilt")


def doubled():
    inner = encoder()
    return Doubled(inner.input, inner.output, name="doubled")


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (Subclassed, "Subclassed.*functional API"),
        (unbuilt, "'unbuilt', not built yet. Begin it with `keras.Input"),
        (doubled, "Doubled overrides `call"),
        (lambda: None, "Received: None"),
        (lambda: "model.keras", "Received: model.keras"),
        (lambda: layers.Dense(3), "functional API"),
    ],
)
def test_what_has_no_graph_is_an_error_that_says_what_to_do(make, advice):
    with pytest.raises(ValueError, match=f"`model`.*{advice}"):
        keras_amp.insert_mix_layer(make(), "dense")
    with pytest.raises(ValueError, match=f"`classifier`.*{advice}"):
        keras_amp.MixupAMPModel(make(), "dense")


def test_a_sequential_built_by_its_first_batch_has_a_graph():
    network = keras.Sequential([layers.Dense(4, name="h"), layers.Dense(3)])
    x = RNG.normal(size=(8, 5))
    network(x)
    mixed = keras_amp.insert_mix_layer(network, "h")
    np.testing.assert_array_equal(prediction(mixed, x), prediction(network, x))


def test_a_nested_model_that_computes_more_than_its_graph_is_not_opened():
    inputs = keras.Input((6,), dtype="int32")
    network = keras.Model(inputs, layers.Dense(3)(doubled()(inputs)))
    with pytest.raises(ValueError, match="Received: 'embedding'. .*doubled"):
        keras_amp.insert_mix_layer(network, "embedding")
    mixed = keras_amp.insert_mix_layer(network, "doubled")
    np.testing.assert_array_equal(prediction(mixed, IDS), prediction(network, IDS))


def test_an_opened_model_hands_an_explicit_mask_on():
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(20, 5, name="outside")(inputs)
    states = keras.Input((6, 5))
    averaged = layers.GlobalAveragePooling1D()(
        layers.Activation("tanh", name="h")(states)
    )
    inner = keras.Model(states, averaged, name="inner")
    inner.supports_masking = True
    x = inner(x, mask=ops.not_equal(inputs, 0))
    network = keras.Model(inputs, layers.Dense(3)(x))
    mixed = keras_amp.insert_mix_layer(network, "h")
    np.testing.assert_array_equal(prediction(mixed, IDS), prediction(network, IDS))


def test_an_opened_model_hands_implicit_masks_on():
    """The mask enters the nested model on the tensor, and leaves it the same way."""
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(20, 5, mask_zero=True, name="outside")(inputs)
    states = keras.Input((6, 5))
    hidden = layers.Dropout(0.1, name="h2")(layers.Activation("tanh", name="h")(states))
    x = keras.Model(states, hidden, name="inner")(x)
    x = layers.GlobalAveragePooling1D()(x)
    network = keras.Model(inputs, layers.Dense(3)(x))
    mixed = keras_amp.insert_mix_layer(network, "h")
    np.testing.assert_array_equal(prediction(mixed, IDS), prediction(network, IDS))
    other = IDS.copy()
    other[other == 0] = 7
    assert (prediction(mixed, other)[::2] != prediction(mixed, IDS)[::2]).all()


@pytest.mark.parametrize("mix_at", [[], ["embedding", "embedding"], ()])
def test_mix_points_are_at_least_one_and_none_twice(mix_at):
    with pytest.raises(ValueError, match="`mix_at` to name at least one layer"):
        cut(text_classifier(), mix_at)


def test_no_mix_layer_is_an_error_that_says_what_to_do():
    with pytest.raises(ValueError, match=r"holds no MixLayer.*Pass a layer's name"):
        cut(text_classifier(), None)


def test_the_copy_has_the_models_precision():
    """It decides on loss scaling, whatever Keras' global policy is."""
    inputs = keras.Input((4,))
    outputs = layers.Dense(2, dtype="mixed_float16", name="hidden")(inputs)
    model = keras.Model(inputs, layers.Dense(1, dtype="mixed_float16")(outputs))
    model.dtype_policy = "mixed_float16"
    mixed = keras_amp.MixupAMPModel(keras_amp.insert_mix_layer(model, "hidden"))
    mixed.compile("adam", "mse")
    assert isinstance(mixed.optimizer, keras.optimizers.LossScaleOptimizer)


@pytest.mark.parametrize("name", ["mask_positions", "mask_ids", "mask_weights"])
def test_what_is_about_masked_words_is_no_mask(name):
    """A masked language model's inputs: uniting two examples' would be wrong."""
    inputs = keras.Input((4,), name="x")
    other = keras.Input((4,), name=name)
    x = layers.Dense(4, name="hidden")(inputs)
    model = keras.Model([inputs, other], layers.Dense(2)(x * other))
    with pytest.raises(ValueError, match=f"the input '{name}' reaches .* around it"):
        keras_amp.MixupAMPModel(model, "hidden")
