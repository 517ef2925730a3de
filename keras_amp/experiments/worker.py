"""A cell, run in a process of its own or not: its record."""

import csv
import multiprocessing
import os
import signal
import tempfile
import threading
import time
import traceback
from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import Path

import tensorflow as tf

from keras_amp import data
from keras_amp.analysis.curve import CURVE
from keras_amp.experiments.environment import ENVIRONMENT, environment, use_threads
from keras_amp.experiments.examples import SPLITS, prepare
from keras_amp.experiments.results import TEST_CURVE
from keras_amp.experiments.store import FAILED, FINISHED
from keras_amp.experiments.training import train
from keras_amp.runs import read_json

KEPT = 2  # sets of examples that a process keeps: those of the cells that come next
PARENT_CHECKED = 1.0  # seconds

_examples = OrderedDict()
_datasets = OrderedDict()
_prepared = []


def run_cell(cell, data_dir=None):
    """Trains and tests a cell's classifier.

    An exception of the training is part of the record; it is not raised.

    Args:
        cell: ``Cell``.
        data_dir: Folder with public data sets, or None.

    Returns:
        A dict, the cell's record; see ``read_records``.

    Example:
    >>> from keras_amp.experiments import Method, Settings
    >>> from keras_amp.grid import Cell
    >>> from keras_amp.experiments.worker import run_cell
    >>> small = {"filters": 2, "embedding_dim": 4}
    >>> cell = Cell(Settings(steps=1, backbone_arguments=small), Method("none"), None, 0)
    >>> record = run_cell(cell)
    >>> record["status"], record["result"]["steps"], len(record["curves"]["test_error"])
    ('finished', 1, 1)
    """
    started, start = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter()
    try:
        outcome = {"status": FINISHED, **_train(cell, data_dir)}
    except Exception as error:  # whatever it is, the other cells go on
        outcome = _failure(type(error).__name__, str(error), traceback.format_exc())
    return _record(cell, outcome, started, time.perf_counter() - start)


def died(cell, why):
    """Returns the record of a cell whose process came to its end before the cell did.

    Args:
        cell: ``Cell``.
        why: What is known of it.
    """
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return _record(cell, _failure("WorkerDied", why, ""), started, 0.0)


def prepare_process(threads, shares_gpu=False, watch=False):
    """Sets a worker up for cells; does nothing the second time.

    Args:
        threads: Integer, the threads that TensorFlow may compute with.
        shares_gpu: Whether to use one GPU only, another one for the next worker, and no
            more of its memory than is needed.
        watch: Whether the process ends as soon as the one that started it is gone. A
            grid that is killed cannot tell its workers: they would train for nobody.
    """
    if _prepared:
        return
    _prepared.append(True)
    if watch:
        _end_with_parent()
    # A process that trains many models traces many functions: that is no news.
    tf.get_logger().setLevel("ERROR")
    # Ctrl-C is for the grid, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    use_threads(threads)
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and shares_gpu:
        chosen = gpus[_worker_number() % len(gpus)]
        tf.config.set_visible_devices(chosen, "GPU")
        tf.config.experimental.set_memory_growth(chosen, True)


def _end_with_parent():
    parent = os.getppid()

    def look():
        while os.getppid() == parent:
            time.sleep(PARENT_CHECKED)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


def _worker_number():
    """The number at the end of a worker's name, such as LokyProcess-3; else 0."""
    number = multiprocessing.current_process().name.rpartition("-")[2]
    return int(number) if number.isdigit() else 0


def _failure(kind, message, trace):
    error = {"type": kind, "message": message, "traceback": trace}
    return {"status": FAILED, "error": error}


def _record(cell, outcome, started, seconds):
    return {
        "key": cell.key,
        "config": cell.config,
        **environment(),
        **outcome,
        "started": started,
        "seconds": round(seconds, 3),
    }


def _train(cell, data_dir):
    settings = cell.settings_with(data_dir)
    examples = _examples_of(cell, settings)
    with tempfile.TemporaryDirectory() as folder:
        result = train(
            settings,
            cell.how,
            cell.policy,
            cell.seed,
            examples,
            Path(folder),
            cell.fold,
        )
        curves = _curves(Path(folder))
        along = _columns(Path(folder) / CURVE) if settings.save_curve else None
        about = read_json(Path(folder) / ENVIRONMENT)
    return {
        "result": result.as_dict(),
        "curves": curves,
        **({"along_lambda": along} if along else {}),
        "examples": {n: len(getattr(examples, n)[1]) for n in SPLITS},
        **about,
    }


def _examples_of(cell, settings):
    """The cell's examples; those of the last cells are there already."""
    key = cell.examples_key, settings.data_dir
    return _remembered(
        _examples,
        key,
        lambda: prepare(_dataset(settings), settings, cell.seed, cell.fold or 0),
    )


def _dataset(settings):
    key = settings.data, settings.data_dir, settings.phrases
    return _remembered(_datasets, key, lambda: data.load(*key))


def _remembered(memory, key, make):
    if key not in memory:
        memory[key] = make()
        while len(memory) > KEPT:
            memory.popitem(last=False)
    memory.move_to_end(key)
    return memory[key]


def _curves(folder):
    """The errors of every epoch, in percent, the training loss, and errors by step."""
    columns = _columns(folder / "epochs.csv")
    curves = {"loss": columns["loss"]}
    for name, column in (("dev_error", "val_accuracy"), ("test_error", "test_accuracy")):
        if column in columns:  # without a development set it is not
            curves[name] = [_error(value) for value in columns[column]]
    if (folder / TEST_CURVE).is_file():
        curves["by_step"] = _columns(folder / TEST_CURVE)
    return curves


def _columns(path):
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def _error(accuracy):
    return round(100 * (1 - accuracy), 4)
