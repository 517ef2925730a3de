"""What a reader sees of results: HTML pages, Markdown, CSV and LaTeX.

``comparison_*`` is the report about methods that were compared (``keras-amp report``, and
the end of ``keras-amp train``), ``grid_*`` the tables of a grid (``keras-amp table``).
Both are made of the same tables (``summary.table``), the same figures (``galleries``)
and the same templates. This folder imports ``keras_amp.experiments.summary``,
``keras_amp.paper`` and ``keras_amp.analysis``; the command line imports it. Needs the
extra ``keras-amp[experiments]``.
"""

# What is missing is said before the modules that need it are imported.
# ruff: noqa: E402

from keras_amp.runtime.extras import require

require("experiments", "jinja2", "matplotlib", "pandas", "scipy")

from keras_amp.experiments.pages.comparison_files import (
    verdicts_text,
    write_records,
    write_report,
)
from keras_amp.experiments.pages.embedding import embed
from keras_amp.experiments.pages.grid_files import GridTable, make_table, write_table

__all__ = [
    "GridTable",
    "embed",
    "make_table",
    "verdicts_text",
    "write_records",
    "write_report",
    "write_table",
]
