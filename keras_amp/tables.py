"""The former name of ``keras_amp.experiments.pages`` and ``keras_amp.paper``."""

import warnings

from keras_amp.experiments.pages import GridTable, embed, make_table, write_table
from keras_amp.paper import Reported, paper_table, reported

__all__ = [
    "GridTable",
    "Reported",
    "embed",
    "make_table",
    "paper_table",
    "reported",
    "write_table",
]

warnings.warn(
    "`keras_amp.tables` is now `keras_amp.experiments.pages`, and its figures of the "
    "paper are in `keras_amp.paper`.",
    DeprecationWarning,
    stacklevel=2,
)
