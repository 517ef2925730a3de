"""The former name of the grids' place, ``keras_amp.experiments``."""

import warnings

from keras_amp.experiments import (
    Cell,
    Grid,
    GridRun,
    Repeated,
    Verification,
    load_grid,
    parse_grid,
    read_records,
    run_grid,
    shipped,
    verify,
)

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

warnings.warn(
    "`keras_amp.grid` is now `keras_amp.experiments`.", DeprecationWarning, stacklevel=2
)
