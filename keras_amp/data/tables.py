"""Reading labelled texts from CSV and TSV files, with errors that name the line."""

import csv
import io
import os
from pathlib import Path
from typing import Any

# Names that a header may give to the two columns.
TEXT_COLUMNS = ("text", "sentence", "question", "review", "content")
LABEL_COLUMNS = ("label", "class", "category", "sentiment", "target")
SUFFIXES = (".tsv", ".csv")

Rows = list[tuple[int, list[str]]]  # numbers of their last lines, and fields
Header = tuple[int | None, int, int]  # positions of label and text, and columns


def read_table(
    path: str | os.PathLike[str], training: bool = True
) -> tuple[list[str], list[str]]:
    """Read the labels and texts of a file.

    The first row may be a header. It names a text column (one of ``TEXT_COLUMNS``) and a
    label column (one of ``LABEL_COLUMNS``), in any order; there may be other columns. A
    TSV file without a header holds ``label<TAB>text``; a CSV file needs a header. CSV
    fields may be quoted, TSV fields are not. A run of white space in a text becomes one
    space.

    Args:
        path: Path of a UTF-8 file that ends in ``.tsv`` or ``.csv``.
        training: Whether the labels are learnt from this file, so that several texts must
            share a label. In a small file to test on, each text may have another one.

    Returns:
        A tuple of two lists of strings, ``(labels, texts)``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is empty, is not UTF-8 or has no such columns, or if a row
            lacks one of them; the message names the file and the line.
    """
    labels, texts = _read(Path(path), labelled=True, training=training)
    assert labels is not None  # they are needed
    return labels, texts


def _read(
    path: Path, labelled: bool, training: bool
) -> tuple[list[str] | None, list[str]]:
    """Return the labels, None if there are none and none are needed, and the texts."""
    tabs, rows = _rows(path)
    header = _header(path, rows, tabs, labelled)
    labels, texts = _columns(path, rows, header)
    if not header and labels and len(labels) > 4:
        _check_order(path, labels, texts, training)
    return labels, texts


def _check_order(path: Path, labels: list[str], texts: list[str], training: bool) -> None:
    """Raise if the two columns seem to be swapped."""
    different = len(set(labels))
    swapped = different > 0.8 * len(labels)
    if swapped and (training or len(set(texts)) < different):
        raise ValueError(
            f"Expected labels that several texts share. Received: {path}, with "
            f"{different} different labels in {len(labels)} rows; the texts may stand "
            "where the labels are expected. Name the columns in a header, or write "
            "`label<TAB>text`."
        )


def read_texts(
    path: str | os.PathLike[str],
) -> tuple[list[str] | None, list[str]]:
    """Read the texts of a file, labelled or not.

    A CSV or TSV file has a header that names a text column; a label column and others are
    possible. A TSV file without a header holds ``label<TAB>text``. A ``.txt`` file holds
    one text in each line; empty lines at its end are ignored.

    Args:
        path: Path of a UTF-8 file that ends in ``.tsv``, ``.csv`` or ``.txt``.

    Returns:
        A tuple ``(labels, texts)`` of two lists of strings; ``labels`` is None if the
        file has none.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: As ``read_table``; or if the name of the file ends in something else.
    """
    path = Path(path)
    if path.suffix.lower() == ".txt":
        return None, _lines(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"Expected a file that ends in {', '.join(SUFFIXES)} or .txt. Received: "
            f"{path}"
        )
    return _read(path, labelled=False, training=False)


def _lines(path: Path) -> list[str]:
    """Return the texts of a file that has one in each line."""
    lines = [_single_spaced(line) for line in _content(path).split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    empty = [number for number, text in enumerate(lines, 1) if not text]
    if empty or not lines:
        what = f"whose line {empty[0]} is empty" if empty else "which is empty"
        raise ValueError(f"Expected a text in every line. Received: {path}, {what}.")
    return lines


def _single_spaced(text: str) -> str:
    return " ".join(text.split())


def _content(path: Path) -> str:
    """Return the text of a UTF-8 file; raise if the file is not UTF-8."""
    if not path.is_file():
        what = "which is a folder" if path.is_dir() else "which does not exist"
        raise FileNotFoundError(f"Expected a file of texts. Received: {path}, {what}.")
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        data = path.read_bytes()
        line = data[: error.start].count(b"\n") + 1
        what = f"bytes that are not ({error.reason})"
        raise _not_utf8(path, line, what, data) from error
    if "\0" in content:  # every second byte of an ASCII text in UTF-16
        line = content[: content.index("\0")].count("\n") + 1
        raise _not_utf8(path, line, "NUL, which no text has", path.read_bytes())
    return content


def _not_utf8(path: Path, line: int, what: str, data: bytes) -> ValueError:
    encoding: str | None = "latin1"
    nulls = data.count(b"\0")
    if data.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        encoding = "utf-32"
    elif data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif nulls > len(data) / 4:  # no byte order mark, but the first letter is ASCII
        encoding = "utf-16be" if data.startswith(b"\0") else "utf-16le"
    elif nulls:
        encoding = None
    advice = "It may be no text file."
    if encoding:
        advice = f"Convert it, for instance by `iconv -f {encoding} -t utf-8`."
    return ValueError(
        f"Expected a UTF-8 file. Received: {path}, whose line {line} holds {what}. "
        f"{advice}"
    )


def _rows(path: Path) -> tuple[bool, Rows]:
    """Return whether a file has tabs, and its rows with their last lines' numbers."""
    tabs = path.suffix.lower() == ".tsv"
    unquoted: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    how = unquoted if tabs else {}
    reader = csv.reader(io.StringIO(_content(path)), strict=True, **how)
    rows = []
    try:
        for row in reader:
            if any(field.strip() for field in row):
                rows.append((reader.line_num, row))
    except csv.Error as error:
        raise ValueError(
            f"Expected rows of fields. Received: {path}, line {reader.line_num}: {error}"
        ) from error
    if not rows:
        raise ValueError(f"Expected rows of texts. Received: {path}, which is empty.")
    return tabs, rows


def _columns(
    path: Path, rows: Rows, header: Header | None
) -> tuple[list[str] | None, list[str]]:
    """Return the labels, None if there are none, and the texts of all rows.

    ``header``: positions of labels and texts, and number of columns; None without one.
    """
    label_at, text_at, width = header or (0, 1, 2)
    if header:
        if len(rows) == 1:
            raise ValueError(
                f"Expected rows of texts. Received: {path}, which holds a header only."
            )
        rows = rows[1:]
    labels = None
    if label_at is not None:
        labels = _column(path, rows, width, label_at, "label")
    texts = _column(path, rows, width, text_at, "text")
    return labels, [_single_spaced(text) for text in texts]


def _column(path: Path, rows: Rows, width: int, position: int, name: str) -> list[str]:
    """Return the stripped fields of a column; raise if a row lacks it."""
    for line, row in rows:
        if len(row) != width:
            raise ValueError(
                f"Expected {width} columns in every row. Received: {path}, line {line}, "
                f"with {len(row)}: {shortened(row)}"
            )
        if not row[position].strip():
            raise ValueError(
                f"Expected a {name} in every row. Received: {path}, line {line}, whose "
                f"{name} is empty: {shortened(row)}"
            )
    return [row[position].strip() for _, row in rows]


def _header(path: Path, rows: Rows, tabs: bool, labelled: bool) -> Header | None:
    """Return the positions of labels and texts, and the number of columns.

    None is returned if there is no header, and None for the position of the labels if
    there are none and none are needed.
    """
    row = rows[0][1]
    header = [field.strip().lower() for field in row]
    text_at = [i for i, name in enumerate(header) if name in TEXT_COLUMNS]
    label_at = [i for i, name in enumerate(header) if name in LABEL_COLUMNS]
    if len(text_at) == 1 and len(label_at) == 1:
        return label_at[0], text_at[0], len(header)
    if tabs and len(header) == 2 and not label_at:
        # The first label or text may be "question", too; a label is repeated later.
        again = any(other[0] == row[0] for _, other in rows[1:])
        if not text_at or (len(text_at) == 1 and again):
            return None
    if not labelled and len(text_at) == 1 and not label_at:
        return None, text_at[0], len(header)
    labels = "one label column" if labelled else "no or one label column"
    expected = (
        f"a header that names one text column ({', '.join(TEXT_COLUMNS)}) and {labels} "
        f"({', '.join(LABEL_COLUMNS)})"
    )
    if tabs:
        expected += ", or rows of `label<TAB>text` without a header"
    received = f"{path}, whose first row is {shortened(row)}"
    if text_at or label_at:
        counts = ("text", len(text_at)), ("label", len(label_at))
        received += ", which names " + " and ".join(
            f"{count or 'no'} {kind} column{'s' if count > 1 else ''}"
            for kind, count in counts
        )
    raise ValueError(f"Expected {expected}. Received: {received}.")


def shortened(value: object, width: int = 80) -> str:
    """Return a value as an error message shows it."""
    text = repr(value)
    return text if len(text) <= width else text[: width - 4] + " ..."
