"""``load_vectors``: pretrained word vectors for the words of a vocabulary."""

import collections
import contextlib
import difflib
import functools
import gzip
import hashlib
import itertools
import json
import lzma
import math
import numbers
import os
import sys
import tempfile
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_amp.data.sources import DATA_VARIABLE, cache_folder, data_folders, fetch
from keras_amp.data.tables import shortened
from keras_amp.data.text import PADDING, UNKNOWN, checked_vocabulary

ADDRESS = "https://nlp.stanford.edu/data/"
# Name -> the file below the address, and the file inside that zip.
KNOWN = {
    "glove.6B.50d": ("glove.6B.zip", "glove.6B.50d.txt"),
    "glove.6B.100d": ("glove.6B.zip", "glove.6B.100d.txt"),
    "glove.6B.200d": ("glove.6B.zip", "glove.6B.200d.txt"),
    "glove.6B.300d": ("glove.6B.zip", "glove.6B.300d.txt"),
    "glove.840B.300d": ("glove.840B.300d.zip", "glove.840B.300d.txt"),
}
TEXT_SUFFIXES = (".txt", ".vec")
SUFFIXES = (*TEXT_SUFFIXES, ".gz", ".zip")
FOLDER = "vectors"  # below a folder of public data, and in the Keras cache

BLOCK = 1 << 20  # bytes read at a time, decompressed
LONGEST_LINE = 1 << 20  # bytes; 300 numbers take about 3 000
HEAD = 100  # lines from which the dimension is inferred
PROGRESS_FROM = 32 << 20  # bytes on disk; smaller files take a few seconds
CACHE_VERSION = 1  # to be raised whenever a file would be read differently
CACHED = 64  # vocabularies; the longest unused one makes way

NUMERIC = b"0123456789.-+eE "
ARCHIVE_ERRORS = (
    EOFError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, eq=False, repr=False)
class Vectors:
    """Word vectors for a vocabulary.

    Attributes:
        matrix: Float32 array ``(len(vocabulary), dim)``, one row a word; row 0, padding,
            is zeros.
        found: Boolean array ``(len(vocabulary),)``, whether the word has a pretrained
            vector; False for padding and unknown.
        added: Tuple of the ``extra_words`` that have a pretrained vector: the last rows
            of the other two.

    Example:
    >>> from keras_amp.data import Vectors
    >>> vectors = Vectors(np.ones((4, 50), "float32"), np.array([False] * 3 + [True]))
    >>> vectors, vectors.coverage
    (Vectors(50d, 1 of 2 words, 50.0%), 0.5)
    """

    matrix: np.ndarray
    found: np.ndarray
    added: tuple[str, ...] = ()

    @property
    def coverage(self):
        """The share of the vocabulary's words with a vector.

        Padding, unknown and the words added are not counted.
        """
        return float(self._own.mean())

    @property
    def _own(self):
        return self.found[UNKNOWN + 1 : len(self.found) - len(self.added)]

    def __repr__(self):
        added = f" and {len(self.added)} more" if self.added else ""
        return (
            f"Vectors({self.matrix.shape[1]}d, {self._own.sum()} of {len(self._own)} "
            f"words, {self.coverage:.1%}{added})"
        )


def load_vectors(
    path,
    vocabulary,
    ignore_case=False,
    fill_range=None,
    seed=0,
    data_dir=None,
    cache=True,
    extra_words=(),
):
    """Loads pretrained word vectors for the words of a vocabulary.

    The file is text, in GloVe's format (a word and its numbers a line, separated by
    single spaces) or word2vec's (the same below a line ``count dim``), plain (``.txt``,
    ``.vec``) or compressed (``.gz``, or a ``.zip`` with one text file). It is read in one
    pass, a block at a time, so that its size does not matter. Words may contain spaces,
    as a few of GloVe 840B do: the numbers are the last ``dim`` fields. Bytes that are not
    UTF-8 do no harm. Where a word stands twice, its first vector counts.

    Every line is checked for its width and for characters that no number has, so that
    ``nan`` is found anywhere; the numbers are parsed, and checked to be finite, for the
    words of the vocabulary only. A line whose word would hold a number with a decimal
    point after a space is taken for one with too many numbers. The dimension is the
    header's, or else that of most of the first 100 lines.

    A name (``"glove.840B.300d"``, or ``"glove.6B.50d"``, ``100d``, ``200d``, ``300d``) is
    looked up in the folder ``vectors`` of ``data_dir``, then of the folder that the
    environment variable ``KERAS_AMP_DATA`` names, then in the Keras cache, and downloaded
    into it otherwise: 2.2 GB for 840B, 0.9 GB for 6B. Stanford publishes no SHA-256, so a
    download is checked by the CRC-32 checksums inside the zip. Files of your own in those
    folders are found by their names, too. ``KERAS_AMP_MIRROR`` names another server.

    Args:
        path: Path of a file, or a name.
        vocabulary: List of strings as ``TextVectorization.get_vocabulary()`` returns it:
            ``""`` for padding, ``"[UNK]"``, then the words.
        ignore_case: Whether a word without a vector of its own takes that of the first
            word in the file that differs from it by case only, such as "Denver" for
            "denver".
        fill_range: Float >= 0: ``[UNK]`` and words without a vector are drawn uniformly
            from ``[-fill_range, fill_range]``. None chooses the range whose standard
            deviation is that of the numbers found, as Kim (2014) did.
        seed: Integer >= 0 that determines those draws.
        data_dir: Folder with public data; None for none.
        cache: Whether to keep what the vocabulary needs in the Keras cache, below
            ``datasets/keras_amp/vectors``, and to use what is there. It is keyed by the
            file's path, size and modification time, the words and ``ignore_case``; the 64
            most recently used are kept.
        extra_words: Strings to add behind the vocabulary where they have a vector, such
            as the words of texts to be predicted, in alphabetical order. What the
            vocabulary gets does not depend on them.

    Returns:
        A ``Vectors``, with ``matrix``, ``found`` and ``coverage``.

    Raises:
        ValueError: If the name is unknown, the file is of another type, empty or
            damaged, a line is damaged (the message has its number), or the vocabulary is
            none or has no word with a vector.
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
    # Sorted, so that vocabularies that part the same words alike share what is cached.
    words = [*vocabulary[: UNKNOWN + 1], *sorted([*vocabulary[UNKNOWN + 1 :], *extra])]
    path, member = _locate(os.fspath(path), data_dir)
    entry = _cache_entry(path, member, words, ignore_case) if cache else None
    kept = _from_cache(entry, len(words)) if cache else None
    if kept is None or not any(words[row] in position for row in kept[0]):
        kept = _read(path, member, words, ignore_case, vocabulary)
        if cache:
            _to_cache(entry, *kept)
    rows, vectors = kept
    is_own = np.array([words[row] in position for row in rows])
    places = [position[words[row]] for row in rows[is_own]]
    own, added = vectors[is_own], tuple(words[row] for row in rows[~is_own])
    if fill_range is None:
        # A uniform distribution from -a to a has the standard deviation a / sqrt(3).
        fill_range = math.sqrt(3) * own.std(dtype="float64")
    # Every row is drawn, so that a word's draw does not depend on which were found.
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


def _checked_extra(words):
    """The extra words as a set of strings; raises unless they are that."""
    expected = "Expected `extra_words` to be a collection of strings. Received: "
    if isinstance(words, (str, bytes)) or not np.iterable(words):
        raise ValueError(f"{expected}{shortened(words)}")
    words = list(words)
    wrong = next((word for word in words if not isinstance(word, str)), None)
    if wrong is not None:
        raise ValueError(f"{expected}one that holds {shortened(wrong)}")
    return {str(word) for word in words}


def _check_fill(fill_range, seed):
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


# === Where the file is ===


def _locate(name, data_dir):
    """Finds or downloads a file: its path, and the file wanted inside it or None."""
    folders = data_folders(data_dir)
    path = Path(name).expanduser()
    if name not in KNOWN and path.is_file():
        return _checked_suffix(path), None
    archive, member = KNOWN.get(name, (None, None))
    for folder in [] if path.is_absolute() else folders:
        for ending in ("", *TEXT_SUFFIXES, ".txt.gz", ".vec.gz", ".gz", ".zip"):
            candidate = folder / FOLDER / (name + ending)
            if candidate.is_file():
                return _checked_suffix(candidate), None
        if archive and (folder / FOLDER / archive).is_file():
            return folder / FOLDER / archive, member
    if archive:
        advice = (
            f"Without a network, put {archive} into the folder {FOLDER} of a folder that "
            f"you pass as `data_dir` or name in the environment variable {DATA_VARIABLE}."
        )
        return fetch(ADDRESS, archive, FOLDER, advice), member
    if path.is_dir():
        files = ", ".join(sorted(p.name for p in path.iterdir())[:5]) or "nothing"
        raise ValueError(
            f"Expected `path` to be a file of vectors. Received: {name!r}, a folder that "
            f"holds {files}."
        )
    if len(path.parts) > 1 or path.suffix.lower() in SUFFIXES:
        raise FileNotFoundError(
            f"Expected `path` to be a file of vectors, or one of "
            f"{', '.join(map(repr, KNOWN))}. Received: {name!r}; there is no such file."
        )
    near = difflib.get_close_matches(name, KNOWN, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"Expected `path` to be one of {', '.join(map(repr, KNOWN))}, or the path of a "
        f"file of vectors. Received: {name!r}; there is no such file, either.{hint}"
    )


def _checked_suffix(path):
    name = path.name.lower()
    if path.suffix.lower() not in SUFFIXES or name.endswith((".bin.gz", ".tar.gz")):
        hint = ""
        if ".bin" in path.suffixes:
            hint = (
                ". Convert word2vec's binary format, for instance by gensim's "
                "`KeyedVectors.load_word2vec_format(path, binary=True)"
                ".save_word2vec_format('vectors.txt')`."
            )
        raise ValueError(
            f"Expected a text file of vectors that ends in {', '.join(TEXT_SUFFIXES)}, "
            f".gz or .zip. Received: {path}{hint}"
        )
    return path


@contextlib.contextmanager
def _opened(path, member):
    """Yields a stream of decompressed bytes and a callable that reports progress."""
    with contextlib.ExitStack() as stack:
        raw = stack.enter_context(path.open("rb"))
        start, size = 0, path.stat().st_size
        try:
            if path.suffix.lower() == ".zip":
                archive = stack.enter_context(zipfile.ZipFile(raw))
                info = _text_file(path, archive, member)
                start, size = info.header_offset, info.compress_size
                stream = stack.enter_context(archive.open(info))
            elif path.suffix.lower() == ".gz":
                stream = stack.enter_context(gzip.GzipFile(fileobj=raw))
            else:
                stream = raw
            bar = stack.enter_context(_progress(path, size))
            yield stream, lambda: bar(raw.tell() - start)
        except ARCHIVE_ERRORS as error:
            raise ValueError(
                f"Expected a complete {path.suffix} file. Received: {path}, which is "
                f"damaged or cut short ({error}). Fetch it again."
            ) from error


def _text_file(path, archive, member):
    """The one text file of a zip, or the one with the given name."""
    infos = {
        info.filename: info
        for info in archive.infolist()
        if not info.is_dir() and not info.filename.startswith("__MACOSX/")
    }
    names = [
        name
        for name in infos
        if (Path(name).name == member if member else name.lower().endswith(TEXT_SUFFIXES))
    ]
    if len(names) != 1:
        hint = "" if len(names) < 2 else " Unpack the one you want and pass its path."
        wanted = member or f"one file that ends in {' or '.join(TEXT_SUFFIXES)}"
        raise ValueError(
            f"Expected a zip with {wanted}. Received: {path}, which holds "
            f"{', '.join(infos) or 'nothing'}.{hint}"
        )
    info = infos[names[0]]
    if info.flag_bits & 1:
        raise ValueError(
            f"Expected a zip without a password. Received: {path}, whose {names[0]} is "
            "encrypted. Unpack it and pass the text file."
        )
    return info


@contextlib.contextmanager
def _progress(path, size):
    """Yields a callable for the bytes read so far, which may draw a bar.

    It is drawn on standard error, for a big file, where that is a terminal.
    """
    if size < PROGRESS_FROM or sys.stderr is None or not sys.stderr.isatty():
        yield lambda position: None
        return
    unit = 1 << 20
    total = math.ceil(size / unit)
    # Keras draws on standard output, which may be a file or a pipe.
    with contextlib.redirect_stdout(sys.stderr):
        print(f"Reading {path}")
        bar = keras.utils.Progbar(total, interval=0.2, unit_name="MiB")

    def update(position):
        with contextlib.redirect_stdout(sys.stderr):
            # The last step, which ends the bar's line, is kept for the end.
            bar.update(min(position // unit, total - 1))

    try:
        yield update
    except BaseException:
        print(file=sys.stderr)  # what went wrong begins on a line of its own
        raise
    with contextlib.redirect_stdout(sys.stderr):
        bar.update(total)


# === What the file says ===


def _read(path, member, words, ignore_case, vocabulary):
    """Reads the vectors of words, padding and unknown before them.

    Returns:
        A tuple ``(rows, vectors)``: positions in ``words``, in ascending order, and a
        float32 array ``(len(rows), dim)``.

    Raises:
        ValueError: If the file is damaged, or has none of the words in ``vocabulary``.
    """
    wanted, alike = {}, collections.defaultdict(list)
    for row, word in enumerate(words):
        if row > UNKNOWN:
            wanted[word.encode("utf-8", "surrogatepass")] = row
            alike[word.lower()].append(row)
    count = 0
    exact, found = np.zeros((2, len(words)), dtype=bool)
    with _opened(path, member) as (stream, progress):
        lines = _lines(path, stream, progress)
        head = list(itertools.islice(lines, HEAD))
        dim, announced, because = _dimension(path, head)
        damaged = functools.partial(_damaged, path, dim, because)
        vectors = np.zeros((len(words), dim), dtype="float32")
        first = 0 if announced is None else 1
        lines = itertools.chain(head[first:], lines)
        for number, line in enumerate(lines, first + 1):
            line = line.rstrip(b" \r")
            spaces = line.count(b" ")
            if spaces == dim:
                word, _, fields = line.partition(b" ")
            elif not line:
                continue
            elif spaces < dim:
                raise damaged(number, line)
            else:
                word, *fields = line.rsplit(b" ", dim)
                if any(b"." in f and _is_number(f) for f in word.split(b" ")[1:]):
                    raise damaged(number, line)
                fields = b" ".join(fields)
            if fields.translate(None, NUMERIC):
                raise damaged(number, line)
            count += 1
            rows = []
            row = wanted.get(word)
            if row is not None and not exact[row]:
                exact[row] = True
                rows.append(row)
            if ignore_case:
                same = alike.get(word.decode("utf-8", "replace").lower(), ())
                rows += [row for row in same if not found[row]]
            if rows:
                vector = _vector(fields)
                if vector is None:
                    raise damaged(number, line)
                vectors[rows] = vector
                found[rows] = True
    if announced not in (None, count):
        warnings.warn(
            f"Expected {announced} vectors, as the first line of {path} says. Received: "
            f"{count}; the file may have been cut short.",
            stacklevel=3,
        )
    rows = np.flatnonzero(found)
    own = set(vocabulary)
    if not any(words[row] in own for row in rows):
        there = [line.rsplit(b" ", dim)[0] for line in head[first:] if line.strip()][:5]
        there = ", ".join(repr(word.decode("utf-8", "replace")) for word in there)
        here = ", ".join(map(repr, vocabulary[UNKNOWN + 1 :][:5]))
        raise ValueError(
            "Expected vectors for some words of `vocabulary`, which begins with "
            f"{here}. Received: {path}, which has none of its words and begins with "
            f"{there or 'no words'}. Words must agree in case, too, unless "
            "`ignore_case=True`."
        )
    return rows, vectors[rows]


def _lines(path, stream, progress):
    """Yields the lines of a stream, without their ends, in bounded memory."""
    count, rest = 0, b""
    while block := stream.read(BLOCK):
        progress()
        # Only this byte ends a line: words may hold what Unicode calls a line separator.
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


def _dimension(path, head):
    """The dimension, the number of vectors a header announces or None, and the reason."""
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
        # Before memory is set aside for a dimension that may be nonsense.
        if lines[1][1].count(b" ") < dim:
            raise _damaged(path, dim, because, *lines[1])
        return dim, count, because
    # Numbers at the end of a line; a damaged line, or a word that ends in a number, is in
    # the minority.
    widths = collections.Counter(_width(line) for _, line in lines)
    dim = widths.most_common(1)[0][0]
    if dim == 0:
        raise ValueError(
            "Expected lines of a word and its numbers, separated by single spaces. "
            f"Received: {path}, line {lines[0][0]}: {_excerpt(lines[0][1])}"
        )
    return dim, None, "as its first lines have"


def _width(line):
    """How many numbers a line ends in; its first field is a word whatever it is."""
    fields = reversed(line.split(b" ")[1:])
    return sum(1 for _ in itertools.takewhile(_is_number, fields))


def _is_number(field):
    try:
        float(field)
    except ValueError:
        return False
    return True


def _vector(fields):
    """Parses numbers; None if one of them is none or does not fit a float32."""
    try:
        vector = np.array([float(field) for field in fields.split(b" ")])
    except ValueError:
        return None
    with np.errstate(over="ignore"):
        vector = vector.astype("float32")
    return vector if np.isfinite(vector).all() else None


def _damaged(path, dim, because, number, line):
    """Returns the error that says what is wrong with a line."""
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


def _excerpt(line, width=60):
    if len(line) > width:
        line = line[: width - 20] + b" ... " + line[-15:]
    return repr(line.decode("utf-8", "replace"))


# === The cache ===


def _cache_entry(path, member, vocabulary, ignore_case):
    """Where the vectors of a vocabulary from a file are kept."""
    path = path.resolve()
    status = path.stat()
    key = [CACHE_VERSION, str(path), status.st_size, status.st_mtime_ns]
    key += [member, bool(ignore_case), vocabulary]
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
    return cache_folder(FOLDER) / f"words-{digest[:32]}.npz"


def _from_cache(entry, num_words):
    """Returns ``(rows, vectors)``, or None if there is nothing, or nothing intact."""
    try:
        with np.load(entry) as arrays:
            rows, vectors = arrays["rows"], arrays["vectors"]
        intact = (
            rows.ndim == 1
            and rows.dtype.kind == "i"
            and vectors.dtype == np.float32
            and vectors.ndim == 2
            and len(vectors) == len(rows) > 0
            and rows.min() > UNKNOWN
            and rows.max() < num_words
        )
    except Exception:
        # Nothing, half a file or another program's: the entry is written anew. A damaged
        # one can raise what zip, NumPy's format or its parser raise.
        return None
    if not intact:
        return None
    with contextlib.suppress(OSError):
        os.utime(entry)  # the longest unused entries make way
    return rows, vectors


def _to_cache(entry, rows, vectors):
    """Writes an entry, whole or not at all; that it cannot be written is no error."""
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=entry.parent, prefix="words-") as folder:
            part = Path(folder) / entry.name
            np.savez(part, rows=rows, vectors=vectors)
            os.replace(part, entry)
    except OSError as error:
        warnings.warn(
            f"The word vectors could not be kept in {entry.parent} ({error}); they will "
            "be read from their file again. Pass `cache=False` if that is what you want.",
            stacklevel=3,
        )
        return
    with contextlib.suppress(OSError):  # another process may tidy up, too
        entries = sorted(
            entry.parent.glob("words-*.npz"), key=lambda p: p.stat().st_mtime_ns
        )
        for old in entries[:-CACHED]:
            old.unlink()
