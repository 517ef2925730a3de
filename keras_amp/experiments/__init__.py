"""Training runs, from settings to records: comparisons of methods, and grids.

``settings`` (checked by ``checked``), ``arguments`` and ``recipes`` say how a classifier
is trained; ``config`` makes ``cells`` of a file, and ``store`` keeps their records.
``runner`` runs cells, for ``comparison_run`` and ``grid_run``: ``executors`` say where,
``worker`` is what one process does, ``progress`` is what is shown. ``examples``,
``encoding``, ``training``, ``evaluation`` and ``results`` are a cell from its texts to
its files; ``verifying`` runs cells again. ``summary`` and ``pages`` tell what came of it.

It imports everything but the command line, which imports it. It needs the extra
``keras-amp[experiments]``.
"""

from keras_amp.runtime.extras import require

require("experiments", "cyclopts", "joblib", "pandas", "pydantic", "rich", "tensorboard")

from keras_amp.experiments.cells import Cell
from keras_amp.experiments.comparison_run import ComparisonRun, compare
from keras_amp.experiments.config import Grid, load_grid, parse_grid, shipped
from keras_amp.experiments.examples import Examples, prepare
from keras_amp.experiments.grid_run import GridRun, run_grid
from keras_amp.experiments.recipes import RECIPES, Recipe
from keras_amp.experiments.results import Result
from keras_amp.experiments.settings import Method, Settings, methods
from keras_amp.experiments.store import read_records
from keras_amp.experiments.summary.frames import as_frame
from keras_amp.experiments.summary.means import summarize
from keras_amp.experiments.summary.methods import Results, markdown
from keras_amp.experiments.training import build_classifier, train
from keras_amp.experiments.verifying import Repeated, Verification, verify

__all__ = [
    "RECIPES",
    "Cell",
    "ComparisonRun",
    "Examples",
    "Grid",
    "GridRun",
    "Method",
    "Recipe",
    "Repeated",
    "Result",
    "Results",
    "Settings",
    "Verification",
    "as_frame",
    "build_classifier",
    "compare",
    "load_grid",
    "markdown",
    "methods",
    "parse_grid",
    "prepare",
    "read_records",
    "run_grid",
    "shipped",
    "summarize",
    "train",
    "verify",
]
