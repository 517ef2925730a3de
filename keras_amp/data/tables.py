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
    tabs = path.suffix.lower() == ".tsv"
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ValueError(
            f"Expected a UTF-8 file. Received: {path}, whose line {line} holds bytes "
            f"that are not ({error.reason}). Convert it, for instance by "
            "`iconv -f latin1 -t utf-8`."
        ) from error
    quoting = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if tabs else {}
    reader = csv.reader(io.StringIO(content), strict=True, **quoting)
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
    first = _header(path, rows[0][1], tabs)
    label_at, text_at, width = first or (0, 1, 2)
    if first:
        rows = rows[1:]
    if not rows:
        raise ValueError(
            f"Expected labelled texts. Received: {path}, which holds a header only."
        )
    labels, texts = [], []
    for line, row in rows:
        if len(row) != width:
            raise ValueError(
                f"Expected {width} columns in every row. Received: {path}, line {line}, "
                f"with {len(row)}: {shortened(row)}"
            )
        label, text = row[label_at].strip(), " ".join(row[text_at].split())
        for name, value in (("label", label), ("text", text)):
            if not value:
                raise ValueError(
                    f"Expected a label and a text in every row. Received: {path}, line "
                    f"{line}, whose {name} is empty: {shortened(row)}"
                )
        labels.append(label)
        texts.append(text)
    if not first and len(rows) > 4 and len(set(labels)) > 0.8 * len(rows):
        raise ValueError(
            f"Expected labels that several texts share. Received: {path}, with "
            f"{len(set(labels))} different labels in {len(rows)} rows; the texts may "
            "stand where the labels are expected. Name the columns in a header, or write "
            "`label<TAB>text`."
        )
    return labels, texts


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
