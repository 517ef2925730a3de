"""Grids of training runs: cells that are independent, kept one by one, and resumed.

Needs the extra ``keras-amp[experiments]``.
"""

from keras_amp.runtime.extras import require

require("experiments", "cyclopts", "joblib", "pandas", "rich", "tensorboard")

from keras_amp.experiments.cells import Cell
from keras_amp.experiments.config import Grid, load_grid, parse_grid, shipped
from keras_amp.experiments.runner import GridRun, run_grid
from keras_amp.experiments.store import read_records
from keras_amp.experiments.verifying import Repeated, Verification, verify

__all__ = [
    "Cell",
    "Grid",
    "GridRun",
    "Repeated",
    "Verification",
    "load_grid",
    "parse_grid",
    "read_records",
    "run_grid",
    "shipped",
    "verify",
]
