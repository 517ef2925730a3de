"""What a policy and a training step tell each other: points, passes, and what came of it.

A *pass* computes the predictions and the losses of a batch above the mix point. A policy
says at which *point* each pass is made; the step hands it the passes by name, so that no
policy knows how a gradient is taken or how a loss is evaluated.
"""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, Protocol

import keras

from keras_amp.typing import Size, Structure, Tensor


class Draw(NamedTuple):
    """What the labels and the hidden states of a batch are both mixed by (Eq. 10).

    Attributes:
        lam: Float32 tensor ``(batch_size,)``, the share of the examples themselves.
        permutation: Int32 tensor ``(batch_size,)``: example ``i`` is mixed with example
            ``permutation[i]``.
        stays: Of the shape of a ``delta``: 1 where an example stays itself, 0 where its
            partner takes its place, mask included. None where every position is mixed.
    """

    lam: Tensor
    permutation: Tensor
    stays: Tensor | None = None


class Point(NamedTuple):
    """Where a pass is made: at ``mix(h, h[permutation], lam) + delta``.

    Attributes:
        draw: The ``Draw`` of partners and of the labels' lambda; None for no mixing.
        lam: The inputs' lambda: float32 ``(batch_size,)``, or one for each dimension of
            the hidden states. None for no mixing.
        delta: What is added to the hidden states, float32 of their shape (of several
            ``(batch_size, num_dimensions)``, side by side); None for nothing.
    """

    draw: Draw | None = None
    lam: Tensor | None = None
    delta: Tensor | None = None


class Pass(NamedTuple):
    """What a pass yields.

    Attributes:
        y_pred: The predictions, in the structure of the classifier's output.
        loss: The losses, float32 ``(batch_size,)``.
    """

    y_pred: Structure
    loss: Tensor


Moved = Literal["lam", "delta"]
Objective = Callable[[Pass], Tensor]


class Passes(Protocol):
    """The passes that a step can make.

    What a pass changes (batch statistics, counters, penalties) counts once a step: only
    ``train`` keeps it.

    Attributes:
        batch_size: Number of examples whose losses the batch's mean averages (of all
            replicas, when training is distributed).
        seed_generator: What a policy's further random numbers come from.
    """

    batch_size: Size
    seed_generator: keras.random.SeedGenerator

    def probe(self, at: Point) -> Pass:
        """Makes a pass that is not trained on."""

    def probe_with_gradient(
        self,
        at: Point,
        of: Moved = "lam",
        objective: Objective | None = None,
    ) -> tuple[Pass, Tensor]:
        """Makes the same, and returns the gradients for ``lam`` or ``delta`` as well.

        They are those of each example's loss, or of its value of the objective.
        """

    def train_too(self, at: Point) -> Pass:
        """Makes a pass that is trained on, but is not the last one of the step."""

    def train_with_gradient(self, at: Point, of: Moved = "lam") -> tuple[Pass, Tensor]:
        """Makes the same, and returns the losses' gradients as well."""

    def train(self, at: Point) -> Pass:
        """Makes the last pass of a step, which is trained on."""

    def choose(self, mask: Tensor, second: Pass, first: Pass) -> Pass:
        """Returns each example's pass: the second where the mask ``(batch_size,)`` is."""

    def zeros(self, at: Point) -> Tensor:
        """Returns a ``delta`` of zeros."""

    def noise(self, at: Point) -> Tensor:
        """Returns a normal ``delta``, 0 at padding."""

    def counted(self, at: Point) -> list[Tensor]:
        """Returns ones in the shape of each hidden state, 0 at padding."""

    def joined(self, values: list[Tensor]) -> Tensor:
        """Joins what there is for each hidden state, as a ``delta`` is joined."""

    def divergence(self, first: Structure, second: Structure) -> Tensor:
        """Returns how far two predictions of each example are apart, ``(batch_size,)``.

        ``KL(first || second)`` of classes and of labels, the squared distance of numbers.
        """

    def labeled(self, at: Point) -> Tensor:
        """Returns 1 for each example whose label counts, else 0; ``(batch_size,)``."""


class Searched(NamedTuple):
    """What a step is trained on, and how it was found.

    All but ``trained`` are constants, of which no gradient is taken.

    Attributes:
        trained: ``Pass``, each example's predictions and its loss to be minimised.
        at: The ``Point`` of these predictions; metrics compare them with its labels.
        lam: The drawn coefficients, float32 ``(batch_size,)`` or of each dimension.
        adversarial_lam: lambda', of the shape of ``lam``.
        lam_gradient: The gradient at ``lam``, before it is clipped, of its shape.
        mask: Float32 ``(batch_size,)``, 1 where the example is trained at lambda', or
            where what the policy adds raised its loss.
        loss: The losses at ``lam``, or without what the policy adds,
            float32 ``(batch_size,)``.
        adversarial_loss: The losses at lambda', or with it, likewise.
        measured: What else the policy measures (``policy.measures``), a dict of float32
            tensors ``(batch_size,)``.
    """

    trained: Pass
    at: Point
    lam: Tensor
    adversarial_lam: Tensor
    lam_gradient: Tensor
    mask: Tensor
    loss: Tensor
    adversarial_loss: Tensor
    measured: Mapping[str, Tensor]
