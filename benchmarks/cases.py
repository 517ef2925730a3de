"""What the benchmarks measure: the recipes' backbones on random texts."""

import dataclasses

import keras
import numpy as np

import keras_amp
from keras_amp import backbones, data
from keras_amp.experiments import methods

NUM_CLASSES = 6
OTHERS = ("adversarial", "vat", "random", "regmixup", "rdrop", "cutmix")
METHODS = {method.name: method for method in methods(policy=("mixup", "amp", *OTHERS))}


@dataclasses.dataclass(frozen=True)
class Case:
    """A backbone with the sizes of its texts.

    Attributes:
        backbone: ``"cnn"``, ``"bilstm"`` or ``"bert"``.
        batch_size: Texts a step.
        sequence_length: Words or tokens a text.
        vocabulary_size: Different words.
        layers: Of BERT, its number of layers.
        heads: Of BERT, its number of heads.
        width: Of BERT, its width.
    """

    backbone: str
    batch_size: int
    sequence_length: int
    vocabulary_size: int
    layers: int = 6
    heads: int = 12
    width: int = 384

    def classifier(self):
        """Builds the classifier with random weights."""
        if self.backbone == "bert":
            return backbones.bert(
                NUM_CLASSES, self.sequence_length, preset=self._encoder(), seed=1
            )
        build = {"cnn": backbones.text_cnn, "bilstm": backbones.bilstm_attention}
        return build[self.backbone](
            self.vocabulary_size, NUM_CLASSES, self.sequence_length, seed=1
        )

    def _encoder(self):
        import keras_hub

        return keras_hub.models.BertBackbone(
            vocabulary_size=self.vocabulary_size,
            num_layers=self.layers,
            num_heads=self.heads,
            hidden_dim=self.width,
            intermediate_dim=4 * self.width,
            max_sequence_length=max(512, self.sequence_length),
        )

    def batches(self, steps):
        """A ``tf.data.Dataset`` of that many full batches, held in memory."""
        rng = np.random.default_rng(0)
        shape = (steps * self.batch_size, self.sequence_length)
        words = rng.integers(1, self.vocabulary_size, shape, dtype="int32")
        if self.backbone == "bert":
            words = {
                "token_ids": words,
                "segment_ids": np.zeros_like(words),
                "padding_mask": np.ones_like(words),
            }
        labels = rng.integers(0, NUM_CLASSES, shape[0], dtype="int32")
        return data.batches(words, labels, self.batch_size).cache()

    def model(self, method, jit_compile, rewrite=True):
        """Builds and compiles what one method trains.

        Args:
            method: Name of a method, of ``METHODS``.
            jit_compile: Whether XLA compiles the step.
            rewrite: ``MixupAMPModel``'s.
        """
        method, classifier = METHODS[method], self.classifier()
        model = classifier
        if method.mix != "none":
            policy = method.policy_of(keras_amp.AdversarialMixing())
            model = keras_amp.MixupAMPModel(
                classifier, method.mix_at(classifier), policy, seed=1, rewrite=rewrite
            )
        model.compile(
            keras.optimizers.Adam(2e-4),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
            jit_compile=jit_compile,
        )
        return model


# The paper's batches; TREC's words, and those of uncased BERT.
CASES = {
    "cnn": Case("cnn", 50, 40, 9592),
    "bilstm": Case("bilstm", 50, 40, 9592),
    "bert": Case("bert", 24, 32, 30522),
    "bert-base": Case("bert", 24, 32, 30522, layers=12, width=768),
}
