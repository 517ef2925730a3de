"""All seeds of a kind of cell trained as one program, on JAX.

Each seed has the weights, the random numbers, the examples and the order of batches that
it has alone, and its epoch is chosen in the same way; what differs is rounding.
"""

import time

import keras
import numpy as np

from keras_amp import data
from keras_amp.experiments.choosing import Chosen
from keras_amp.experiments.environment import deterministic_operations, environment
from keras_amp.experiments.results import Result
from keras_amp.experiments.scores import readings_of, scores_of
from keras_amp.experiments.training import (
    EVALUATION_BATCH,
    Trained,
    compiled,
    error_of,
)

SPLITS = ("train", "dev", "test")


def why_not(cell):
    """Returns why a cell cannot be trained beside others, or None if it can.

    Args:
        cell: ``Cell``.

    Example:
    >>> from keras_amp.experiments import Cell, Method, Settings
    >>> from keras_amp.experiments.seeds_at_once import why_not
    >>> why_not(Cell(Settings(test_every=5), Method("none"), None, 0))
    'test_every=5'
    """
    settings = cell.settings
    if settings.test_every is not None:
        return f"test_every={settings.test_every}"
    if settings.learns_unlabeled(cell.how, cell.policy):
        return f"unlabeled=True with {cell.method}"
    if settings.step_schedule != "constant" and hasattr(cell.policy, "step_size"):
        return f"step_schedule={settings.step_schedule!r}"
    return None


def groups_of(cells, most=None):
    """Divides cells into groups that differ by seed and fold alone.

    Args:
        cells: List of ``Cell``s.
        most: Integer, cells of a group; None for any number.

    Returns:
        A list of lists of ``Cell``s.

    Example:
    >>> from keras_amp.experiments import Cell, Method, Settings
    >>> from keras_amp.experiments.seeds_at_once import groups_of
    >>> cells = [Cell(Settings(), Method("none"), None, seed) for seed in range(5)]
    >>> [[cell.seed for cell in group] for group in groups_of(cells, 3)]
    [[0, 1, 2], [3, 4]]
    """
    kinds = {}
    for cell in cells:
        config = {**cell.config, "seed": None, "fold": None}
        kinds.setdefault(repr(sorted(config.items())), []).append(cell)
    size = most or len(cells)
    return [
        kind[start : start + size]
        for kind in kinds.values()
        for start in range(0, len(kind), size)
    ]


def alike(examples):
    """Divides seeds by the sizes of their examples, which a program fixes.

    Args:
        examples: List of ``Examples``, one for each seed.

    Returns:
        A list of lists of places in ``examples``.
    """
    kinds = {}
    for place, each in enumerate(examples):
        arrays = keras.tree.flatten([getattr(each, name) for name in SPLITS])
        kinds.setdefault(repr([array.shape for array in arrays]), []).append(place)
    return list(kinds.values())


def fit_and_test_together(cells, settings, examples, most=None):
    """Trains the classifiers of several seeds, and tests each at its own best epoch.

    Args:
        cells: List of ``Cell``s that differ by seed and fold alone.
        settings: Their ``Settings``, with the folder of the data.
        examples: List of ``Examples``, one for each cell.
        most: Integer, how many are trained at a time; None for as many as fit into the
            memory, by an estimate.

    Yields:
        Tuples of a cell's place, its ``Trained``, as ``fit_and_test`` returns it, and the
        number of seeds that were trained at once. The classifier is one for all; it has
        the weights of a cell until the next is asked for. ``seconds`` are the cell's
        share of the time.

    Raises:
        RuntimeError: If Keras' backend is not JAX.
    """
    _check_backend()
    for places in alike(examples):
        while places:
            group = _Group([cells[i] for i in places], settings, examples, places)
            size = most or group.most_seeds()
            group.cut(size)
            for place, trained in zip(places, group.trained(), strict=False):
                yield place, trained, len(group.cells)
            places = places[size:]


class _Group:
    """Cells whose examples are of one size, trained as one program."""

    def __init__(self, cells, settings, examples, places):
        self.cells, self.settings = cells, settings
        self.examples = [examples[i] for i in places]
        first = self.examples[0]
        self.num_train, self.num_dev = len(first.train[1]), len(first.dev[1])
        self.per_epoch, self.epochs, self.steps = settings.length(self.num_train)

    def most_seeds(self):
        from keras_amp.training.jax.seeds import most_seeds

        arrays = [getattr(self.examples[0], name) for name in SPLITS]
        return most_seeds(self._compiled(0)[1], self.settings.batch_size, arrays)

    def cut(self, size):
        """Keeps the first cells alone."""
        self.cells, self.examples = self.cells[:size], self.examples[:size]

    def trained(self):
        """Trains; yields each cell's ``Trained``."""
        start = time.perf_counter()
        classifier, together, state = self._built()
        splits = {name: self._stacked(name) for name in SPLITS}
        with deterministic_operations():
            chosen, best = self._fit(together, state, splits)
            seconds = (time.perf_counter() - start) / len(self.cells)
            about = environment(jit_compile=True)
        test = together.predict(best, splits["test"][0], EVALUATION_BATCH)
        dev = None
        if self.num_dev:
            dev = together.predict(best, splits["dev"][0], EVALUATION_BATCH)
        for place, followed in enumerate(chosen):
            together.hand_over(best, place)
            result = self._result(place, followed, test[place], dev, seconds)
            epochs = followed.epochs
            yield Trained(result, classifier, test[place], epochs, {}, about)

    def _compiled(self, place):
        cell, examples = self.cells[place], self.examples[place]
        keras.utils.clear_session()
        return compiled(
            self.settings, cell.how, cell.policy, cell.seed, examples, self.steps
        )

    def _built(self):
        """The classifier and model that serve all seeds, and the values of each."""
        from keras_amp.training.jax.seeds import TrainedTogether, values_of

        sizes = [
            each.encoding.arguments.get("vocabulary_size", 0) for each in self.examples
        ]
        largest = int(np.argmax(sizes))
        values = {}
        # The one with the most words is made last, and stays.
        for place in sorted(range(len(sizes)), key=lambda place: place == largest):
            classifier, model, _ = self._compiled(place)
            values[place] = values_of(model)
        size = min(self.settings.batch_size, self.num_train)
        batch = keras.tree.map_structure(
            lambda array: array[:size], self.examples[largest].train
        )
        together = TrainedTogether(model, batch)
        state = together.stack([values[place] for place in range(len(sizes))])
        return classifier, together, state

    def _stacked(self, name):
        splits = [getattr(each, name) for each in self.examples]
        return keras.tree.map_structure(lambda *arrays: np.stack(arrays), *splits)

    def _fit(self, together, state, splits):
        """Trains until all have ended: what each has logged, and its best weights."""
        patience = self.settings.patience or self.epochs
        chosen = [Chosen(self.num_dev, patience) for _ in self.cells]
        orders = [
            epoch_orders(self.num_train, self.settings.batch_size, cell.seed)
            for cell in self.cells
        ]
        best, left = None, self.steps
        for _ in range(self.epochs):
            steps = [np.stack(each) for each in zip(*map(next, orders), strict=True)]
            steps, left = steps[:left], left - len(steps)
            logs, state = together.train(state, splits["train"], steps)
            for name, split in (("val_", "dev"), ("test_", "test")):
                if len(splits[split][1][0]):
                    scores = together.test(state, splits[split], EVALUATION_BATCH)
                    logs |= {name + key: value for key, value in scores.items()}
            better = np.array([_ended(c, logs, i) for i, c in enumerate(chosen)])
            best = together.choose(better, state[:2], best or state[:2])
            if all(each.stop_training for each in chosen):
                break
        return chosen, best

    def _result(self, place, followed, probabilities, dev, seconds):
        cell, examples = self.cells[place], self.examples[place]
        size = len(examples.test[1])
        errors = [error_of(epoch["test_accuracy"], size) for epoch in followed.epochs]
        own_dev = None if dev is None else dev[place]
        return Result(
            method=cell.method,
            seed=cell.seed,
            fold=cell.fold,
            best_test_error=min(errors),
            epoch=followed.best + 1,
            epochs=len(errors),
            steps=min(self.steps, len(errors) * self.per_epoch),
            seconds=seconds,
            **scores_of(probabilities, examples.test[1], own_dev, examples.dev[1]),
            **readings_of(errors),
        )


def epoch_orders(num_examples, batch_size, seed):
    """Yields for each epoch a list of its batches, the places of their examples.

    They are those of ``fit``, which on JAX takes a first batch to see what it is like.

    Args:
        num_examples: Integer.
        batch_size: Integer.
        seed: Integer, the run's seed.
    """
    keras.utils.set_random_seed(seed)
    places = np.arange(num_examples, dtype="int32")
    batches = data.batches(places, places, batch_size, seed=seed)
    next(iter(batches))
    while True:
        yield [chosen.numpy() for chosen, _ in batches]


def _ended(chosen, logs, place):
    """An epoch has ended: whether it is the best one of the seed at that place."""
    own = {name: float(values[place]) for name, values in logs.items()}
    unwanted = [n for n in own if n.startswith("test_") and n != "test_accuracy"]
    return chosen.ends(**{n: v for n, v in own.items() if n not in unwanted})


def _check_backend():
    if keras.backend.backend() != "jax":
        raise RuntimeError(
            "Expected KERAS_BACKEND=jax to be set before Keras is imported, to train "
            f"seeds at once. Received: {keras.backend.backend()}."
        )
