"""A model whose training Keras' trainer for JAX runs: a step from state to state."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax
import keras

from keras_amp.graph import keras_compat
from keras_amp.training.compiled_again import CompiledAgain
from keras_amp.training.jax.backend import Compilation
from keras_amp.training.jax.scopes import Scope, current, with_values
from keras_amp.typing import Tensor

State = tuple[list[Tensor], ...]


class BackendModel(CompiledAgain, keras_compat.TrainedOnJAX):
    """A base of ``MixupAMPModel``: how JAX runs its steps.

    Keras hands over the values of all variables as lists, and takes those after the step
    back: the trained ones, the others, the optimizer's and the metrics'.
    """

    classifier: keras.Model
    compiles_by_default = False
    _reports: Any
    policy: Any

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Configures training as ``keras.Model.compile`` does."""
        given = inspect.signature(super().compile).bind(*args, **kwargs).arguments
        self._training_step.compilation = Compilation(self, given)
        super().compile(**given)

    def run_step(self, state: State, data: Any) -> tuple[dict[str, Tensor], State]:
        """Takes one training step."""
        lists: list[Sequence[keras.Variable]] = [
            self.trainable_variables,
            self.non_trainable_variables,
            self.optimizer.variables,
            self.metrics_variables,
        ]
        variables = [variable for each in lists for variable in each]
        values = [value for each in state for value in each]
        with with_values(variables, values) as scope:
            logs = self._training_step(data)
        return logs, tuple([scope.state_mapping[id(v)] for v in each] for each in lists)

    def check_first(self, batch: Any) -> None:
        """Raises if the first batch does not fit."""
        with Scope():
            self._training_step.check(batch)

    def logs_of(self, result: Any, wanted: Callable[[str], bool]) -> Any:
        """Returns what a step of an evaluation returned, with some of its reports."""
        logs, state = result
        return {name: value for name, value in logs.items() if wanted(name)}, state

    @property
    def metrics_variables(self) -> list[keras.Variable]:
        """The metrics' variables, and others that a step reads or counts in.

        These are the histograms and the settings of the policy that are scheduled.
        """
        counted = [v for c in self._reports.histograms.values() for v in c.variables]
        settings = vars(self.policy).values()
        scheduled = [v for v in settings if isinstance(v, keras.Variable)]
        return [*super().metrics_variables, *counted, *scheduled]

    def _check_distributed(self) -> None:
        """Does nothing: ``keras.distribution`` divides a step's arrays, not the step."""


def compiled_function(
    function: Callable[..., Any], model: keras.Model, jit_compile: bool
) -> Callable[..., Any]:
    """Compiles a function that reads a model's variables and changes none.

    Args:
        function: Callable from structures of arrays to such a structure.
        model: The model.
        jit_compile: Unused: JAX compiles by XLA alone.
    """
    variables = model.variables

    @jax.jit
    def pure(values: list[Tensor], *arguments: Any) -> Any:
        with with_values(variables, values):
            return function(*arguments)

    return lambda *arguments: pure(current(variables), *arguments)


def without_effect(
    function: Callable[[], Any],
    model: keras.Model,
    losses: Sequence[keras.losses.Loss] = (),
) -> Any:
    """Calls a function, and drops what it changes of variables."""
    with Scope():
        return function()
