"""What `jit_compile="auto"` compiles where there is no accelerator."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import text_classifier
from keras import layers

import keras_amp
from keras_amp import backbones, compilation
from keras_amp.backbones import bilstm_attention, text_cnn

IDS = np.random.default_rng(2).integers(1, 30, (12, 7))
LABELS = np.arange(12) % 3


def attention():
    ids = keras.Input((7,), dtype="int32")
    x = layers.Embedding(30, 6, name="embedding")(ids)
    x = layers.MultiHeadAttention(2, 3)(x, x)
    return keras.Model(ids, layers.Dense(3, "softmax")(layers.GlobalMaxPooling1D()(x)))


def bilstm():
    return bilstm_attention(30, 3, 7, embedding_dim=6, units=4)


def compiled(classifier, optimizer="adam", **arguments):
    model = keras_amp.MixupAMPModel(classifier, "embedding", seed=1)
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
    model = Counted(text_classifier(), "embedding", seed=1)
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizer, loss, metrics=["accuracy"], **arguments)
    if made_before:
        model.evaluate(IDS, LABELS, verbose=0)
        model.optimizer.build(model.trainable_variables)
    history = model.fit(
        IDS, LABELS, batch_size=4, epochs=2, shuffle=False, verbose=0
    ).history
    return len(traces), model.get_weights() + model.optimizer.variables, history


@pytest.mark.parametrize("jit_compile", [False, True, "auto"])
@pytest.mark.parametrize(
    "make",
    [
        keras.optimizers.Adam,
        lambda: keras.optimizers.SGD(0.1, momentum=0.9),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()),
    ],
    ids=["adam", "momentum", "loss scale"],
)
def test_the_step_is_traced_once_though_it_makes_variables(make, jit_compile):
    """TensorFlow traces a function again that was seen to make any."""
    traces, weights, history = equally(make(), jit_compile=jit_compile)
    assert traces == 1
    _, expected, expected_history = equally(make(), True, jit_compile=jit_compile)
    for got, wanted in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert history == expected_history


@pytest.fixture
def updates(monkeypatch):
    """Counts the updates that are compiled by themselves."""
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
    compiled(text_classifier(), optimizer, **arguments).fit(IDS, LABELS, verbose=0)
    assert bool(updates) == alone


def test_a_model_with_a_compiled_step_compiles_no_update_of_its_own(updates):
    compiled(attention()).fit(IDS, LABELS, verbose=0)
    assert not updates


@pytest.mark.parametrize("jit_compile", ["auto", False, True])
def test_a_loaded_model_is_compiled_as_the_saved_one(jit_compile, tmp_path):
    for build in (attention, text_classifier):
        model = compiled(build(), jit_compile=jit_compile)
        model.fit(IDS, LABELS, verbose=0)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        for name in ("jit_compile", "_auto_compiles", "_compiles_update"):
            assert getattr(loaded, name) == getattr(model, name)
        config = loaded.get_compile_config()
        assert config["jit_compile"] == jit_compile


def test_where_there_is_a_gpu_keras_decides(monkeypatch):
    monkeypatch.setattr(
        keras.distribution, "list_devices", lambda kind: ["gpu:0"] * (kind == "gpu")
    )
    model = compiled(attention())
    assert not model.jit_compile  # TensorFlow sees none
    assert not model._compiles_update


def test_distributed_training_compiles_nothing(strategy):
    with strategy.scope():
        model = compiled(attention())
    assert not model.jit_compile
    assert not model._compiles_update


OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
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
        classifier = text_cnn(30, 3, 7, embedding_dim=6, filters=4, seed=1)
        classifier.layers[2].trainable = False
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


# === The compiled program ===


def encoder():
    keras_hub = pytest.importorskip("keras_hub", reason="the extra `hub` is missing")
    backbone = keras_hub.models.BertBackbone(30, 1, 2, 8, 12, max_sequence_length=7)
    return backbones.bert(3, 7, preset=backbone)


BACKBONES = {
    "cnn": lambda: text_cnn(30, 3, 7, embedding_dim=6, filters=4),
    "bilstm": bilstm,
    "bert": encoder,
}


@pytest.mark.parametrize("name", BACKBONES)
def test_the_step_of_a_backbone_stays_within_xla(name):
    """No sort, no call of the host, and no loop that training without mixing has not."""

    def program(model, x, y):
        loss = "sparse_categorical_crossentropy"
        model.compile("adam", loss, metrics=["accuracy"], jit_compile=False)
        model.train_on_batch(x, y)  # makes every variable
        step = tf.function(lambda x, y: model.train_step((x, y)), jit_compile=True)
        return step.experimental_get_compiler_ir(x, y)(stage="optimized_hlo")

    x, y = (tf.constant(value, "int32") for value in (IDS, LABELS))
    if name == "bert":
        x = {"token_ids": x, "segment_ids": 0 * x, "padding_mask": 0 * x + 1}
    classifier = BACKBONES[name]()
    plain = program(classifier, x, y)
    # A transformer takes long to compile, and at the words more of it runs twice.
    for level in ("word",) if name == "bert" else ("word", "sentence"):
        place = backbones.mix_point(classifier, level)
        mixing = program(keras_amp.MixupAMPModel(classifier, place, seed=1), x, y)
        assert " sort(" not in mixing
        assert "callback" not in mixing
        if name != "bilstm":  # whose loops over the words run more often
            assert mixing.count(" while(") <= plain.count(" while(")
