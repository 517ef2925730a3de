"""From texts to word ids, outside the model and once, and from ids to batches."""

import json
import warnings
from pathlib import Path

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


def split_words(texts):
    """Splits texts into words as ``fit_vectorizer`` counts them.

    Args:
        texts: Sequence of strings.

    Returns:
        A list with a list of strings for each text.

    Example:
    >>> keras_amp.data.split_words(["Who's there?", ""])
    [["who's", 'there', '?'], []]
    """
    words = tf.strings.split(separate_punctuation(tf.constant(list(texts), tf.string)))
    return [[word.decode() for word in row] for row in words.to_list()]


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
    texts = list(texts)
    if sequence_length is None:
        sequence_length = max(min_length, *map(len, split_words(texts)))
    vectorizer = _vectorizer(sequence_length, max_tokens=vocabulary_size)
    vectorizer.adapt(tf.constant(texts))
    return vectorizer


def _vectorizer(sequence_length, **settings):
    return keras.layers.TextVectorization(
        standardize=separate_punctuation,
        split="whitespace",
        output_sequence_length=sequence_length,
        name="word_ids",
        **settings,
    )


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


class WordPreprocessor:
    """Turns texts into the inputs of a model on words: outside the model, and once.

    Texts are split at white space and punctuation marks, lower-cased and padded. A longer
    text is cut; how many were is counted in ``truncated`` and said in a warning.

    Args:
        vocabulary: List of strings as ``TextVectorization.get_vocabulary()`` returns it:
            ``""`` for padding, ``"[UNK]"``, then the words.
        sequence_length: Integer, words per text.

    Attributes:
        truncated: Integer, number of texts cut so far.

    Raises:
        ValueError: If a word stands twice in the vocabulary.

    Example:
    >>> preprocess = keras_amp.data.WordPreprocessor(["", "[UNK]", "who", "?"], 4)
    >>> preprocess(["Who is it?", "Who?"])
    array([[2, 1, 1, 3],
           [2, 3, 0, 0]], dtype=int32)
    """

    FILE = "words.json"

    def __init__(self, vocabulary, sequence_length):
        self.vocabulary = [str(word) for word in vocabulary]
        self.sequence_length = int(sequence_length)
        self.truncated = 0
        self._vectorizer = _vectorizer(self.sequence_length, vocabulary=self.vocabulary)

    def __call__(self, texts):
        """Turns texts into arrays.

        Args:
            texts: Sequence of strings.

        Returns:
            An int32 array ``(len(texts), sequence_length)``.
        """
        texts = as_texts(texts)
        lengths = np.array([len(words) for words in split_words(texts)], dtype="int64")
        self.truncated += report_cut(lengths, self.sequence_length, "words")
        if not texts:
            return np.zeros((0, self.sequence_length), "int32")
        return word_ids(self._vectorizer, texts)

    def save(self, folder):
        """Writes what ``load`` needs into an existing folder."""
        state = {"sequence_length": self.sequence_length, "vocabulary": self.vocabulary}
        (Path(folder) / self.FILE).write_text(json.dumps(state), encoding="utf-8")

    @classmethod
    def load(cls, folder):
        """Returns the preprocessor that ``save`` has written into a folder."""
        state = json.loads((Path(folder) / cls.FILE).read_text(encoding="utf-8"))
        return cls(state["vocabulary"], state["sequence_length"])


def as_texts(texts):
    """A sequence of texts as a list of strings; raises ValueError for a single text."""
    if isinstance(texts, (str, bytes)):
        raise ValueError(
            f"Expected a sequence of texts. Received: one text, {texts!r}. Put it into a "
            "list."
        )
    return [str(text) for text in texts]


def report_cut(lengths, sequence_length, unit):
    """Warns if texts are longer than allowed; returns how many are.

    Args:
        lengths: Integer array, the texts' lengths.
        sequence_length: Integer, the most allowed.
        unit: What the lengths count, such as ``"words"``.
    """
    cut = int(np.sum(lengths > sequence_length))
    if cut:
        warnings.warn(
            f"{cut} of {len(lengths)} texts have more than "
            f"sequence_length={sequence_length} {unit} and were cut; the longest has "
            f"{lengths.max()}.",
            stacklevel=4,
        )
    return cut


def batches(inputs, labels, batch_size, seed=None):
    """Makes a ``tf.data`` pipeline of batches from arrays.

    Args:
        inputs: Array ``(num_examples, ...)``, or a structure of them, such as a dict.
        labels: Array ``(num_examples,)``.
        batch_size: Integer; the last batch may be smaller.
        seed: Integer to shuffle anew in every epoch, always in the same orders; None
            leaves the examples as they are.

    Returns:
        A ``tf.data.Dataset`` of ``(inputs, labels)`` batches.

    Example:
    >>> dataset = keras_amp.data.batches(np.zeros((5, 3)), np.arange(5), 2)
    >>> [len(y) for _, y in dataset]
    [2, 2, 1]
    """
    examples = keras.tree.map_structure(tf.constant, (inputs, labels))
    positions = tf.data.Dataset.range(len(labels))
    if seed is not None:
        positions = positions.shuffle(len(labels), seed=seed)
    # Only positions are shuffled; the examples themselves are gathered batch by batch.
    gathered = positions.batch(batch_size).map(
        lambda chosen: keras.tree.map_structure(lambda x: tf.gather(x, chosen), examples),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return gathered.prefetch(tf.data.AUTOTUNE)
