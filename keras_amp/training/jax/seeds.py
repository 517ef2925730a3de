"""Models of several seeds, trained as one program: everything is stacked on a first axis.

One model says what a step computes; the values of all variables, and the examples, are
handed over for all seeds. XLA compiles an epoch as a whole: a loop over steps, in which
``jax.vmap`` has each operation work on all seeds at once; on a CPU a loop over seeds.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
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

# Copies of the weights: these, the optimizer's two moments, a gradient, the best epoch's.
COPIES = 5
# Copies of what the layers return: of several passes, with their gradients.
PASSES = 8
SHARE = 0.5  # of the free memory


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


def values_of(model: keras.Model) -> list[list[np.ndarray]]:
    """Returns the values of a compiled model that differ by seed, lists of arrays.

    These are the first three of ``Stacked``.
    """
    lists = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
    )
    return [[np.asarray(v) for v in current(variables)] for variables in lists]


class TrainedTogether:
    """Trains, evaluates and predicts with the weights of all seeds.

    Seeds may know different numbers of words: rows of 0 are added to what is shorter, of
    which no text has a word, and no step changes them.

    Args:
        model: A compiled ``keras.Model``, of the seed whose variables are largest.
        batch: Tuple of arrays ``(x, y)``, a batch as the model will see it.
    """

    def __init__(self, model: keras.Model, batch: tuple[Structure, Tensor]) -> None:
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
        trainable, non_trainable, optimizer = (
            [padded_stack(arrays) for arrays in zip(*each, strict=True)]
            for each in zip(*values, strict=True)
        )
        return jax.device_put(Stacked(trainable, non_trainable, optimizer, metrics))

    def train(
        self,
        state: Stacked,
        examples: tuple[Structure, Tensor],
        orders: Sequence[np.ndarray],
    ) -> tuple[dict[str, np.ndarray], Stacked]:
        """Trains for an epoch, or a part of one.

        Args:
            state: ``Stacked``; it is used up.
            examples: Tuple ``(x, y)`` of arrays ``(seeds, num_examples, ...)``.
            orders: List of integer arrays ``(seeds, batch_size)``, the examples of each
                step; the last one may be smaller.

        Returns:
            What the last step reports, a dict of arrays ``(seeds,)``, and the new state.
        """
        full, rest = _in_two(orders)
        logs, state = self._epoch(state, examples, full, rest)
        return jax.device_get(logs), state

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

    def _train(
        self, state: Stacked, examples: Any, full: Any, rest: Any
    ) -> tuple[Any, Stacked]:
        def train(state: Any, examples: Any, full: Any, rest: Any) -> tuple[Any, Any]:
            def step(state: Any, chosen: Any) -> tuple[Any, Any]:
                logs, state = self.model.train_step(state, _taken(examples, chosen))
                return state, logs

            state = *state[:3], self._fresh_metrics(state[3])
            state, logs = _last(*_over(step, state, full, rest))
            return logs, state

        logs, state = self._of_each(train)(tuple(state), examples, full, rest)
        return logs, Stacked(*state)

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

    def _fresh_metrics(self, values: list[Tensor]) -> list[Tensor]:
        variables = self.model.metrics_variables
        with with_values(variables, values) as scope:
            self.model.reset_metrics()
            return [scope.state_mapping[id(variable)] for variable in variables]


def padded_stack(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Stacks arrays; rows of 0 are added to those that have fewer.

    Example:
    >>> from keras_amp.training.jax.seeds import padded_stack
    >>> padded_stack([np.ones(1), np.ones(2)]).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    if len({array.shape for array in arrays}) == 1:
        return np.stack(arrays)
    most = max(len(array) for array in arrays)
    return np.stack(
        [
            np.pad(array, [(0, most - len(array)), *[(0, 0)] * (array.ndim - 1)])
            for array in arrays
        ]
    )


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


def most_seeds(model: keras.Model, batch_size: int, examples: Sequence[Any]) -> int:
    """Returns how many seeds fit into half of the free memory, by an estimate; >= 1.

    Args:
        model: A compiled ``keras.Model`` of one seed.
        batch_size: Integer, examples of a step.
        examples: Arrays of one seed.
    """
    weights = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    layers = sum(map(_size_of_output, keras_compat.layers_of(model)))
    arrays = sum(array.nbytes for array in tree.flatten(list(examples)))
    each = 4 * (COPIES * weights + PASSES * batch_size * layers) + arrays
    return max(1, int(SHARE * _free_memory() / each))


def one_by_one() -> bool:
    """Whether one program trains seeds one after the other: on a CPU.

    It is busy with one seed, whose weights fit into its cache better than those of all.
    """
    return jax.default_backend() == "cpu"


def _size_of_output(layer: keras.layers.Layer) -> int:
    try:
        outputs = tree.flatten(layer.output)
    except (AttributeError, ValueError):  # not part of a functional model
        return 0
    return sum(int(np.prod([size or 1 for size in o.shape[1:]])) for o in outputs)


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
