"""All seeds of a kind of cell trained as one program, on JAX.

Each seed has the weights, the random numbers, the examples and the order of batches that
it has alone, and its epoch is chosen in the same way; what differs is rounding.
"""

import itertools
import math
import time
from collections import OrderedDict
from dataclasses import replace

import keras
import numpy as np

from keras_amp import data
from keras_amp.data.unlabeled import with_unlabeled_of
from keras_amp.experiments.choosing import Chosen
from keras_amp.experiments.environment import deterministic_operations, environment
from keras_amp.experiments.evaluation import EVALUATION_BATCH
from keras_amp.experiments.results import Result
from keras_amp.experiments.scores import readings_of, scores_of
from keras_amp.experiments.training import Trained, compiled, error_of

SPLITS = ("train", "dev", "test")
KEPT = 4  # programs, of the last kinds of cells
ROOM = 256  # words: a program of that many more serves seeds that know others

_programs = OrderedDict()


def groups_of(cells, most=None):
    """Divides cells into groups that differ by seed and fold alone.

    Args:
        cells: List of ``Cell``s.
        most: Integer, cells of a group; None for any number.

    Returns:
        A list of lists of ``Cell``s, those of a kind as nearly of one size as can be.

    Example:
    >>> from keras_amp.experiments import Cell, Method, Settings
    >>> from keras_amp.experiments.seeds_at_once import groups_of
    >>> cells = [Cell(Settings(), Method("none"), None, seed) for seed in range(5)]
    >>> [[cell.seed for cell in group] for group in groups_of(cells, 4)]
    [[0, 1, 2], [3, 4]]
    """
    kinds = {}
    for cell in cells:
        kinds.setdefault(_kind(cell), []).append(cell)
    return [part for kind in kinds.values() for part in _evenly(kind, most)]


def alike(examples):
    """Divides seeds by the sizes of their examples, which a program fixes.

    Args:
        examples: List of ``Examples``, one for each seed.

    Returns:
        A list of lists of places in ``examples``.
    """
    kinds = {}
    for place, each in enumerate(examples):
        kinds.setdefault(_sizes(each), []).append(place)
    return list(kinds.values())


def fit_and_test_together(cells, settings, examples, most=None):
    """Trains the classifiers of several seeds, and tests each at its own best epoch.

    Args:
        cells: List of ``Cell``s that differ by seed and fold alone.
        settings: Their ``Settings``, with the folder of the data.
        examples: List of ``Examples``, one for each cell.
        most: Integer, how many are trained at a time; None for as many as fit into the
            memory, as the compiler says.

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
        program = _program_of(cells[places[0]], settings, [examples[i] for i in places])

        def group(part, program=program):
            own = [cells[i] for i in part], settings, [examples[i] for i in part]
            return _Group(program, *own)

        size = most or group(places[:1]).most_seeds(len(places))
        for part in _evenly(places, size):
            for place, trained in zip(part, group(part).trained(), strict=True):
                yield place, trained, len(part)


class _Program:
    """What trains the seeds of a kind of cell: made and compiled once for all.

    Attributes:
        classifier: The classifier that takes the weights of one seed after the other.
        together: ``TrainedTogether``.
        schedules: Dict from names of the policy's settings to functions of the step.
        words: Integer, how many a seed may know; 0 where there is no vocabulary.
        seeds: Integer, how many it was last run for.
    """

    def __init__(self, cell, settings, examples):
        from keras_amp.training.jax.seeds import TrainedTogether

        *_, steps = settings.length(len(examples.train[1]))
        self.classifier, model, schedules = _compiled(cell, settings, examples, steps)
        self.schedules = {}
        for schedule in schedules:
            schedule.set_model(model)
            self.schedules |= schedule.schedules
        self.together = TrainedTogether(model, _first_batch(cell, settings, examples))
        self.words, self.seeds = _words(examples), 0


class _Group:
    """Cells whose examples are of one size, trained as one program."""

    def __init__(self, program, cells, settings, examples):
        self.program, self.together = program, program.together
        self.cells, self.settings, self.examples = cells, settings, examples
        first = examples[0]
        self.num_dev, self.num_test = len(first.dev[1]), len(first.test[1])
        self.per_epoch, self.epochs, self.steps = settings.length(len(first.train[1]))

    def most_seeds(self, number):
        """How many of so many seeds like the first one fit into the memory."""
        orders = next(self._orders())[: self.steps]
        splits = self._splits()
        return self.together.most_seeds(
            number, splits["train"], orders, *self._along(0, len(orders), splits)
        )

    def trained(self):
        """Trains; yields each cell's ``Trained``."""
        start, number = time.perf_counter(), len(self.cells)
        self._fill()
        state, splits = self._state(), self._splits()
        with deterministic_operations():
            followed, best = self._fit(state, splits)
            seconds = (time.perf_counter() - start) / number
            about = environment(jit_compile=True)
        test = self.together.predict(best, splits["test"][0], EVALUATION_BATCH)
        dev = None
        if self.num_dev:
            dev = self.together.predict(best, splits["dev"][0], EVALUATION_BATCH)
        for place in range(number):
            self.together.hand_over(best, place)
            result = self._result(place, followed[place], test[place], dev, seconds)
            chosen, by_step = followed[place]
            yield Trained(
                result,
                self.program.classifier,
                test[place],
                chosen.epochs,
                by_step,
                about,
            )

    def _fill(self):
        """Adds the last cell once more where the program has run for one more.

        Then it need not be compiled again; what comes of it is left.
        """
        if self.program.seeds - len(self.cells) == 1:
            self.cells = [*self.cells, self.cells[-1]]
            self.examples = [*self.examples, self.examples[-1]]
        self.program.seeds = len(self.cells)

    def _state(self):
        """The values that all seeds begin with."""
        from keras_amp.training.jax.seeds import values_of

        cells = zip(self.cells, self.examples, strict=True)
        return self.together.stack(
            [
                values_of(_compiled(cell, self.settings, own, self.steps)[1])
                for cell, own in cells
            ]
        )

    def _splits(self):
        """The examples of all seeds, on the device."""
        splits = {name: [getattr(e, name) for e in self.examples] for name in SPLITS}
        cells = zip(self.cells, self.examples, strict=True)
        splits["train"] = [_to_train(cell, self.settings, own) for cell, own in cells]
        return {
            name: keras.tree.map_structure(
                lambda *arrays: keras.ops.convert_to_tensor(np.stack(arrays)), *of_seeds
            )
            for name, of_seeds in splits.items()
        }

    def _orders(self):
        """Yields for each epoch a list of its steps, the examples of all seeds."""
        cells = zip(self.cells, self.examples, strict=True)
        orders = [
            epoch_orders(
                len(own.train[1]),
                self.settings.batch_size,
                cell.seed,
                _number_unlabeled(cell, self.settings, own),
            )
            for cell, own in cells
        ]
        while True:
            yield [np.stack(each) for each in zip(*map(next, orders), strict=True)]

    def _along(self, done, number, splits):
        """What goes along with so many steps: the policy's settings, and predictions."""
        from keras_amp.training.jax.seeds import Between

        steps, every = range(done, done + number), self.settings.test_every
        settings = {
            name: np.array([float(value(step)) for step in steps], "float32")
            for name, value in self.program.schedules.items()
        }
        if every is None:
            return settings, None
        after = np.array([(step + 1) % every == 0 for step in steps])
        return settings, Between(splits["test"], after, EVALUATION_BATCH)

    def _fit(self, state, splits):
        """Trains until all have ended: what each has come to, and its best weights."""
        patience = self.settings.patience or self.epochs
        followed = [(Chosen(self.num_dev, patience), {}) for _ in self.cells]
        best, done, orders = None, 0, self._orders()
        for _ in range(self.epochs):
            steps = next(orders)[: self.steps - done]
            along = self._along(done, len(steps), splits)
            logs, state = self.together.train(state, splits["train"], steps, *along)
            self._take_errors(followed, done, logs)
            done += len(steps)
            for name, split in (("val_", "dev"), ("test_", "test")):
                if len(splits[split][1][0]):
                    scores = self.together.test(state, splits[split], EVALUATION_BATCH)
                    logs |= {name + key: value for key, value in scores.items()}
            for name, values in along[0].items():
                logs[name] = np.full(len(followed), values[-1])
            better = [_ended(each, logs, i) for i, (each, _) in enumerate(followed)]
            best = self.together.choose(np.array(better), state[:2], best or state[:2])
            if all(chosen.stop_training for chosen, _ in followed):
                break
        return followed, best

    def _take_errors(self, followed, done, logs):
        """Takes the test errors between the steps of those who are still trained."""
        from keras_amp.training.jax.seeds import RIGHT

        right = logs.pop(RIGHT, None)
        for place, (chosen, by_step) in enumerate(followed):
            if right is None or chosen.stop_training:
                continue
            for step, number in enumerate(right[place], start=done + 1):
                if number >= 0:
                    by_step[step] = float(100 * (1 - number / self.num_test))

    def _result(self, place, followed, probabilities, dev, seconds):
        cell, examples = self.cells[place], self.examples[place]
        chosen, by_step = followed
        errors = [
            error_of(epoch["test_accuracy"], self.num_test) for epoch in chosen.epochs
        ]
        own_dev = None if dev is None else dev[place]
        return Result(
            method=cell.method,
            seed=cell.seed,
            fold=cell.fold,
            best_test_error=min(errors + list(by_step.values())),
            epoch=chosen.best + 1,
            epochs=len(errors),
            steps=min(self.steps, len(errors) * self.per_epoch),
            seconds=seconds,
            **scores_of(probabilities, examples.test[1], own_dev, examples.dev[1]),
            **readings_of(errors),
        )


def epoch_orders(num_examples, batch_size, seed, num_unlabeled=0):
    """Yields for each epoch a list of its batches, the places of their examples.

    They are those of ``fit``, which on JAX takes a first batch to see what it is like.

    Args:
        num_examples: Integer.
        batch_size: Integer.
        seed: Integer, the run's seed.
        num_unlabeled: Integer, texts without labels, whose places come behind those of
            the examples; each batch has one of them for each example.

    Example:
    >>> from keras_amp.experiments.seeds_at_once import epoch_orders
    >>> [len(batch) for batch in next(epoch_orders(5, 3, 0, num_unlabeled=9))]
    [6, 4]
    """
    keras.utils.set_random_seed(seed)
    places = np.arange(num_examples + num_unlabeled, dtype="int32")

    def batches(own):
        return data.batches(own, own, batch_size, seed=seed)

    orders = batches(places[:num_examples])
    if num_unlabeled:
        size = min(batch_size, num_examples)
        others = batches(places[num_examples:])
        orders = with_unlabeled_of(orders, others, ratio=1.0, size=size)
    next(iter(orders))
    while True:
        yield [chosen.numpy() for chosen, *_ in orders]


def _program_of(cell, settings, examples):
    """The program of a kind of cell, compiled for the same kind before if it was."""
    key = _kind(cell), _sizes(examples[0])
    largest = max(examples, key=_words)
    if key not in _programs or _programs[key].words < _words(largest):
        _programs[key] = _Program(cell, settings, _with_room(largest))
        while len(_programs) > KEPT:
            _programs.popitem(last=False)
    _programs.move_to_end(key)
    return _programs[key]


def _compiled(cell, settings, examples, steps):
    keras.utils.clear_session()
    return compiled(settings, cell.how, cell.policy, cell.seed, examples, steps)


def _kind(cell):
    """A cell's settings but for seed and fold, as a text."""
    return repr(sorted({**cell.config, "seed": None, "fold": None}.items()))


def _sizes(examples):
    """The shapes of a seed's examples, as a text."""
    parts = [*(getattr(examples, name) for name in SPLITS), examples.unlabeled]
    return repr([array.shape for array in keras.tree.flatten(parts) if array is not None])


def _words(examples):
    return examples.encoding.arguments.get("vocabulary_size", 0)


def _with_room(examples):
    """Examples whose classifier has room for the words of other seeds."""
    arguments = dict(examples.encoding.arguments)
    if "vocabulary_size" in arguments:
        arguments["vocabulary_size"] += -arguments["vocabulary_size"] % ROOM
    if "vectors" in arguments:
        more = arguments["vocabulary_size"] - len(arguments["vectors"])
        arguments["vectors"] = np.pad(arguments["vectors"], [(0, more), (0, 0)])
    return replace(examples, encoding=replace(examples.encoding, arguments=arguments))


def _number_unlabeled(cell, settings, examples):
    """How many texts without labels a seed learns from."""
    if not settings.learns_unlabeled(cell.how, cell.policy):
        return 0
    return examples.sizes.get("unlabeled", 0)


def _to_train(cell, settings, examples):
    """What a seed is trained on; texts without labels behind the others, of weight 0."""
    number = _number_unlabeled(cell, settings, examples)
    if not number:
        return examples.train
    inputs, labels = examples.train
    inputs = keras.tree.map_structure(
        lambda *arrays: np.concatenate(arrays), inputs, examples.unlabeled
    )
    weight = np.repeat(np.array([1, 0], "float32"), [len(labels), number])
    return inputs, np.pad(labels, (0, number)), weight


def _first_batch(cell, settings, examples):
    order = next(
        epoch_orders(
            len(examples.train[1]),
            settings.batch_size,
            cell.seed,
            _number_unlabeled(cell, settings, examples),
        )
    )[0]
    return keras.tree.map_structure(
        lambda array: array[order], _to_train(cell, settings, examples)
    )


def _evenly(items, most=None):
    """Divides a list into parts of at most so many items, as few and alike as can be."""
    number = math.ceil(len(items) / (most or len(items)))
    ends = [math.ceil(len(items) * i / number) for i in range(number + 1)]
    return [items[a:b] for a, b in itertools.pairwise(ends)]


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
