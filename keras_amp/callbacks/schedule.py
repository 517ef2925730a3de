"""MixingSchedule: settings of the policy as functions of the epoch or of the step."""

from collections.abc import Callable
from typing import Any, Literal

import keras

from keras_amp.callbacks.steps import steps_taken, update_variables
from keras_amp.graph import keras_compat

PER = ("epoch", "step")
Logs = dict[str, Any] | None
Schedule = float | Callable[[int], Any]  # a number, or a function of the time


class MixingSchedule(keras.callbacks.Callback):
    """Changes settings of a model's policy while it trains.

    Which ones a policy has, its arguments say: ``alpha`` and ``probability`` where it
    mixes, ``step_size`` where lambda moves, ``radius`` where the hidden state does,
    ``weight`` where it adds to the loss. The settings become variables of the training
    step, which is not traced again when they change. Those of the ``mixup`` inside of an
    ``AdversarialTraining`` stay as they are.

    A setting is a number or a function of the epoch (or the step), counted
    from 0. Keras' learning rate schedules are such functions:

    ===================  ========================================================
    constant             ``0.5``
    linear, cosine       ``keras.optimizers.schedules.PolynomialDecay``,
                         ``CosineDecay``
    off after 5 epochs   ``probability=lambda epoch: float(epoch < 5)``,
                         ``weight=lambda epoch: float(epoch < 5)``
    on after a warm-up   ``probability=lambda epoch: float(epoch >= 2)``
    ===================  ========================================================

    A training that is continued continues its schedule. The epoch is counted by Keras:
    ``fit(initial_epoch=...)`` and ``BackupAndRestore`` set it. The step is counted by the
    optimizer, as for a learning rate schedule: a saved model, ``BackupAndRestore`` and a
    second ``fit`` continue the count, and another ``compile``, with its new optimizer,
    begins at 0. With ``gradient_accumulation_steps`` every batch is counted; a step that
    loss scaling skips is not.

    The values are added to the epoch's logs under the settings' names. The policy keeps
    the last values after the training.

    Args:
        alpha: Number > 0 or function, the parameter of the distribution of lambda.
        step_size: Number >= 0 or function, the paper's epsilon.
        probability: Number in [0, 1] or function, the probability that a batch is mixed.
        per: ``"epoch"`` or ``"step"``, the argument of the functions. With
            ``steps_per_execution`` a setting changes between executions only.
        radius: Number >= 0 or function, the norm of the step on the hidden state.
        weight: Number >= 0 or function, of what the policy adds to the loss.

    Raises:
        ValueError: If nothing is scheduled; if a value is not in the range of its setting
            (while training, too); if the model's policy has no such setting: the error
            names those that it has.

    Example:
    >>> schedule = keras_amp.callbacks.MixingSchedule(
    ...     step_size=keras.optimizers.schedules.PolynomialDecay(0.0, 10, 0.5),
    ...     probability=lambda epoch: float(epoch < 8),
    ... )
    """

    def __init__(
        self,
        alpha: Schedule | None = None,
        step_size: Schedule | None = None,
        probability: Schedule | None = None,
        per: Literal["epoch", "step"] = "epoch",
        radius: Schedule | None = None,
        weight: Schedule | None = None,
    ) -> None:
        super().__init__()
        given = {"alpha": alpha, "step_size": step_size, "probability": probability}
        given.update(radius=radius, weight=weight)
        self.schedules = {n: value for n, value in given.items() if value is not None}
        if not self.schedules:
            raise ValueError(
                f"Expected at least one of {', '.join(f'`{name}`' for name in given)}. "
                "Received: none. Pass a number or a function of the epoch."
            )
        if per not in PER:
            raise ValueError(
                f"Expected `per` to be 'epoch' or 'step'. Received: per={per!r}"
            )
        self.per = per

    def set_model(self, model: keras.Model) -> None:
        """Turn the settings into variables of the training step."""
        super().set_model(model)
        policy = getattr(model, "policy", None)
        if policy is None:
            raise ValueError(
                "Expected a `MixupAMPModel`, whose policy has settings to schedule. "
                f"Received: {type(model).__name__}"
            )
        with keras_compat.strategy_scope(model):
            if policy.schedule(*self.schedules):
                model.train_function = None  # so that it is traced again, with them

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Set the epoch's values."""
        if self.per == "epoch":
            self._set(epoch)

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Set the step's values."""
        if self.per == "step":
            update_variables(self.model)
            self._set(steps_taken(self.model.optimizer))

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Add the values to the logs."""
        if logs is not None:
            values = self.model.policy.scheduled()
            logs.update({name: values[name] for name in self.schedules})

    def _set(self, time: int) -> None:
        for name, schedule in self.schedules.items():
            value = schedule(time) if callable(schedule) else schedule
            setattr(self.model.policy, name, float(value))
