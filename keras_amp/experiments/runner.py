"""``run_grid``: runs what is missing of a grid, and keeps every cell as it ends."""

from pathlib import Path

from keras_amp import data
from keras_amp.experiments.config import FILE
from keras_amp.experiments.environment import cores
from keras_amp.experiments.examples import prepare
from keras_amp.experiments.executors import on_cluster, on_this_machine
from keras_amp.experiments.progress import Board
from keras_amp.experiments.store import (
    CELLS,
    FAILED,
    FINISHED,
    read_records,
    write_record,
)
from keras_amp.experiments.training import build_classifier
from keras_amp.runtime.extras import require
from keras_amp.runtime.files import whole_file
from keras_amp.validation import check_count

# The settings that decide whether there are examples and a classifier at all.
OF_A_KIND = ("backbone", "backbone_arguments", "data", "folds", "phrases", "vectors")
OF_A_KIND += ("train_fraction", "train_per_class", "sequence_length")


class GridRun:
    """A grid in its folder, ready to run.

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
    ):
        self.grid, self.cluster, self.data_dir = grid, cluster, data_dir
        self.out = Path("runs") / grid.name if out is None else Path(out)
        self.jobs, self.threads = divide(jobs, threads, gpus_per_cell)
        self.gpus_per_cell = gpus_per_cell
        if cluster is not None:
            require("cluster", "ray")
        self.records = _records_in(self.out)
        self.others = read_records(reuse)
        missing = [c for c in grid.cells if self._is_missing(c, retry)]
        self.others = {
            c.key: self.others[c.key]
            for c in missing
            if self.others.get(c.key, {}).get("status") == FINISHED
        }
        self.todo = [c for c in missing if c.key not in self.others]
        self.board = Board(
            grid, self.records, self.out, None if cluster else self.jobs, console
        )
        if cluster is None:
            with self.board.busy("Reading data"):
                try_cells(self.todo, data_dir)

    def run(self):
        """Runs the missing cells; each that ends is written at once.

        Returns:
            A dict from the keys of the grid's cells to their records, those that failed
            among them.

        Raises:
            ConnectionError: If there is no such cluster.
        """
        (self.out / CELLS).mkdir(parents=True, exist_ok=True)
        with whole_file(self.out / FILE) as file:
            file.write(self.grid.text)
        cells = {cell.key: cell for cell in self.grid.cells}
        for record in self.others.values():
            self._keep(record)
        with self.board:
            self.board.start(len(self.todo))
            for record in self._new_records():
                self._keep(record)
                self.board.ended(record, cells[record["key"]])
        return {key: self.records[key] for key in cells}

    def _keep(self, record):
        write_record(self.out, record)
        self.records[record["key"]] = record

    def _new_records(self):
        how = self.threads, self.data_dir, self.gpus_per_cell
        if self.cluster is None:
            return on_this_machine(self.todo, self.jobs, *how)
        return on_cluster(self.todo, self.cluster, *how, self.jobs)

    def _is_missing(self, cell, retry):
        record = self.records.get(cell.key)
        return record is None or (retry and record["status"] == FAILED)


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
    >>> from keras_amp.grid import parse_grid, run_grid
    >>> grid = parse_grid("[settings]\nmix = 'none'\nsteps = 2\nfilters = 2", "tiny")
    >>> records = run_grid(grid, "tiny", jobs=1)  # doctest: +SKIP
    >>> [record["status"] for record in records.values()]  # doctest: +SKIP
    ['finished']
    """
    return GridRun(grid, out, **arguments).run()


def divide(jobs=None, threads=None, gpus_per_cell=None):
    """Divides the cores among cells at a time.

    Many small cells with a thread each do more than few with several: the smaller the
    model, the less there is to divide within a step.

    Args:
        jobs: Integer, cells at a time, or None.
        threads: Integer, the threads of a cell, or None.
        gpus_per_cell: Float > 0, or None.

    Returns:
        A tuple ``(jobs, threads)``.

    Raises:
        ValueError: If an argument lies outside its range.

    Example:
    >>> from keras_amp.experiments.runner import divide
    >>> divide(jobs=3, threads=2)
    (3, 2)
    """
    for name, value in (("jobs", jobs), ("threads", threads)):
        if value is not None:
            check_count(name, value)
    if gpus_per_cell is not None:
        if not gpus_per_cell > 0:
            raise ValueError(
                "Expected `gpus_per_cell` to be a number > 0. Received: "
                f"gpus_per_cell={gpus_per_cell!r}"
            )
        jobs = jobs or max(1, int(_gpus() / gpus_per_cell))
    available = cores()
    jobs = jobs or max(1, available // (threads or 1))
    return jobs, threads or max(1, available // jobs)


def _gpus():
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


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


def try_cells(cells, data_dir):
    """Makes the examples and the classifier of each kind of cell once; raises if not.

    Args:
        cells: List of ``Cell``s.
        data_dir: Folder with public data sets, or None.
    """
    kinds, places = {}, {}
    for cell in cells:
        config = cell.config
        kind = repr([config[name] for name in sorted(config) if name in OF_A_KIND])
        kinds.setdefault(kind, cell)
        places.setdefault(kind, {})[cell.how.mix] = cell.how
    datasets = {}
    for kind, cell in kinds.items():
        settings = cell.settings_with(data_dir)
        which = settings.data, settings.data_dir, settings.phrases
        if which not in datasets:
            datasets[which] = data.load(*which)
        examples = prepare(datasets[which], settings, cell.seed, cell.fold or 0)
        classifier = build_classifier(settings, examples, cell.seed)
        for how in places[kind].values():
            how.mix_at(classifier)  # raises where there is no such place
