"""The operations of a training step that each backend has in its own way.

Gradients, what a pass leaves behind, the choice of one of several branches, variables
that are made within a step, replicas and their random numbers. The step, the search and
the policies know of TensorFlow only what this file offers.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_amp.graph import keras_compat
from keras_amp.policies.passes import Moved, Objective, Pass, Point
from keras_amp.training.tensorflow import side_effects
from keras_amp.training.tensorflow.side_effects import SideEffects
from keras_amp.typing import Tensor

Evaluate = Callable[[Point], Pass]


def loss_and_gradients(
    function: Callable[[tf.GradientTape], tuple[Tensor, Any]],
    weights: Sequence[keras.Variable],
) -> tuple[Any, list[Tensor | None]]:
    """Runs a function and takes the gradient of its loss.

    Args:
        function: Callable from a recorder, for ``Passes``, to the loss and to whatever
            else it yields.
        weights: Variables.

    Returns:
        What else the function yields, and the gradients for the weights: tensors,
        ``IndexedSlices``, or None where a weight plays no part.
    """
    with tf.GradientTape() as tape:
        loss, result = function(tape)
    return result, tape.gradient(loss, weights)


class Recorder:
    """Makes passes within a step, whose gradients are recorded or not.

    Args:
        recorder: What ``loss_and_gradients`` hands over.
        evaluate: Callable from a ``Point`` to a ``Pass``.
        independent: Whether each pass draws noise of its own.
        noise_states: State variables of the random generators that ``evaluate`` uses.
            Those of generators that no layer tracks, such as Keras' global one, are
            found as they change.
        effects: What ``evaluate`` changes or draws that Keras does not know of.
    """

    def __init__(
        self,
        recorder: tf.GradientTape,
        evaluate: Evaluate,
        independent: bool,
        noise_states: list[keras.Variable],
        effects: SideEffects,
    ) -> None:
        self._tape, self._evaluate = recorder, evaluate
        self._independent, self._noise_states = independent, noise_states
        self._restored = list(effects.variables)
        if not independent:
            self._restored += effects.generators

    def probe(self, at: Point) -> Pass:
        """Makes a pass that is not trained on."""
        with self._tape.stop_recording():
            return self._without_updates(at)

    def probe_with_gradient(
        self, at: Point, of: Moved = "lam", objective: Objective | None = None
    ) -> tuple[Pass, Tensor]:
        """Makes the same, and returns the gradients for what moves as well."""
        with self._tape.stop_recording():
            return self._with_gradient(at, of, objective)

    def train_too(self, at: Point) -> Pass:
        """Makes a pass that is trained on, but is not the last one of the step."""
        return self._without_updates(at)

    def train_with_gradient(self, at: Point, of: Moved = "lam") -> tuple[Pass, Tensor]:
        """Makes the same, and returns the losses' gradients as well."""
        if tf.executing_eagerly():
            return self._with_gradient(at, of)
        # There is no second tape in a graph: TensorFlow takes the second derivative of a
        # loop that two tapes record, and XLA does not compile that.
        at, moved = _moving(at, of)
        passed = self._without_updates(at)
        with self._tape.stop_recording():
            (gradient,) = tf.gradients(passed.loss, moved)
        return passed, gradient

    def train(self, at: Point) -> Pass:
        """Makes the last pass of a step, which is trained on."""
        return self._evaluate(at)

    def _with_gradient(
        self, at: Point, of: Moved, objective: Objective | None = None
    ) -> tuple[Pass, Tensor]:
        at, moved = _moving(at, of)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(moved)
            passed = self._without_updates(at)
            value = passed.loss if objective is None else objective(passed)
        return passed, tf.stop_gradient(tape.gradient(value, moved))

    def _without_updates(self, at: Point) -> Pass:
        """Makes a pass and puts back what it changes.

        That is statistics, counters and penalties. Random generators move on if each pass
        draws its own noise; else the next pass draws the same.
        """
        before = side_effects.read(self._restored)
        with _Updates() as updates:
            passed = self._evaluate(at)
        side_effects.put_back(self._restored, before)
        if self._independent:
            for state in updates.of_generators(self._noise_states):
                state.assign(updates.get_current_value(state))
        return passed


def _moving(at: Point, of: Moved) -> tuple[Point, Tensor]:
    """The point with what moves by itself: not the labels' lambda, a constant."""
    moved = tf.identity(getattr(at, of))
    return at._replace(**{of: moved}), moved


class _Updates(keras.StatelessScope):
    """Keeps updates from Keras' variables, and knows which variables they are of."""

    def __init__(self) -> None:
        super().__init__()
        self._updated: dict[int, keras.Variable] = {}

    def add_update(self, update: tuple[keras.Variable, Tensor]) -> None:
        super().add_update(update)
        self._updated[id(update[0])] = update[0]

    def of_generators(self, known: list[keras.Variable]) -> list[keras.Variable]:
        """Returns the updated variables among the known ones and any seed generator's.

        Keras tracks no generator of a function, nor its own global one.
        """
        ids = {id(variable) for variable in known}
        return [
            variable
            for variable in self._updated.values()
            if id(variable) in ids or keras_compat.is_seed_state(variable)
        ]


def switch(index: Tensor, branches: Sequence[Callable[[], Any]]) -> Any:
    """Runs the branch of that index, in a graph too; all yield tensors alike."""
    return tf.switch_case(index, branches)


def replicas() -> int:
    """Returns how many replicas train in sync: 1 where training is not distributed."""
    return int(tf.distribute.get_strategy().num_replicas_in_sync)


class SeedGenerator(keras.random.SeedGenerator):
    """A seed generator that differs between the replicas of a distributed step."""

    def next(self, ordered: bool = True) -> Tensor:
        """Returns the next seed."""
        seed = super().next(ordered=ordered)
        context = tf.distribute.get_replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return seed
        replica = context.replica_id_in_sync_group
        return tf.random.experimental.stateless_fold_in(seed, replica)


@contextlib.contextmanager
def outside_the_step() -> Iterator[None]:
    """Makes variables within a step without its being traced twice for their sake."""

    def unseen(next_creator: Callable[..., Any], **kwargs: Any) -> Any:
        return next_creator(**{**kwargs, "experimental_enable_variable_lifting": False})

    if replicas() > 1:
        yield
    else:
        with tf.init_scope(), tf.variable_creator_scope(unseen):
            yield


def compiled_function(
    function: Callable[..., Any], model: keras.Model, jit_compile: bool
) -> Callable[..., Any]:
    """Compiles a function that reads a model's variables and changes none.

    Args:
        function: Callable from structures of arrays to such a structure.
        model: The model.
        jit_compile: Whether by XLA.
    """
    return tf.function(function, autograph=False, jit_compile=jit_compile)
