"""The layer that turns word ids into vectors."""

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray


def word_embedding(
    vocabulary_size: int,
    embedding_dim: int,
    vectors: ArrayLike | None = None,
    trainable: bool = True,
    mask_zero: bool = False,
    seed: int | None = None,
) -> keras.layers.Embedding:
    """Build the word embedding of a backbone, named ``"embedding"``.

    Args:
        vocabulary_size: Integer, number of word ids, with padding and unknown.
        embedding_dim: Integer, dimension of the word vectors.
        vectors: Float matrix ``(vocabulary_size, embedding_dim)``, whose row ``i`` is the
            initial vector of id ``i``, or None for random ones. They are weights, not
            settings: the config of a saved model does not hold them.
        trainable: Whether training changes the vectors.
        mask_zero: Whether id 0 is padding, which the layers above ignore.
        seed: Integer that seeds random vectors.

    Returns:
        A ``keras.layers.Embedding``.

    Raises:
        ValueError: If ``vectors`` has another shape, or holds NaN or infinity.

    Example:
    >>> vectors = np.arange(6, dtype="float32").reshape(3, 2)
    >>> word_embedding(3, 2, vectors)(np.array([[2, 0]])).numpy()
    array([[[4., 5.],
            [0., 1.]]], dtype=float32)
    """
    layer = keras.layers.Embedding(
        vocabulary_size,
        embedding_dim,
        # Kim's range; Keras' default of 0.05 trains more slowly.
        embeddings_initializer=keras.initializers.RandomUniform(-0.25, 0.25, seed=seed),
        mask_zero=mask_zero,
        trainable=trainable,
        name="embedding",
    )
    if vectors is not None:
        layer.build()
        layer.set_weights([_checked(vectors, (vocabulary_size, embedding_dim))])
    return layer


def _checked(given: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float32]:
    vectors = np.asarray(given, np.float32)
    if vectors.shape != shape:
        raise ValueError(
            "Expected `vectors` to have the shape (vocabulary_size, embedding_dim) = "
            f"{shape}, a row for every word id. Received: an array of shape "
            f"{vectors.shape}"
        )
    if not np.isfinite(vectors).all():
        row = int(np.argmin(np.isfinite(vectors).all(axis=1)))
        raise ValueError(
            "Expected `vectors` to hold finite numbers. Received: NaN or infinity, first "
            f"in row {row}"
        )
    return vectors
