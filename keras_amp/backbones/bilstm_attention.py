"""Bidirectional LSTM with attention over the words."""

import keras

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
    vectors=None,
    trainable_vectors: bool = True,
    use_cudnn: bool | str = False,
    seed: int | None = None,
    name: str = "bilstm_attention",
):
    """Builds a bidirectional LSTM with attention, with the settings of the paper.

    Words are embedded and read in both directions; attention with a single vector over
    tanh of the states weighs the words, and tanh of their weighted mean is the sentence
    (Zhou et al., ACL 2016). Padding (id 0) is passed over and receives no attention; in a
    mixed pair the longer of the two texts counts. Mix words behind ``"embedding"`` and
    sentences behind ``"sentence"`` (``keras_amp.backbones.MIX_POINTS``).

    Dropout falls on the sentence alone, as in ``text_cnn``. The paper gives a rate and no
    place; noise on the words would also fall below the place where words are mixed.

    Args:
        vocabulary_size: Integer, number of word ids, padding and unknown included.
        num_classes: Integer >= 2.
        sequence_length: Integer, words per text.
        embedding_dim: Integer, width of a word's vector.
        units: Integer, width of the state in **each** direction: the default 512 makes
            states, and the sentence, 1024 wide, the paper's hidden size.
        num_layers: Integer >= 1, LSTMs on top of each other (the paper: 1; the authors'
            program: 2).
        dropout: Float in [0, 1), on the sentence.
        l2: Float >= 0, weight of the L2 penalty on the LSTMs' kernels, the attention's
            vector and the classifier.
        vectors: Float matrix ``(vocabulary_size, embedding_dim)`` of word vectors to
            begin with, or None for random ones.
        trainable_vectors: Whether training changes the word vectors, given or random.
        use_cudnn: False to compute the LSTM by Keras' own loop: compiles with XLA, on
            CPU and GPU, and takes any text. ``"auto"`` uses cuDNN's kernels where there
            is a GPU; the model is then not compiled (``jit_compile="auto"`` sees to it,
            True fails), and a text of nothing but padding is refused. Without a GPU the
            two are the same. Saved with the model.
        seed: Integer that seeds the initial weights and the dropout masks.
        name: Name of the model.

    Returns:
        A functional ``keras.Model`` from int32 word ids ``(batch_size, sequence_length)``
        to class probabilities ``(batch_size, num_classes)``.

    Raises:
        ValueError: If ``num_layers`` is below 1, or ``vectors`` has another shape or
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

    def lstm(**arguments):
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
        # A backward layer of its own: Keras' copy would begin with the same weights.
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
    """An LSTM that keeps ``use_cudnn`` when it is copied or saved; Keras' own loses it.

    ``Bidirectional`` copies the layer it is given, and a copy that has forgotten
    ``use_cudnn=False`` refuses to be compiled on a machine with a GPU.

    Example:
    >>> layer = SavedLSTM(3, use_cudnn=False)
    >>> SavedLSTM.from_config(layer.get_config()).use_cudnn
    False
    """

    def get_config(self):
        """Returns the arguments that rebuild this layer."""
        return {**super().get_config(), "use_cudnn": self.use_cudnn}
