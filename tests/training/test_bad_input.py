"""What a user can get wrong: a clear error, before any training."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import MODES
from keras import layers, ops

import keras_amp

RNG = np.random.default_rng(29)
X = RNG.normal(size=(8, 4)).astype("float32")
Y = np.arange(8) % 3
SPARSE, DENSE = "sparse_categorical_crossentropy", "categorical_crossentropy"


def network(units=3, activation="softmax"):
    x = keras.Input((4,), name="x")
    h = layers.Dense(5, "tanh", name="embed")(x)
    h = layers.Dense(5, "tanh", name="encode")(h)
    return keras.Model(x, layers.Dense(units, activation, name="p")(h), name="mine")


@pytest.fixture(params=["eager", "graph"])
def mode(request):
    """A compiled step is traced as a graph is, and fails as it is traced."""
    return MODES[request.param]


def compiled(loss=SPARSE, classifier=None, **arguments):
    policy = keras_amp.Mixup()  # the step of one pass, which is traced sooner
    model = keras_amp.MixupAMPModel(classifier or network(), "embed", policy, seed=1)
    if "jit_compile" not in arguments:
        arguments["run_eagerly"] = True  # which spares the tracing
    model.compile("sgd", loss, **arguments)
    return model


def fails(model, match, *args, error=ValueError, how="fit", **kwargs):
    """The call raises, and no weight has moved."""
    before = model.get_weights()
    if how == "fit":
        kwargs = {"verbose": 0, **kwargs}
    with pytest.raises(error, match=match):
        getattr(model, how)(*args, **kwargs)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def dataset(x, y):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(4)


# === The classifier ===


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, x):
        return self.dense(x)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (Subclassed, "`classifier` .*functional.*Received: Subclassed.*functional API"),
        (
            lambda: keras.Sequential([layers.Dense(3)], name="loose"),
            r"`classifier` .*built.*Received: the Sequential 'loose'.*keras\.Input",
        ),
        (
            lambda: keras.Sequential(name="empty"),
            "`classifier` .*built.*Received: the Sequential 'empty'",
        ),
        (lambda: layers.Dense(3), "`classifier` .*functional.*Received: .*Dense"),
        (lambda: "mine", "`classifier` .*functional.*Received: mine"),
        (lambda: None, "`classifier` .*functional.*Received: None"),
    ],
)
def test_a_classifier_that_is_no_graph(make, match):
    with pytest.raises(ValueError, match=match):
        keras_amp.MixupAMPModel(make(), "embed")


# === The mix point ===


@pytest.mark.parametrize("mix_at", ["embde", ["embed", "embde"]])
def test_an_unknown_name_lists_the_candidates(mix_at):
    match = r"'mine'.*Received: 'embde'.*Did you mean 'embed'.*x, embed, encode, p"
    with pytest.raises(ValueError, match=match):
        keras_amp.MixupAMPModel(network(), mix_at)


def test_an_ambiguous_name_lists_the_paths():
    inner = network()
    x = keras.Input((4,))
    h = layers.Dense(4, name="embed")(x)
    model = keras.Model(x, inner(h))
    with pytest.raises(ValueError, match=r"'embed', which 2 layers .*/embed, mine/embed"):
        keras_amp.MixupAMPModel(model, "embed")


def test_no_mix_layer():
    with pytest.raises(ValueError, match=r"`mix_at`.*no MixLayer.*mix_at=None.*MixLayer"):
        keras_amp.MixupAMPModel(network())


def test_token_ids_at_the_mix_point():
    ids = keras.Input((7,), dtype="int32", name="ids")
    h = layers.Flatten()(layers.Embedding(9, 2, name="embedding")(ids))
    model = keras.Model(ids, layers.Dense(3)(h))
    with pytest.raises(ValueError, match=r"floating-point.*'ids'.*int32.*embedding"):
        keras_amp.MixupAMPModel(model, "ids")


@pytest.mark.parametrize(
    "mix_at", [3, 1.5, True, {"embed": 1}, [3], ["embed", None], b"x"]
)
def test_a_mix_point_that_is_no_name(mix_at):
    with pytest.raises(TypeError, match="Expected `mix_at` .*name.*Received: mix_at="):
        keras_amp.MixupAMPModel(network(), mix_at)


def test_a_layer_in_place_of_its_name():
    model = network()
    with pytest.raises(TypeError, match="`mix_at`.*Pass the layer's name, 'embed'"):
        keras_amp.MixupAMPModel(model, model.get_layer("embed"))


@pytest.mark.parametrize(
    "mix_at", [[], (), ["embed", "embed"], ["embed", "encode", "/embed"]]
)
def test_no_mix_point_or_one_twice(mix_at):
    with pytest.raises(ValueError, match="`mix_at` .*at least one.*none twice.*Received"):
        keras_amp.MixupAMPModel(network(), mix_at)


# === Backend ===


def test_another_backend(monkeypatch):
    classifier = network()
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(RuntimeError, match="'torch'.*KERAS_BACKEND=tensorflow.*=jax"):
        keras_amp.MixupAMPModel(classifier, "embed")


# === Policy and seed ===


@pytest.mark.parametrize("policy", ["mixup", 0.5, object(), {"alpha": 1.0}, True])
def test_something_else_as_a_policy(policy):
    with pytest.raises(TypeError, match="Expected `policy` .*Mixup.*Received: policy="):
        keras_amp.MixupAMPModel(network(), "embed", policy)


def test_a_policys_class_in_place_of_an_instance():
    with pytest.raises(TypeError, match=r"`policy`.*pass an instance, Mixup\(\)"):
        keras_amp.MixupAMPModel(network(), "embed", keras_amp.Mixup)


@pytest.mark.parametrize("seed", ["a", 1.5, [1], True, np.float32(2)])
def test_a_seed_of_another_type(seed):
    with pytest.raises(TypeError, match="Expected `seed` to be an integer.*seed="):
        keras_amp.MixupAMPModel(network(), "embed", seed=seed)


@pytest.mark.parametrize("seed", [0, np.int64(3), None])
def test_seeds_of_the_right_type(seed):
    model = keras_amp.MixupAMPModel(network(), "embed", seed=seed)
    assert model.seed == seed
    assert type(model.seed) in (int, type(None))


class Misshapen(keras_amp.Mixup):
    def draw(self, batch_size, seed_generator):
        lam, permutation = super().draw(batch_size, seed_generator)
        return ops.expand_dims(lam, -1), permutation


class Wide(keras_amp.Mixup):
    """float64 and int64, as NumPy gives them."""

    def draw(self, batch_size, seed_generator):
        return np.linspace(0, 1, 8), np.arange(8)[::-1]


def test_a_policy_that_draws_the_wrong_shape(mode):
    model = keras_amp.MixupAMPModel(network(), "embed", Misshapen())
    model.compile("sgd", SPARSE, **mode)
    fails(model, r"`policy\.draw`.*`lam` of shape.*Received: shape", X, Y)


def test_a_policy_that_draws_other_types(mode):
    model = keras_amp.MixupAMPModel(network(), "embed", Wide())
    model.compile("sgd", SPARSE, **mode)
    assert np.isfinite(model.train_on_batch(X, Y)).all()


# === Compilation ===


def test_fit_before_compile():
    model = keras_amp.MixupAMPModel(network(), "embed")
    fails(model, "compile", X, Y)
    fails(model, "compile", X, Y, how="train_on_batch")


def test_no_loss(mode):
    fails(compiled(None, **mode), r"`loss`.*Received: loss=None", X, Y)


def test_a_loss_that_averages_over_the_batch(mode):
    def averaged(y, p):
        return ops.mean(keras.losses.sparse_categorical_crossentropy(y, p))

    fails(compiled(averaged, **mode), "one loss per example.*single number", X, Y)


# === Labels ===


def test_no_labels(mode):
    model = compiled(**mode)
    fails(model, "labels `y`.*Received: y=None", X)
    fails(model, "labels `y`.*Received: y=None", X, how="train_on_batch")
    fails(model, "labels `y`.*Received: y=None", tf.data.Dataset.from_tensors(X))


def test_another_number_of_labels(mode):
    model = compiled(**mode)
    for x, y in ((X, Y[:5]), (tf.constant(X), tf.constant(Y[:5])), ({"x": X}, Y[:5])):
        fails(model, "`y`.*one label.*Received: 5 labels for 8", x, y)
        fails(model, "`y`.*Received: 5 labels for 8", x, y, how="train_on_batch")
    fails(
        model,
        "`y`.*Received: 5 labels for 8",
        tf.data.Dataset.from_tensors((X, Y[:5])),
    )


@pytest.mark.parametrize("jit_compile", [False, True])
def test_another_number_of_labels_in_batches_of_unknown_size(jit_compile):
    batches = tf.data.Dataset.from_generator(
        lambda: iter([(X, Y[:5])]),
        output_signature=(
            tf.TensorSpec((None, 4), "float32"),
            tf.TensorSpec((None,), "int32"),
        ),
    )
    error = (ValueError, tf.errors.InvalidArgumentError)
    fails(compiled(jit_compile=jit_compile), "", batches, error=error)


BAD_INDICES = {
    "too large": (np.where(Y == 2, 3, Y), "3"),
    "negative": (np.where(Y == 2, -1, Y), "-1"),
    "between": (np.where(Y == 2, 1.5, Y), "1.5"),
    "not a number": (np.where(Y == 2, np.nan, Y), "nan"),
    "infinite": (np.where(Y == 2, np.inf, Y), "inf"),
}
LOSSES = [
    SPARSE,
    "SparseCategoricalCrossentropy",
    keras.losses.sparse_categorical_crossentropy,
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "crossentropy",
    {"p": SPARSE},
    [SPARSE],
]


@pytest.mark.parametrize("name", list(BAD_INDICES))
def test_labels_outside_the_classes(name):
    bad, received = BAD_INDICES[name]
    match = f"`y` .*indices from 0 to 2.*3 classes.*Received: {received} .label 2., 2 "
    model = compiled()
    for y in (bad, bad[:, None], tf.constant(bad)):
        fails(model, match, X, y)
    fails(model, match, X, bad, how="train_on_batch")
    fails(model, match, X, bad, validation_split=0.25)


@pytest.mark.parametrize("loss", LOSSES, ids=range(len(LOSSES)))
def test_every_way_of_naming_the_sparse_loss(loss):
    fails(compiled(loss), "`y` .*indices from 0 to 2.*Received: 3 ", X, Y + 1)


@pytest.mark.parametrize(
    ("name", "mode"),
    [*((name, MODES["eager"]) for name in BAD_INDICES), ("not a number", MODES["xla"])],
)
def test_labels_outside_the_classes_in_a_data_set(name, mode):
    """The input pipeline checks them, so that they are found under XLA, too."""
    bad, _ = BAD_INDICES[name]
    match = "labels of `x` .*indices from 0 to 2.*Received: values from"
    fails(compiled(**mode), match, dataset(X, bad))


def test_a_later_batch_of_a_data_set_is_checked_too():
    bad = np.concatenate([Y, [0, 1, 2, 7]])
    model = compiled()
    with pytest.raises(ValueError, match="labels of `x` .*Received: values from 0 to 7"):
        model.fit(dataset(np.concatenate([X, X[:4]]), bad), verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return X, np.where(Y == 2, 7, Y)


@pytest.mark.parametrize("mode", MODES)
def test_labels_outside_the_classes_in_batches_from_python(mode):
    """XLA drops assertions: there the loss becomes NaN, and a warning says so."""
    model = compiled(**MODES[mode])
    if mode == "xla":
        with pytest.warns(RuntimeWarning, match=r"nan .*TerminateOnNaN.*labels outside"):
            model.fit(Batches(), verbose=0)
    else:
        fails(model, "`y` .*indices from 0 to 2.*Received: .*7", Batches())


@pytest.mark.parametrize(
    ("as_dataset", "mode"), [(False, MODES["xla"]), (True, MODES["eager"])]
)
def test_validation_labels_outside_the_classes(as_dataset, mode):
    bad = np.where(Y == 2, 7, Y)
    model = compiled(**mode)
    match = "labels of `validation_data` .*indices from 0 to 2.*Received: .*7"
    if as_dataset:  # read after the first epoch only
        with pytest.raises(ValueError, match=match):
            model.fit(X, Y, validation_data=dataset(X, bad), verbose=0)
    else:
        fails(model, match, X, Y, validation_data=(X, bad))
        fails(model, match, X, Y, validation_data=(X, bad, np.ones(8)))


def test_another_number_of_validation_labels():
    match = "labels of `validation_data` .*5 labels for 8"
    fails(compiled(), match, X, Y, validation_data=(X, Y[:5]))


WRONG_SHAPES = {
    "too wide": (DENSE, np.eye(4)[Y]),
    "too narrow": (DENSE, np.eye(2)[Y % 2]),
    "indices for a dense loss": (DENSE, Y),
    "one-hot for a sparse loss": (SPARSE, np.eye(3)[Y]),
    "wide for a binary loss": ("binary_crossentropy", np.eye(4)[Y]),
    "label smoothing": (
        keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        np.eye(4)[Y],
    ),
}


@pytest.mark.parametrize(
    ("name", "mode"), [*((name, "eager") for name in WRONG_SHAPES), ("too wide", "graph")]
)
def test_labels_of_the_wrong_shape(name, mode):
    loss, y = WRONG_SHAPES[name]
    model = compiled(loss, **MODES[mode])
    received = r", ".join(map(str, y.shape[1:]))
    match = (
        rf"shape \(batch_size.*output shape \(None, 3\).*Received: shape \(8,.*{received}"
    )
    fails(model, f"`y` .*{match}", X, y)
    fails(model, f"`y` .*{match}", X, y, how="train_on_batch")
    fails(model, r"labels of `x` .*shape \(batch_size.*Received: shape", dataset(X, y))


@pytest.mark.parametrize("bad", [2.0, -1.0, np.nan])
def test_shares_outside_zero_and_one(bad):
    y = np.where(np.eye(3)[Y] == 1, bad, 0)
    fails(compiled(DENSE), "`y` .*between 0 and 1.*Received: ", X, y)
    model = compiled("binary_crossentropy", network(1, "sigmoid"))
    for y in (np.where(Y == 2, bad, 1), np.where(Y == 2, bad, 1)[:, None]):
        fails(model, "`y` .*between 0 and 1.*binary_crossentropy.*Received: ", X, y)


def test_class_names_in_place_of_indices():
    names = np.array(["cat", "dog", "emu"])[Y]
    fails(compiled(), "`y` .*numbers.*Received: dtype .*StringLookup", X, names)


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (SPARSE, Y),
        (SPARSE, Y.astype("float32")),
        (SPARSE, Y.astype("uint8")[:, None]),
        (keras.losses.SparseCategoricalCrossentropy(ignore_class=-1), np.where(Y, Y, -1)),
        (keras.losses.SparseCategoricalCrossentropy(ignore_class=9), np.where(Y, Y, 9)),
        (DENSE, np.eye(3)[Y]),
        (DENSE, np.full((8, 3), 1 / 3)),
        ("crossentropy", np.eye(3)[Y]),
        ("crossentropy", Y),
        ("mean_squared_error", 7 * np.eye(3)[Y]),  # nothing is known of other losses
        ("categorical_hinge", 2 * np.eye(3)[Y] - 1),
    ],
)
def test_labels_that_are_right(loss, y):
    model = compiled(loss)
    assert np.isfinite(model.train_on_batch(X, y)).all()
    batches = tf.data.Dataset.from_tensors((X, y))
    assert np.isfinite(model.fit(batches, verbose=0).history["loss"]).all()


# === Length zero ===


def test_training_data_of_length_zero():
    model = compiled()
    fails(model, "at least one example.*length 0", X[:0], Y[:0])
    fails(model, "at least one example.*length 0", X[:0], Y[:0], how="train_on_batch")
    fails(model, "`x` .*at least one batch.*length 0", dataset(X[:0], Y[:0]))
    fails(model, "at least one.*length 0", X, Y, validation_data=(X[:0], Y[:0]))
