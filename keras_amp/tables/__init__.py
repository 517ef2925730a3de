"""Tables of grids: results, differences, and the paper's figures beside them.

Needs the extra ``keras-amp[experiments]``.
"""

# What is missing is said before the modules that need it are imported.
# ruff: noqa: E402

from keras_amp.runtime.extras import require

require("experiments", "jinja2", "pandas", "scipy")

from keras_amp.tables.embedding import embed
from keras_amp.tables.paper import Reported, paper_table, reported
from keras_amp.tables.writing import GridTable, make_table, write_table

__all__ = [
    "GridTable",
    "Reported",
    "embed",
    "make_table",
    "paper_table",
    "reported",
    "write_table",
]
