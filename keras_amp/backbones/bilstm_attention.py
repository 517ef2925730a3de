"""Bidirectional LSTM with attention over the words."""

from typing import Any

import keras
from numpy.typing import ArrayLike

from keras_amp.backbones.attention import AttentionPooling
from keras_amp.backbones.embedding import word_embedding
from keras_amp.backbones.seeding import layer_seeds


def bilstm_attention(
    vocabulary_size: int,
    num_classes: int,
    sequence_length: int,
    embedding_dim: int = 300,
    units: int = 512,
    num_layers: int = 1,
    dropout: float = 0.5,
    l2: float = 1e-8,
    vectors: ArrayLike | None = None,
    trainable_vectors: bool = True,
    use_cudnn: bool | str = False,
    seed: int | None = None,
    name: str = "bilstm_attention",
) -> keras.Model:
    """Build a bidirectional LSTM with attention, with the settings of the paper.

    Words are embedded and read in both directions. Attention with a single vector (see
    ``AttentionPooling``) weights the states of the words, and tanh of their weighted mean
    represents the sentence (Zhou et al., ACL 2016). Padding (id 0) is masked; a mixed
    pair has the mask of the longer text. Mix words after ``"embedding"`` and sentences
    after ``"sentence"`` (``keras_amp.backbones.MIX_POINTS``).

    Dropout is applied to the sentence only, as in ``text_cnn``. The paper states its rate
    and not its place; dropout of the words would precede the place where they are mixed.

    Args:
        vocabulary_size: Integer, number of word ids, with padding and unknown.
        num_classes: Integer >= 2.
        sequence_length: Integer, words per text.
        embedding_dim: Integer, dimension of the word vectors.
        units: Integer, dimension of the state in **each** direction. With the default 512
            the states and the sentence have 1024 dimensions, the paper's hidden size.
        num_layers: Integer >= 1, number of stacked LSTMs (the paper: 1; the authors'
            program: 2).
        dropout: Float in [0, 1), dropout rate of the sentence.
        l2: Float >= 0, weight of the L2 penalty on the LSTMs' kernels, the attention's
            vector and the classifier.
        vectors: Float matrix ``(vocabulary_size, embedding_dim)`` of initial word
            vectors, or None for random ones.
        trainable_vectors: Whether training changes the word vectors, given or random.
        use_cudnn: False computes the LSTM by Keras' own loop, which XLA compiles on CPUs
            and GPUs and which accepts any text. ``"auto"`` uses cuDNN's kernels on a GPU.
            The model cannot be compiled then: ``jit_compile="auto"`` does not compile it,
            True fails. A text that is all padding is refused. Without a GPU the two are
            the same. The setting is saved with the model.
        seed: Integer that seeds the initial weights and the dropout masks.
        name: Name of the model.

    Returns:
        A functional ``keras.Model`` from int32 word ids ``(batch_size, sequence_length)``
        to class probabilities ``(batch_size, num_classes)``.

    Raises:
        ValueError: If ``num_layers`` is below 1, or if ``vectors`` has another shape or
            holds NaN or infinity.

    Example:
    >>> model = keras_amp.backbones.bilstm_attention(100, 6, 12, embedding_dim=8, units=4)
    >>> model(np.ones((2, 12), "int32")).shape
    TensorShape([2, 6])

    Reference:
        Zhou et al., *Attention-Based Bidirectional Long Short-Term Memory Networks for
        Relation Classification*, ACL 2016.
    """
    if num_layers < 1:
        raise ValueError(
            f"Expected `num_layers` to be at least 1. Received: num_layers={num_layers}"
        )
    seeds = iter(layer_seeds(seed, 4 + 4 * num_layers))
    penalty = keras.regularizers.L2(l2) if l2 else None

    def lstm(**arguments: Any) -> keras.layers.LSTM:
        return SavedLSTM(
            units,
            return_sequences=True,
            kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
            recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
            kernel_regularizer=penalty,
            recurrent_regularizer=penalty,
            use_cudnn=use_cudnn,
            **arguments,
        )

    # === Layers ===
    embedding = word_embedding(
        vocabulary_size,
        embedding_dim,
        vectors,
        trainable=trainable_vectors,
        mask_zero=True,
        seed=next(seeds),
    )
    encoders = [
        # Keras would copy the forward layer, and begin with the same weights in both.
        keras.layers.Bidirectional(
            lstm(name="lstm"),
            backward_layer=lstm(go_backwards=True, name="backward_lstm"),
            name=f"bilstm_{i}",
        )
        for i in range(1, num_layers + 1)
    ]
    attend = AttentionPooling(
        keras.initializers.GlorotUniform(next(seeds)), penalty, name="attention"
    )
    sentence = keras.layers.Activation("tanh", name="sentence")
    drop = keras.layers.Dropout(dropout, seed=next(seeds), name="dropout")
    classify = keras.layers.Dense(
        num_classes,
        activation="softmax",
        kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
        kernel_regularizer=penalty,
        name="probabilities",
    )

    # === Functional Model ===
    ids = keras.Input((sequence_length,), dtype="int32", name="word_ids")
    states = embedding(ids)  # (batch_size, sequence_length, embedding_dim)
    for encode in encoders:
        states = encode(states)  # (batch_size, sequence_length, 2 * units)
    hidden = sentence(attend(states))  # (batch_size, 2 * units)
    return keras.Model(ids, classify(drop(hidden)), name=name)


@keras.saving.register_keras_serializable(package="keras_amp")
class SavedLSTM(keras.layers.LSTM):
    """An LSTM that keeps ``use_cudnn`` when it is copied or saved, unlike that of Keras.

    ``Bidirectional`` copies the layer that it is given, and a copy without
    ``use_cudnn=False`` cannot be compiled on a machine with a GPU.

    Example:
    >>> layer = SavedLSTM(3, use_cudnn=False)
    >>> SavedLSTM.from_config(layer.get_config()).use_cudnn
    False
    """

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "use_cudnn": self.use_cudnn}
