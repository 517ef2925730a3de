"""Kim's convolutional network for sentences."""

import keras
from numpy.typing import ArrayLike

from keras_amp.backbones.embedding import word_embedding
from keras_amp.backbones.seeding import layer_seeds
from keras_amp.validation import check_number


def text_cnn(
    vocabulary_size: int,
    num_classes: int,
    sequence_length: int,
    embedding_dim: int = 300,
    filters: int = 100,
    kernel_sizes: tuple[int, ...] = (3, 4, 5),
    dropout: float = 0.5,
    l2: float = 1e-8,
    convolution_gain: float | None = None,
    vectors: ArrayLike | None = None,
    trainable_vectors: bool = True,
    seed: int | None = None,
    name: str = "text_cnn",
) -> keras.Model:
    """Build Kim's CNN (EMNLP 2014) with the settings of the paper.

    Words are embedded and convolved with filters of several widths, and each feature map
    is pooled to its maximum over time. The pooled features of all widths represent the
    sentence. Padding is treated as an ordinary word, as in Kim's program. Mix words after
    ``"embedding"`` and sentences after ``"sentence"``
    (``keras_amp.backbones.MIX_POINTS``).

    Args:
        vocabulary_size: Integer, number of word ids, with padding and unknown.
        num_classes: Integer >= 2.
        sequence_length: Integer, words per text; at least the width of the widest filter.
        embedding_dim: Integer, dimension of the word vectors.
        filters: Integer, feature maps per filter width.
        kernel_sizes: Filter widths, in words.
        dropout: Float in [0, 1), dropout rate of the sentence.
        l2: Float >= 0, weight of the L2 penalty on the convolutions and the classifier.
        convolution_gain: Float > 0. The convolutions' kernels are drawn from Glorot's
            (Xavier's) normal distribution with this gain (the authors' program: 2). None
            draws them from Glorot's uniform distribution.
        vectors: Float matrix ``(vocabulary_size, embedding_dim)`` of initial word
            vectors, or None for random ones.
        trainable_vectors: Whether training changes the word vectors, given or random.
        seed: Integer that seeds the initial weights and the dropout masks.
        name: Name of the model.

    Returns:
        A functional ``keras.Model`` from int32 word ids ``(batch_size, sequence_length)``
        to class probabilities ``(batch_size, num_classes)``.

    Raises:
        ValueError: If the widest filter is longer than the texts; if the gain is not
            positive; if ``vectors`` has another shape or holds NaN or infinity.

    Example:
    >>> model = keras_amp.backbones.text_cnn(100, 6, 12, embedding_dim=8, filters=4)
    >>> model(np.ones((2, 12), "int32")).shape
    TensorShape([2, 6])

    Reference:
        Kim, *Convolutional Neural Networks for Sentence Classification*, EMNLP 2014.
    """
    if sequence_length < max(kernel_sizes):
        raise ValueError(
            "Expected `sequence_length` to hold the widest filter. Received: "
            f"sequence_length={sequence_length}, kernel_sizes={tuple(kernel_sizes)}. Pad "
            "the texts to more words."
        )
    if convolution_gain is not None:
        check_number("convolution_gain", convolution_gain, above=0)
    seeds = iter(layer_seeds(seed, 3 + len(kernel_sizes)))
    penalty = keras.regularizers.L2(l2) if l2 else None

    # === Layers ===
    embedding = word_embedding(
        vocabulary_size,
        embedding_dim,
        vectors,
        trainable=trainable_vectors,
        seed=next(seeds),
    )
    convolutions = [
        keras.layers.Conv1D(
            filters,
            width,
            activation="relu",
            kernel_initializer=_initializer(convolution_gain, next(seeds)),
            kernel_regularizer=penalty,
            name=f"convolution_{width}",
        )
        for width in kernel_sizes
    ]
    pools = [
        keras.layers.GlobalMaxPooling1D(name=f"pool_{width}") for width in kernel_sizes
    ]
    sentence = keras.layers.Concatenate(name="sentence")
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
    words = embedding(ids)  # (batch_size, sequence_length, embedding_dim)
    features = [
        pool(convolve(words)) for convolve, pool in zip(convolutions, pools, strict=True)
    ]  # each (batch_size, filters)
    hidden = sentence(features)  # (batch_size, len(kernel_sizes) * filters)
    return keras.Model(ids, classify(drop(hidden)), name=name)


def _initializer(gain: float | None, seed: int | None) -> keras.Initializer:
    if gain is None:
        return keras.initializers.GlorotUniform(seed)
    # Keras' GlorotNormal is truncated at two standard deviations; this one is not.
    return keras.initializers.VarianceScaling(
        gain**2, "fan_avg", "untruncated_normal", seed
    )
