"""The one runner of cells: checks them, runs what is missing, keeps each as it ends."""

from keras_amp.experiments.environment import cores
from keras_amp.experiments.progress import Display
from keras_amp.experiments.training import build_classifier
from keras_amp.experiments.worker import examples_of
from keras_amp.validation import check_count

# The settings that decide whether there are examples and a classifier at all.
OF_A_KIND = ("backbone", "backbone_arguments", "data", "folds", "phrases", "vectors")
OF_A_KIND += ("train_fraction", "train_per_class", "sequence_length")


class Runner:
    """Cells that are to be run, one way or another.

    Subclasses say where cells run (``execute``), what is kept of them (``keep``), and
    what is said about it (``begin``, ``ended``, ``close``, ``cut_short``).

    Args:
        grid: ``Grid``.
        out: Path of the folder for all that is kept.
        records: Dict from keys to the records that there are already.
        todo: List of the ``Cell``s to be run.
        names: Dict from the keys of cells to the names that the display has for them.
        unit: What a cell is called in what is said.
        console: A ``rich.console.Console``; None for standard output.

    Attributes:
        cells: Dict from keys to ``Cell``s, those of the grid; more may come.
        records: Dict from the keys of cells to the records that there are.
        todo: List of the ``Cell``s to be run.
        left: Integer, how many of them have not ended.
        display: ``Display``.
    """

    def __init__(self, grid, out, records, todo, names, unit, console):
        self.grid, self.out, self.records, self.todo = grid, out, records, todo
        self.cells = {cell.key: cell for cell in grid.cells}
        self.left = len(todo)
        self.display = Display(names, records, unit, console)

    def run(self):
        """Runs the cells; what is kept of one is written when it ends.

        Returns:
            A dict from the keys of the grid's cells to their records, those that failed
            among them.
        """
        self.begin()
        self.completed()
        try:
            with self.display:
                for record in self.execute():
                    self.records[record["key"]] = record
                    self.keep(record)
                    self.left -= 1
                    self.completed()
                    self.ended(record, self.cells[record["key"]])
        except BaseException as error:
            how = "Interrupted" if isinstance(error, KeyboardInterrupt) else "Ended"
            self.display.say(self.cut_short(how))
            raise
        self.close()
        return {key: self.records[key] for key in self.cells}

    def completed(self, part=0.0):
        """Moves the bar to the cells that have ended, and a part of the next one."""
        self.display.completed(len(self.cells) - self.left + part)


def share_cores(jobs=None, threads=None, gpus_per_cell=None):
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
    >>> from keras_amp.experiments.runner import share_cores
    >>> share_cores(jobs=3, threads=2)
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


def try_cells(todo, data_dir):
    """Makes the examples and the classifier of each kind of cell once; raises if not.

    Args:
        todo: List of ``Cell``s.
        data_dir: Folder with public data sets, or None.
    """
    kinds, places = {}, {}
    for cell in reversed(todo):  # the examples of the first are those made last
        config = cell.config
        kind = repr([config[name] for name in sorted(config) if name in OF_A_KIND])
        kinds[kind] = cell
        places.setdefault(kind, {})[cell.how.mix] = cell.how
    for kind, cell in kinds.items():
        settings = cell.settings_with(data_dir)
        classifier = build_classifier(settings, examples_of(cell, settings), cell.seed)
        for how in places[kind].values():
            how.mix_at(classifier)  # raises where there is no such place


def _gpus():
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))
