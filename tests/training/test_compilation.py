"""What `jit_compile="auto"` compiles where there is no accelerator."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import bag_of_words, text_classifier
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
    classifier = attention()
    classifier.layers[1].supports_jit = False
    model = compiled(classifier)
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
        (keras.optimizers.Adam, False),
        (lambda: keras.optimizers.SGD(0.1, momentum=0.9), True),
        (lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()), "auto"),
    ],
    ids=["adam", "momentum", "loss scale"],
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
    compiled(bag_of_words(), optimizer, **arguments).fit(IDS, LABELS, verbose=0)
    assert bool(updates) == alone


def test_a_model_with_a_compiled_step_compiles_no_update_of_its_own(updates):
    classifier = bag_of_words()
    output = Compiled(3, "softmax")(classifier.get_layer("sentence").output)
    model = compiled(
        keras.Model(classifier.input, output), policy=keras_amp.AdversarialMixing()
    )
    model.fit(IDS, LABELS, verbose=0)
    assert model.jit_compile
    assert not updates


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
    results = []
    for jit_compile in ("auto", False):
        keras.utils.set_random_seed(3)
        words = bag_of_words()
        frozen = layers.Dense(4, trainable=False)(words.get_layer("sentence").output)
        classifier = keras.Model(words.input, layers.Dense(3, "softmax")(frozen))
        model = compiled(classifier, OPTIMIZERS[build](), jit_compile=jit_compile)
        model.fit(IDS, LABELS, batch_size=4, epochs=2, shuffle=False, verbose=0)
        state = [v for v in model.optimizer.variables if v.dtype.startswith("float")]
        results.append([*classifier.get_weights(), *map(np.array, state)])
        assert int(model.optimizer.iterations) == int(
            6 / (model.optimizer.gradient_accumulation_steps or 1)
        )
    assert updates
    for got, wanted in zip(*results, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


# === What XLA lacks ===


class Printed(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        tf.print("step", step, output_stream=NOWHERE)
        return 0.01 / (1.0 + tf.cast(step, "float32"))


class InNumPy(Printed):
    def __call__(self, step):
        rate = tf.py_function(lambda s: 0.01 / (1.0 + s.numpy()), [step], tf.float32)
        return tf.ensure_shape(rate, ())


class ByRange(Printed):
    """XLA supports its operations, but no range whose end it does not know."""

    def __call__(self, step):
        return 0.01 + 0.0 * tf.reduce_sum(tf.range(tf.cast(step, "float32")))


class Rounded(keras.constraints.Constraint):
    def __call__(self, w):
        return tf.reshape(tf.numpy_function(np.round, [w, 3], w.dtype), w.shape)


class Loud(layers.Layer):
    def call(self, inputs):
        tf.print(tf.shape(inputs), output_stream=NOWHERE)
        return inputs


def in_strings(a, b):
    same = tf.as_string(tf.cast(a, "int64")) == tf.as_string(tf.argmax(b, -1)[:, None])
    return tf.reduce_mean(tf.cast(same, "float32"), -1)


def in_numpy(a, b):
    score = tf.numpy_function(lambda b: b.max(-1), [b], tf.float32)
    return tf.ensure_shape(score, (None,))


def numpy_loss(a, b):
    weight = tf.numpy_function(lambda a: a.astype("float32") + 1, [a], tf.float32)
    return keras.losses.sparse_categorical_crossentropy(a, b) * tf.reshape(weight, (-1,))


NOWHERE = f"file://{os.devnull}"
LACKING = {
    "schedule that prints": ("cnn lstm", {"schedule": Printed()}),
    "schedule in NumPy": ("cnn", {"schedule": InNumPy()}),
    "schedule by a range": ("cnn", {"schedule": ByRange()}),
    "constraint in NumPy": ("compiled", {"constraint": Rounded()}),
    "layer that prints": ("compiled", {"layer": Loud()}),
    "metric of strings": ("compiled", {"metrics": [in_strings]}),
    "metric in NumPy": ("compiled", {"weighted_metrics": [in_numpy]}),
    "loss in NumPy": ("compiled", {"loss": numpy_loss}),
    "checked numerics": ("cnn compiled", {}),
}
NETWORKS = {
    "compiled": lambda x: Compiled(4)(x),
    "lstm": lambda x: layers.LSTM(2, return_sequences=True)(x),
    "cnn": lambda x: layers.Conv1D(4, 2)(x),
}


def lacking(
    network, jit_compile, schedule=1e-2, constraint=None, layer=None, **arguments
):
    """Return a model with a part that XLA lacks, and the results of two epochs."""
    keras.utils.set_random_seed(3)
    ids = keras.Input((7,), dtype="int32", name="ids")
    x = layers.Embedding(30, 6, name="embedding")(ids)
    x = NETWORKS[network](x if layer is None else layer(x))
    x = layers.GlobalMaxPooling1D()(x)
    x = layers.Dense(3, "softmax", kernel_constraint=constraint)(x)
    policy = keras_amp.Mixup()  # the step of one pass, which is traced sooner
    model = keras_amp.MixupAMPModel(keras.Model(ids, x), "embedding", policy, seed=1)
    arguments = {"loss": "sparse_categorical_crossentropy", **arguments}
    optimizer = keras.optimizers.SGD(schedule, momentum=0.9)
    model.compile(optimizer, jit_compile=jit_compile, **arguments)
    data = {"batch_size": 5, "verbose": 0}
    fitted = model.fit(IDS, LABELS, epochs=2, shuffle=False, **data)
    return model, [*model.get_weights(), *fitted.history.values()]


@pytest.fixture
def checked(request):
    """Let TensorFlow check every number, if the test asks for it."""
    if request.node.callspec.params["kind"] == "checked numerics":
        tf.debugging.enable_check_numerics()
    yield
    tf.debugging.disable_check_numerics()


@pytest.mark.parametrize(
    ("kind", "network"),
    [(kind, network) for kind, (some, _) in LACKING.items() for network in some.split()],
)
def test_auto_trains_what_xla_lacks(kind, network, checked, recwarn):
    model, actual = lacking(network, "auto", **LACKING[kind][1])
    assert not model.jit_compile
    assert len(recwarn.list) == (kind == "schedule by a range")
    if "schedule" not in kind:
        return
    _, expected = lacking(network, False, **LACKING[kind][1])
    for got, wanted in zip(actual, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)


class Asserting(layers.Layer):
    def call(self, inputs):
        tf.debugging.assert_greater(inputs, 1.0)
        return inputs


def beyond(ids):
    return np.where(np.arange(7) == 6, 30, ids)


def test_what_xla_does_not_check_fails_as_in_keras():
    """XLA drops assertions, and takes another row for an id beyond the table."""
    with pytest.raises(tf.errors.InvalidArgumentError, match="assertion failed"):
        lacking("compiled", "auto", layer=Asserting())
    model, _ = lacking("lstm", "auto")
    assert model.jit_compile  # so it is compiled
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
    model, _ = lacking("compiled", "auto")
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
    with pytest.warns(UserWarning, match="jit_compile=False") as warned:
        model, actual = lacking("compiled", "auto", layer=ToTheLargest())
    assert len(warned) == 1
    assert not model.jit_compile
    assert model.get_compile_config()["jit_compile"] == "auto"
    other, expected = lacking("compiled", False, layer=ToTheLargest())
    for got, wanted in zip(actual, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)
    assert int(model.optimizer.iterations) == int(other.optimizer.iterations) == 6


def test_evaluation_and_prediction_do_not_fail_either(recwarn):
    model, _ = lacking("compiled", "auto", layer=Loud())
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[in_strings])
    assert model.jit_compile  # not tried yet
    model.evaluate(IDS, LABELS, batch_size=5, verbose=0)
    model.predict(IDS, batch_size=5, verbose=0)
    keras_amp.loss_along_lambda(model, (IDS, LABELS), pairs=2, lambdas=3)
    assert not recwarn.list


@pytest.mark.parametrize("kind", ["schedule that prints", "metric in NumPy"])
def test_what_is_told_to_compile_fails_as_in_keras(kind):
    with pytest.raises((tf.errors.OpError, ValueError)):
        lacking("cnn", True, **LACKING[kind][1])


# === How often anything is compiled ===

COUNTING = """
import sys
from pathlib import Path
import keras, numpy as np, tensorflow as tf
import keras_amp
from keras import layers
from keras_amp.training.tensorflow import compilation

# A step that is compiled in a second; see conftest.py for the optimizer of graphs.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
compilation._COMPILED += (layers.Dense,)
NETWORKS = {
    "attention": lambda x: layers.MultiHeadAttention(1, 2)(x, x),
    "dense": lambda x: layers.Dense(2)(x),
    "cnn": lambda x: layers.Conv1D(2, 2)(x),
}
IDS = np.random.default_rng(0).integers(1, 9, (13, 5))
LABELS = np.arange(13) % 3
TEXTS = [IDS[i, : i % 4 + 2] for i in range(12)]
traces = []


class Counted(keras_amp.MixupAMPModel):
    def train_step(self, data):
        traces.append(data)
        return super().train_step(data)


def model(network, length=5):
    ids = keras.Input((length,), dtype="int32")
    x = NETWORKS[network](layers.Embedding(9, 3, name="embedding")(ids))
    x = layers.EinsumDense("ab,bc->ac", 3, "softmax")(
        layers.GlobalMaxPooling1D()(x)
    )
    policy = keras_amp.Mixup()
    model = Counted(keras.Model(ids, x), "embedding", policy, seed=1)
    momentum = keras.optimizers.SGD(0.1, momentum=0.9)  # the step makes variables
    model.compile(momentum, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def odd(network, **arguments):
    trained = model(network)
    trained.steps_per_execution = arguments.pop("steps_per_execution", 1)
    trained.fit(IDS, LABELS, batch_size=5, epochs=2, verbose=0, **arguments)
    if network == "attention":  # neither is compiled
        trained.evaluate(IDS, LABELS, batch_size=5, verbose=0)
        trained.predict(IDS, batch_size=5, verbose=0)
    assert int(trained.optimizer.iterations) == 6


def own_length(network, length=None):
    signature = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((), tf.int32)
    pairs = tf.data.Dataset.from_generator(
        lambda: zip(TEXTS, LABELS), output_signature=signature
    )
    data = pairs.padded_batch(2, ((length,), ()))
    trained = model(network, length)
    trained.fit(data, epochs=2, verbose=0)
    trained.predict(data, verbose=0)


def other_sizes(network):
    trained = model(network)
    trained.fit(IDS[:10], LABELS[:10], batch_size=5, verbose=0)
    trained.fit(IDS[:12], LABELS[:12], batch_size=4, class_weight={0: 2.0}, verbose=0)


def by_hand(network):
    trained = model(network)
    for k in (5, 5, 3, 5, 4):
        trained.train_on_batch(IDS[:k], LABELS[:k])


CASES = {
    "attention, odd": (lambda: odd("attention"), 1, 1),
    "dense, several": (lambda: odd("dense", steps_per_execution=2), 1, 1),
    "dense, other sizes": (lambda: other_sizes("dense"), 2, 2),
    "dense, by hand": (lambda: by_hand("dense"), 2, 1),
    "dense, own length": (lambda: own_length("dense"), 1, 0),
    "cnn, odd": (lambda: odd("cnn"), 1, 1),
    "cnn, own length": (lambda: own_length("cnn"), 1, 0),
}
compilation.unsupported(tf.Graph())  # compiles a trifle, once
for name, (run, traced, compiled) in CASES.items():
    dumped = lambda: len([*Path(sys.argv[1]).glob("*before_optimizations.txt")])
    before = dumped()
    traces.clear()
    run()
    if (len(traces), dumped() - before) != (traced, compiled):
        print(name, "traced", len(traces), "compiled", dumped() - before)
print("done")
"""


def test_the_step_is_traced_and_compiled_once(tmp_path):
    """Count the programs that XLA dumps; a process reads XLA's flags only once."""
    flags = f"--xla_dump_to={tmp_path} --xla_dump_hlo_as_text"
    done = subprocess.run(
        [sys.executable, "-c", COUNTING, tmp_path],
        env={**os.environ, "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "done\n"


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
    loss = "sparse_categorical_crossentropy"
    model.compile("adam", loss, metrics=["accuracy"], run_eagerly=True)
    model.train_on_batch(x, y)  # makes every variable
    step = tf.function(
        lambda x, y: model.train_step((x, y)), autograph=False, jit_compile=True
    )
    program = step.experimental_get_compiler_ir(x, y)(stage="optimized_hlo")
    assert " sort(" not in program
    assert "callback" not in program
    assert (" while(" in program) == (name == "bilstm")
