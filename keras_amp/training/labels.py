"""The labels of a batch and of its partners, and the loss between the two."""

from keras import ops, tree

from keras_amp.policies import expand_like
from keras_amp.training.draw import Draw
from keras_amp.training.losses import ExampleLoss
from keras_amp.typing import Structure, Tensor


class Labels:
    """The labels and weights of a batch and of its partners.

    The labels keep the drawn lambda, whatever lambda the inputs are mixed by (Eq. 8, 16).

    Args:
        y: Labels ``(batch_size, ...)``.
        sample_weight: ``(batch_size, ...)`` or None.
        draw: The ``Draw``.
    """

    def __init__(self, y: Tensor, sample_weight: Tensor | None, draw: Draw) -> None:
        self._lam = draw.lam
        self.y, self.y_partner = y, ops.take(y, draw.permutation, axis=0)
        self.weight, self.weight_partner = sample_weight, None
        if sample_weight is not None:
            self.weight_partner = ops.take(sample_weight, draw.permutation, axis=0)

    def mixup_loss(self, loss_of: ExampleLoss, y_pred: Structure) -> Tensor:
        """Returns each example's interpolated loss (Eq. 17), float32 ``(batch_size,)``.

        Args:
            loss_of: The compiled loss.
            y_pred: The mixtures' predictions, in the structure of the output.
        """
        (y_pred,) = tree.flatten(y_pred)
        own, partner = (self.y, self.weight), (self.y_partner, self.weight_partner)
        return loss_of.mixture(y_pred, own, partner, self._lam)

    def of_larger_share(self) -> tuple[Tensor, Tensor | None]:
        """Returns the labels and weights with the larger share; in a tie the own ones."""

        def larger(own: Tensor | None, partner: Tensor | None) -> Tensor | None:
            if own is None:
                return None
            return ops.where(expand_like(self._lam >= 0.5, own), own, partner)

        return (
            larger(self.y, self.y_partner),
            larger(self.weight, self.weight_partner),
        )
