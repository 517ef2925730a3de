"""Comparisons: methods side by side, every method with every seed, in one folder."""

import contextlib
from datetime import datetime
from pathlib import Path

import keras

from keras_amp.experiments.cells import Cell
from keras_amp.experiments.config import Grid
from keras_amp.experiments.devices import check_devices
from keras_amp.experiments.executors import in_this_process
from keras_amp.experiments.results import (
    Result,
    check_new_folder,
    errors_text,
    new_folder,
    resolved,
    write_json,
)
from keras_amp.experiments.runner import Runner, try_cells
from keras_amp.experiments.settings import PROGRAM, RELATIVES, chosen_folds, methods
from keras_amp.experiments.summary.means import summarize
from keras_amp.experiments.summary.methods import (
    HEADER,
    SECOND,
    Results,
    methods_table,
    write_results,
)
from keras_amp.experiments.times import DATA, WRITING, Times
from keras_amp.experiments.worker import dataset_of
from keras_amp.policies import AdversarialMixing
from keras_amp.validation import check_count

READING = "Reading texts"
WIDE = 125  # columns of a terminal that holds the whole table
NARROW = ("method", "runs", "dev error %", "test error %", "best test error %")
SPLIT_NAMES = {"train": "training", "dev": "development", "test": "test"}


class ComparisonRun(Runner):
    """A comparison of methods on one data set, ready to run in this process.

    It is a grid of one block whose cells keep their artefacts. Everything a user can get
    wrong is found when it is made, before any training.

    Args:
        settings: ``Settings``.
        chosen: List of ``Method``s, as of ``methods()``.
        policy: The ``AdversarialMixing`` of the ``"amp"`` methods; mixup shares its
            ``alpha``, ``lam_per`` and ``probability``. None means the paper's.
        seeds: Number of seeds; every method runs with each of them.
        first_seed: The first of the seeds; the others follow.
        fold: Sequence of integers, the parts of a cross-validation to test on; None for
            all.
        out: Folder for the results, new or empty; None for one below ``runs/``.
        console: A ``rich.console.Console``; None for the terminal.
        command: The command line that asks for this comparison, for the runs'
            configuration; None where there is none, as in a notebook.
        program: Mapping, what the ``AuthorsProgram`` of the ``"program"`` methods takes
            beyond ``AdversarialMixing``.
        relatives: Mapping, the arguments that only policies beside the paper's have;
            see ``keras_amp.experiments.arguments.Relatives``.
        times: ``Times``, which go on counting; None begins now.
        devices: As ``GridRun``.

    Attributes:
        times: Where the time goes, ``Times``.

    Raises:
        ValueError: If an argument lies outside its range, or the data, the word vectors
            or the preset cannot be used.
        FileNotFoundError: If a file is missing.
        ConnectionError: If data, word vectors or a preset cannot be fetched.
        FileExistsError: If ``out`` holds something.
    """

    def __init__(
        self,
        settings,
        chosen=None,
        policy=None,
        seeds=3,
        first_seed=0,
        fold=None,
        out=None,
        console=None,
        command=None,
        program=PROGRAM,
        relatives=RELATIVES,
        times=None,
        devices=None,
    ):
        self.times, self.command, self.settings = times or Times(), command, settings
        self.devices = devices
        check_count("seeds", seeds)
        check_count("first_seed", first_seed, least=0)
        chosen = list(dict.fromkeys(methods() if chosen is None else chosen))
        if not chosen:
            raise ValueError(
                "Expected at least one method. Received: none; name a place to mix at "
                "and a policy."
            )
        policy = AdversarialMixing() if policy is None else policy
        mixing = {
            method: method.policy_of(policy, program, relatives) for method in chosen
        }
        with self.times.part(DATA):
            self.dataset = dataset_of(settings)
        folds = chosen_folds(settings.number_of_folds(self.dataset), fold)
        todo = [
            Cell(settings, how, None if how.mix == "none" else mixing[how], seed, part)
            for seed in range(first_seed, first_seed + seeds)
            for part in folds
            for how in chosen
        ]
        check_devices(devices, todo)
        out = _default_folder(settings) if out is None else Path(out)
        check_new_folder(out)
        grid = Grid(out.name, repr(self.dataset), todo, {}, "")
        names = {cell.key: cell.method for cell in todo}
        super().__init__(grid, out, {}, todo, names, "runs", console)
        self.callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=self._epoch)]
        self.said = set()
        with self.reading():
            try_cells(todo, settings.data_dir)

    @property
    def results(self):
        """The ``Result``s of the runs that are finished; a notebook shows a table."""
        return Results(Result(**record["result"]) for record in self.records.values())

    @property
    def learning(self):
        """The methods that learn from texts without labels, as keys of a dict."""
        return {cell.method: None for cell in self.todo if cell.settings.unlabeled}

    def begin(self):
        """Writes the settings, and says what there is to do."""
        settings = self.settings
        with new_folder(self.out):
            names = self.dataset.class_names
            write_json(self.out / "settings.json", resolved(settings, names))
        by_steps = settings.steps, "step"
        length = _counted(*(by_steps if settings.steps else (settings.epochs, "epoch")))
        runs = _counted(len(self.todo), "run")
        self.display.say(f"{self.dataset!r}\n{runs} of {length}; results in {self.out}")
        if settings.unlabeled and not self.learning:
            self.display.say(
                "No method of these uses texts without labels; the policy vat does"
            )

    def execute(self):
        """The records of the runs, as they end."""
        return in_this_process(
            self.todo, lambda c: self.out / c.method / c.part, self, self.command
        )

    @contextlib.contextmanager
    def reading(self):
        """Shows that texts are being read, and counts the time."""
        with self.display.busy(READING), self.times.part(DATA):
            yield

    def begin_cell(self, cell, examples):
        """Says what there is to say about the examples of a run, each thing once."""
        about = examples.encoding.about
        lines = [f"Word vectors: {about['vectors']}"] if "vectors" in about else []
        if not examples.sizes["dev"]:
            lines.append("No development set: the last epoch is tested")
        if "unlabeled" in examples.sizes:
            number = _counted(examples.sizes["unlabeled"], "training text")
            lines.append(f"{number} without labels, used by {', '.join(self.learning)}")
        for split, cut in examples.truncated.items():
            if cut:
                lines.append(
                    f"{cut} of {examples.sizes[split]} {SPLIT_NAMES[split]} texts are "
                    f"longer than {about['sequence_length']} and were cut"
                )
        for line in lines:
            if line not in self.said:
                self.display.say(f"Seed {cell.seed}: {line}")
        self.said.update(lines)
        _, self.epochs, _ = cell.settings.length(examples.sizes["train"])
        self.display.current, self.name = cell.method, _name_of_run(cell)
        self.display.state = f"{self.name}: epoch 1 of {self.epochs}"

    def keep(self, record):
        """Writes the tables of all results so far; its own files are written already."""
        with self.times.part(WRITING):
            write_results(self.out, self.results)

    def ended(self, record, cell):
        """Says what a run came to."""
        if not self.display.is_live:
            result = record["result"]
            errors = errors_text(result["dev_error"], result["test_error"])
            self.display.say(
                f"{_name_of_run(cell)}: {errors} (epoch {result['epoch']} of "
                f"{result['epochs']}, {result['seconds']:.1f} s)"
            )

    def close(self):
        """Shows the methods' means and standard deviations, and where the results are."""
        wide = self.display.console.width >= WIDE
        shown = [name for name in HEADER if name not in SECOND] if wide else NARROW
        table = methods_table(self.results, shown)
        note = f"{table.caption}. {table.note}"
        self.display.console.print(table.as_rich(shown, caption=note))
        self.display.say(f"All results: {self.out}")

    def cut_short(self, how):
        """Returns what there is to say of a comparison that did not come to its end."""
        if not self.records:
            return f"{how} before a run was finished."
        names = list(self.display.names.values())
        of_each = ", ".join(
            f"{row.method} {row.runs} of {names.count(row.method)}"
            for row in summarize(self.results)
        )
        return (
            f"{how}: {len(self.records)} of {len(self.todo)} runs are finished "
            f"({of_each}). Their results: {self.out}"
        )

    def _epoch(self, epoch, logs):
        """An epoch of the run, counted from 0, has ended."""
        error = ""
        if "val_accuracy" in logs:
            error = f", dev error {100 * (1 - logs['val_accuracy']):.1f}%"
        self.display.state = f"{self.name}: epoch {epoch + 1} of {self.epochs}{error}"
        self.completed((epoch + 1) / self.epochs)


def compare(settings, chosen=None, **arguments):
    """Compares methods of mixing, each with every seed, and keeps all in one folder.

    The folder receives ``settings.json``, ``results.csv``, ``table.md`` and, for each
    run, a folder ``<method>/seed-<seed>`` (``<method>/seed-<seed>-fold-<fold>``) with
    ``config.json`` and the files of ``train``. Runs that are finished survive an
    interruption and are named; an unfinished one leaves nothing.

    Args:
        settings: ``Settings``.
        chosen: List of ``Method``s; None for ``methods()``.
        **arguments: As ``ComparisonRun``.

    Returns:
        The ``Results``, a list of ``Result``s that a notebook shows as a table.

    Raises:
        ValueError: As ``ComparisonRun``, and the other exceptions named there.

    Example:
    >>> from keras_amp.experiments import Settings, compare
    >>> compare(Settings(), seeds=0)
    Traceback (most recent call last):
    ValueError: Expected `seeds` to be an integer >= 1. Received: seeds=0
    """
    run = ComparisonRun(settings, chosen, **arguments)
    run.run()
    return run.results


def _name_of_run(cell):
    return f"{cell.method}, {cell.part.replace('-', ' ')}"


def _counted(number, noun):
    return f"{number} {noun}" + "s" * (number != 1)


def _default_folder(settings):
    stem = Path(settings.data).stem
    time = datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{settings.backbone}-{stem}-{time}"
