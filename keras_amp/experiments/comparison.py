"""Methods side by side: every method with every seed, paired, into one folder."""

import platform
from dataclasses import fields
from datetime import datetime
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_amp import data
from keras_amp.experiments.display import Display
from keras_amp.experiments.examples import divide, prepare
from keras_amp.experiments.results import (
    check_new_folder,
    new_folder,
    write_json,
    write_table,
)
from keras_amp.experiments.settings import (
    backbone_parameters,
    check_count,
    methods,
)
from keras_amp.experiments.training import train
from keras_amp.policy import AdversarialMixing
from keras_amp.version import __version__


class Comparison:
    """A comparison of mixing methods on one data set.

    Everything a user can get wrong is found when it is made, before any training.

    Args:
        settings: ``Settings``.
        cells: List of ``Method``s, as of ``methods()``.
        policy: The ``AdversarialMixing`` of the ``"amp"`` methods; mixup shares its
            ``alpha``, ``lam_per`` and ``probability``. None means the paper's.
        seeds: Number of seeds; every method runs with each of 0, 1, ...
        out: Folder for the results, new or empty; None for one below ``runs/``.
        console: A ``rich.console.Console``; None for the terminal.

    Raises:
        ValueError: If an argument lies outside its range or the data cannot be used.
        FileExistsError: If ``out`` holds something.
    """

    def __init__(
        self, settings, cells=None, policy=None, seeds=3, out=None, console=None
    ):
        check_count("seeds", seeds)
        self.settings, self.seeds = settings, range(seeds)
        self.cells = methods() if cells is None else cells
        if not self.cells:
            raise ValueError(
                "Expected at least one method. Received: none; name a place to mix at "
                "and a policy."
            )
        self.policy = AdversarialMixing() if policy is None else policy
        self.dataset = data.load(settings.data, settings.data_dir)
        divide(self.dataset, settings, seed=0)  # raises where the examples do not suffice
        self.out = Path(out) if out is not None else _default_folder(settings)
        check_new_folder(self.out)
        self.console = console

    def run(self):
        """Trains every method with every seed.

        Progress and the table go to the terminal; the folder ``out`` receives
        ``settings.json``, ``results.csv``, ``table.md`` and, for each run, a folder
        ``<method>/seed-<seed>`` with ``config.json``, ``epochs.csv``, ``tensorboard/``
        and ``result.json``. Finished runs survive an interruption, an unfinished one
        leaves nothing.

        Returns:
            The list of ``Result``s.
        """
        results = []
        with new_folder(self.out):
            write_json(self.out / "settings.json", self._resolved())
        display = Display(self, self.console)
        with display:
            for seed in self.seeds:
                examples = self._examples(seed)
                for method in self.cells:
                    results.append(self._train(method, seed, examples, display))
                    write_table(self.out, results)
        display.table(results)
        return results

    def _train(self, method, seed, examples, display):
        policy = method.policy_of(self.policy)
        with new_folder(self.out / method.name / f"seed-{seed}") as folder:
            config = {
                **self._resolved(),
                "mix": method.mix,
                "policy": None if method.mix == "none" else method.policy,
                "policy_arguments": {} if method.mix == "none" else policy.get_config(),
                "seed": seed,
                "vocabulary_size": examples.vectorizer.vocabulary_size(),
                "sequence_length": int(examples.train[0].shape[1]),
                "examples": {
                    name: len(getattr(examples, name)[1])
                    for name in ("train", "dev", "test")
                },
            }
            write_json(folder / "config.json", config)
            display.begin(method, seed)
            result = train(
                self.settings, method, policy, seed, examples, folder, display.epoch
            )
        display.end(result)
        return result

    def _examples(self, seed):
        widest = max(self._backbone_arguments().get("kernel_sizes", (1,)))
        return prepare(self.dataset, self.settings, seed, min_length=widest)

    def _backbone_arguments(self):
        """The backbone's arguments with its own defaults filled in."""
        parameters = backbone_parameters(self.settings.backbone)
        return {
            **{name: p.default for name, p in parameters.items()},
            **self.settings.backbone_arguments,
        }

    def _resolved(self):
        """All settings with their defaults filled in, and what they ran on."""
        return {
            **{f.name: getattr(self.settings, f.name) for f in fields(self.settings)},
            "backbone_arguments": self._backbone_arguments(),
            "data_dir": self.settings.data_dir and str(self.settings.data_dir),
            "class_names": list(self.dataset.class_names),
            "versions": {
                "keras_amp": __version__,
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
        }


def _default_folder(settings):
    stem = Path(settings.data).stem
    time = datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{settings.backbone}-{stem}-{time}"
