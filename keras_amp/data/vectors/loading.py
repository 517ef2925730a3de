"""``load_vectors``: pretrained word vectors for the words of a vocabulary."""

import math
import numbers
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_amp.data.tables import shortened
from keras_amp.data.text import PADDING, UNKNOWN, checked_vocabulary
from keras_amp.data.vectors.cache import entry_path, read_entry, write_entry
from keras_amp.data.vectors.files import locate
from keras_amp.data.vectors.reading import read


@dataclass(frozen=True, eq=False, repr=False)
class Vectors:
    """Word vectors for a vocabulary.

    Attributes:
        matrix: Float32 array ``(len(vocabulary) + len(added), dim)``, one row for each
            word; row 0, which stands for padding, is zeros.
        found: Boolean array ``(len(vocabulary) + len(added),)``, whether the word has a
            pretrained vector; False for padding and unknown.
        added: Tuple of the ``extra_words`` that have a pretrained vector. Theirs are the
            last rows of ``matrix`` and ``found``.

    Example:
    >>> from keras_amp.data import Vectors
    >>> vectors = Vectors(np.ones((4, 50), "float32"), np.array([False] * 3 + [True]))
    >>> vectors, vectors.coverage
    (Vectors(50d, 1 of 2 words, 50.0%), 0.5)
    """

    matrix: NDArray[np.float32]
    found: NDArray[np.bool_]
    added: tuple[str, ...] = ()

    @property
    def coverage(self) -> float:
        """Share of the vocabulary's words that have a vector, between 0 and 1.

        Padding, unknown and the words added are not counted.
        """
        return float(self._found_in_vocabulary.mean())

    @property
    def _found_in_vocabulary(self) -> NDArray[np.bool_]:
        return self.found[UNKNOWN + 1 : len(self.found) - len(self.added)]

    def __repr__(self) -> str:
        found = self._found_in_vocabulary
        added = f" and {len(self.added)} more" if self.added else ""
        return (
            f"Vectors({self.matrix.shape[1]}d, {found.sum()} of {len(found)} words, "
            f"{self.coverage:.1%}{added})"
        )


def load_vectors(
    path: str | os.PathLike[str],
    vocabulary: Sequence[str],
    ignore_case: bool = False,
    fill_range: float | None = None,
    seed: int = 0,
    data_dir: str | os.PathLike[str] | None = None,
    cache: bool = True,
    extra_words: Iterable[str] = (),
) -> Vectors:
    """Load pretrained word vectors for the words of a vocabulary.

    The file is text. Each line holds a word and its numbers, separated by single spaces
    (GloVe's format); a first line ``count dim`` may precede them (word2vec's format). The
    file is plain (``.txt``, ``.vec``) or compressed (``.gz``, or a ``.zip`` with one text
    file). It is read in one pass, a block at a time, so that its size does not matter.
    Words may contain spaces, as a few of GloVe 840B do: the numbers are the last ``dim``
    fields. Bytes that are not UTF-8 are accepted. If a word occurs twice, its first
    vector is taken.

    Every line is checked for its number of fields and for characters that no number has,
    so that ``nan`` is found in any line. Only the numbers of the words of the vocabulary
    are parsed and checked to be finite. A number with a decimal point in what would be
    the word, after a space, means that the line has too many numbers. The dimension is
    that of the header or, without one, of most of the first 100 lines.

    A name (``"glove.840B.300d"``, or ``"glove.6B.50d"``, ``100d``, ``200d``, ``300d``) is
    looked up in the folder ``vectors`` of ``data_dir``, then of the folder that the
    environment variable ``KERAS_AMP_DATA`` names, then in the cache. Otherwise its
    archive is downloaded into the cache: 2.2 GB for 840B, 0.9 GB for 6B. Stanford
    publishes no SHA-256, so a download is checked by the CRC-32 checksums inside the zip.
    Files of your own in those folders are found by their names, too. The environment
    variable ``KERAS_AMP_MIRROR`` names another server, ``KERAS_AMP_CACHE`` another folder
    for the cache than the one in the Keras cache.

    Args:
        path: Path of a file, or a name.
        vocabulary: List of strings as ``TextVectorization.get_vocabulary()`` returns it:
            ``""`` for padding, ``"[UNK]"``, then the words.
        ignore_case: Whether a word that has no vector takes that of the first word in the
            file that differs from it in case only, such as "Denver" for "denver".
        fill_range: Float >= 0. The vectors of ``[UNK]`` and of words that have none are
            drawn uniformly from ``[-fill_range, fill_range]``. None chooses the range
            that has the standard deviation of the numbers found, as Kim (2014) did.
        seed: Integer >= 0 that determines those draws.
        data_dir: Folder with public data; None for none.
        cache: Whether to keep the vectors of the vocabulary in the cache, and to take
            them from there the next time. The key is made of the file's path, size and
            modification time, the words and ``ignore_case``; the 64 most recently used
            entries are kept.
        extra_words: Collection of strings, such as the words of the texts to predict.
            Those that have a vector are added after the vocabulary, in alphabetical
            order. The vocabulary's own vectors do not depend on them.

    Returns:
        A ``Vectors``, with ``matrix``, ``found`` and ``coverage``.

    Raises:
        ValueError: If the name is unknown; if the file is of another type, empty or
            damaged; if a line is damaged (the message has its number); if ``vocabulary``
            is not a vocabulary, or none of its words has a vector.
        FileNotFoundError: If the file or ``data_dir`` is missing.
        ConnectionError: If a download fails.

    Example:
    >>> with open("mine.txt", "w") as file:
    ...     print("who 0.25 -0.5", file=file)
    ...     print("it -0.75 1.5", file=file)
    >>> vectorizer = keras_amp.data.fit_vectorizer(["who is it ?"])
    >>> words = vectorizer.get_vocabulary()
    >>> vectors = keras_amp.data.load_vectors("mine.txt", words, cache=False)
    >>> vectors, vectors.matrix[words.index("who")]
    (Vectors(2d, 2 of 4 words, 50.0%), array([ 0.25, -0.5 ], dtype=float32))

    Reference:
        Kim, Convolutional Neural Networks for Sentence Classification, EMNLP 2014.
    """
    vocabulary = checked_vocabulary(vocabulary)
    _check_fill(fill_range, seed)
    position = {word: row for row, word in enumerate(vocabulary)}
    extra = _checked_extra(extra_words).difference(position)
    # Sorted, so that all divisions of the same words share one entry of the cache.
    words = [*vocabulary[: UNKNOWN + 1], *sorted([*vocabulary[UNKNOWN + 1 :], *extra])]
    file, member = locate(os.fspath(path), data_dir)
    entry = entry_path(file, member, words, ignore_case) if cache else None
    kept = read_entry(entry, len(words)) if entry else None
    if kept is None or not any(words[row] in position for row in kept[0]):
        kept = read(file, member, words, ignore_case, vocabulary)
        if entry:
            write_entry(entry, *kept)
    rows, vectors = kept
    is_own = np.array([words[row] in position for row in rows])
    places = [position[words[row]] for row in rows[is_own]]
    own, added = vectors[is_own], tuple(words[row] for row in rows[~is_own])
    if fill_range is None:
        # A uniform distribution from -a to a has the standard deviation a / sqrt(3).
        fill_range = math.sqrt(3) * float(own.std(dtype="float64"))
    # Draw every row, so that a word's draw does not depend on which words were found.
    shape = len(vocabulary), vectors.shape[1]
    draws = np.random.default_rng(seed).random(shape, dtype="float32")
    matrix = (2 * draws - 1) * np.float32(fill_range)
    matrix[places] = own
    matrix[PADDING] = 0
    found = np.zeros(len(vocabulary), dtype=bool)
    found[places] = True
    return Vectors(
        np.concatenate([matrix, vectors[~is_own]]),
        np.concatenate([found, np.ones(len(added), dtype=bool)]),
        added,
    )


def _checked_extra(words: Iterable[str]) -> set[str]:
    """Return the extra words as a set of strings; raise if they are something else."""
    expected = "Expected `extra_words` to be a collection of strings. Received: "
    if isinstance(words, (str, bytes)) or not np.iterable(words):
        raise ValueError(f"{expected}{shortened(words)}")
    words = list(words)
    wrong = next((word for word in words if not isinstance(word, str)), None)
    if wrong is not None:
        raise ValueError(f"{expected}one that holds {shortened(wrong)}")
    return {str(word) for word in words}


def _check_fill(fill_range: Any, seed: Any) -> None:
    real = isinstance(fill_range, numbers.Real) and not isinstance(fill_range, bool)
    if fill_range is not None and not (real and 0 <= fill_range < math.inf):
        raise ValueError(
            "Expected `fill_range` to be a number >= 0, or None. "
            f"Received: fill_range={fill_range!r}"
        )
    if not isinstance(seed, numbers.Integral) or isinstance(seed, bool) or seed < 0:
        raise ValueError(
            f"Expected `seed` to be an integer >= 0. Received: seed={seed!r}"
        )
