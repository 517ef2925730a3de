"""The compiled loss, one number per example, and its own reduction.

Mixup interpolates two losses and MinOp compares losses example by example, so both need
the compiled loss before its reduction.

Keras averages a loss over the positions that count: where the predictions carry a mask,
or the loss puts one on its own values (``ignore_class``). With ``l`` the losses, ``w``
the sample weights and ``m`` the mask (the product of both), each over examples and
positions:

    sum(m * w * l) / sum(m)           "sum_over_batch_size", "mean"
    sum(m * w * l) / sum(m * w)       "mean_with_sample_weight"

Each of a mixture's two labels has its own losses, weights and mask. A position counts as
much as the label's share. With a prime for the partner's:

    sum(lam * m * w * l + (1 - lam) * m' * w' * l')
    -----------------------------------------------
             sum(lam * m + (1 - lam) * m')

For the weighted mean the denominator has ``m * w`` in place of ``m``. With ``lam = 1``
this is exactly Keras' mean; so it is with any lambda if the two labels are equal. The
denominator is one number for the whole batch. The loss of one example, which MaxOp and
MinOp compare, is its part of the numerator times ``batch_size`` over that denominator, so
that the batch's loss is the mean of its examples'. An example without a position that
counts has the loss 0.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import ops

from keras_amp.graph import keras_compat
from keras_amp.policies import mix
from keras_amp.training import backend
from keras_amp.training.loss_names import ONE_EACH, loss_name
from keras_amp.typing import Tensor


class ExampleLoss:
    """The compiled loss of one output, split into examples and reduction.

    Args:
        loss: The loss.
        alone: Whether each example is a batch of its own, so that its loss does not
            depend on the other examples of the batch.
    """

    def __init__(self, loss: keras.losses.Loss, alone: bool = False) -> None:
        self.loss, self.reduction = loss, loss.reduction
        self.alone = alone
        self.positions = 1  # of an example; known when its loss is

    def mixture(
        self,
        y_pred: Tensor,
        label: tuple[Tensor, Tensor | None],
        partner_label: tuple[Tensor, Tensor | None],
        lam: Tensor,
    ) -> Tensor:
        """Returns each example's interpolated loss (Eq. 17), float32 ``(batch_size,)``.

        Losses of several positions (one label per word, say) are averaged over those that
        count, or summed where the compiled loss sums; see the module's docstring.

        Args:
            y_pred: Predictions ``(batch_size, ...)``, with Keras' mask if there is one.
            label: Tuple of labels and sample weights ``(batch_size, ...)``; None for no
                weights.
            partner_label: The same of the partners.
            lam: Float32 tensor ``(batch_size,)``, the share of ``label``; a constant.

        Raises:
            ValueError: If the loss is one number for the whole batch, or another number
                of values than there are examples.
        """
        own, partner = (self._of_label(y, y_pred, w) for y, w in (label, partner_label))
        loss = mix(self._one_each(own.loss, lam), self._one_each(partner.loss, lam), lam)
        if own.counts is not None:
            loss = self._averaged(loss, mix(own.counts, partner.counts, lam))
        return loss

    def plain(self, y_pred: Tensor, label: tuple[Tensor, Tensor | None]) -> Tensor:
        """Returns each example's own loss, float32 ``(batch_size,)``: that of lambda 1.

        Args:
            y_pred: As ``mixture``.
            label: As ``mixture``.

        Raises:
            ValueError: As ``mixture``.
        """
        own = self._of_label(label[0], y_pred, label[1])
        loss = self._one_each(own.loss, ops.ones((ops.shape(y_pred)[0],)))
        return loss if own.counts is None else self._averaged(loss, own.counts)

    def _one_each(self, values: Tensor, lam: Tensor) -> Tensor:
        """The losses, if there is one for each lambda; Keras' own are not asked.

        If their number is known only while a step runs, using them fails there.
        """
        received, expected = values.shape[0], lam.shape[0]
        about = f"{ONE_EACH} Received: loss={self.loss!r}, which returns"
        hint = (
            "A loss of some examples only, such as the hardest, can return 0 for others."
        )
        if None not in (received, expected):
            if received != expected:
                raise ValueError(f"{about} {received} for {expected} examples. {hint}")
            return values
        if loss_name(self.loss) is not None:
            return values
        return backend.one_loss_each(values, lam, about, hint)

    def _averaged(self, loss: Tensor, counts: Tensor) -> Tensor:
        """Divides by the share of what counts: in the batch, or in each example."""
        return ops.divide_no_nan(loss, counts if self.alone else ops.mean(counts))

    def _of_label(
        self, y: Tensor, y_pred: Tensor, sample_weight: Tensor | None
    ) -> "_LabelLoss":
        """``_LabelLoss`` of one label."""
        values, mask = self._values(y, y_pred, sample_weight)
        if len(values.shape) == 0:
            raise ValueError(
                "Expected the compiled loss to return one loss per example before its "
                "reduction, shape (batch_size,): mixup weighs every example's losses by "
                f"its own lambda. Received: loss={self.loss!r}, which returns a single "
                "number. Leave the mean over the batch to the loss's `reduction`."
            )
        self.positions = math.prod(ops.shape(values)[1:])
        loss = over_positions(ops.mean if averages(self.loss) else ops.sum, values)
        counts = None
        if self.reduction == "mean_with_sample_weight":
            weight = keras_compat.masked_weight(
                sample_weight, mask, values.dtype, self.reduction
            )
            if weight is not None:
                counts = over_positions(ops.sum, ops.cast(weight, "float32"))
                counts = counts / ops.cast(self.positions, "float32")
        elif averages(self.loss) and mask is not None:
            counts = over_positions(ops.mean, ops.cast(mask, "float32"))
        return _LabelLoss(ops.cast(loss, "float32"), counts)

    def _values(
        self, y: Tensor, y_pred: Tensor, sample_weight: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """The masked, weighted losses ``(batch_size, ...)``, and their mask or None."""
        # A plain copy; `copy.copy` would go through Keras' pickling, that is a file.
        unreduced = object.__new__(type(self.loss))
        unreduced.__dict__.update(self.loss.__dict__)
        unreduced.reduction = None
        masks = [keras_compat.mask_of(y_pred)]
        call = unreduced.call

        def noting_its_mask(y: Tensor, y_pred: Tensor) -> Tensor:
            losses = call(y, y_pred)
            masks.append(keras_compat.mask_of(losses))
            return losses

        unreduced.call = noting_its_mask
        values = unreduced(y, y_pred, sample_weight)
        masks = [mask for mask in masks if mask is not None]
        return values, ops.logical_and(*masks) if len(masks) == 2 else (*masks, None)[0]

    def reduce(self, values: Tensor) -> Tensor:
        """Reduces the examples' losses as the compiled loss does.

        Keras' own reduction runs, so the result is scaled for distributed training as
        in ``Model.compute_loss``.

        Args:
            values: Float32 tensor ``(batch_size,)``, from ``mixture``.

        Returns:
            A scalar; where the loss was compiled with no reduction, ``(batch_size,
            positions)``, each an equal part of its example's.
        """
        if self.reduction in ("none", None):
            shape = (ops.shape(values)[0], self.positions)
            part = values / ops.cast(self.positions, values.dtype)
            return ops.broadcast_to(ops.expand_dims(part, axis=1), shape)
        reduction = "sum_over_batch_size" if averages(self.loss) else self.reduction
        return _Reduction(reduction)(values, values)


class _LabelLoss(NamedTuple):
    """The losses against one of a mixture's labels.

    Attributes:
        loss: Float32 ``(batch_size,)``: the mean over all positions, of which those that
            do not count are 0, or the sum.
        counts: Float32 ``(batch_size,)``: by whose mean over the batch that mean is too
            small, the share (or weight) of what counts; None where it is 1.
    """

    loss: Tensor
    counts: Tensor | None


def averages(loss: keras.losses.Loss) -> bool:
    """Whether a loss is averaged over what counts; else it is summed or left as it is."""
    return loss.reduction not in ("sum", "none", None)


def over_positions(reduce: Callable[..., Tensor], values: Tensor) -> Tensor:
    """Reduces ``(batch_size, ...)`` to ``(batch_size,)``."""
    positions = tuple(range(1, len(values.shape)))
    return reduce(values, axis=positions) if positions else values


class _Reduction(keras.losses.Loss):
    """Keras' reduction of losses that are already computed."""

    def __init__(self, reduction: str) -> None:
        super().__init__(name="mixup", reduction=reduction, dtype="float32")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return y_pred
