"""Reading what finished runs have written."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from keras_amp.analysis.curve import CURVE
from keras_amp.experiments.results import Result
from keras_amp.runs import CONFIG, RESULT, intact, read_json

EPOCHS, PREDICTIONS, CONFUSION = "epochs.csv", "predictions.csv", "confusion.csv"
NEEDED = ("data", "backbone", "class_names", "mix", "policy", "seed", "fold")


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """The files of a finished run, each read once it is asked for.

    A file that is not there is None; a damaged one raises ValueError, naming it.

    Attributes:
        folder: The run's folder.
        config: Dict, its configuration.
        result: Its ``Result``.
    """

    folder: Path
    config: dict
    result: Result

    @property
    def part(self):
        """What pairs the run with those of other methods: ``(seed, fold)``."""
        return self.result.seed, self.result.fold

    @cached_property
    def epochs(self):
        """A data frame of numbers, a row an epoch."""
        return self._read(EPOCHS, _read_numbers)

    @cached_property
    def curve(self):
        """A data frame of the columns ``lam``, ``word`` and ``sentence``."""
        return self._read(CURVE, lambda path: _read_numbers(path, "lam"))

    @cached_property
    def confusion(self):
        """Counts by true class (rows), an integer array ``(classes, classes)``."""
        return self._read(CONFUSION, lambda path: _read_confusion(path, self.class_names))

    @cached_property
    def predictions(self):
        """Test labels ``(examples,)`` and probabilities ``(examples, classes)``."""
        return self._read(
            PREDICTIONS, lambda path: _read_predictions(path, self.class_names)
        )

    @property
    def class_names(self):
        """The names of the classes, in the order of the probabilities."""
        return self.config["class_names"]

    def _read(self, name, read):
        path = self.folder / name
        return intact(path, read) if path.is_file() else None


@dataclass(frozen=True)
class LeftOut:
    """A run that is not on the page.

    Attributes:
        folder: The run's folder.
        reason: Why not.
    """

    folder: Path
    reason: str


def read_runs(folders):
    """Finds the runs in folders and reads what they are.

    Args:
        folders: Paths of runs, of comparisons, or of folders that hold some at any depth.

    Returns:
        A tuple ``(runs, left_out)``: a list of ``FinishedRun``s, each folder once, in the
        order given; and a list of ``LeftOut`` for those that did not end.

    Raises:
        ValueError: If no folder is given, a file is damaged, or the runs are of several
            data sets.
        FileNotFoundError: If a folder is missing, holds no run, or none that has ended.

    Example:
    >>> from keras_amp.report.reading import read_runs
    >>> read_runs(["nowhere"])
    Traceback (most recent call last):
    FileNotFoundError: Expected folders of runs. Received: nowhere, which is no folder.
    """
    folders = [Path(folder) for folder in folders]
    if not folders:
        raise ValueError("Expected at least one folder of runs. Received: none.")
    runs, left_out, seen = [], [], set()
    for folder in folders:
        found = list(_configurations(folder))
        if not found:
            raise FileNotFoundError(
                f"Expected folders of runs. Received: {folder}, which holds none; a run "
                f"has a file {CONFIG}."
            )
        for place, config in found:
            if place.resolve() in seen:
                continue
            seen.add(place.resolve())
            if (place / RESULT).is_file():
                result = intact(place / RESULT, _read_result)
                runs.append(FinishedRun(place, config, result))
            else:
                left_out.append(LeftOut(place, "it did not end"))
    if not runs:
        names = ", ".join(str(run.folder) for run in left_out[:5])
        raise FileNotFoundError(
            "Expected at least one run that has ended. Received: runs cut short alone: "
            f"{names}. Train them again."
        )
    _check_same_data(runs)
    return runs, left_out


def _configurations(folder):
    """The folders of runs at or below one, with their configurations."""
    if not folder.is_dir():
        what = "a file" if folder.exists() else "no folder"
        raise FileNotFoundError(
            f"Expected folders of runs. Received: {folder}, which is {what}."
        )
    for path in sorted(folder.rglob(CONFIG)):
        config = intact(path, read_json)
        # Models have files of that name, too.
        if isinstance(config, dict) and {"mix", "seed"} <= set(config):
            intact(path, lambda _, config=config: _check_config(config))
            yield path.parent, config


def _check_config(config):
    missing = [name for name in NEEDED if name not in config]
    if missing:
        raise ValueError(f"no {', '.join(missing)}")


def _read_result(path):
    return Result(**read_json(path))


def _check_same_data(runs):
    """Raises unless all runs are of one data set."""
    sets = {}
    for run in runs:
        key = str(Path(run.config["data"])), tuple(run.class_names)
        sets.setdefault(key, run.folder)
    if len(sets) > 1:
        names = [f"{data} ({folder})" for (data, _), folder in sets.items()]
        if len({data for data, _ in sets}) == 1:
            names = [f"{folder} with {len(c)} classes" for (_, c), folder in sets.items()]
        raise ValueError(
            "Expected runs of one data set, whose errors can be compared. Received: "
            f"{', '.join(names)}. Write a report for each."
        )


def _read_numbers(path, *needed):
    frame = pd.read_csv(path)
    missing = [name for name in needed if name not in frame]
    if missing:
        raise ValueError(f"no column {', '.join(missing)}")
    if frame.empty:
        raise ValueError("no lines")
    return frame.astype("float64")


def _read_words(path):
    # Whatever a class or a text is called, it is no missing value.
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _read_confusion(path, class_names):
    frame = _read_words(path)
    if list(frame.columns[1:]) != class_names or list(frame.iloc[:, 0]) != class_names:
        raise ValueError("its classes are not those of the configuration")
    return frame.iloc[:, 1:].to_numpy().astype("int64")


def _read_predictions(path, class_names):
    frame = _read_words(path)
    columns = [f"p({name})" for name in class_names]
    missing = [name for name in ("label", *columns) if name not in frame]
    if missing:
        raise ValueError(f"no column {', '.join(missing)}")
    labels = pd.Index(class_names).get_indexer(frame["label"])
    if len(labels) == 0 or (labels < 0).any():
        raise ValueError("no lines, or a label that is none of the classes")
    return labels, frame[columns].to_numpy().astype("float64")
