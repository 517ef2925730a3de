"""Fair timing: variants in turn, in random order, so that noise falls on all alike."""

import csv
import dataclasses
import statistics
import time

import keras
import numpy as np

from keras_amp.experiments import environment


@dataclasses.dataclass
class Times:
    """The times of a variant's step, in seconds.

    Attributes:
        first: The first step, tracing and compilation included.
        rounds: Mean time of a step in each round.
    """

    first: float
    rounds: list

    @property
    def median(self):
        """The median over the rounds."""
        return statistics.median(self.rounds)

    @property
    def least(self):
        """The least of the rounds, which the rest of the machine disturbed least."""
        return min(self.rounds)


class Clock(keras.callbacks.Callback):
    """Times the steps of a call of `fit`, without what it does before and after them."""

    async_safe = True  # is called in Keras' thread for callbacks, as without it

    def on_train_begin(self, logs=None):
        """Begins anew."""
        self.ended = []

    def on_train_batch_end(self, batch, logs=None):
        """A step has ended: its numbers are here."""
        self.ended.append(time.perf_counter())

    @property
    def seconds(self):
        """Mean time of the steps from the second on."""
        return (self.ended[-1] - self.ended[0]) / (len(self.ended) - 1)


def fitted(model, batches):
    """Trains on batches once; returns the mean time of a step."""
    clock = Clock()
    model.fit(batches, verbose=0, shuffle=False, callbacks=[clock])
    return clock.seconds


def interleave(variants, rounds, seed=0):
    """Times variants in turn, in an order drawn anew in every round.

    Args:
        variants: Dict of tuples ``(first, step, steps)``: a callable for the first step
            alone, a callable that takes ``steps`` steps, and their number. Where the
            latter returns the mean time of a step, as ``fitted``, that one counts.
        rounds: Integer, rounds to count; one more, not counted, warms up.
        seed: Integer that determines the orders.

    Returns:
        A dict of ``Times``.
    """
    times = {}
    for name, (first, _, _) in variants.items():
        start = time.perf_counter()
        first()
        times[name] = Times(time.perf_counter() - start, [])
    rng = np.random.default_rng(seed)
    for round_ in range(rounds + 1):
        for name in rng.permutation(list(variants)):
            _, run, steps = variants[name]
            start = time.perf_counter()
            seconds = run()
            if not isinstance(seconds, float):
                seconds = (time.perf_counter() - start) / steps
            if round_:
                times[name].rounds.append(seconds)
    return times


def machine():
    """A line about the machine."""
    about = environment.machine()
    gpu = about["gpu"] or "no GPU"
    return f"{about['cores']} cores of {about['processor']}, {gpu}"


def write_csv(path, rows):
    """Writes dicts of the same keys, and the machine's description as a last column."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "machine"])
        writer.writeheader()
        writer.writerows({**row, "machine": machine()} for row in rows)
