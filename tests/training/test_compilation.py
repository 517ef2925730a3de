"""What `jit_compile="auto"` compiles where there is no accelerator."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import bag_of_words, text_classifier, warned_at
from keras import layers

import keras_amp
from keras_amp import backbones
from keras_amp.backbones import bilstm_attention, text_cnn
from keras_amp.training import input_check
from keras_amp.training.tensorflow import compilation

IDS = np.random.default_rng(2).integers(1, 30, (12, 7))
LABELS = np.arange(12) % 3


def attention():
    ids = keras.Input((7,), dtype="int32")
    x = layers.Embedding(30, 6, name="embedding")(ids)
    x = layers.MultiHeadAttention(2, 3)(x, x)
    return keras.Model(ids, layers.Dense(3, "softmax")(layers.GlobalMaxPooling1D()(x)))


def bilstm():
    return bilstm_attention(30, 3, 7, embedding_dim=6, units=4)


class Compiled(layers.Dense):
    """Stands for attention and for an LSTM: a step with it is compiled in a second."""


@pytest.fixture(autouse=True)
def a_cheap_layer_that_pays(monkeypatch):
    paying = (*compilation._COMPILED, Compiled)
    monkeypatch.setattr(compilation, "_COMPILED", paying)


def compiled(classifier, optimizer="adam", policy=None, **arguments):
    policy = policy or keras_amp.Mixup()  # the step of one pass, which is traced sooner
    model = keras_amp.MixupAMPModel(classifier, "embedding", policy, seed=1)
    model.compile(optimizer, "sparse_categorical_crossentropy", **arguments)
    return model


@pytest.mark.parametrize(
    ("build", "whole"),
    [(attention, True), (bilstm, True), (text_classifier, False)],
)
def test_auto_compiles_the_step_where_that_pays(build, whole):
    assert compiled(build()).jit_compile == whole
    assert compiled(build(), jit_compile="auto").jit_compile == whole
    assert compiled(build(), jit_compile=False).jit_compile is False
    assert compiled(build(), jit_compile=True).jit_compile is True
    assert compiled(build(), run_eagerly=True).jit_compile is False


def test_auto_leaves_a_layer_alone_that_does_not_compile(recwarn):
    words = bag_of_words()
    paying = Compiled(3, "softmax")
    classifier = keras.Model(words.input, paying(words.get_layer("sentence").output))
    assert compiled(classifier).jit_compile
    paying.supports_jit = False
    model = compiled(classifier, "sgd")
    assert not model.jit_compile
    assert not recwarn.list
    assert np.isfinite(model.fit(IDS, LABELS, verbose=0).history["loss"]).all()


def equally(optimizer, made_before=False, **arguments):
    """Two epochs from the same weights: how often a step was traced, and the results."""
    traces = []

    class Counted(keras_amp.MixupAMPModel):
        def train_step(self, data):
            traces.append(data)
            return super().train_step(data)

    keras.utils.set_random_seed(3)
    model = Counted(bag_of_words(), "embedding", keras_amp.Mixup(), seed=1)
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizer, loss, metrics=["accuracy"], **arguments)
    if made_before:
        model.evaluate(IDS, LABELS, verbose=0)
        model.optimizer.build(model.trainable_variables)
    history = model.fit(
        IDS, LABELS, batch_size=4, epochs=2, shuffle=False, verbose=0
    ).history
    return len(traces), model.get_weights() + model.optimizer.variables, history


@pytest.mark.parametrize(
    ("make", "jit_compile"),
    [
        (lambda: keras.optimizers.SGD(0.1, momentum=0.9), False),
        (
            lambda: keras.optimizers.LossScaleOptimizer(
                keras.optimizers.SGD(0.1, momentum=0.9)
            ),
            "auto",
        ),
    ],
    ids=["momentum", "loss scale"],
)
def test_the_step_is_traced_once_though_it_makes_variables(make, jit_compile):
    """TensorFlow traces a function twice if its first trace created variables."""
    traces, weights, history = equally(make(), jit_compile=jit_compile)
    assert traces == 1
    _, expected, expected_history = equally(make(), True, jit_compile=jit_compile)
    for got, wanted in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert history == expected_history


@pytest.fixture
def updates(monkeypatch):
    """Count the updates of weights that are compiled separately from the step."""
    calls = []
    update = compilation.compiled_update
    monkeypatch.setattr(
        compilation, "compiled_update", lambda *args: calls.append(1) or update(*args)
    )
    return calls


class OwnSGD(keras.optimizers.SGD):
    pass


@pytest.mark.parametrize(
    ("optimizer", "arguments", "alone"),
    [
        ("adam", {}, True),
        ("adam", {"jit_compile": False}, False),
        ("adam", {"jit_compile": True}, False),
        ("adam", {"run_eagerly": True}, False),
        (OwnSGD(), {}, False),
    ],
)
def test_auto_compiles_the_update_of_all_others(optimizer, arguments, alone, updates):
    model = compiled(bag_of_words(), optimizer, **arguments)
    if arguments.get("run_eagerly"):
        model.train_on_batch(IDS, LABELS)
    else:
        data = tf.constant(IDS, "int32"), tf.constant(LABELS, "int32")
        step = tf.function(lambda: model.train_step(data), autograph=False)
        step.get_concrete_function()  # traces it
    assert bool(updates) == alone


@pytest.mark.parametrize("jit_compile", ["auto", False, True])
def test_a_loaded_model_is_compiled_as_the_saved_one(jit_compile, tmp_path):
    for build in (attention, text_classifier):
        model = compiled(build(), jit_compile=jit_compile)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert loaded.jit_compile == model.jit_compile
        for name in ("auto", "step", "update"):
            ours, theirs = (m._training_step.compilation for m in (loaded, model))
            assert getattr(ours, name) == getattr(theirs, name)
        config = loaded.get_compile_config()
        assert config["jit_compile"] == jit_compile


def test_where_there_is_a_gpu_keras_decides(monkeypatch):
    monkeypatch.setattr(
        keras.distribution, "list_devices", lambda kind: ["gpu:0"] * (kind == "gpu")
    )
    model = compiled(attention())
    assert not model.jit_compile  # TensorFlow sees none
    assert not model._training_step.compilation.update


def test_distributed_training_compiles_nothing(strategy):
    with strategy.scope():
        model = compiled(attention())
    assert not model.jit_compile
    assert not model._training_step.compilation.update


OPTIMIZERS = {
    "adamw, clipped": lambda: keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(0.01, 9), clipnorm=0.1
    ),
    "averaged": lambda: keras.optimizers.SGD(
        0.1, momentum=0.9, use_ema=True, ema_overwrite_frequency=2
    ),
    "accumulated": lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(0.01), initial_scale=8.0, dynamic_growth_steps=2
    ),
}


@pytest.mark.parametrize("build", OPTIMIZERS)
def test_a_compiled_update_is_the_update(build, updates):
    """Of gradients that are dense and that are rows of a table."""
    values = np.random.default_rng(6).normal(size=(6, 10)).astype("float32")
    rows, shape = tf.constant([2, 0, 2]), tf.constant([4, 2])

    def apply(update):
        optimizer = OPTIMIZERS[build]()
        weights = [keras.Variable(np.ones(s, "float32")) for s in ((4, 2), (4,))]
        optimizer.build(weights)

        def step(value):
            sparse = tf.IndexedSlices(tf.reshape(value[:6], (3, 2)), rows, shape)
            update(optimizer, [sparse, value[6:]], weights)

        step = tf.function(step, autograph=False)
        for value in values:
            step(tf.constant(value))
        state = [v for v in optimizer.variables if v.dtype.startswith("float")]
        steps = optimizer.gradient_accumulation_steps or 1
        assert int(optimizer.iterations) == 6 / steps
        return [np.array(v) for v in (*weights, *state)]

    compiles = compilation.Compilation(compiled(bag_of_words()), {})
    assert compiles.update
    results = apply(lambda *given: compiles.apply(*given, fixed=True))
    assert updates
    expected = apply(lambda optimizer, *given: optimizer.apply(*given))
    for got, wanted in zip(results, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


# === What XLA lacks ===


class Printed(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        tf.print("step", step, output_stream=f"file://{os.devnull}")
        rate = tf.py_function(lambda s: 0.01 / (1.0 + s.numpy()), [step], tf.float32)
        return tf.ensure_shape(rate, ())


class ByRange(keras.optimizers.schedules.LearningRateSchedule):
    """XLA supports its operations, but no range whose end it does not know."""

    def __call__(self, step):
        return 0.01 + 0.0 * tf.reduce_sum(tf.range(tf.cast(step, "float32")))


class Timed(keras.constraints.Constraint):
    def __call__(self, w):
        return w + 0.0 * tf.cast(tf.timestamp(), w.dtype)


class InNumPy(layers.Layer):
    def call(self, inputs):
        one = tf.numpy_function(lambda: np.float32(1), [], tf.float32)
        return inputs + tf.ensure_shape(one, ())


def in_strings(a, b):
    same = tf.as_string(tf.cast(a, "int64")) == tf.as_string(tf.argmax(b, -1)[:, None])
    return tf.reduce_mean(tf.cast(same, "float32"), -1)


def times_a_length(a, b):
    return tf.reduce_max(b, -1) * tf.cast(tf.strings.length("two"), "float32")


def read_loss(a, b):
    loss = keras.losses.sparse_categorical_crossentropy(a, b)
    return loss * tf.strings.to_number("2")


# The parts of a model, and the operations of theirs that XLA lacks.
PRINTED = {"PrintV2", "StringFormat", "EagerPyFunc"}
LACKING = {
    "schedule": ("cnn", {"schedule": Printed()}, PRINTED),
    "schedule by a range": ("cnn", {"schedule": ByRange()}, set()),
    "checked numerics": ("cnn", {}, {"CheckNumericsV2", "DebugNumericSummaryV2"}),
    "every part": (
        "compiled",
        {
            "schedule": Printed(),
            "constraint": Timed(),
            "layer": InNumPy(),
            "metrics": [in_strings],
            "weighted_metrics": [times_a_length],
            "loss": read_loss,
        },
        {"Timestamp", "PyFunc", "AsString", "Equal", "StringLength", "StringToNumber"}
        | PRINTED,
    ),
}
NETWORKS = {"compiled": lambda: Compiled(4), "cnn": lambda: layers.Conv1D(4, 2)}


def lacking(
    network, jit_compile, schedule=1e-2, constraint=None, layer=None, **arguments
):
    """A model with a part that XLA lacks."""
    keras.utils.set_random_seed(3)
    ids = keras.Input((7,), dtype="int32", name="ids")
    x = layers.Embedding(30, 6, name="embedding")(ids)
    x = NETWORKS[network]()(x if layer is None else layer(x))
    x = layers.GlobalMaxPooling1D()(x)
    x = layers.Dense(3, "softmax", kernel_constraint=constraint)(x)
    arguments = {"loss": "sparse_categorical_crossentropy", **arguments}
    policy = keras_amp.Mixup()  # the step of one pass, which is traced sooner
    model = keras_amp.MixupAMPModel(keras.Model(ids, x), "embedding", policy, seed=1)
    optimizer = keras.optimizers.SGD(schedule, momentum=0.9)
    model.compile(optimizer, jit_compile=jit_compile, **arguments)
    return model


def trained(model):
    """The results of two epochs."""
    fitted = model.fit(IDS, LABELS, batch_size=5, epochs=2, shuffle=False, verbose=0)
    return [*model.get_weights(), *fitted.history.values()]


@pytest.fixture
def checked(request):
    """Let TensorFlow check every number, if the test asks for it."""
    if request.node.callspec.params["kind"] == "checked numerics":
        tf.debugging.enable_check_numerics()
    yield
    tf.debugging.disable_check_numerics()


@pytest.mark.parametrize("kind", LACKING)
def test_auto_trains_what_xla_lacks(kind, checked, recwarn, monkeypatch):
    network, parts, lacked = LACKING[kind]
    unsupported, found = compilation.unsupported, []
    monkeypatch.setattr(
        compilation, "unsupported", lambda g: found.append(unsupported(g)) or found[-1]
    )
    model = lacking(network, "auto", **parts)
    assert model.jit_compile == (network == "compiled")  # not tried yet
    actual = trained(model)
    assert found == [sorted(lacked)]
    assert not model.jit_compile
    assert len(recwarn.list) == (kind == "schedule by a range")
    if kind == "checked numerics":
        return
    expected = trained(lacking(network, False, **parts))
    for got, wanted in zip(actual, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)


class Asserting(layers.Layer):
    def call(self, inputs):
        tf.debugging.assert_greater(inputs, 1.0)
        return inputs


def beyond(ids):
    return np.where(np.arange(7) == 6, 30, ids)


def test_what_xla_does_not_check_fails_as_in_keras(updates):
    """XLA drops assertions, and takes another row for an id beyond the table."""
    asserting = lacking("compiled", "auto", layer=Asserting())
    with pytest.raises(tf.errors.InvalidArgumentError, match="assertion failed"):
        asserting.train_on_batch(IDS[:4], LABELS[:4])
    model = lacking("compiled", "auto")
    model.fit(IDS, LABELS, batch_size=4, verbose=0)
    assert model.jit_compile  # so it is compiled
    assert not updates  # as a part of it
    for fit in (
        lambda: model.fit(beyond(IDS), LABELS, batch_size=4, verbose=0),
        lambda: model.train_on_batch(-30 - IDS[:4], LABELS[:4]),
        lambda: model.fit(
            tf.data.Dataset.from_tensors(({"ids": beyond(IDS)}, LABELS)), verbose=0
        ),
    ):
        before = model.get_weights()
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"is not in \[0, 30\)"):
            fit()
        for got, wanted in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(got, wanted)
    assert np.isfinite(model.train_on_batch(-IDS[:4], LABELS[:4])).all()  # from the end


def test_ids_are_compared_with_the_tables_they_are_looked_up_in():
    """Also in nested models; each of several inputs with its own table."""
    inner = keras.Sequential([keras.Input((7,)), layers.Embedding(30, 2)])
    ids, kinds = keras.Input((7,), name="ids"), keras.Input((7,), name="kinds")
    outer = keras.Model([ids, kinds], inner(ids) + layers.Embedding(3, 2)(kinds))
    low, high = np.full((2, 2, 7), 2, "uint8"), np.full((2, 2, 7), 29, "uint8")
    for model in (outer, keras.Model([kinds, ids], outer([ids, kinds]))):
        for words, other, fit in ((high, low, True), (low, high, False)):
            given = {"ids": words[0], "kinds": other[0]}
            assert input_check.ids_check(model)(given) == fit
            listed = [given[x.name] for x in model.inputs]
            assert input_check.ids_check(model)(listed) == fit
    assert not input_check.ids_check(inner)(low[0] + 28)


def test_eager_execution_can_be_asked_for_later():
    model = lacking("compiled", "auto", layer=InNumPy())
    assert model.jit_compile
    step, eager = model.train_step, []
    model.train_step = lambda data: eager.append(tf.executing_eagerly()) or step(data)
    for asked in (True, False):
        model.run_eagerly, model.train_function = asked, None
        model.fit(IDS, LABELS, verbose=0)
    assert eager == [True, False]


class ToTheLargest(layers.Layer):
    """A range whose end depends on the data; XLA must know it beforehand."""

    def call(self, inputs):
        largest = tf.cast(tf.reduce_max(tf.abs(inputs)), "int32")
        return inputs + 0.0 * tf.cast(tf.reduce_sum(tf.range(largest)), "float32")


def test_where_compiling_fails_no_batch_is_lost():
    model = lacking("compiled", "auto", layer=ToTheLargest())
    with pytest.warns(UserWarning, match="jit_compile=False") as warned:
        actual = trained(model)
    assert len(warned_at(warned, "jit_compile=False")) == 1
    assert not model.jit_compile
    assert model.get_compile_config()["jit_compile"] == "auto"
    other = lacking("compiled", False, layer=ToTheLargest())
    for got, wanted in zip(actual, trained(other), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)
    assert int(model.optimizer.iterations) == int(other.optimizer.iterations) == 6


def test_evaluation_and_prediction_do_not_fail_either(recwarn):
    model = lacking("compiled", "auto", layer=InNumPy(), metrics=[in_strings])
    assert model.jit_compile  # not tried yet
    model.evaluate(IDS, LABELS, batch_size=5, verbose=0)
    model.predict(IDS, batch_size=5, verbose=0)
    keras_amp.loss_along_lambda(model, (IDS, LABELS), pairs=2, lambdas=3)
    assert not recwarn.list


def test_what_is_told_to_compile_fails_as_in_keras():
    with pytest.raises((tf.errors.OpError, ValueError)):
        trained(lacking("cnn", True, metrics=[in_strings]))


# === How often anything is compiled ===

COUNTING = """
import sys
from pathlib import Path
import keras, numpy as np, tensorflow as tf
sys.path.insert(0, sys.argv[2])
import keras_amp
from keras import layers
from keras_amp.training.tensorflow import compilation

# A step that is compiled in a second; see shared_fixtures.py for the optimizer of graphs.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
compilation._COMPILED += (layers.Dense,)
NETWORKS = {"dense": lambda: layers.Dense(3), "cnn": lambda: layers.Conv1D(3, 2)}
IDS = np.random.default_rng(0).integers(1, 9, (13, 5))
LABELS = np.arange(13) % 3
TEXTS = [IDS[i, : i % 4 + 2] for i in range(6)]
traces = []


class Counted(keras_amp.MixupAMPModel):
    def train_step(self, data):
        traces.append(data)
        return super().train_step(data)


def model(network, length=5):
    ids = keras.Input((length,), dtype="int32")
    x = NETWORKS[network]()(layers.Embedding(9, 3, name="embedding")(ids))
    x = layers.Activation("softmax")(layers.GlobalMaxPooling1D()(x))
    policy = keras_amp.Mixup()
    model = Counted(keras.Model(ids, x), "embedding", policy, seed=1)
    momentum = keras.optimizers.SGD(0.1, momentum=0.9)  # the step makes variables
    model.compile(momentum, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def odd(trained):
    trained.steps_per_execution = 2
    trained.fit(IDS, LABELS, batch_size=5, epochs=2, verbose=0)
    assert int(trained.optimizer.iterations) == 6


def neither_is_compiled(trained):
    trained.evaluate(IDS, LABELS, batch_size=5, verbose=0)
    trained.predict(IDS, batch_size=5, verbose=0)


def other_sizes(trained):
    trained.fit(IDS[:12], LABELS[:12], batch_size=4, class_weight={0: 2.0}, verbose=0)


def by_hand(trained):
    for k in (5, 5, 3, 5, 4):
        trained.train_on_batch(IDS[:k], LABELS[:k])


def own_length(trained):
    signature = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((), tf.int32)
    pairs = tf.data.Dataset.from_generator(
        lambda: zip(TEXTS, LABELS), output_signature=signature
    )
    data = pairs.padded_batch(2, ((trained.classifier.input.shape[1],), ()))
    trained.fit(data, epochs=2, verbose=0)
    trained.predict(data, verbose=0)


dense, cnn = model("dense"), model("cnn")
CASES = {
    "dense, odd": (odd, dense, 1, 1),
    "dense, other than training": (neither_is_compiled, dense, 0, 0),
    "dense, other sizes": (other_sizes, dense, 1, 1),
    "dense, by hand": (by_hand, model("dense"), 2, 1),
    "dense, own length": (own_length, model("dense", None), 1, 0),
    "cnn, odd": (odd, cnn, 1, 1),
    "cnn, own length": (own_length, model("cnn", None), 1, 0),
}
compilation.unsupported(tf.Graph())  # compiles a trifle, once
for name, (run, trained, traced, compiled) in CASES.items():
    dumped = lambda: len([*Path(sys.argv[1]).glob("*before_optimizations.txt")])
    before = dumped()
    traces.clear()
    run(trained)
    if (len(traces), dumped() - before) != (traced, compiled):
        print(name, "traced", len(traces), "compiled", dumped() - before)
print("done")
"""


def test_the_step_is_traced_and_compiled_once(tmp_path, fresh):
    """Count the programs that XLA dumps; a process reads XLA's flags only once."""
    flags = f"--xla_dump_to={tmp_path} --xla_dump_hlo_as_text"
    root = Path(__file__).parents[2]
    done = fresh.run(COUNTING, tmp_path, root, folder=tmp_path, XLA_FLAGS=flags)
    assert done == "done\n"


# === The compiled program ===


def encoder():
    keras_hub = pytest.importorskip("keras_hub", reason="the extra `hub` is missing")
    backbone = keras_hub.models.BertBackbone(30, 1, 1, 4, 4, max_sequence_length=7)
    return backbones.bert(3, 7, preset=backbone)


BACKBONES = {
    "cnn": lambda: text_cnn(30, 3, 7, embedding_dim=4, filters=2, kernel_sizes=(2,)),
    "bilstm": bilstm,
    "bert": encoder,
}


@pytest.mark.parametrize("name", BACKBONES)
def test_the_step_of_a_backbone_stays_within_xla(name):
    """No sort, no call of the host, and no loop but an LSTM's over the words."""
    x, y = (tf.constant(value, "int32") for value in (IDS, LABELS))
    if name == "bert":
        x = {"token_ids": x, "segment_ids": 0 * x, "padding_mask": 0 * x + 1}
    classifier = BACKBONES[name]()
    place = backbones.mix_point(classifier, "word")  # more of it runs twice there
    model = keras_amp.MixupAMPModel(classifier, place, seed=1)
    optimizer = "adam" if name == "cnn" else "sgd"  # of fewer operations
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizer, loss, metrics=["accuracy"])
    step = tf.function(
        lambda x, y: model.train_step((x, y)), autograph=False, jit_compile=True
    )
    assert not compilation.unsupported(step.get_concrete_function(x, y).graph)
    program = step.experimental_get_compiler_ir(x, y)(stage="hlo")
    assert " sort(" not in program
    assert "callback" not in program
    assert (" while(" in program) == (name == "bilstm")
