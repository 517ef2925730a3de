"""The operations of a training step, in JAX: gradients and what a pass leaves behind.

It offers what ``keras_amp.training.tensorflow`` offers, of which the step knows nothing
else. A pass that is not to leave anything behind runs in a scope of its own.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import keras
import numpy as np
from keras import ops

from keras_amp.graph import keras_compat
from keras_amp.policies.passes import Moved, Objective, Pass, Point
from keras_amp.training.jax.scopes import (
    Scope,
    current,
    hand_over,
    outside_scopes,
    with_masks,
    with_values,
    without_masks,
)
from keras_amp.training.tensorflow import assertions
from keras_amp.typing import Tensor

SeedGenerator = keras.random.SeedGenerator
Evaluate = Callable[[Point], Pass]
# What JAX says of a process that it cannot reach any more.
LOST = ("Gloo", "NCCL", "Connection reset", "Connection closed", "coordination service")


class NotRecorded:
    """What stands for a tape: JAX takes gradients of functions, and records nothing."""

    def stop_recording(self) -> contextlib.AbstractContextManager[None]:
        """Does nothing."""
        return contextlib.nullcontext()


def loss_and_gradients(
    function: Callable[[Any], tuple[Tensor, Any]], weights: Sequence[keras.Variable]
) -> tuple[Any, list[Tensor | None]]:
    """Runs a function and takes the gradient of its loss.

    Args:
        function: Callable from a recorder, for ``Passes``, to the loss and to whatever
            else it yields.
        weights: Variables.

    Returns:
        What else the function yields, and the gradients for the weights.
    """

    def of_values(values: list[Tensor]) -> tuple[Tensor, Any]:
        with with_values(weights, values) as scope:
            loss, result = function(NotRecorded())
            updates = scope.updates()
        return ops.sum(loss), (without_masks(result), updates)

    gradients, (result, updates) = jax.grad(of_values, has_aux=True)(current(weights))
    hand_over(updates)
    return with_masks(*result), gradients


class SideEffects(NamedTuple):
    """What a pass does that Keras does not know of: in JAX nothing that lasts."""

    noise: tuple[str, ...] = ()


class Examined:
    """In JAX a pass is pure: there is nothing to examine."""

    def of(self, *arguments: Any) -> SideEffects:
        """Returns no side effects."""
        return SideEffects()


class Recorder:
    """Makes passes within a step, whose gradients are recorded or not.

    Args:
        recorder: What ``loss_and_gradients`` hands over.
        evaluate: Callable from a ``Point`` to a ``Pass``.
        independent: Whether each pass draws noise of its own.
        noise_states: State variables of the random generators that ``evaluate`` uses.
        effects: What ``Examined`` has found.
    """

    def __init__(
        self,
        recorder: NotRecorded,
        evaluate: Evaluate,
        independent: bool,
        noise_states: list[keras.Variable],
        effects: SideEffects,
    ) -> None:
        self._evaluate, self._independent = evaluate, independent
        self._noise_states = {id(state) for state in noise_states}

    def probe(self, at: Point) -> Pass:
        """Makes a pass that is not trained on."""
        return _constant(self.train_too(at))

    def probe_with_gradient(
        self, at: Point, of: Moved = "lam", objective: Objective | None = None
    ) -> tuple[Pass, Tensor]:
        """Makes the same, and returns the gradients for what moves as well."""

        def value_of(moved: Tensor) -> tuple[Tensor, Any]:
            passed, noise = self._without_updates(at._replace(**{of: moved}))
            value = passed.loss if objective is None else objective(passed)
            return ops.sum(value), (without_masks(passed), noise)

        gradient, (passed, noise) = jax.grad(value_of, has_aux=True)(getattr(at, of))
        hand_over(noise)
        return _constant(with_masks(*passed)), jax.lax.stop_gradient(gradient)

    def train_too(self, at: Point) -> Pass:
        """Makes a pass that is trained on, but is not the last one of the step."""
        passed, noise = self._without_updates(at)
        hand_over(noise)
        return passed

    def train_with_gradient(self, at: Point, of: Moved = "lam") -> tuple[Pass, Tensor]:
        """Makes the same, and returns the losses' gradients as well."""

        def losses_of(moved: Tensor) -> tuple[Tensor, Any]:
            passed, noise = self._without_updates(at._replace(**{of: moved}))
            return passed.loss, (without_masks(passed.y_pred), noise)

        moved = getattr(at, of)
        loss, back, (y_pred, noise) = jax.vjp(losses_of, moved, has_aux=True)
        hand_over(noise)
        (gradient,) = back(ops.ones_like(loss))
        return Pass(with_masks(*y_pred), loss), jax.lax.stop_gradient(gradient)

    def train(self, at: Point) -> Pass:
        """Makes the last pass of a step, which is trained on."""
        return self._evaluate(at)

    def _without_updates(self, at: Point) -> tuple[Pass, dict[int, Tensor]]:
        """Makes a pass that leaves nothing behind; returns the noise's states, too.

        These are none where the next pass is to draw the same.
        """
        with Scope() as scope:
            passed = self._evaluate(at)
        if not self._independent:
            return passed, {}
        states = {
            i: scope.state_mapping[i]
            for i, variable in scope.updated.items()
            if i in self._noise_states or keras_compat.is_seed_state(variable)
        }
        return passed, states


def _constant(passed: Pass) -> Pass:
    """A pass of which no gradient is taken."""
    tensors, masks = without_masks(passed)
    return with_masks(keras.tree.map_structure(jax.lax.stop_gradient, tensors), masks)


def switch(index: Tensor, branches: Sequence[Callable[[], Any]]) -> Any:
    """Runs the branch of that index; all yield tensors alike, and change variables."""
    if not isinstance(index, jax.core.Tracer):  # eagerly: JAX would compile all of them
        return branches[int(index)]()

    def pure(branch: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            with Scope() as scope:
                result = branch()
            return result, scope.updates()

        return run

    result, updates = jax.lax.switch(index, [pure(branch) for branch in branches])
    hand_over(updates)
    return result


def replicas() -> int:
    """Returns 1: a step of ``keras.distribution`` sees the whole batch."""
    return 1


@contextlib.contextmanager
def outside_the_step() -> Iterator[None]:
    """Makes variables that have their values at once, not when the scope around ends."""
    with outside_scopes(), jax.ensure_compile_time_eval():
        yield


class Compilation:
    """What is compiled of a model's training: what Keras compiles.

    Args:
        model: The ``MixupAMPModel``.
        given: Dict of the arguments of ``compile``.
    """

    step = update = False

    def __init__(self, model: keras.Model, given: dict[str, Any]) -> None:
        self.auto = given.get("jit_compile", "auto") == "auto"

    def begin(self) -> None:
        """Begins a ``fit``: nothing is to be done."""

    def apply(
        self,
        optimizer: keras.optimizers.Optimizer,
        gradients: list[Tensor],
        weights: list[keras.Variable],
        fixed: bool,
    ) -> None:
        """Updates weights."""
        changed, state = optimizer.stateless_apply(
            current(optimizer.variables), gradients, current(weights)
        )
        for variables, values in ((weights, changed), (optimizer.variables, state)):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)


def is_fixed(data: Any) -> bool:
    """Whether all dimensions are known: always, as XLA compiles for each shape."""
    return True


def divides_data_sets() -> bool:
    """Whether Keras gives each of several processes a part of a data set."""
    return keras.distribution.distribution() is not None and jax.process_count() > 1


def values_of(y: Tensor) -> np.ndarray | None:
    """Returns a tensor's values, or None where they are not known.

    That is while a step is traced, and where another process has a part of them.
    """
    if isinstance(y, jax.core.Tracer) or not getattr(y, "is_fully_addressable", True):
        return None
    return np.asarray(y)


def asserted(y: list[Tensor], size: Any, checks: Any) -> list[Tensor]:
    """Returns the labels: JAX asserts nothing of values while a step runs."""
    return y


def one_loss_each(values: Tensor, lam: Tensor, about: str, hint: str) -> Tensor:
    """Returns the losses: JAX knows all shapes before a step runs."""
    return values


def clearer_error(error: Exception) -> Exception | None:
    """Returns an error that says that another process has ended, if one has.

    Else that of wrong labels in a data set, which TensorFlow reads here, too; or None.
    """
    said = str(error)
    if jax.process_count() == 1 or not any(part in said for part in LOST):
        return assertions.clearer_error(error)
    return RuntimeError(
        "Expected all processes of the distributed training to go on. Received: one that "
        f"has ended, as its connection tells ({said.strip().splitlines()[0][:200]}). "
        "Find its error, and start all of them again: with "
        "`keras.callbacks.BackupAndRestore(folder, double_checkpoint=True)`, a folder "
        "each, they go on from the last whole epoch. This process ends as soon as JAX "
        "has noticed, too, at most 100 seconds from now."
    )
