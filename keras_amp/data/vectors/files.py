"""Files of word vectors: where they are, and how to open them."""

import contextlib
import gzip
import lzma
import math
import os
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

import keras

from keras_amp.data.downloads import fetch
from keras_amp.data.folders import DATA_VARIABLE, data_folders
from keras_amp.validation import did_you_mean

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
FOLDER = "vectors"  # below a folder of public data, and in the cache

PROGRESS_FROM = 32 << 20  # bytes on disk; smaller files take a few seconds
ARCHIVE_ERRORS = (
    EOFError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
)


def locate(name: str, data_dir: str | os.PathLike[str] | None) -> tuple[Path, str | None]:
    """Find a file of vectors, or download it.

    Args:
        name: String, a path or a name, as ``load_vectors`` takes it.
        data_dir: Folder with public data; None for none.

    Returns:
        A tuple of the file's ``Path`` and of the name of the text file inside it, None
        unless it is an archive of several.

    Raises:
        ValueError: If the name is unknown, or the file is of another type.
        FileNotFoundError: If the file or ``data_dir`` is missing.
        ConnectionError: If a download fails.
    """
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
    hint = did_you_mean(name, KNOWN, most=1)
    raise ValueError(
        f"Expected `path` to be one of {', '.join(map(repr, KNOWN))}, or the path of a "
        f"file of vectors. Received: {name!r}; there is no such file, either.{hint}"
    )


def _checked_suffix(path: Path) -> Path:
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
def open_vectors(
    path: Path, member: str | None
) -> Iterator[tuple[IO[bytes], Callable[[], None]]]:
    """Open a file of vectors, compressed or not.

    Args:
        path: ``Path`` of the file.
        member: Name of the text file inside a zip; None for the only one.

    Yields:
        A tuple of a stream of decompressed bytes and of a callable, without arguments,
        that updates the progress bar.

    Raises:
        ValueError: If the file is damaged, or holds no such text file.
    """
    with contextlib.ExitStack() as stack:
        raw = stack.enter_context(path.open("rb"))
        start, size = 0, path.stat().st_size
        try:
            stream: IO[bytes]
            if path.suffix.lower() == ".zip":
                archive = stack.enter_context(zipfile.ZipFile(raw))
                info = _text_file(path, archive, member)
                start, size = info.header_offset, info.compress_size
                stream = stack.enter_context(archive.open(info))
            elif path.suffix.lower() == ".gz":
                stream = stack.enter_context(cast(IO[bytes], gzip.GzipFile(fileobj=raw)))
            else:
                stream = raw
            bar = stack.enter_context(_progress(path, size))
            yield stream, lambda: bar(raw.tell() - start)
        except ARCHIVE_ERRORS as error:
            raise ValueError(
                f"Expected a complete {path.suffix} file. Received: {path}, which is "
                f"damaged or cut short ({error}). Fetch it again."
            ) from error


def _text_file(
    path: Path, archive: zipfile.ZipFile, member: str | None
) -> zipfile.ZipInfo:
    """Return the only text file of a zip, or the one with the given name."""
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
def _progress(path: Path, size: int) -> Iterator[Callable[[int], None]]:
    """Yield a callable that takes the number of bytes read so far and shows it.

    It draws a bar if the file is big and standard error is a terminal.
    """
    if size < PROGRESS_FROM or sys.stderr is None or not sys.stderr.isatty():
        yield lambda position: None
        return
    unit = 1 << 20
    total = math.ceil(size / unit)
    # Keras draws on standard output, which may be a file or a pipe: send it elsewhere.
    with contextlib.redirect_stdout(sys.stderr):
        print(f"Reading {path}")
        bar = keras.utils.Progbar(total, interval=0.2, unit_name="MiB")

    def update(position: int) -> None:
        with contextlib.redirect_stdout(sys.stderr):
            # The last step ends the bar's line: it is drawn once, at the end.
            bar.update(min(position // unit, total - 1))

    try:
        yield update
    except BaseException:
        print(file=sys.stderr)  # the error message begins on a line of its own
        raise
    with contextlib.redirect_stdout(sys.stderr):
        bar.update(total)
