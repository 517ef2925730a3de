"""Methods side by side: every method with every seed, paired, into one folder."""

from dataclasses import fields
from datetime import datetime
from pathlib import Path

import keras

from keras_amp import data
from keras_amp.experiments.display import Display
from keras_amp.experiments.environment import versions
from keras_amp.experiments.examples import SPLITS, prepare
from keras_amp.experiments.interruption import Interruption
from keras_amp.experiments.results import (
    check_new_folder,
    new_folder,
    write_json,
)
from keras_amp.experiments.settings import chosen_folds, methods
from keras_amp.experiments.summary.methods import Results, write_results
from keras_amp.experiments.times import DATA, WRITING, Times
from keras_amp.experiments.training import build_classifier, train
from keras_amp.policies import AdversarialMixing
from keras_amp.runs import CONFIG
from keras_amp.validation import check_count

READING = "Reading texts"


class Comparison:
    """A comparison of mixing methods on one data set.

    Everything a user can get wrong is found when it is made, before any training.

    Args:
        settings: ``Settings``.
        cells: List of ``Method``s, as of ``methods()``.
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
        program: Dict, the arguments that the ``AuthorsProgram`` of the ``"program"``
            methods has besides; None for its defaults.
        times: ``Times``, which go on counting; None begins now.

    Attributes:
        results: The ``Result``s of the runs that are finished, a list that a notebook
            shows as a table.
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
        cells=None,
        policy=None,
        seeds=3,
        first_seed=0,
        fold=None,
        out=None,
        console=None,
        command=None,
        program=None,
        times=None,
    ):
        self.times = times or Times()
        check_count("seeds", seeds)
        check_count("first_seed", first_seed, least=0)
        self.settings = settings
        self.cells = methods() if cells is None else cells
        if not self.cells:
            raise ValueError(
                "Expected at least one method. Received: none; name a place to mix at "
                "and a policy."
            )
        self.policy = AdversarialMixing() if policy is None else policy
        self.program = program or {}
        for method in self.cells:
            method.policy_of(self.policy, self.program)  # raises where one is wrong
        with self.times.part(DATA):
            self.dataset = data.load(settings.data, settings.data_dir, settings.phrases)
        self.parts = [
            (seed, part)
            for seed in range(first_seed, first_seed + seeds)
            for part in chosen_folds(settings.number_of_folds(self.dataset), fold)
        ]
        self.out = Path(out) if out is not None else _default_folder(settings)
        check_new_folder(self.out)
        self.command = command
        self.results = Results()
        self.display = Display(self, console)
        with self.display.busy(READING):
            self._first = self._prepare(*self.parts[0])
            classifier = build_classifier(settings, self._first, seed=0)
        for method in self.cells:
            method.mix_at(classifier)  # raises where there is no such place

    def run(self):
        """Trains every method with every seed, and every fold where cross-validated.

        Progress and the table go to the terminal; the folder ``out`` receives
        ``settings.json``, ``results.csv``, ``table.md`` and, for each run, a folder
        ``<method>/seed-<seed>`` (``<method>/seed-<seed>-fold-<fold>``) with
        ``config.json``, ``epochs.csv``, ``tensorboard/``, ``predictions.csv``,
        ``confusion.csv``, ``result.json`` and what ``keras_amp.load_run`` reads. Finished
        runs survive an interruption and are named; an unfinished one leaves nothing.

        Returns:
            The list of ``Result``s.
        """
        with new_folder(self.out):
            write_json(self.out / "settings.json", self._resolved())
        with self.display, Interruption() as interruption:
            callbacks = [
                interruption,
                keras.callbacks.LambdaCallback(on_epoch_end=self.display.epoch),
            ]
            for seed, fold in self.parts:
                with self.display.busy(READING):
                    examples = self._examples(seed, fold)
                self.display.examples(seed, examples)
                for method in self.cells:
                    self.results.append(
                        self._train(method, seed, fold, examples, callbacks)
                    )
                    with self.times.part(WRITING):
                        write_results(self.out, self.results)
                    self.display.end()
                    interruption.check()
        self.display.table()
        return self.results

    def __repr__(self):
        names = ", ".join(method.name for method in self.cells)
        return (
            f"<Comparison of {names} on {self.dataset!r}: {len(self.results)} of "
            f"{self.num_runs} runs, in {self.out}>"
        )

    def _repr_html_(self):
        return self.results._repr_html_() if self.results else None

    @property
    def num_runs(self):
        """The number of runs: methods times seeds, times folds where cross-validated."""
        return len(self.cells) * len(self.parts)

    def _examples(self, seed, fold):
        """The examples of a seed; those of the first one are there already."""
        first, self._first = self._first, None
        return first or self._prepare(seed, fold)

    def _prepare(self, seed, fold):
        with self.times.part(DATA):
            return prepare(self.dataset, self.settings, seed, fold or 0)

    def _train(self, method, seed, fold, examples, callbacks):
        policy = method.policy_of(self.policy, self.program)
        name = f"seed-{seed}" + ("" if fold is None else f"-fold-{fold}")
        with new_folder(self.out / method.name / name) as folder:
            per_epoch, epochs, steps = self.settings.length(len(examples.train[1]))
            config = {
                **self._resolved(examples.encoding),
                "mix": method.mix,
                "policy": None if method.mix == "none" else method.policy,
                "policy_arguments": {} if method.mix == "none" else policy.get_config(),
                "seed": seed,
                "fold": fold,
                "command": self.command,
                "encoding": examples.encoding.about,
                "examples": {n: len(getattr(examples, n)[1]) for n in SPLITS},
                "truncated": examples.truncated,
                "steps_per_epoch": per_epoch,
                "most_epochs": epochs,
                "most_steps": steps,
            }
            write_json(folder / CONFIG, config)
            self.display.begin(method.name, name.replace("-", " "), epochs)
            return train(
                self.settings,
                method,
                policy,
                seed,
                examples,
                folder,
                fold,
                callbacks,
                self.times,
            )

    def _resolved(self, encoding=None):
        """All settings with their defaults filled in, and what they ran on."""
        arguments = self.settings.all_backbone_arguments()
        if encoding is not None:  # vectors bring their width
            arguments = {n: encoding.arguments.get(n, v) for n, v in arguments.items()}
        return {
            **{f.name: getattr(self.settings, f.name) for f in fields(self.settings)},
            "backbone_arguments": arguments,
            "data_dir": self.settings.data_dir and str(self.settings.data_dir),
            "class_names": list(self.dataset.class_names),
            "versions": versions(),
        }


def _default_folder(settings):
    stem = Path(settings.data).stem
    time = datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{settings.backbone}-{stem}-{time}"
