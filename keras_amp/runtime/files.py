"""Files that are written completely or not at all."""

import contextlib
import csv
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str], binary: bool = False) -> Iterator[IO[Any]]:
    """Open a file that takes its place only once it is complete.

    Args:
        path: Path of the file; an existing one is replaced.
        binary: Whether bytes are written. Otherwise it is text, in UTF-8, whose line ends
            are not changed.

    Example:
    >>> from keras_amp.runtime.files import whole_file
    >>> with whole_file("notes.txt") as file:
    ...     _ = file.write("whole")
    """
    path = Path(path)
    # Several processes may write the same file: the last one's stays.
    own = f"{os.getpid()}-{threading.get_ident()}"
    partial = path.with_name(f".{path.name}.{own}.partial")
    how: dict[str, Any] = {"mode": "wb"}
    if not binary:
        how = {"mode": "w", "encoding": "utf-8", "newline": ""}
    try:
        with open(partial, **how) as file:
            yield file
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def check_new_file(path: Path, purpose: str = "") -> None:
    """Raise if a file cannot be made at a path without replacing another.

    Args:
        path: ``pathlib.Path`` of the file.
        purpose: Its purpose, for the message, such as ``" for the figure"``.

    Raises:
        FileExistsError: If the path exists.
        FileNotFoundError: If its folder does not exist.

    Example:
    >>> from pathlib import Path
    >>> from keras_amp.runtime.files import check_new_file
    >>> check_new_file(Path("nowhere/a.csv"))
    Traceback (most recent call last):
    FileNotFoundError: Expected a file in an existing folder. Received: nowhere/a.csv;
    there is no folder nowhere.
    """
    if path.exists():
        raise FileExistsError(
            f"Expected a new file{purpose}. Received: {path}, which exists."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"Expected a file in an existing folder{purpose}. Received: {path}; there is "
            f"no folder {path.parent}."
        )


def write_columns(file: IO[str], columns: Mapping[str, Any]) -> None:
    """Write columns of numbers as CSV, with nine significant digits.

    Args:
        file: File that is open for writing text.
        columns: Dict from names to arrays of equal length.

    Example:
    >>> import sys
    >>> from keras_amp.runtime.files import write_columns
    >>> write_columns(sys.stdout, {"lam": [0, 0.5], "word": [1.5, 2.25]})
    lam,word
    0,1.5
    0.5,2.25
    """
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows(
        [f"{value:.9g}" for value in row] for row in zip(*columns.values(), strict=True)
    )
