"""Small models and policies with injected draws."""

import contextlib
import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from tensorflow.python.data.ops import structured_function

import keras_amp

# How a step may run: arguments of `compile`.
MODES = {
    "eager": {"run_eagerly": True},
    "graph": {"jit_compile": False},
    "xla": {"jit_compile": True},
}
LAM = np.array([0.3, 0.9, 0.55, 0.2, 0.75, 0.5], "float32")
PERMUTATION = np.array([2, 0, 1, 5, 4, 3], "int32")


def warned_at(caught, message):
    """The files at whose lines it was warned so: not those of others' warnings."""
    return [w.filename for w in caught if re.search(message, str(w.message))]


@contextlib.contextmanager
def traced_nothing():
    """Has Keras run step by step in the block: tracing takes longer than a few steps.

    Without TensorFlow's warning that what tf.data maps is traced all the same.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structured_function, "warnings", SimpleNamespace(warn=len))
        tf.config.run_functions_eagerly(True)
        try:
            yield
        finally:
            tf.config.run_functions_eagerly(False)


def injected(base, lam=LAM, permutation=PERMUTATION, **arguments):
    """A policy of class `base` whose draws are the given ones."""

    class Injected(base):
        def draw(self, batch_size, seed_generator):
            return ops.convert_to_tensor(lam, "float32"), ops.convert_to_tensor(
                permutation, "int32"
            )

    return Injected(**arguments)


class TableNoise(keras.layers.Layer):
    """Scales by noise that is known beforehand: that of its n-th draw is `TABLE[n]`.

    Two digits after the point, whose mean is 1: it stands for a mask of dropout.
    """

    TABLE = np.random.default_rng(7).integers(0, 200, (24, 6, 4)) / 100

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.generator = keras.random.SeedGenerator(0)

    def call(self, inputs, training=False):
        if not training:
            return inputs
        _, draws = ops.unstack(self.generator.next())
        table = ops.convert_to_tensor(self.TABLE, inputs.dtype)
        return inputs * ops.take(table, ops.cast(draws, "int32"), axis=0)


def text_classifier(seed=3, mask_zero=False, dropout=0.3, normalize=False):
    """Embedding, dropout, attention-free encoder, dropout, classifier of 3 classes."""
    ids = keras.Input((7,), dtype="int32")
    x = keras.layers.Embedding(30, 6, mask_zero=mask_zero, name="embedding")(ids)
    x = keras.layers.Dropout(dropout, seed=seed, name="word_dropout")(x)
    x = keras.layers.Conv1D(5, 2, activation="tanh", padding="same", name="conv")(x)
    x = keras.layers.GlobalAveragePooling1D(name="sentence")(x)
    if normalize:
        x = keras.layers.BatchNormalization(name="normalize")(x)
    x = keras.layers.Dense(8, "tanh", name="hidden")(x)
    x = keras.layers.Dropout(dropout, seed=seed + 1, name="dropout")(x)
    x = keras.layers.Dense(3, "softmax", name="probabilities")(x)
    return keras.Model(ids, x)


def bag_of_words():
    """The smallest classifier of texts: it is traced in half a second."""
    ids = keras.Input((7,), dtype="int32")
    x = keras.layers.Embedding(30, 4, name="embedding")(ids)
    x = keras.layers.GlobalAveragePooling1D(name="sentence")(x)
    return keras.Model(ids, keras.layers.Dense(3, "softmax")(x))


def compiled(classifier, mix_at, policy, **compile_args):
    """A mixing model, compiled with SGD.

    Where nothing is said, the step runs eagerly, which spares the tracing.
    """
    compile_args.setdefault("run_eagerly", "jit_compile" not in compile_args)
    compile_args.setdefault("optimizer", keras.optimizers.SGD(0.2))
    compile_args.setdefault("loss", "sparse_categorical_crossentropy")
    model = keras_amp.MixupAMPModel(classifier, mix_at, policy, seed=4)
    model.compile(**compile_args)
    return model


def one_step(classifier, mix_at, policy, batch, **compile_args):
    """Compile, train on one batch; return the model and what the step reports."""
    model = compiled(classifier, mix_at, policy, **compile_args)
    return model, model.train_on_batch(*batch, return_dict=True)


def fitted(classifier, mix_at, policy, data, epochs=1, batch_size=10, **compile_args):
    """Compile, fit without shuffling; return the model and its history."""
    model = compiled(classifier, mix_at, policy, **compile_args)
    x, y = data
    history = model.fit(
        x, y, batch_size=batch_size, epochs=epochs, shuffle=False, verbose=0
    )
    return model, history.history


def same_start(make, *names):
    """Builds models by `make`, all with the first one's weights and noise."""
    models = [make() for _ in names]
    for model in models[1:]:
        model.set_weights(models[0].get_weights())
    return models


def tiny_preset(folder, words, max_sequence_length=40):
    """Writes a tiny random BERT with its tokenizer into a folder; returns its path."""
    hub = pytest.importorskip("keras_hub", reason='pip install "keras-amp[hub]"')
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    folder = str(folder)
    hub.models.BertBackbone(
        vocabulary_size=len(words), num_layers=1, num_heads=2, hidden_dim=8,
        intermediate_dim=8, max_sequence_length=max_sequence_length,
    ).save_to_preset(folder)  # fmt: skip
    hub.tokenizers.BertTokenizer(vocabulary=words, lowercase=True).save_to_preset(folder)
    return folder


def assert_compiles(network, *inputs):
    """XLA computes the outputs and the gradients of a network as they are eagerly."""

    def computed(*inputs):
        with tf.GradientTape() as tape:
            outputs = network(*inputs)
            cost = tf.reduce_sum(outputs**2)
        variables = [v.value for v in network.trainable_variables]
        return outputs, tape.gradient(cost, variables)

    outputs, gradients = computed(*inputs)
    compiled_outputs, got = tf.function(computed, jit_compile=True)(*inputs)
    np.testing.assert_allclose(compiled_outputs, outputs, rtol=1e-5, atol=1e-6)
    for one, other in zip(got, gradients, strict=True):
        one, other = (tf.convert_to_tensor(v) for v in (one, other))
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


HALF = 6  # a replica's share of a batch of 12


class WithinHalves(keras_amp.AdversarialMixing):
    """The same draws whether a batch comes whole or in two halves."""

    def draw(self, batch_size, seed_generator):
        position = ops.arange(batch_size, dtype="int32")
        lam = ops.take(np.linspace(0.1, 0.9, HALF), position % HALF)
        partner = position // HALF * HALF + HALF - 1 - position % HALF
        return ops.cast(lam, "float32"), partner
