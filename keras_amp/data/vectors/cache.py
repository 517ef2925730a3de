"""The vectors that vocabularies needed, kept so that a file is read once for each."""

import contextlib
import hashlib
import json
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keras_amp.data.folders import cache_folder
from keras_amp.data.text import UNKNOWN
from keras_amp.data.vectors.files import FOLDER

VERSION = 1  # to be raised whenever a file would be read differently
KEPT = 64  # vocabularies; those unused for longest are removed first


def entry_path(
    path: Path, member: str | None, words: list[str], ignore_case: bool
) -> Path:
    """Return the path at which the vectors of some words from a file are kept.

    Args:
        path: ``Path`` of the file of vectors. Its size and its modification time are part
            of the key, so that a file that has changed is read again.
        member: Name of the text file inside it, or None.
        words: List of strings.
        ignore_case: Whether case was ignored.

    Returns:
        A ``Path``; there may be nothing yet.
    """
    path = path.resolve()
    status = path.stat()
    key: list[object] = [VERSION, str(path), status.st_size, status.st_mtime_ns]
    key += [member, bool(ignore_case), words]
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
    return cache_folder(FOLDER) / f"words-{digest[:32]}.npz"


def read_entry(
    entry: Path, num_words: int
) -> tuple[NDArray[np.integer], NDArray[np.float32]] | None:
    """Return what an entry holds, or None if it is missing or damaged.

    Args:
        entry: ``Path`` of the entry.
        num_words: Integer, number of words that it was written for.

    Returns:
        A tuple ``(rows, vectors)`` as ``keras_amp.data.vectors.reading.read`` returns it.
    """
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
        # A damaged file can raise whatever zip, NumPy's format or its parser raise. The
        # entry is then written again.
        return None
    if not intact:
        return None
    with contextlib.suppress(OSError):
        os.utime(entry)  # the entries unused for longest are removed first
    return rows, vectors


def write_entry(
    entry: Path, rows: NDArray[np.integer], vectors: NDArray[np.float32]
) -> None:
    """Write an entry, whole or not at all, and remove the oldest ones.

    Only a warning says that it cannot be written.
    """
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=entry.parent, prefix="words-") as folder:
            part = Path(folder) / entry.name
            np.savez(part, rows=rows, vectors=vectors)
            os.replace(part, entry)
    except OSError as error:
        warnings.warn(
            f"The word vectors could not be kept in {entry.parent} ({error}); the next "
            "time they will be read from their file again. Pass `cache=False` to keep "
            "nothing, without this warning.",
            stacklevel=3,
        )
        return
    with contextlib.suppress(OSError):  # another process may remove them, too
        entries = sorted(
            entry.parent.glob("words-*.npz"), key=lambda p: p.stat().st_mtime_ns
        )
        for old in entries[:-KEPT]:
            old.unlink()
