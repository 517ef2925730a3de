"""Trials: the settings of a run, and its record once it has ended."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from keras_amp.analysis.curve import CURVE
from keras_amp.experiments.cells import WITHOUT_EFFECT, flat_values
from keras_amp.experiments.predictions import unpacked
from keras_amp.experiments.summary.artefacts import (
    read_confusion,
    read_numbers,
    read_predictions,
)
from keras_amp.runs import CONFIG, intact, read_json

EPOCHS, PREDICTIONS, CONFUSION = "epochs.csv", "predictions.csv", "confusion.csv"
WITHIN = ("seed", "fold")  # what the trials of one group differ by
# What a configuration or a record says about a run besides its settings.
ABOUT_THE_RUN = (
    "command",
    "class_names",
    "versions",
    "encoding",
    "examples",
    "truncated",
    "steps_per_epoch",
    "most_epochs",
    "most_steps",
)


@dataclass(frozen=True, eq=False)
class Trial:
    """A run with what is known of it.

    The files of its folder are read when they are asked for. A file that is missing is
    None; a damaged one raises ValueError, which names it.

    Attributes:
        values: Dict, the settings that its result depends on, by their own names, with
            the method's name.
        record: Its record, a dict; None where it was not run.
        key: The key of its cell; None where it has none.
        tuned: Dict, the settings that its method was given of its own, and that are not
            among ``values``: see ``Grid``.
    """

    values: dict = field(repr=False)
    record: dict | None = field(default=None, repr=False)
    key: str | None = None
    tuned: dict = field(default_factory=dict, repr=False)

    @property
    def status(self):
        """``"finished"``, ``"failed"``, or ``"not run"``."""
        return "not run" if self.record is None else self.record["status"]

    @property
    def part(self):
        """What pairs it with the trials of other methods: ``(seed, fold)``."""
        return self.values["seed"], self.values["fold"]

    @property
    def result(self):
        """The fields of its ``Result``, a dict."""
        return self.record["result"]

    @property
    def folder(self):
        """The folder of its files, or None."""
        folder = self.record.get("folder")
        return None if folder is None else Path(folder)

    @cached_property
    def config(self):
        """The settings as they are stored, and what is known about the run."""
        about = {n: self.record[n] for n in ABOUT_THE_RUN if n in self.record}
        known = {**self.record["config"], **about}
        if "class_names" in known or self.folder is None:
            return known
        return {**intact(self.folder / CONFIG, read_json), **known}

    @property
    def class_names(self):
        """The names of the classes, in the order of the probabilities."""
        return list(self.config["class_names"])

    @cached_property
    def epochs(self):
        """A data frame of numbers, a row an epoch."""
        return self._read(EPOCHS, read_numbers)

    @cached_property
    def curve(self):
        """A data frame of the columns ``lam``, ``word`` and ``sentence``."""
        if "along_lambda" in self.record:
            return pd.DataFrame(self.record["along_lambda"])
        return self._read(CURVE, lambda path: read_numbers(path, "lam"))

    @cached_property
    def confusion(self):
        """Counts by true class (rows), an integer array ``(classes, classes)``."""
        return self._read(CONFUSION, lambda path: read_confusion(path, self.class_names))

    @cached_property
    def predictions(self):
        """Test labels ``(examples,)`` and probabilities ``(examples, classes)``."""
        if self.folder is None and "predictions" in self.record:
            return unpacked(self.record["predictions"])
        return self._read(
            PREDICTIONS, lambda path: read_predictions(path, self.class_names)
        )

    def _read(self, name, read):
        if self.folder is None or not (self.folder / name).is_file():
            return None
        return intact(self.folder / name, read)


def trials_of(records):
    """Return the ``Trial``s of records.

    Args:
        records: Iterable of dicts with ``config``, ``status`` and ``result``.
    """
    return [
        Trial(_settings(record["config"]), record, record.get("key"))
        for record in records
    ]


def trials_of_grid(grid, records):
    """Return a ``Trial`` for each cell of a grid, run or not.

    Args:
        grid: ``Grid``.
        records: Dict from keys of cells to records.
    """
    tuned = grid.table.get("tuned", [])
    return [
        Trial(
            grid.values[cell.key],
            records.get(cell.key),
            cell.key,
            {n: v for n, v in cell.values.items() if n in tuned},
        )
        for cell in grid.cells
    ]


def _settings(config):
    left_out = {*ABOUT_THE_RUN, *WITHOUT_EFFECT}
    settings = {n: v for n, v in config.items() if n not in left_out}
    return flat_values({**settings, "data": str(Path(config["data"]))})
