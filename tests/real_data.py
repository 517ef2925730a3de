"""The public data sets of the folder that ``KERAS_AMP_DATA`` named at the start."""

import os
from pathlib import Path

import pytest

REAL = os.environ.get("KERAS_AMP_DATA")


def needs_real(*names):
    """Marks tests to be skipped unless the folder has these folders."""
    return pytest.mark.skipif(
        not REAL or not all((Path(REAL) / name).is_dir() for name in names),
        reason=f"set KERAS_AMP_DATA to a folder with {', '.join(names)} to run this",
    )


def raw(name):
    """The lines of a data set's files, by split: lists of `(label, text)`."""
    lines = {}
    for split in ("train", "dev", "test", "all"):
        path = Path(REAL) / name / f"{split}.tsv"
        if path.exists():
            rows = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
            lines[split] = [tuple(row.split("\t")) for row in rows]
    lines.setdefault("train", lines.pop("all", None))
    return lines
