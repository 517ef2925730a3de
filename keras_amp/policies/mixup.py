"""Mixup: a random coefficient, a random partner, no adversarial step."""

import inspect
from typing import Any, ClassVar, Literal, Self

import keras
from keras import ops

from keras_amp.policies.former_names import FormerNames
from keras_amp.policies.needs import Needs
from keras_amp.policies.random import symmetric_beta, uniform_permutation
from keras_amp.typing import Size, Tensor
from keras_amp.validation import check_number, check_one_of


@keras.saving.register_keras_serializable(package="keras_amp")
class Mixup(FormerNames):
    """Plain mixup: a random coefficient, a random partner, no adversarial step.

    A variant is a small subclass: override ``draw`` for other coefficients or partners;
    for an adversarial step subclass ``AdversarialMixing`` and override ``perturb``,
    ``select`` or ``example_weights``.

    Args:
        alpha: Float > 0. The coefficients follow Beta(alpha, alpha); the paper uses 1.
        lam_per: ``"example"`` draws one coefficient per example, ``"batch"`` one for
            all examples of a batch (of a replica's batch, when training is distributed).
        probability: Float in [0, 1], the share of batches that are mixed at all. The
            others are trained on unchanged: lambda is 1 and every example is its own
            partner.

    Raises:
        ValueError: If an argument lies outside its range.

    Example:
    >>> policy = keras_amp.Mixup(alpha=0.4)
    >>> lam, permutation = policy.draw(8, keras.random.SeedGenerator(1))
    >>> lam.shape, permutation.dtype.name
    (TensorShape([8]), 'int32')

    Reference:
        Zhang et al., *mixup: Beyond Empirical Risk Minimization*, ICLR 2018.
    """

    adversarial: ClassVar[bool] = False  # whether a step searches for lambda'
    # The settings that may become variables, and their ranges.
    _ranges: ClassVar[dict[str, dict[str, float]]] = {
        "alpha": {"above": 0},
        "probability": {"at_least": 0, "at_most": 1},
    }

    def __init__(
        self,
        alpha: float = 1.0,
        lam_per: Literal["example", "batch"] = "example",
        probability: float = 1.0,
    ):
        self.alpha = alpha
        self.lam_per = check_one_of("lam_per", lam_per, ("example", "batch"))
        self.probability = probability

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
            settings = list(inspect.signature(type(self)).parameters)
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
            *names: Of ``"alpha"``, ``"probability"`` and, where the policy has one,
                ``"step_size"``.

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
                    f"{', '.join(self._ranges)}. Received: {name!r}"
                )
        new = [name for name in names if name not in self.scheduled()]
        for name in new:
            value = keras.Variable(
                getattr(self, name), dtype="float32", trainable=False, name=name
            )
            setattr(self, name, value)
        return bool(new)

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
        return Needs()

    def draw(
        self, batch_size: Size, seed_generator: keras.random.SeedGenerator
    ) -> tuple[Tensor, Tensor]:
        """Draw the coefficients and the partners of one batch (Eq. 10).

        Args:
            batch_size: Integer or scalar integer tensor.
            seed_generator: ``keras.random.SeedGenerator``.

        Returns:
            A tuple ``(lam, permutation)``: float32 and int32, both ``(batch_size,)``.
        """
        draws = batch_size if self.lam_per == "example" else 1
        lam = symmetric_beta((draws,), self.alpha, seed_generator)
        lam = ops.broadcast_to(lam, (batch_size,))
        permutation = uniform_permutation(batch_size, seed_generator)
        if not (isinstance(self.probability, float) and self.probability == 1.0):
            mixed = keras.random.uniform((), seed=seed_generator) < self.probability
            lam = ops.where(mixed, lam, ops.ones_like(lam))
            # Then every example is its own partner, so that lambda has no gradient.
            itself = ops.arange(batch_size, dtype="int32")
            permutation = ops.where(mixed, permutation, itself)
        return lam, permutation

    def perturb(self, lam: Tensor, lam_gradient: Tensor) -> Tensor:
        """Return ``lam``: plain mixup takes no adversarial step."""
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
        return {
            "alpha": self.alpha,
            "lam_per": self.lam_per,
            "probability": self.probability,
            **{n: v for n, v in self.scheduled().items() if n in Mixup._ranges},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Build a policy from what ``get_config()`` returns."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({arguments})"
