"""Reading labelled texts from CSV and TSV files, and saying what is wrong with them."""

import csv
import io
from pathlib import Path

# Names that a header may give to the two columns.
TEXT_COLUMNS = ("text", "sentence", "question", "review", "content")
LABEL_COLUMNS = ("label", "class", "category", "sentiment", "target")
SUFFIXES = (".tsv", ".csv")


def read_table(path):
    """Reads the labels and texts of a file.

    The first row may be a header that names a text and a label column, in any order and
    among others: one of ``TEXT_COLUMNS`` and one of ``LABEL_COLUMNS``. A TSV file without
    a header holds ``label<TAB>text``; a CSV file needs one. TSV fields are taken as they
    are, CSV fields may be quoted. Runs of white space in texts become one space.

    Args:
        path: Path of a UTF-8 file that ends in ``.tsv`` or ``.csv``.

    Returns:
        A tuple of two lists of strings, ``(labels, texts)``.

    Raises:
        ValueError: If the file is empty, not UTF-8, has no such columns, or a row lacks
            one; the message names the file and the line.
    """
    path = Path(path)
    tabs, rows = _rows(path)
    first = _header(path, rows[0][1], tabs)
    label_at, text_at, width = first or (0, 1, 2)
    if first:
        rows = _below_header(path, rows)
    labels = _column(path, rows, width, label_at, "label")
    texts = [
        " ".join(text.split()) for text in _column(path, rows, width, text_at, "text")
    ]
    if not first and len(rows) > 4 and len(set(labels)) > 0.8 * len(rows):
        raise ValueError(
            f"Expected labels that several texts share. Received: {path}, with "
            f"{len(set(labels))} different labels in {len(rows)} rows; the texts may "
            "stand where the labels are expected. Name the columns in a header, or write "
            "`label<TAB>text`."
        )
    return labels, texts


def read_texts(path):
    """Reads the texts of a file, labelled or not.

    A CSV or TSV file with a header that names a text column may have any others, a label
    column among them; a TSV file without one holds ``label<TAB>text``. A ``.txt`` file
    holds a text in every line.

    Args:
        path: Path of a UTF-8 file that ends in ``.tsv``, ``.csv`` or ``.txt``.

    Returns:
        A tuple ``(labels, texts)`` of a list of strings each; ``labels`` is None where
        the file has none.

    Raises:
        ValueError: As ``read_table``, or if the file ends in something else.
    """
    path = Path(path)
    if path.suffix.lower() == ".txt":
        texts = [" ".join(line.split()) for line in _content(path).split("\n")]
        texts = texts[: len(texts) - (texts[-1] == "")]
        empty = [number for number, text in enumerate(texts, 1) if not text]
        if empty or not texts:
            what = f"whose line {empty[0]} is empty" if empty else "which is empty"
            raise ValueError(f"Expected a text in every line. Received: {path}, {what}.")
        return None, texts
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"Expected a file that ends in {', '.join(SUFFIXES)} or .txt. Received: "
            f"{path}"
        )
    _, rows = _rows(path)
    header = [field.strip().lower() for field in rows[0][1]]
    text_at = [i for i, name in enumerate(header) if name in TEXT_COLUMNS]
    if len(text_at) != 1 or any(name in LABEL_COLUMNS for name in header):
        return read_table(path)
    rows = _below_header(path, rows)
    texts = _column(path, rows, len(header), text_at[0], "text")
    return None, [" ".join(text.split()) for text in texts]


def _content(path):
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ValueError(
            f"Expected a UTF-8 file. Received: {path}, whose line {line} holds bytes "
            f"that are not ({error.reason}). Convert it, for instance by "
            "`iconv -f latin1 -t utf-8`."
        ) from error


def _rows(path):
    """Whether a file has tabs, and its rows, each with the number of its last line."""
    tabs = path.suffix.lower() == ".tsv"
    quoting = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if tabs else {}
    reader = csv.reader(io.StringIO(_content(path)), strict=True, **quoting)
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
        raise ValueError(f"Expected labelled texts. Received: {path}, which is empty.")
    return tabs, rows


def _below_header(path, rows):
    if len(rows) == 1:
        raise ValueError(
            f"Expected labelled texts. Received: {path}, which holds a header only."
        )
    return rows[1:]


def _column(path, rows, width, position, name):
    """The stripped fields of a column; raises where a row lacks it."""
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


def _header(path, row, tabs):
    """The positions of label and text, and the width; None if there is no header."""
    header = [field.strip().lower() for field in row]
    text_at = [i for i, name in enumerate(header) if name in TEXT_COLUMNS]
    label_at = [i for i, name in enumerate(header) if name in LABEL_COLUMNS]
    if len(text_at) == 1 and len(label_at) == 1:
        return label_at[0], text_at[0], len(header)
    if tabs and len(header) == 2 and not label_at:
        return None
    expected = (
        "a header that names one text column "
        f"({', '.join(TEXT_COLUMNS)}) and one label column ({', '.join(LABEL_COLUMNS)})"
    )
    if tabs:
        expected += ", or rows of `label<TAB>text` without a header"
    raise ValueError(
        f"Expected {expected}. Received: {path}, whose first row is {shortened(row)}"
    )


def shortened(value, width=80):
    """A value as an error message shows it."""
    text = repr(value)
    return text if len(text) <= width else text[: width - 4] + " ..."
