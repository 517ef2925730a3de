"""Models of several seeds, trained as one program: everything is stacked on a first axis.

One model says what a step computes; the values of all variables, and the examples, are
handed over for all seeds. XLA compiles an epoch as a whole: a loop over steps, in which
``jax.vmap`` has each operation work on all seeds at once; on a CPU a loop over seeds.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import keras
import numpy as np
from jax import numpy as jnp
from keras import tree

from keras_amp.graph import keras_compat
from keras_amp.training.jax.convolutions import as_products
from keras_amp.training.jax.scopes import current, with_values
from keras_amp.typing import Structure, Tensor

SHARE = 0.5  # of the free memory
RIGHT = "right"  # what an epoch reports of predictions between its steps


class Stacked(NamedTuple):
    """The values of all seeds, each ``(seeds, ...)``, as Keras' step takes those of one.

    Attributes:
        trainable: List of arrays.
        non_trainable: List of arrays, the states of the random generators among them.
        optimizer: List of arrays.
        metrics: List of arrays.
    """

    trainable: list[Tensor]
    non_trainable: list[Tensor]
    optimizer: list[Tensor]
    metrics: list[Tensor]


class Between(NamedTuple):
    """Predictions of a test set between the steps of an epoch.

    Attributes:
        examples: Tuple ``(inputs, labels)`` of arrays ``(seeds, num_examples, ...)``.
        after: Boolean array ``(steps,)``, after which steps.
        batch_size: Integer.
    """

    examples: tuple[Structure, Tensor]
    after: np.ndarray
    batch_size: int


def values_of(model: keras.Model) -> list[list[np.ndarray]]:
    """Returns the values of a compiled model that differ by seed, lists of arrays.

    These are the first three of ``Stacked``.
    """
    return [[np.asarray(v) for v in current(each)] for each in _variables(model)]


class TrainedTogether:
    """Trains, evaluates and predicts with the weights of all seeds.

    Seeds may know different numbers of words: rows of 0 are added to what is shorter than
    the model's own, of which no text has a word, and no step changes them.

    Args:
        model: A compiled ``keras.Model`` whose variables are at least as large as those
            of any seed.
        batch: Tuple of arrays ``(x, y)`` or ``(x, y, sample_weight)``, a batch as the
            model will see it.
    """

    def __init__(self, model: keras.Model, batch: tuple[Any, ...]) -> None:
        keras_compat.symbolic_build(model, batch)
        as_products(model)
        self.model = model
        self._epoch = jax.jit(self._train, donate_argnums=0)
        self._tested = jax.jit(self._test)
        self._predicted = jax.jit(self._predict)
        self._chosen = jax.jit(_where)

    def stack(self, values: Sequence[list[list[np.ndarray]]]) -> Stacked:
        """Stacks what ``values_of`` returned for each seed."""
        metrics = [
            np.broadcast_to(np.asarray(v), (len(values), *np.shape(v)))
            for v in current(self.model.metrics_variables)
        ]
        shapes = [[v.shape for v in each] for each in _variables(self.model)]
        trainable, non_trainable, optimizer = (
            [padded_stack(arrays, size) for *arrays, size in zip(*each, strict=True)]
            for each in zip(*values, shapes, strict=True)
        )
        return jax.device_put(Stacked(trainable, non_trainable, optimizer, metrics))

    def train(
        self,
        state: Stacked,
        examples: tuple[Any, ...],
        orders: Sequence[np.ndarray],
        settings: Mapping[str, np.ndarray] = MappingProxyType({}),
        between: Between | None = None,
    ) -> tuple[dict[str, np.ndarray], Stacked]:
        """Trains for an epoch, or a part of one.

        Args:
            state: ``Stacked``; it is used up.
            examples: Tuple ``(x, y)`` or ``(x, y, sample_weight)`` of arrays ``(seeds,
                num_examples, ...)``.
            orders: List of integer arrays ``(seeds, batch_size)``, the examples of each
                step; the last one may be smaller.
            settings: Float arrays ``(steps,)``, the values of the policy's settings that
                are variables, by their names.
            between: ``Between``, for predictions between the steps; None for none.

        Returns:
            What the last step reports, a dict of arrays ``(seeds,)``, and the new state.
            With ``between`` the dict has ``RIGHT``, too, integers ``(seeds, steps)``: how
            many examples are predicted right, -1 where they are not predicted.
        """
        own, common = _arguments(examples, orders, settings, between)
        logs, state = self._epoch(state, own, common)
        return jax.device_get(logs), state

    def most_seeds(self, seeds: int, *of_an_epoch: Any) -> int:
        """Returns how many seeds fit into half of the free memory, at least 1.

        The compiler says what they need; what it has compiled is run later.

        Args:
            seeds: Integer, how many there are.
            *of_an_epoch: What ``train`` takes behind the state, of one seed.
        """
        free = SHARE * _free_memory()
        # What is too large in any case is not even compiled.
        number = int(min(seeds, max(1, free / _bytes(self._of_one(*of_an_epoch)[:2]))))
        while number > 1:
            needed = self.bytes_of(number, *of_an_epoch)
            if needed <= free:
                break
            number = max(1, min(number - 1, int(number * free / needed)))
        return number

    def bytes_of(self, seeds: int, *of_an_epoch: Any) -> int:
        """Returns what an epoch of so many seeds needs, with their best weights.

        Args:
            seeds: As ``most_seeds``.
            *of_an_epoch: As ``most_seeds``.
        """
        *one, common = self._of_one(*of_an_epoch)
        like: Any = jax.ShapeDtypeStruct
        state, own = jax.tree.map(lambda a: like((seeds, *a.shape[1:]), a.dtype), one)
        program = self._epoch.lower(state, own, common).compile()
        said: Any = program.memory_analysis()
        size: int = said.argument_size_in_bytes + said.temp_size_in_bytes
        size += said.output_size_in_bytes - said.alias_size_in_bytes
        return size + _bytes(state[:2])

    def _of_one(self, *of_an_epoch: Any) -> tuple[Stacked, Any, Any]:
        """What the program takes for one seed."""
        return self.stack([values_of(self.model)]), *_arguments(*of_an_epoch)

    def test(
        self, state: Stacked, examples: tuple[Structure, Tensor], batch_size: int
    ) -> dict[str, np.ndarray]:
        """Evaluates as ``keras.Model.evaluate`` does; a dict of arrays ``(seeds,)``."""
        batches = in_order(examples[1].shape[1], batch_size)
        return jax.device_get(self._tested(state, examples, *batches))

    def predict(
        self, weights: list[list[Tensor]], inputs: Structure, batch_size: int
    ) -> np.ndarray:
        """Predicts as ``keras.Model.predict`` does; ``(seeds, num_examples, ...)``."""
        batches = in_order(tree.flatten(inputs)[0].shape[1], batch_size)
        full, rest = jax.device_get(self._predicted(weights, inputs, *batches))
        parts = [] if full is None else [full.reshape(len(full), -1, full.shape[-1])]
        return np.concatenate(parts + ([] if rest is None else [rest]), axis=1)

    def choose(
        self, mask: np.ndarray, first: list[list[Tensor]], second: list[list[Tensor]]
    ) -> list[list[Tensor]]:
        """Returns the first weights of the seeds where ``mask`` is, else the second."""
        return self._chosen(second, first, mask)

    def hand_over(self, weights: list[list[Tensor]], seed: int) -> None:
        """Gives the model the weights of one seed, by its place."""
        variables = (self.model.trainable_variables, self.model.non_trainable_variables)
        for each, values in zip(variables, weights, strict=True):
            for variable, value in zip(each, values, strict=True):
                variable.assign(value[seed])

    def _train(self, state: Stacked, own: Any, common: Any) -> tuple[Any, Stacked]:
        along, along_last, batches = common

        def train(state: Any, own: Any) -> tuple[Any, Any]:
            examples, full, rest, to_predict = own

            def step(state: Any, now: Any) -> tuple[Any, Any]:
                chosen, (settings, predicts) = now
                state = *state[:3], self._with_settings(state[3], settings)
                logs, state = self.model.train_step(state, _taken(examples, chosen))
                if to_predict is not None:
                    count = partial(self._right, state[:2], *to_predict, *batches)
                    right = jax.lax.cond(predicts, count, lambda: jnp.int32(-1))
                    logs = {**logs, RIGHT: right}
                return state, logs

            state = *state[:3], self._fresh_metrics(state[3])
            now, last = (full, along), None if rest is None else (rest, along_last)
            state, *reports = _over(step, state, now, last)
            state, logs = _last(state, *reports)
            if to_predict is not None:
                parts = [jnp.atleast_1d(r[RIGHT]) for r in reports if r is not None]
                logs = {**logs, RIGHT: jnp.concatenate(parts)}
            return logs, state

        logs, state = self._of_each(train)(tuple(state), own)
        return logs, Stacked(*state)

    def _right(self, weights: Any, inputs: Any, labels: Any, full: Any, rest: Any) -> Any:
        """How many examples one seed predicts right."""

        def step(none: Any, chosen: Any) -> tuple[Any, Any]:
            batch = (_taken(inputs, chosen),)
            predicted = self.model.predict_step(tuple(weights), batch)[0].argmax(axis=-1)
            return none, jnp.sum(predicted == labels[chosen], dtype="int32")

        _, *counts = _over(step, None, full, rest)
        return sum(jnp.sum(each) for each in counts if each is not None)

    def _test(self, state: Stacked, examples: Any, full: Any, rest: Any) -> Any:
        def test(trainable: Any, non_trainable: Any, metrics: Any, examples: Any) -> Any:
            def step(metrics: Any, chosen: Any) -> tuple[Any, Any]:
                state = trainable, non_trainable, metrics
                logs, state = self.model.test_step(state, _taken(examples, chosen))
                return state[-1], logs

            return _last(*_over(step, self._fresh_metrics(metrics), full, rest))[1]

        trainable, non_trainable, _, metrics = state
        return self._of_each(test)(trainable, non_trainable, metrics, examples)

    def _predict(self, weights: Any, inputs: Any, full: Any, rest: Any) -> Any:
        def predict(weights: Any, inputs: Any) -> Any:
            def step(none: Any, chosen: Any) -> tuple[Any, Any]:
                batch = (_taken(inputs, chosen),)
                return none, self.model.predict_step(tuple(weights), batch)[0]

            return _over(step, None, full, rest)[1:]

        return self._of_each(predict)(weights, inputs)

    def _of_each(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Has a function of one seed work on all: at once, or one after the other."""
        if not one_by_one():
            return jax.vmap(function)
        return lambda *stacked: jax.lax.map(lambda each: function(*each), stacked)

    def _with_settings(self, metrics: Any, settings: dict[str, Any]) -> list[Any]:
        """The values of the metrics' variables, with those of the policy's settings."""
        changed, variables = list(metrics), self.model.metrics_variables
        for name, value in settings.items():
            own = getattr(self.model.policy, name)
            (place,) = [i for i, v in enumerate(variables) if v is own]
            changed[place] = value
        return changed

    def _fresh_metrics(self, values: list[Tensor]) -> list[Tensor]:
        variables = self.model.metrics_variables
        with with_values(variables, values) as scope:
            self.model.reset_metrics()
            return [scope.state_mapping[id(variable)] for variable in variables]


def padded_stack(arrays: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Stacks arrays; rows of 0 are added to those that have fewer than a shape.

    Example:
    >>> from keras_amp.training.jax.seeds import padded_stack
    >>> padded_stack([np.ones(1), np.ones(2)], (2,)).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """

    def padded(array: np.ndarray) -> np.ndarray:
        if array.shape == tuple(shape):
            return array
        rows = zip(shape, array.shape, strict=True)
        return np.pad(array, [(0, most - own) for most, own in rows])

    return np.stack([padded(array) for array in arrays])


def in_order(size: int, batch_size: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Returns the examples of an evaluation's batches, the last and smaller one apart.

    Example:
    >>> from keras_amp.training.jax.seeds import in_order
    >>> [each.tolist() for each in in_order(3, 2)]
    [[[0, 1]], [2]]
    """
    places, whole = np.arange(size, dtype="int32"), size - size % batch_size
    full = places[:whole].reshape(-1, batch_size) if whole else None
    return full, places[whole:] if whole < size else None


def _variables(model: keras.Model) -> tuple[list[keras.Variable], ...]:
    """Those that differ by seed, in lists as of ``values_of``."""
    own = model.trainable_variables, model.non_trainable_variables
    return *own, model.optimizer.variables


def one_by_one() -> bool:
    """Whether one program trains seeds one after the other: on a CPU.

    It is busy with one seed, whose weights fit into its cache better than those of all.
    """
    return jax.default_backend() == "cpu"


def _arguments(
    examples: Any,
    orders: Sequence[np.ndarray],
    settings: Mapping[str, np.ndarray] = MappingProxyType({}),
    between: Between | None = None,
) -> tuple[Any, Any]:
    """What the program takes: what each seed has of its own, and what all have."""
    full, rest = _in_two(orders)
    to_predict, batches, after = None, None, np.zeros(len(orders), bool)
    if between is not None:
        to_predict, after = between.examples, between.after
        batches = in_order(to_predict[1].shape[1], between.batch_size)
    given = {name: np.asarray(values, "float32") for name, values in settings.items()}
    along = tree.map_structure(lambda each: each[: full.shape[1]], (given, after))
    along_last = tree.map_structure(lambda each: each[-1], (given, after))
    return (examples, full, rest, to_predict), (along, along_last, batches)


def _bytes(arrays: Any) -> int:
    return sum(
        np.dtype(a.dtype).itemsize * int(np.prod(a.shape))
        for a in jax.tree.leaves(arrays)
    )


def _free_memory() -> float:
    """Free memory of the device in bytes; 4 GB where nobody says."""
    stats = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 4e9
    (available,) = [line for line in lines if line.startswith("MemAvailable:")]
    return 1024 * int(available.split()[1])


def _in_two(orders: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
    """The steps of full size ``(seeds, steps, ...)``, and the last one, if smaller."""
    *whole, last = orders
    if not whole or last.shape == whole[0].shape:
        return np.stack(orders, axis=1), None
    return np.stack(whole, axis=1), last


def _over(
    step: Callable[..., Any], state: Any, full: Any, rest: Any
) -> tuple[Any, Any, Any]:
    """Steps over batches: the state after them, and what the full and the last yield."""
    found = last = None
    if full is not None:
        state, found = jax.lax.scan(step, state, full)
    if rest is not None:
        state, last = step(state, rest)
    return state, found, last


def _last(state: Any, found: Any, last: Any) -> tuple[Any, Any]:
    """The state, and what the last step has yielded."""
    return state, tree.map_structure(lambda log: log[-1], found) if last is None else last


def _taken(examples: Any, chosen: Any) -> Any:
    return tree.map_structure(lambda values: values[chosen], examples)


def _where(second: Any, first: Any, mask: Any) -> Any:
    def choose(one: Any, other: Any) -> Any:
        shape = (-1, *[1] * (one.ndim - 1))
        return jnp.where(mask.reshape(shape), one, other)

    return jax.tree.map(choose, first, second)
