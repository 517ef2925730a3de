"""Small comparisons on texts about fish and trees."""

import csv

import numpy as np
from rich.console import Console

from keras_amp.experiments import Settings

TINY = {"embedding_dim": 6, "filters": 4, "kernel_sizes": (2,)}
WORDS = {"fish": "salmon trout carp pike".split(), "tree": "oak elm ash fir".split()}

HALVES = {"batch_size": 29, "epochs": 2}  # of two steps, of 58 texts

# Settings as the authors' program has them.
PUBLISHED = {
    "loss": "program",
    "clip_norm": 10.0,
    "dev_fraction": 0,
    "batch_size": 22,
    "steps": 4,
    "learning_rate": 0.05,
    "backbone_arguments": {**TINY, "dropout": 0.0, "convolution_gain": 2.0},
}


def write_data(path):
    """Writes a CSV file of 80 texts in two classes, without dev and test splits.

    A fifth of the labels are wrong, so that the best epoch need not be the last.
    """
    rng = np.random.default_rng(3)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for i in range(80):
            label = list(WORDS)[i % 2]
            other = list(WORDS)[(i + 1) % 2]
            topic = other if i % 5 == 0 else label
            writer.writerow([f"a {rng.choice(WORDS[topic])} no {i}", label])


def settings(path, **changes):
    """Settings of a training of a few steps."""
    return Settings(
        **{
            "data": str(path),
            "backbone_arguments": TINY,
            "epochs": 3,
            "batch_size": 16,
            "learning_rate": 0.1,
            "save_curve": False,  # takes a second a run
            **changes,
        }
    )


def quiet():
    """A console that shows nothing."""
    return Console(file=open("/dev/null", "w"), width=120)


def rows_of(path):
    """The lines of a CSV file, as dicts."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))
