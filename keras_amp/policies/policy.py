"""What every policy is: settings, what it needs, and what it does in a training step."""

import functools
import inspect
from typing import Any, ClassVar, Self

import keras
from keras import ops

from keras_amp.policies.adversarial_search import search
from keras_amp.policies.former_names import FormerNames
from keras_amp.policies.needs import Needs
from keras_amp.policies.passes import Passes, Point, Searched
from keras_amp.typing import Size, Tensor
from keras_amp.validation import check_number


class Policy(FormerNames):
    """A way to train on a batch; this one trains on it as it is.

    A training step asks it for a ``draw``, and then hands it the passes that it can make
    (``search``). Settings in ``_ranges`` are numbers, which ``schedule`` turns into
    variables.

    Attributes:
        adversarial: Whether a step moves something up a gradient.

    Example:
    >>> class Twice(keras_amp.policies.Policy):
    ...     def search(self, passes, start):
    ...         searched = super().search(passes, start)
    ...         trained = searched.trained._replace(loss=2 * searched.trained.loss)
    ...         return searched._replace(trained=trained)
    >>> Twice().needs.mixes
    False
    """

    adversarial: ClassVar[bool] = False  # whether a step searches for lambda'
    # The settings that may become variables, and their ranges.
    _ranges: ClassVar[dict[str, dict[str, float]]] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._ranges and not isinstance(value, keras.Variable):
            value = check_number(name, value, **self._ranges[name])
            if name in self.scheduled():
                getattr(self, name).assign(value)
                return
        # A subclass may have attributes of its own; here an unknown name is a mistake.
        if type(self).__module__.rpartition(".")[0] == __package__ and not hasattr(
            self, name
        ):
            settings = _settings_of(type(self))  # type: ignore[arg-type]
            if name not in settings:
                raise AttributeError(
                    f"{type(self).__name__} has no setting {name!r}; it has "
                    f"{', '.join(settings)}."
                )
        super().__setattr__(name, value)

    def schedule(self, *names: str) -> bool:
        """Turn settings into variables, which a traced step reads each time it runs.

        Setting one then assigns to its variable; ``get_config`` returns its value.

        Args:
            *names: Of the settings that the policy has: ``"alpha"``, ``"probability"``,
                ``"step_size"``, ``"radius"``, ``"weight"``.

        Returns:
            Whether one of them was no variable before: then a step must be traced again.

        Raises:
            ValueError: If the policy has no such setting, or it cannot be a variable.

        Example:
        >>> policy = keras_amp.Mixup()
        >>> policy.schedule("alpha")
        True
        >>> policy.alpha = 0.5
        >>> policy.scheduled()
        {'alpha': 0.5}
        """
        for name in names:
            if name not in self._ranges:
                raise ValueError(
                    f"Expected a setting of {type(self).__name__} that can be scheduled: "
                    f"{', '.join(self._ranges) or 'it has none'}. Received: {name!r}"
                    f"{self._hint_of(name)}"
                )
        new = [name for name in names if name not in self.scheduled()]
        for name in new:
            value = keras.Variable(
                getattr(self, name), dtype="float32", trainable=False, name=name
            )
            setattr(self, name, value)
        return bool(new)

    def _hint_of(self, name: str) -> str:
        """What else there is to say of a name that is none of ``_ranges``."""
        return ""

    def scheduled(self) -> dict[str, float]:
        """Return a dict of the settings that are variables, with their values."""
        return {
            name: float(ops.convert_to_numpy(ops.convert_to_tensor(value)))
            for name, value in vars(self).items()
            if isinstance(value, keras.Variable)
        }

    @property
    def needs(self) -> Needs:
        """What a training step prepares for the policy, ``Needs``."""
        return Needs(mixes=False)

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of what a step reports besides."""
        return ()

    def draw(
        self, batch_size: Size, seed_generator: keras.random.SeedGenerator
    ) -> tuple[Tensor, Tensor]:
        """Draw the coefficients and the partners of one batch: here 1 and itself.

        Args:
            batch_size: Integer or scalar integer tensor.
            seed_generator: ``keras.random.SeedGenerator``.

        Returns:
            A tuple ``(lam, permutation)``: float32 and int32, both ``(batch_size,)``.
        """
        return ops.ones((batch_size,)), ops.arange(batch_size, dtype="int32")

    def draw_partners(
        self,
        y: Tensor,
        lam: Tensor,
        permutation: Tensor,
        seed_generator: keras.random.SeedGenerator,
    ) -> Tensor:
        """Draw the partners anew, now that the labels are known; here they stay.

        Args:
            y: Labels ``(batch_size, ...)``.
            lam: Float32 tensor ``(batch_size,)``, from ``draw``.
            permutation: Int32 tensor ``(batch_size,)``, from ``draw``.
            seed_generator: ``keras.random.SeedGenerator``.

        Returns:
            An int32 tensor ``(batch_size,)``.
        """
        return permutation

    def search(self, passes: Passes, start: Point) -> Searched:
        """Make the passes of a step, and say what it is trained on.

        Args:
            passes: The passes that the step can make.
            start: The drawn ``Point``.

        Returns:
            A ``Searched``.
        """
        return search(self, passes, start)

    def perturb(self, lam: Tensor, lam_gradient: Tensor) -> Tensor:
        """Return ``lam``: no adversarial step is taken."""
        return lam

    def select(self, loss: Tensor, adversarial_loss: Tensor) -> Tensor:
        """Return a mask that never selects the adversarial loss."""
        return ops.zeros_like(loss, dtype="bool")

    def create_state(self) -> list[keras.Variable]:
        """Create the variables in which ``example_weights`` keeps earlier steps.

        Each model that trains with the policy creates, saves and restores its own. A
        variable that a distributed step assigns to needs ``synchronization="on_read"``
        and an ``aggregation``.

        Returns:
            A list of ``keras.Variable``; here an empty one.
        """
        return []

    def example_weights(
        self, loss: Tensor, adversarial_loss: Tensor, state: list[keras.Variable]
    ) -> Tensor | None:
        """Weigh the losses that a step trains on; called once a step.

        Args:
            loss: Float32 tensor ``(batch_size,)``, the losses at lambda; constants.
            adversarial_loss: Float32 tensor ``(batch_size,)``, those at lambda'.
            state: The model's list of variables; see ``create_state``.

        Returns:
            A floating-point tensor ``(batch_size,)``, which counts as a constant: each
            example's chosen loss is multiplied by its weight before the reduction. None,
            as here, multiplies by nothing.
        """
        return None

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this policy."""
        return self.scheduled()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Build a policy from what ``get_config()`` returns."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


@functools.cache
def _settings_of(policy_class: type[Policy]) -> list[str]:
    """The names of a policy's arguments."""
    return list(inspect.signature(policy_class).parameters)
