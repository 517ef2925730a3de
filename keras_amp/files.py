"""Files that are written whole or not at all."""

import contextlib
import csv
import os
from pathlib import Path


@contextlib.contextmanager
def whole_file(path, binary=False):
    """Opens a file that takes its place only once it is complete.

    Args:
        path: Path of the file; one that exists is replaced.
        binary: Whether bytes are written, not text (UTF-8, line ends as they are).

    Example:
    >>> from keras_amp.files import whole_file
    >>> with whole_file("notes.txt") as file:
    ...     _ = file.write("whole")
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    how = {"mode": "wb"} if binary else {"mode": "w", "encoding": "utf-8", "newline": ""}
    try:
        with open(partial, **how) as file:
            yield file
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_columns(file, columns):
    """Writes columns of numbers as CSV, with nine digits.

    Args:
        file: File opened for writing text.
        columns: Dict from names to arrays of equal length.

    Example:
    >>> import sys
    >>> from keras_amp.files import write_columns
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
