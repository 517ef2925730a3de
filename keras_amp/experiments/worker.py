"""What one process does: it runs a cell and returns its record."""

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections import OrderedDict
from dataclasses import replace
from datetime import UTC, datetime

import keras
import tensorflow as tf

from keras_amp import data
from keras_amp.analysis.curve import curve_columns
from keras_amp.callbacks import MixingTensorBoard
from keras_amp.experiments.devices import make_cpus, on_devices
from keras_amp.experiments.environment import environment, use_threads
from keras_amp.experiments.examples import prepare
from keras_amp.experiments.predictions import packed
from keras_amp.experiments.results import about_run, new_folder, write_json
from keras_amp.experiments.robustness import perturbed_scores
from keras_amp.experiments.seeds_at_once import fit_and_test_together
from keras_amp.experiments.store import FAILED, FINISHED
from keras_amp.experiments.times import WRITING
from keras_amp.experiments.training import TENSORBOARD, fit_and_test, save_artefacts
from keras_amp.runs import CONFIG

KEPT = 2  # sets of examples that a process keeps: those of the cells that come next
PARENT_CHECKED = 1.0  # seconds

_examples = OrderedDict()
_datasets = OrderedDict()
_prepared = []


def run_cell(cell, data_dir=None, devices=None):
    """Trains and tests a cell's classifier; keeps no file.

    An exception of the training is part of the record; it is not raised.

    Args:
        cell: ``Cell``.
        data_dir: Folder with public data sets, or None.
        devices: Integer, how many devices share each batch, which the record then says;
            None for what the backend does by itself.

    Returns:
        A dict, the cell's record; see ``read_records``.

    Example:
    >>> from keras_amp.experiments import Cell, Method, Settings
    >>> from keras_amp.experiments.worker import run_cell
    >>> small = {"filters": 2, "embedding_dim": 4}
    >>> cell = Cell(Settings(steps=1, backbone_arguments=small), Method("none"), None, 0)
    >>> record = run_cell(cell)
    >>> record["status"], record["result"]["steps"], len(record["curves"]["test_error"])
    ('finished', 1, 1)
    """

    def run():
        settings = cell.settings_with(data_dir)
        examples = examples_of(cell, settings)
        trained = _trained(cell, settings, examples, devices=devices)
        return _finished(trained, examples, settings)

    return recorded(cell, run)


def recorded(cell, run):
    """Returns the record of a cell that is run, in which a failure of it stands, too.

    Args:
        cell: ``Cell``, or another object with its ``key`` and ``config``.
        run: Callable that returns a finished cell's part of the record, a dict.
    """
    started, start = _now(), time.perf_counter()
    try:
        outcome = run()
    except Exception as error:  # whatever it is, the other cells go on
        outcome = _failure(type(error).__name__, str(error), traceback.format_exc())
    return _record(cell, outcome, started, time.perf_counter() - start)


def run_cells_together(cells, data_dir=None, most=None):
    """Trains and tests the classifiers of several seeds as one program, on JAX.

    An exception of the training is part of the records of all cells that it has kept from
    ending; it is not raised.

    Args:
        cells: List of ``Cell``s that differ by seed and fold alone.
        data_dir: Folder with public data sets, or None.
        most: Integer, seeds at a time; None for as many as fit into the memory.

    Returns:
        A list of records as of ``run_cell``, in which ``seconds`` are a cell's share, and
        ``seeds_at_once`` says how many there were.
    """
    started, start = _now(), time.perf_counter()
    outcomes = {}
    try:
        settings = cells[0].settings_with(data_dir)
        examples = [examples_of(cell, settings, kept=len(cells)) for cell in cells]
        for place, trained, number in fit_and_test_together(
            cells, settings, examples, most
        ):
            finished = _finished(trained, examples[place], settings)
            outcomes[place] = finished | {"seeds_at_once": number}
    except Exception as error:  # whatever it is, the other cells go on
        failure = _failure(type(error).__name__, str(error), traceback.format_exc())
        outcomes = dict.fromkeys(range(len(cells)), failure) | outcomes
    share = (time.perf_counter() - start) / len(cells)
    return [
        _record(cell, outcomes[place], started, share) for place, cell in enumerate(cells)
    ]


def run_cell_into(folder, cell, follower, command=None):
    """Trains and tests a cell's classifier, and keeps its artefacts in a folder.

    Args:
        folder: Path of the folder, which is removed again if an exception is raised.
        cell: ``Cell``.
        follower: ``ComparisonRun``, which follows the training: its ``times``, its Keras
            ``callbacks``, ``devices``, ``reading()`` and ``begin_cell(cell, examples)``
            are used.
        command: The command line that asked for the cell, for ``config.json``, or None.

    Returns:
        The cell's record, with ``"folder"``, and with the contents of ``config.json`` as
        ``"config"``: the cell's own, and what is known about the run.
    """
    started, start = _now(), time.perf_counter()
    settings, times = cell.settings, follower.times
    with follower.reading():
        examples = examples_of(cell, settings)
    follower.begin_cell(cell, examples)
    with new_folder(folder):
        about = about_run(cell, settings, examples, command)
        write_json(folder / CONFIG, about)
        callbacks = [MixingTensorBoard(folder / TENSORBOARD), *follower.callbacks]
        trained = _trained(cell, settings, examples, callbacks, times, follower.devices)
        with times.part(WRITING):
            along = save_artefacts(
                folder, trained, settings, cell.how, cell.policy, examples
            )
    outcome = _finished(trained, examples, settings, along)
    record = _record(cell, outcome, started, time.perf_counter() - start)
    return {**record, "config": about, "folder": folder}


def died(cell, why):
    """Returns the record of a cell whose process ended before the cell did.

    Args:
        cell: ``Cell``.
        why: What is known of it.
    """
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return _record(cell, _failure("WorkerDied", why, ""), started, 0.0)


def prepare_process(threads, shares_gpu=False, watch=False, devices=None):
    """Sets a worker up for cells; does nothing the second time.

    Args:
        threads: Integer, the threads that TensorFlow may compute with.
        shares_gpu: Whether to use one GPU only, another one for the next worker, and no
            more of its memory than is needed.
        watch: Whether the process ends as soon as the one that started it is gone. A
            grid that is killed cannot stop its workers, which would go on training.
        devices: Integer, how many devices a cell is trained on, which there are in the
            process that has started this one; or None.
    """
    if _prepared:
        return
    _prepared.append(True)
    if watch:
        _end_with_parent()
    # A process that trains many models traces many functions: no warning is needed.
    tf.get_logger().setLevel("ERROR")
    # Ctrl-C is for the grid, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    use_threads(threads)
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and keras.backend.backend() == "jax":
        tf.config.set_visible_devices([], "GPU")  # it makes batches alone
    elif gpus and shares_gpu:
        chosen = gpus[_worker_number() % len(gpus)]
        tf.config.set_visible_devices(chosen, "GPU")
        tf.config.experimental.set_memory_growth(chosen, True)
    elif devices and not gpus:
        make_cpus(devices)


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


def _now():
    return datetime.now(UTC).isoformat(timespec="seconds")


def _record(cell, outcome, started, seconds):
    return {
        "key": cell.key,
        "config": cell.config,
        **environment(),
        **outcome,
        "started": started,
        "seconds": round(seconds, 3),
    }


def _trained(cell, settings, examples, callbacks=(), times=None, devices=None):
    how, policy = cell.how, cell.policy
    keras.utils.clear_session()  # not within: it would forget the devices, too
    with on_devices(devices):
        trained = fit_and_test(
            settings, how, policy, cell.seed, examples, cell.fold, callbacks, times
        )
    if devices is None:
        return trained
    return replace(trained, environment={**trained.environment, "devices": devices})


def _finished(trained, examples, settings, along=None):
    """A finished cell's part of its record, with what the settings ask for besides."""
    more = {}
    if settings.save_curve:
        along = along or curve_columns(trained.classifier, *examples.test)
        more["along_lambda"] = _nine_digits(along)
    if settings.test_perturbed:
        more["perturbed"] = perturbed_scores(trained.classifier, examples)
    return {
        "status": FINISHED,
        "result": trained.result.as_dict(),
        "curves": _curves(trained),
        **more,
        "predictions": packed(examples.test[1], trained.probabilities),
        "examples": examples.sizes,
        **trained.environment,
    }


def _nine_digits(columns):
    """Columns as a file of ``write_columns`` holds them."""
    return {name: [float(f"{v:.9g}") for v in column] for name, column in columns.items()}


def examples_of(cell, settings, kept=KEPT):
    """Returns the cell's ``Examples``; those of the last cells are there already.

    Args:
        cell: ``Cell``.
        settings: Its ``Settings``, with the folder of the data.
        kept: Integer, the sets of examples that are there afterwards, at least ``KEPT``.
    """
    key = cell.examples_key, settings.data_dir
    return _remembered(
        _examples,
        key,
        lambda: prepare(dataset_of(settings), settings, cell.seed, cell.fold or 0),
        kept,
    )


def dataset_of(settings):
    """Returns the ``Dataset`` of settings; those of the last ones are there already."""
    key = settings.data, settings.data_dir, settings.phrases
    return _remembered(_datasets, key, lambda: data.load(*key))


def _remembered(memory, key, make, kept=KEPT):
    if key not in memory:
        memory[key] = make()
        while len(memory) > max(KEPT, kept):
            memory.popitem(last=False)
    memory.move_to_end(key)
    return memory[key]


def _curves(trained):
    """The errors of every epoch, in percent, the training loss, and errors by step."""
    epochs = trained.epochs
    curves = {"loss": [epoch["loss"] for epoch in epochs]}
    for name, column in (("dev_error", "val_accuracy"), ("test_error", "test_accuracy")):
        if column in epochs[0]:  # without a development set it is not
            curves[name] = [_error(epoch[column]) for epoch in epochs]
    if trained.by_step:
        steps, errors = zip(*trained.by_step.items(), strict=True)
        curves["by_step"] = {"step": list(map(float, steps)), "test_error": list(errors)}
    return curves


def _error(accuracy):
    return round(100 * (1 - accuracy), 4)
