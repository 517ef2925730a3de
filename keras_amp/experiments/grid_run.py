"""Grids: their cells run in processes or on a cluster, and go on where they were."""

import itertools
import os
import shlex
import shutil
from pathlib import Path

from keras_amp.experiments.config import FILE
from keras_amp.experiments.devices import check_alone, check_devices
from keras_amp.experiments.executors import Together, on_cluster, on_this_machine
from keras_amp.experiments.results import errors_text
from keras_amp.experiments.runner import Runner, share_cores, try_cells
from keras_amp.experiments.store import (
    CELLS,
    FAILED,
    FINISHED,
    read_records,
    write_record,
)
from keras_amp.experiments.study import STUDY
from keras_amp.experiments.summary.labels import label_cells
from keras_amp.experiments.worker import run_cell
from keras_amp.runtime import notes
from keras_amp.runtime.extras import require
from keras_amp.runtime.files import whole_file
from keras_amp.validation import check_count


class GridRun(Runner):
    """A grid in its folder, ready to run in processes of their own, or on a cluster.

    Everything a user can get wrong is found when it is made, before any training: the
    data, vectors and presets of the cells to be run are loaded once. (Not those of a
    cluster, which has files of its own.)

    Args:
        grid: ``Grid``.
        out: The grid's folder: a new or empty one, or one that it has run in before;
            None for ``runs/<name>``.
        jobs: Integer, cells at a time; None for as many as there are cores, or as GPUs
            hold by ``gpus_per_cell``.
        threads: Integer, the threads of a cell; None divides the cores among the jobs.
        retry: Whether to run cells again that have failed.
        reuse: Folders of other grids, whose finished cells need not be run again where
            they are this grid's, too; they are copied.
        cluster: Address of a Ray cluster, or ``"local"`` to start one on this machine;
            None for processes of this machine.
        gpus_per_cell: Float > 0, the share of a GPU that a cell needs; None leaves GPUs
            to TensorFlow.
        data_dir: Folder with public data sets; see ``keras_amp.data.load``.
        seeds_at_once: Integer, the seeds that are trained as one program, on JAX; True
            for as many as fit into the memory; False for each by itself.
            Processes of their own have that backend; ``jobs`` is then 1 by default.
        devices: Integer, how many devices (the first ones) share each batch of a cell, by
            ``keras.distribution`` on JAX, by ``tf.distribute.MirroredStrategy`` on
            TensorFlow; None leaves them to the backend. ``jobs`` is then 1 by default.
        in_this_process: Whether cells run in this process, one after the other, as in a
            notebook or a debugger. Processes of their own have variables that choose
            TensorFlow's kernels; see ``keras_amp.runtime.process``.
        console: A ``rich.console.Console``; None for standard output.

    Attributes:
        records: Dict from the keys of cells to the records that there are.
        todo: List of the ``Cell``s to be run.

    Raises:
        ValueError: If an argument lies outside its range, or the data, the word vectors
            or a preset cannot be used.
        FileNotFoundError: If a file is missing.
        FileExistsError: If ``out`` holds something else.
        ImportError: If a cluster is named and Ray is not installed.
        ConnectionError: If data, vectors or a preset cannot be fetched.
    """

    def __init__(
        self,
        grid,
        out=None,
        jobs=None,
        threads=None,
        retry=False,
        reuse=(),
        cluster=None,
        gpus_per_cell=None,
        data_dir=None,
        console=None,
        seeds_at_once=False,
        devices=None,
        in_this_process=False,
    ):
        self.cluster, self.data_dir = cluster, data_dir
        self.in_this_process = bool(in_this_process)
        if self.in_this_process:
            where = {"jobs": jobs, "threads": threads, "cluster": cluster}
            where |= {"gpus_per_cell": gpus_per_cell, "devices": devices}
            _check_here(**where, seeds_at_once=seeds_at_once)
            jobs = 1
        out = Path("runs") / grid.name if out is None else Path(out)
        if devices is not None:
            check_alone(
                cluster=cluster, gpus_per_cell=gpus_per_cell, seeds_at_once=seeds_at_once
            )
        self.together, self.devices = _together(seeds_at_once, cluster), devices
        if self.together is not None or devices is not None:
            jobs = jobs or 1
        self.jobs, self.threads = share_cores(jobs, threads, gpus_per_cell)
        self.gpus_per_cell = gpus_per_cell
        if cluster is not None:
            require("cluster", "ray")
        records = _records_in(out)
        missing = [c for c in grid.cells if _is_missing(records.get(c.key), retry)]
        keys = {cell.key for cell in missing}
        self.others = {
            key: record
            for key, record in read_records(reuse).items()
            if key in keys and record["status"] == FINISHED
        }
        todo = [cell for cell in missing if cell.key not in self.others]
        check_devices(devices, todo)
        self.names = label_cells(grid.cells)
        super().__init__(grid, out, records, todo, self.names, "cells", console)
        if cluster is None:
            with self.display.busy("Reading data"):
                try_cells(todo, data_dir)

    def begin(self):
        """Writes the configuration and what is reused; says what there is to do."""
        (self.out / CELLS).mkdir(parents=True, exist_ok=True)
        kept = _keep_other(self.out / FILE, self.grid.text)
        with whole_file(self.out / FILE) as file:
            file.write(self.grid.text)
        for key, record in self.others.items():
            self.records[key] = record
            self.keep(record)
        here = len(self.grid.cells) - self.left
        failed = self.display.count(FAILED)
        already = f", {here} have run before" + (f" ({failed} failed)" if failed else "")
        self.display.say(
            f"{self.grid.title}\n{self.left} cells to run{already if here else ''}"
        )
        self.display.say(f"Results in {self.out}")
        if kept is not None:
            self.display.say(f"Another {FILE} was there; it is kept as {kept.name}")
        self._state()

    def execute(self):
        """The records of the cells to be run, as they end."""
        study = self.grid.study
        named = {} if study is None else {STUDY: study.named}
        return ({**record, **named} for record in self._executed())

    def _executed(self):
        if self.in_this_process:
            notes.hide_tracing_warning()
            return (run_cell(cell, self.data_dir) for cell in self.todo)
        how = self.threads, self.data_dir, self.gpus_per_cell
        if self.cluster is None:
            return on_this_machine(
                self.todo, self.jobs, *how, None, self.together, self.devices
            )
        return on_cluster(self.todo, self.cluster, *how, self.jobs)

    def keep(self, record):
        """Writes a record to its place."""
        write_record(self.out, record)

    def ended(self, record, cell):
        """Says what a cell came to."""
        self._state()
        name, total = name_of(cell, self.names), len(self.grid.cells)
        if record["status"] == FAILED:
            error = record["error"]
            self.display.say(f"Failed: {name}: {error['type']}: {error['message']}")
        elif not self.display.is_live:
            result = record["result"]
            errors = errors_text(result["dev_error"], result["test_error"])
            self.display.say(
                f"{total - self.left} of {total}: {name}: {errors} "
                f"({record['seconds']:.1f} s)"
            )

    def close(self):
        """Says what there is, and how to go on."""
        self.display.say(f"{self._so_far()}.")
        if self.display.count(FINISHED):
            tables = shlex.join(["keras-amp", "table", str(self.out)])
            self.display.say(f"Tables: {tables}")

    def cut_short(self, how):
        """Returns what there is to say of a grid that did not come to its end."""
        return f"{how}: {self._so_far()}; the same command goes on."

    def _so_far(self):
        finished, failed = map(self.display.count, (FINISHED, FAILED))
        text = f"{finished} of {len(self.grid.cells)} cells are finished"
        return text + (f", {failed} failed (--retry runs them again)" if failed else "")

    def _state(self):
        finished, failed = map(self.display.count, (FINISHED, FAILED))
        running = f"{min(self.jobs, self.left)} running, " if self.cluster is None else ""
        self.display.state = f"{finished} done, {running}{failed} failed"


def run_grid(grid, out=None, **arguments):
    r"""Runs the cells of a grid that have not been run yet.

    Each cell that ends is written at once to ``<out>/cells/<key>.json``, whole or not at
    all. A grid that was killed goes on where it was; only the cells in flight are lost.
    Cells are named by all settings that their result depends on, so that a changed
    configuration makes new cells, and those of the former one stay as they are.

    Args:
        grid: ``Grid``.
        out: The grid's folder; None for ``runs/<name>``.
        **arguments: As ``GridRun``.

    Returns:
        A dict from the keys of the grid's cells to their records; see ``read_records``.

    Raises:
        ValueError: As ``GridRun``, and the other exceptions named there.

    Example:
    >>> from keras_amp.experiments import parse_grid, run_grid
    >>> grid = parse_grid("[settings]\nmix = 'none'\nsteps = 2\nfilters = 2", "tiny")
    >>> records = run_grid(grid, "tiny", jobs=1)  # doctest: +SKIP
    >>> [record["status"] for record in records.values()]  # doctest: +SKIP
    ['finished']
    """
    return GridRun(grid, out, **arguments).run()


def name_of(cell, names):
    """Returns what a cell is called in a line: its name, its seed and its fold.

    Args:
        cell: ``Cell``.
        names: Dict from the keys of cells to names, as of ``label_cells``.
    """
    fold = "" if cell.fold is None else f", fold {cell.fold}"
    return f"{names[cell.key]}, seed {cell.seed}{fold}"


def _check_here(**others):
    """Raises where cells of this process are to run elsewhere, or several at a time."""
    given = [f"{n}={v!r}" for n, v in others.items() if v not in (None, False)]
    if given:
        raise ValueError(
            "Expected `in_this_process` alone: cells then run here, one after the other. "
            f"Received: {', '.join(given)}"
        )


def _together(seeds_at_once, cluster):
    """How seeds are trained at once, or None; raises where they cannot be."""
    if seeds_at_once is False:
        return None
    if seeds_at_once is not True:
        check_count("seeds_at_once", seeds_at_once)
    if cluster is not None:
        raise ValueError(
            "Expected no `cluster` with `seeds_at_once`, which trains in processes of "
            f"this machine. Received: cluster={cluster!r}"
        )
    require("jax", "jax")
    backend = os.environ.get("KERAS_BACKEND", "jax")
    if backend != "jax":
        raise ValueError(
            "Expected KERAS_BACKEND to be unset or jax with `seeds_at_once`, which "
            f"trains on JAX. Received: KERAS_BACKEND={backend}"
        )
    return Together(None if seeds_at_once is True else seeds_at_once)


def _is_missing(record, retry):
    return record is None or (retry and record["status"] == FAILED)


def _keep_other(path, text):
    """Copies a grid's file if it holds another text; returns the copy's path, or None."""
    if not path.is_file() or path.read_bytes() == text.encode():
        return None
    names = (path.with_stem(f"{path.stem}-{n}") for n in itertools.count(1))
    return Path(shutil.copyfile(path, next(n for n in names if not n.exists())))


def _records_in(out):
    """What a grid's folder holds already."""
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"Expected a folder. Received: {out}, which is a file.")
    if not out.is_dir() or not any(out.iterdir()):
        return {}
    if not (out / FILE).is_file():
        raise FileExistsError(
            f"Expected a new or empty folder, or a grid's. Received: {out}, which holds "
            "something else. Name another one."
        )
    return read_records([out])
