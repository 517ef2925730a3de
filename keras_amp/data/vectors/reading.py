"""Reading the vectors of some words from a text file, in one pass."""

import collections
import itertools
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from keras_amp.data.text import UNKNOWN
from keras_amp.data.vectors.files import open_vectors

BLOCK = 1 << 20  # bytes read at a time, decompressed
LONGEST_LINE = 1 << 20  # bytes; 300 numbers take about 3 000
HEAD = 100  # lines from which the dimension is inferred
NUMERIC = b"0123456789.-+eE "


def read(
    path: Path,
    member: str | None,
    words: list[str],
    ignore_case: bool,
    vocabulary: list[str],
) -> tuple[NDArray[np.integer], NDArray[np.float32]]:
    """Read the vectors of some words.

    Args:
        path: ``Path`` of the file.
        member: Name of the text file inside a zip; None for the only one.
        words: List of strings; the first two, padding and unknown, get no vector.
        ignore_case: As ``load_vectors``.
        vocabulary: List of strings, at least one of which must have a vector.

    Returns:
        A tuple ``(rows, vectors)``: positions in ``words``, in ascending order, and a
        float32 array ``(len(rows), dim)``.

    Raises:
        ValueError: If the file is damaged, or has none of the words in ``vocabulary``.
    """
    wanted = _Wanted(words, ignore_case)
    count = 0
    with open_vectors(path, member) as (stream, update_progress):
        lines = _lines(path, stream, update_progress)
        head = list(itertools.islice(lines, HEAD))
        dim, announced, because = _dimension(path, head)
        vectors = np.zeros((len(words), dim), dtype="float32")
        first = 0 if announced is None else 1
        remaining = itertools.chain(head[first:], lines)
        for number, line in enumerate(remaining, first + 1):
            line = line.rstrip(b" \r")
            if not line:
                continue
            word, fields = _word_and_numbers(line, dim)
            rows = [] if fields is None else wanted.take(word)
            vector = _vector(fields) if fields and rows else None
            if fields is None or (rows and vector is None):
                raise _damaged(path, dim, because, number, line)
            count += 1
            if rows:
                vectors[rows] = vector
    if announced not in (None, count):
        warnings.warn(
            f"Expected {announced} vectors, as the first line of {path} says. Received: "
            f"{count}; the file may have been cut short.",
            stacklevel=3,
        )
    found = np.flatnonzero(wanted.found)
    own = set(vocabulary)
    if not any(words[row] in own for row in found):
        raise _none_found(path, dim, head[first:], vocabulary)
    return found, vectors[found]


class _Wanted:
    """The words whose vectors are looked for, and which of them were found.

    Args:
        words: List of strings; the first two, padding and unknown, are not looked for.
        ignore_case: As ``load_vectors``.

    Attributes:
        found: Boolean array ``(len(words),)``.
    """

    def __init__(self, words: list[str], ignore_case: bool) -> None:
        self.found, self._exact = np.zeros((2, len(words)), dtype=bool)
        self._rows: dict[bytes, int] = {}
        self._rows_ignoring_case: dict[str, list[int]] = collections.defaultdict(list)
        for row, word in enumerate(words):
            if row > UNKNOWN:
                self._rows[word.encode("utf-8", "surrogatepass")] = row
                if ignore_case:
                    self._rows_ignoring_case[word.lower()].append(row)

    def take(self, word: bytes) -> list[int]:
        """Return the rows, as a list, that take the vector of a word of the file.

        A word's own vector has precedence over that of one that differs in case; of
        several vectors the first one does.
        """
        rows = []
        row = self._rows.get(word)
        if row is not None and not self._exact[row]:
            self._exact[row] = True
            rows.append(row)
        if self._rows_ignoring_case:
            lower = word.decode("utf-8", "replace").lower()
            others = self._rows_ignoring_case.get(lower, ())
            rows += [row for row in others if not self.found[row]]
        if rows:
            self.found[rows] = True
        return rows


def _word_and_numbers(line: bytes, dim: int) -> tuple[bytes, bytes | None]:
    """Split a line; the second value is None if the line is damaged.

    The numbers are checked for strange characters, but are not parsed.
    """
    spaces = line.count(b" ")
    if spaces < dim:
        return line, None
    if spaces == dim:
        word, _, fields = line.partition(b" ")
    else:
        word, *numbers = line.rsplit(b" ", dim)
        if any(b"." in field and _is_number(field) for field in word.split(b" ")[1:]):
            return line, None
        fields = b" ".join(numbers)
    return word, None if fields.translate(None, NUMERIC) else fields


def _none_found(
    path: Path, dim: int, head: list[bytes], vocabulary: list[str]
) -> ValueError:
    """Return the error that says that a file has no word of the vocabulary."""
    first = [line.rsplit(b" ", dim)[0] for line in head if line.strip()][:5]
    there = ", ".join(repr(word.decode("utf-8", "replace")) for word in first)
    here = ", ".join(map(repr, vocabulary[UNKNOWN + 1 :][:5]))
    return ValueError(
        "Expected vectors for some words of `vocabulary`, which begins with "
        f"{here}. Received: {path}, which has none of its words and begins with "
        f"{there or 'no words'}. Words must agree in case, too, unless "
        "`ignore_case=True`."
    )


def _lines(
    path: Path, stream: IO[bytes], update_progress: Callable[[], None]
) -> Iterator[bytes]:
    """Yield the lines of a stream, without their ends, in bounded memory."""
    count, rest = 0, b""
    while block := stream.read(BLOCK):
        update_progress()
        # Only this byte ends a line: words may hold Unicode's line separators.
        *lines, rest = (rest + block).split(b"\n")
        if count == 0 and lines:
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")  # a byte order mark
        count += len(lines)
        if len(rest) > LONGEST_LINE:
            raise ValueError(
                f"Expected lines of a word and its numbers. Received: {path}, line "
                f"{count + 1}, of more than {LONGEST_LINE} bytes: {_excerpt(rest)}"
            )
        yield from lines
    if rest:
        yield rest.removeprefix(b"\xef\xbb\xbf") if count == 0 else rest


def _dimension(path: Path, head: list[bytes]) -> tuple[int, int | None, str]:
    """Return the dimension, the header's number of vectors or None, and the reason."""
    lines = [(i, line.rstrip(b" \r")) for i, line in enumerate(head, 1) if line.strip()]
    if not lines:
        raise ValueError(f"Expected word vectors. Received: {path}, which is empty.")
    header = lines[0][1].split(b" ")
    if lines[0][0] == 1 and len(header) == 2 and all(f.isdigit() for f in header):
        count, dim = map(int, header)
        because = f"as its header, '{count} {dim}', says"
        if len(lines) == 1:
            raise ValueError(
                f"Expected word vectors. Received: {path}, which holds a header only."
            )
        if dim == 0:
            raise ValueError(
                "Expected a header of the number of vectors and their dimension, >= 1. "
                f"Received: {path}, line 1: {_excerpt(lines[0][1])}"
            )
        # Check it before memory is allocated for a dimension that may be nonsense.
        if lines[1][1].count(b" ") < dim:
            raise _damaged(path, dim, because, *lines[1])
        return dim, count, because
    # Count the numbers at the end of each line; damaged lines, and words that end in a
    # number, are in the minority.
    widths = collections.Counter(_width(line) for _, line in lines)
    dim = widths.most_common(1)[0][0]
    if dim == 0:
        raise ValueError(
            "Expected lines of a word and its numbers, separated by single spaces. "
            f"Received: {path}, line {lines[0][0]}: {_excerpt(lines[0][1])}"
        )
    return dim, None, "as its first lines have"


def _width(line: bytes) -> int:
    """Count the numbers at the end of a line; its first field is always the word."""
    fields = reversed(line.split(b" ")[1:])
    return sum(1 for _ in itertools.takewhile(_is_number, fields))


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _vector(fields: bytes) -> NDArray[np.float32] | None:
    """Parse numbers; return None if one of them is damaged or does not fit a float32."""
    try:
        vector = np.array([float(field) for field in fields.split(b" ")])
    except ValueError:
        return None
    with np.errstate(over="ignore"):
        narrow = vector.astype(np.float32)
    return narrow if np.isfinite(narrow).all() else None


def _damaged(path: Path, dim: int, because: str, number: int, line: bytes) -> ValueError:
    """Return the error that says what is wrong with a line."""
    fields = line.split(b" ")
    if len(fields) <= dim:
        what = f"with {len(fields)} fields in all"
    else:
        wrong = [
            (position, field)
            for position, field in enumerate(fields[-dim:], 1)
            if field.strip(NUMERIC) or _vector(field) is None
        ]
        what = f"with {len(fields)} fields in all, more than {dim} of them numbers"
        if wrong:
            what = "whose number {} of {} is {}".format(
                wrong[0][0], dim, _excerpt(wrong[0][1]) if wrong[0][1] else "missing"
            )
    return ValueError(
        f"Expected a word and {dim} finite numbers in every line, {because}. Received: "
        f"{path}, line {number}, {what}: {_excerpt(line)}"
    )


def _excerpt(line: bytes, width: int = 60) -> str:
    if len(line) > width:
        line = line[: width - 20] + b" ... " + line[-15:]
    return repr(line.decode("utf-8", "replace"))
