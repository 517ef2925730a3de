"""From texts to word ids, outside the model and once, and from ids to batches."""

import keras
import numpy as np
import tensorflow as tf

PADDING, UNKNOWN = 0, 1  # the first two ids of keras.layers.TextVectorization


@keras.saving.register_keras_serializable(package="keras_amp")
def separate_punctuation(texts):
    """Lower-cases texts and puts spaces around punctuation marks, apostrophes apart.

    Args:
        texts: String tensor of any shape.

    Returns:
        A string tensor of the same shape.

    Example:
    >>> keras_amp.data.separate_punctuation("Who's there?").numpy()
    b"who's there ? "
    """
    lower = tf.strings.lower(texts, encoding="utf-8")
    return tf.strings.regex_replace(lower, r"([^\p{L}\p{M}\p{N}\s'])", r" \1 ")


def fit_vectorizer(texts, sequence_length=None, min_length=1, vocabulary_size=None):
    """Learns a vocabulary from the training texts.

    Args:
        texts: Sequence of strings, of the training split only.
        sequence_length: Integer, words per text: shorter texts are padded, longer ones
            cut. None for the longest of ``texts``.
        min_length: Integer, the least that ``sequence_length=None`` may come to, such as
            the width of the widest filter.
        vocabulary_size: Integer, the most frequent words to keep, padding and unknown
            included; None keeps all.

    Returns:
        A ``keras.layers.TextVectorization``; id 0 is padding, 1 an unknown word.

    Example:
    >>> vectorizer = keras_amp.data.fit_vectorizer(["who is it ?", "it is me"])
    >>> vectorizer.vocabulary_size()
    7
    """
    texts = tf.constant(list(texts))
    if sequence_length is None:
        words = tf.strings.split(separate_punctuation(texts))
        sequence_length = max(int(tf.reduce_max(words.row_lengths())), min_length)
    vectorizer = keras.layers.TextVectorization(
        max_tokens=vocabulary_size,
        standardize=separate_punctuation,
        split="whitespace",
        output_sequence_length=sequence_length,
        name="word_ids",
    )
    vectorizer.adapt(texts)
    return vectorizer


def word_ids(vectorizer, texts):
    """Turns texts into word ids, once, before training.

    Args:
        vectorizer: A ``keras.layers.TextVectorization``.
        texts: Sequence of strings.

    Returns:
        An int32 array ``(len(texts), sequence_length)``.

    Example:
    >>> vectorizer = keras_amp.data.fit_vectorizer(["a b b"])
    >>> keras_amp.data.word_ids(vectorizer, ["b", "c a"])
    array([[2, 0, 0],
           [1, 3, 0]], dtype=int32)
    """
    return np.asarray(vectorizer(tf.constant(list(texts))), dtype="int32")


def batches(ids, labels, batch_size, seed=None):
    """Makes a ``tf.data`` pipeline of batches from arrays.

    Args:
        ids: Array ``(num_examples, ...)``.
        labels: Array ``(num_examples,)``.
        batch_size: Integer; the last batch may be smaller.
        seed: Integer to shuffle anew in every epoch, always in the same orders; None
            leaves the examples as they are.

    Returns:
        A ``tf.data.Dataset`` of ``(ids, labels)`` batches.

    Example:
    >>> dataset = keras_amp.data.batches(np.zeros((5, 3)), np.arange(5), 2)
    >>> [len(y) for _, y in dataset]
    [2, 2, 1]
    """
    ids, labels = tf.constant(ids), tf.constant(labels)
    positions = tf.data.Dataset.range(len(labels))
    if seed is not None:
        positions = positions.shuffle(len(labels), seed=seed)
    # Only positions are shuffled; the examples themselves are gathered batch by batch.
    gathered = positions.batch(batch_size).map(
        lambda chosen: (tf.gather(ids, chosen), tf.gather(labels, chosen)),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return gathered.prefetch(tf.data.AUTOTUNE)
