"""The store of cells: a JSON file for each, named by its key, whole or absent."""

from dataclasses import MISSING, fields
from pathlib import Path

from keras_amp.experiments.cells import key_of, with_defaults
from keras_amp.experiments.config import FILE
from keras_amp.experiments.results import Result, write_json
from keras_amp.experiments.scores import readings_of
from keras_amp.runs import intact, read_json

CELLS = "cells"  # below a grid's folder
OWN = "build_classifier"  # in the configurations of cells of a user's own model
FINISHED, FAILED = "finished", "failed"


def write_record(folder, record):
    """Writes a cell's record to its place in a grid's folder.

    Args:
        folder: The grid's folder.
        record: Dict, as ``run_cell`` returns it.
    """
    cells = Path(folder) / CELLS
    cells.mkdir(parents=True, exist_ok=True)
    write_json(cells / f"{record['key']}.json", record)


def read_records(folders):
    """Reads the records of grids.

    Where several folders hold a cell, a finished record counts more than a failed one,
    and of equal ones the first. Settings that the package did not have when a cell was
    run are filled in with their defaults.

    Args:
        folders: Folders of grids.

    Returns:
        A dict from keys of cells to records: dicts with ``key``, ``config``, ``status``
        (``"finished"`` or ``"failed"``), ``result``,
        ``curves`` and ``predictions`` (see ``experiments.predictions``) or ``error``,
        ``backend``, ``versions``, ``source``, ``machine``, ``jit_compile`` (see
        ``experiments.environment``; cells of before it have less), ``started`` and
        ``seconds``. Those that ran so have ``devices`` or ``seeds_at_once``, how many.

    Raises:
        FileNotFoundError: If a folder is missing or is no grid's.
        ValueError: If a record is damaged; the message names the file.

    Example:
    >>> from keras_amp.experiments import read_records
    >>> read_records(["nowhere"])
    Traceback (most recent call last):
    FileNotFoundError: Expected folders of grids. Received: nowhere, which is no folder.
    """
    records = {}
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise FileNotFoundError(
                f"Expected folders of grids. Received: {folder}, which is no folder."
            )
        if not (folder / CELLS).is_dir() and not (folder / FILE).is_file():
            raise FileNotFoundError(
                f"Expected folders of grids. Received: {folder}, which holds neither "
                f"{FILE} nor a folder {CELLS}."
            )
        for record in _in_folder(folder).values():
            there = records.get(record["key"])
            if there is None or (there["status"], record["status"]) == (FAILED, FINISHED):
                records[record["key"]] = record
    return records


def read_record(path):
    """Reads the record of one cell; see ``read_records``.

    Args:
        path: Path of its file.

    Raises:
        ValueError: If it is damaged; the message names the file.
    """
    return intact(path, _read)


def keys_of_files(folder):
    """Returns the keys of a grid's cells by the names of their files.

    The two differ where settings came later than the cell was run.

    Args:
        folder: The grid's folder.
    """
    return {name: record["key"] for name, record in _in_folder(Path(folder)).items()}


def _in_folder(folder):
    paths = sorted((folder / CELLS).glob("*.json"))
    return {path.stem: intact(path, _read) for path in paths}


def _read(path):
    record = read_json(path)
    if record["status"] not in (FINISHED, FAILED):
        raise ValueError(f"no status {record['status']!r}")
    if record["status"] == FINISHED:
        record["result"] = _with_readings(record["result"], record.get("curves", {}))
    else:
        record["error"]  # KeyError: damaged
    config = record["config"]
    if OWN not in config:  # of a model of the user's own, whose settings are no others
        config = with_defaults(config)
    # Before JAX there was TensorFlow alone.
    record = {"backend": "tensorflow", **record}
    return {**record, "config": config, "key": key_of(config)}


def _with_readings(result, curves):
    """A result with the fields that are newer than it, as far as they are known."""
    later = {f.name: f.default for f in fields(Result) if f.default is not MISSING}
    errors = curves.get("test_error")
    return {**later, **(readings_of(errors) if errors else {}), **result}
