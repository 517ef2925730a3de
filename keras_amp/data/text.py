"""From texts to word ids, once and outside of the model, and from ids to batches."""

import collections
import contextlib
import json
import numbers
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from keras_amp.data.tables import shortened

PADDING, UNKNOWN = 0, 1  # the first two ids of keras.layers.TextVectorization
PACKAGE = __name__.partition(".")[0]


@keras.saving.register_keras_serializable(package="keras_amp")
def separate_punctuation(texts: Any) -> Any:
    """Lower-case texts and put spaces around punctuation marks, except apostrophes.

    Every character that Python counts as white space becomes a space. NUL becomes one,
    too: TensorFlow would not lower-case what follows it.

    Args:
        texts: String tensor of any shape.

    Returns:
        A string tensor of the same shape.

    Example:
    >>> keras_amp.data.separate_punctuation("Who's there?").numpy()
    b"who's there ? "
    """
    # \s and `tf.strings.split` know the white space of ASCII only.
    spaced = tf.strings.regex_replace(texts, r"[\p{Z}\x{85}\x00\x0b\x1c-\x1f]", " ")
    lower = tf.strings.lower(spaced, encoding="utf-8")
    return tf.strings.regex_replace(lower, r"([^\p{L}\p{M}\p{N}\s'])", r" \1 ")


def split_words(texts: Sequence[str]) -> list[list[str]]:
    """Split texts into words, as ``fit_vectorizer`` does.

    Args:
        texts: Sequence of strings.

    Returns:
        A list with a list of strings for each text.

    Raises:
        ValueError: If ``texts`` is a single text, or holds something that is no text.

    Example:
    >>> keras_amp.data.split_words(["Who's there?", ""])
    [["who's", 'there', '?'], []]
    """
    words = tf.constant(as_texts(texts), tf.string)
    words = tf.strings.split(separate_punctuation(words))
    return [[word.decode() for word in row] for row in words.to_list()]


def fit_vectorizer(
    texts: Sequence[str],
    sequence_length: int | None = None,
    min_length: int = 1,
    vocabulary_size: int | None = None,
) -> keras.layers.TextVectorization:
    """Learn a vocabulary from the training texts.

    Args:
        texts: Sequence of strings, only those that are trained on, labelled or not.
        sequence_length: Integer, words per text: shorter texts are padded, longer ones
            are cut. None takes the length of the longest of ``texts``.
        min_length: Integer, the lower bound of what ``sequence_length=None`` takes, such
            as the width of the widest filter.
        vocabulary_size: Integer, how many of the most frequent words to keep, with
            padding and unknown; None keeps all.

    Returns:
        A ``keras.layers.TextVectorization``; id 0 is padding, 1 an unknown word.

    Raises:
        ValueError: If ``texts`` is a single text, or there is no word to learn.

    Example:
    >>> vectorizer = keras_amp.data.fit_vectorizer(["who is it ?", "it is me"])
    >>> vectorizer.vocabulary_size()
    7
    """
    texts = as_texts(texts)
    lengths = [len(words) for words in split_words(texts)]
    if not any(lengths):
        raise ValueError(
            "Expected words to learn the vocabulary from. Received: none in "
            f"{len(texts)} texts."
        )
    if vocabulary_size is not None and vocabulary_size <= UNKNOWN + 1:
        raise ValueError(
            "Expected `vocabulary_size` to leave room for a word besides padding and "
            f"unknown. Received: vocabulary_size={vocabulary_size!r}"
        )
    if sequence_length is None:
        sequence_length = max(min_length, *lengths)
    vectorizer = _vectorizer(sequence_length, max_tokens=vocabulary_size)
    vectorizer.adapt(tf.constant(texts))
    return vectorizer


def _vectorizer(sequence_length: int, **settings: Any) -> keras.layers.TextVectorization:
    return keras.layers.TextVectorization(
        standardize=separate_punctuation,
        split="whitespace",
        output_sequence_length=sequence_length,
        name="word_ids",
        **settings,
    )


def word_ids(
    vectorizer: keras.layers.TextVectorization, texts: Sequence[str]
) -> NDArray[np.int32]:
    """Turn texts into word ids, once, before the training.

    Args:
        vectorizer: A ``keras.layers.TextVectorization``.
        texts: Sequence of strings.

    Returns:
        An int32 array ``(len(texts), sequence_length)``.

    Raises:
        ValueError: If ``texts`` is a single text, or holds something that is no text.

    Example:
    >>> vectorizer = keras_amp.data.fit_vectorizer(["a b b"])
    >>> keras_amp.data.word_ids(vectorizer, ["b", "c a"])
    array([[2, 0, 0],
           [1, 3, 0]], dtype=int32)
    """
    given = tf.constant(as_texts(texts), tf.string)  # the type is for an empty list
    return np.asarray(vectorizer(given), dtype="int32")


class WordPreprocessor:
    """Turns texts into the inputs of a model on words, once and outside of the model.

    Texts are split at white space and punctuation marks, lower-cased and padded. Texts
    that are too long are cut: ``truncated`` counts them, and a warning names their
    number.

    Args:
        vocabulary: List of strings as ``TextVectorization.get_vocabulary()`` returns it:
            ``""`` for padding, ``"[UNK]"``, then the words.
        sequence_length: Integer, words per text.

    Attributes:
        truncated: Integer, number of texts cut so far.

    Raises:
        ValueError: If ``vocabulary`` is not a vocabulary (one that holds a word twice,
            for example), or ``sequence_length`` is not an integer >= 1.

    Example:
    >>> preprocess = keras_amp.data.WordPreprocessor(["", "[UNK]", "who", "?"], 4)
    >>> preprocess(["Who is it?", "Who?"])
    array([[2, 1, 1, 3],
           [2, 3, 0, 0]], dtype=int32)
    """

    FILE = "words.json"

    def __init__(self, vocabulary: Sequence[str], sequence_length: int) -> None:
        self.vocabulary = checked_vocabulary(vocabulary)
        whole = isinstance(sequence_length, numbers.Integral)  # NumPy's, too
        if not whole or sequence_length < 1:
            raise ValueError(
                "Expected `sequence_length` to be an integer >= 1. Received: "
                f"sequence_length={sequence_length!r}"
            )
        self.sequence_length = int(sequence_length)
        self.truncated = 0
        self._vectorizer = _vectorizer(self.sequence_length, vocabulary=self.vocabulary)

    def __call__(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """Turn texts into arrays.

        Args:
            texts: Sequence of strings.

        Returns:
            An int32 array ``(len(texts), sequence_length)``.
        """
        texts = as_texts(texts)
        lengths = np.array([len(words) for words in split_words(texts)], dtype="int64")
        self.truncated += report_cut(lengths, self.sequence_length, "words")
        return word_ids(self._vectorizer, texts)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the files that ``load`` reads into an existing folder."""
        state = {"sequence_length": self.sequence_length, "vocabulary": self.vocabulary}
        (Path(folder) / self.FILE).write_text(json.dumps(state), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Return the preprocessor that ``save`` has written into a folder."""
        state = json.loads((Path(folder) / cls.FILE).read_text(encoding="utf-8"))
        return cls(state["vocabulary"], state["sequence_length"])


def checked_vocabulary(vocabulary: object) -> list[str]:
    """Return a vocabulary as a list of strings; raise ValueError if it is not one."""
    expected = (
        "Expected `vocabulary` to be a list of different strings as "
        "TextVectorization.get_vocabulary() returns it: '' for padding, '[UNK]', then "
        "the words. Received: "
    )
    if isinstance(vocabulary, (str, bytes)) or not np.iterable(vocabulary):
        raise ValueError(f"{expected}{shortened(vocabulary)}")
    words = list(vocabulary)
    wrong = next((word for word in words if not isinstance(word, str)), None)
    if wrong is not None:
        raise ValueError(f"{expected}a list that holds {shortened(wrong)}")
    if words[: UNKNOWN + 1] != ["", "[UNK]"]:
        first = [str(word) for word in words[:3]]
        raise ValueError(f"{expected}a list that begins with {first}")
    if len(words) == UNKNOWN + 1:
        raise ValueError(f"{expected}a list without words")
    if len(set(words)) < len(words):
        twice = collections.Counter(words).most_common(1)[0][0]
        raise ValueError(f"{expected}a list that holds '{twice}' twice")
    return [str(word) for word in words]  # Keras gives NumPy's strings


def as_texts(texts: object) -> list[str]:
    """Return a sequence of texts as a list of strings.

    Raises:
        ValueError: If it is a single text, or holds something that is no text.
    """
    if isinstance(texts, (str, bytes)):
        raise ValueError(
            f"Expected a sequence of texts. Received: one text, {shortened(texts)}. Put "
            "it into a list."
        )
    if not np.iterable(texts):
        raise ValueError(f"Expected a sequence of texts. Received: {shortened(texts)}")
    texts = list(texts)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(
                f"Expected texts as strings. Received: {shortened(text)}, of type "
                f"{type(text).__name__}, at position {i}"
            )
        try:
            text.encode()
        except UnicodeEncodeError as error:  # half of a surrogate pair
            raise ValueError(
                f"Expected texts of whole characters. Received: {shortened(text)} at "
                f"position {i}, which UTF-8 cannot encode."
            ) from error
    return [str(text) for text in texts]


@contextlib.contextmanager
def without_cut_warning() -> Iterator[None]:
    """Hide the warning that texts were cut, where the number is said otherwise.

    Example:
    >>> import keras_amp
    >>> from keras_amp.data.text import without_cut_warning
    >>> prepare = keras_amp.data.WordPreprocessor(["", "[UNK]", "a"], sequence_length=2)
    >>> with without_cut_warning():
    ...     prepare(["a a a", "a"]).shape, prepare.truncated
    ((2, 2), 1)
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*were cut", category=UserWarning)
        yield


def report_cut(lengths: NDArray[np.integer], sequence_length: int, unit: str) -> int:
    """Warn if texts are longer than allowed, and return their number.

    Args:
        lengths: Integer array, the lengths of the texts.
        sequence_length: Integer, the greatest length allowed.
        unit: Unit of the lengths, such as ``"words"``.
    """
    cut = int(np.sum(lengths > sequence_length))
    if cut:
        warnings.warn(
            f"{cut} of {len(lengths)} texts have more than "
            f"sequence_length={sequence_length} {unit} and were cut; the longest has "
            f"{lengths.max()}.",
            stacklevel=_callers_level(),
        )
    return cut


def _callers_level() -> int:
    """Return the ``stacklevel`` with which a warning names the user's line."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and _package(frame) == PACKAGE:
        frame, level = frame.f_back, level + 1
    return level


def _package(frame: FrameType) -> str:
    return frame.f_globals.get("__name__", "").partition(".")[0]


def batches(
    inputs: Any,
    labels: Sequence[Any] | NDArray[Any],
    batch_size: int,
    seed: int | None = None,
) -> tf.data.Dataset:
    """Make a ``tf.data`` pipeline of batches from arrays.

    Args:
        inputs: Array ``(num_examples, ...)``, or a structure of them, such as a dict.
        labels: Array ``(num_examples,)``.
        batch_size: Integer; the last batch may be smaller.
        seed: Integer that determines the order of each epoch; None does not shuffle.

    Returns:
        A ``tf.data.Dataset`` of ``(inputs, labels)`` batches.

    Raises:
        ValueError: If the numbers of labels and examples differ.

    Example:
    >>> dataset = keras_amp.data.batches(np.zeros((5, 3)), np.arange(5), 2)
    >>> [len(y) for _, y in dataset]
    [2, 2, 1]
    """
    sizes = {len(array) for array in keras.tree.flatten(inputs)}
    if sizes != {len(labels)}:
        raise ValueError(
            "Expected one label for each example. Received: "
            f"{' and '.join(map(str, sorted(sizes)))} examples with {len(labels)} labels."
        )
    examples = keras.tree.map_structure(tf.constant, (inputs, labels))
    positions = tf.data.Dataset.range(len(labels))
    if seed is not None:
        positions = positions.shuffle(max(len(labels), 1), seed=seed)
    # Only positions are shuffled; the examples are gathered for each batch.
    gathered = positions.batch(batch_size).map(
        lambda chosen: keras.tree.map_structure(lambda x: tf.gather(x, chosen), examples),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return gathered.prefetch(tf.data.AUTOTUNE)
