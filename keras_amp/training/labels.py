"""The labels of a batch and of its partners, and the loss between the two."""

from keras import ops, tree

from keras_amp.policies import expand_like
from keras_amp.policies.passes import Draw
from keras_amp.training.losses import ExampleLoss
from keras_amp.typing import Structure, Tensor


class Labels:
    """The labels and weights of a batch and of its partners.

    The labels keep the drawn lambda, whatever lambda the inputs are mixed by (Eq. 8, 16).

    Args:
        y: Labels ``(batch_size, ...)``.
        sample_weight: ``(batch_size, ...)`` or None.
        permutation: Int32 tensor ``(batch_size,)``, the drawn partners, whose labels are
            gathered once; None where nothing is mixed.
    """

    def __init__(
        self,
        y: Tensor,
        sample_weight: Tensor | None,
        permutation: Tensor | None = None,
    ) -> None:
        self.y, self.weight = y, sample_weight
        self._permutation = permutation
        if permutation is not None:
            self._partners = self._gathered(permutation)

    def loss(self, loss_of: ExampleLoss, y_pred: Structure, draw: Draw | None) -> Tensor:
        """Returns each example's loss, float32 ``(batch_size,)``.

        Args:
            loss_of: The compiled loss.
            y_pred: The predictions, in the structure of the output.
            draw: The ``Draw`` of the mixtures, between whose labels the loss is
                interpolated (Eq. 17); None where nothing is mixed.
        """
        (y_pred,) = tree.flatten(y_pred)
        if draw is None:
            return loss_of.plain(y_pred, (self.y, self.weight))
        own, partner = (self.y, self.weight), self._partner(draw)
        return loss_of.mixture(y_pred, own, partner, draw.lam)

    def of_larger_share(self, draw: Draw | None) -> tuple[Tensor, Tensor | None]:
        """Returns the labels and weights with the larger share; in a tie the own ones."""
        if draw is None:
            return self.y, self.weight
        partner, partner_weight = self._partner(draw)

        def larger(own: Tensor, other: Tensor) -> Tensor:
            return ops.where(expand_like(draw.lam >= 0.5, own), own, other)

        weight = self.weight
        return (
            larger(self.y, partner),
            None if weight is None else larger(weight, partner_weight),
        )

    def labeled(self, draw: Draw | None) -> Tensor:
        """Returns 1 for each example whose weight is not 0, else 0; ``(batch_size,)``.

        Of a mixture the label of the larger share counts; of one with several weights,
        one that is not 0 is enough.
        """
        y, weight = self.of_larger_share(draw)
        if weight is None:
            return ops.ones((ops.shape(y)[0],))
        axes = tuple(range(1, len(weight.shape)))
        there = ops.any(weight != 0, axis=axes) if axes else weight != 0
        return ops.cast(there, "float32")

    def _partner(self, draw: Draw) -> tuple[Tensor, Tensor | None]:
        """The labels and weights of the partners."""
        if draw.permutation is self._permutation:
            return self._partners
        return self._gathered(draw.permutation)

    def _gathered(self, permutation: Tensor) -> tuple[Tensor, Tensor | None]:
        weight = self.weight
        if weight is not None:
            weight = ops.take(weight, permutation, axis=0)
        return ops.take(self.y, permutation, axis=0), weight
