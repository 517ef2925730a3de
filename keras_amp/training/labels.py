"""The labels of a batch and of its partners, and the loss between the two."""

from keras import ops

from keras_amp.graph.pairs import side_by_side
from keras_amp.policies import expand_like
from keras_amp.policies.passes import Draw
from keras_amp.training.output_losses import Leaves, OutputLosses
from keras_amp.typing import Structure, Tensor


class Labels:
    """The labels and weights of a batch and of its partners, for all outputs.

    The labels keep the drawn lambda, whatever lambda the inputs are mixed by (Eq. 8, 16).

    Args:
        own: The ``Leaves`` of the batch.
        permutation: Int32 tensor ``(batch_size,)``, the drawn partners, whose labels are
            gathered once; None where nothing is mixed.
    """

    def __init__(self, own: Leaves, permutation: Tensor | None = None) -> None:
        self.own = own
        self._permutation = permutation
        if permutation is not None:
            self._partners = _gathered(own, permutation)

    def losses(
        self, losses_of: OutputLosses, y_pred: Structure, draw: Draw | None
    ) -> list[Tensor]:
        """Returns each example's losses, a float32 tensor ``(batch_size,)`` for each one.

        Args:
            losses_of: The compiled losses.
            y_pred: The predictions, in the structure of the output.
            draw: The ``Draw`` of the mixtures, between whose labels the loss is
                interpolated (Eq. 17); None where nothing is mixed.
        """
        if draw is None:
            return losses_of.each(y_pred, self.own)
        return losses_of.each(y_pred, self.own, self._partner(draw), draw.lam)

    def of_larger_share(self, draw: Draw | None) -> Leaves:
        """Returns the labels and weights with the larger share; in a tie the own ones."""
        if draw is None:
            return self.own
        own_is_larger = draw.lam >= 0.5

        def larger(own: list[Tensor], partner: list[Tensor]) -> list[Tensor]:
            return [
                ops.where(expand_like(own_is_larger, a), a, b)
                for a, b in zip(own, partner, strict=True)
            ]

        return Leaves(*map(larger, self.own, self._partner(draw)))

    def labeled(self, draw: Draw | None) -> Tensor:
        """Returns 1 for each example whose weight is not 0, else 0; ``(batch_size,)``.

        Of a mixture the label of the larger share counts; of an example with several
        weights, one that is not 0 is enough.
        """
        y, weight = self.of_larger_share(draw)
        if not weight:
            return ops.ones((ops.shape(y[0])[0],))
        rows = [ops.reshape(w != 0, (ops.shape(w)[0], -1)) for w in weight]
        return ops.cast(ops.any(ops.concatenate(rows, axis=1), axis=1), "float32")

    def _partner(self, draw: Draw) -> Leaves:
        """The labels and weights of the partners."""
        if draw.permutation is self._permutation:
            return self._partners
        return _gathered(self.own, draw.permutation)


def numbers_of(y: list[Tensor]) -> Tensor:
    """Returns the labels of all outputs, by which near partners are drawn.

    Args:
        y: List of labels, each ``(batch_size, ...)``.

    Returns:
        The only one, or a float32 tensor ``(batch_size, num_numbers)``.
    """
    return y[0] if len(y) == 1 else side_by_side([ops.cast(v, "float32") for v in y])


def _gathered(own: Leaves, permutation: Tensor) -> Leaves:
    return Leaves(*([ops.take(v, permutation, axis=0) for v in part] for part in own))
