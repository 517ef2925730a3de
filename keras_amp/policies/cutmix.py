"""CutMix: a box of an image, or a span of a sequence, comes from the partner."""

import keras
from keras import ops

from keras_amp.policies.adversarial_search import found
from keras_amp.policies.mixup import Mixup
from keras_amp.policies.needs import Needs
from keras_amp.policies.passes import Draw, Passes, Point, Searched
from keras_amp.policies.positions import position_axes
from keras_amp.typing import Tensor


@keras.saving.register_keras_serializable(package="keras_amp")
class CutMix(Mixup):
    """Paste a box of the partner into each example; the labels take the share that stays.

    A box of ``1 - lambda`` of all positions, lambda ~ Beta(alpha, alpha), lies anywhere
    and is cut off at the borders: behind images ``(height, width, channels)`` a
    rectangle, behind sequences ``(length, channels)`` a span, behind features
    ``(number,)`` a range of these; where several hidden states are mixed together, one in
    each. Each position keeps the mask of the example that it comes from. Lambda of the
    labels is the share that is not covered, among the positions that count; it is 1 where
    nothing in the box counts.

    **When to use it.** Behind images, and hidden states whose positions mean something.

    **What it costs.** One pass, as a plain step and mixup.

    **Traps.** A class may be told by the very part that is covered. Padding is left out
    of the labels' lambda only where Keras' mask, or a mask that bypasses the mix point,
    tells it. Behind texts of different lengths many a span lies in the padding: such
    examples are trained on as they are, or lose words and gain none.
    Where every position has a label of its own, all of them are mixed by the one share.

    Args:
        alpha: Float > 0, as ``Mixup``.
        lam_per: As ``Mixup``. The box lies elsewhere in each example in either case.
        probability: As ``Mixup``.
        probability_per: As ``Mixup``.
        partners: As ``Mixup``.
        bandwidth: As ``Mixup``.

    Raises:
        ValueError: If an argument lies outside its range.

    Example:
    >>> stays = keras_amp.CutMix().box(np.array([0.75]), (1, 4, 4, 3), seed=1)
    >>> stays.shape
    TensorShape([1, 4, 4, 1])

    Reference:
        Yun et al., *CutMix: Regularization Strategy to Train Strong Classifiers with
        Localizable Features*, ICCV 2019.
    """

    @property
    def needs(self) -> Needs:
        """What a training step prepares for the policy, ``Needs``."""
        return Needs(trains_on="added")

    def search(self, passes: Passes, start: Point) -> Searched:
        """Train on examples with boxes of their partners; see the class."""
        assert start.draw is not None
        lam, permutation, _ = start.draw
        own = passes.counted(Point())
        partner = [ops.take(each, permutation, axis=0) for each in own]
        shapes = [ops.shape(each) for each in own]
        boxes = [self.box(lam, shape, passes.seed_generator) for shape in shapes]
        stays = [ops.broadcast_to(*each) for each in zip(boxes, shapes, strict=True)]
        share = _share(stays, own, partner)
        joined = passes.joined(stays)
        at = Point(Draw(share, permutation, joined), joined)
        return found(passes.train(at), at, lam=share)

    def box(
        self,
        lam: Tensor,
        shape: tuple[int | Tensor, ...],
        seed: keras.random.SeedGenerator | int | None = None,
    ) -> Tensor:
        """Draw where each example stays itself.

        Args:
            lam: Float32 tensor ``(batch_size,)``, the drawn shares that stay.
            shape: Shape of the hidden states, ``(batch_size, ...)``.
            seed: ``keras.random.SeedGenerator`` or integer.

        Returns:
            A float32 tensor that broadcasts to the shape: 0 in the box, else 1.
        """
        axes = position_axes(len(shape))
        # The share of each axis that the box covers.
        covered = ops.power(1.0 - ops.cast(lam, "float32"), 1.0 / len(axes))
        centers = keras.random.uniform((ops.shape(lam)[0], len(axes)), seed=seed)
        inside = None
        for i, axis in enumerate(axes):
            size = ops.cast(shape[axis], "float32")
            length = ops.round(covered * size)
            first = ops.floor(centers[:, i] * size) - ops.floor(length / 2)
            place = ops.arange(shape[axis], dtype="float32")
            first, length = ops.expand_dims(first, 1), ops.expand_dims(length, 1)
            here = ops.logical_and(place >= first, place < first + length)
            aligned = [1] * len(shape)
            aligned[0], aligned[axis] = -1, shape[axis]
            here = ops.reshape(here, aligned)
            inside = here if inside is None else ops.logical_and(inside, here)
        return 1.0 - ops.cast(inside, "float32")


def _share(stays: list[Tensor], own: list[Tensor], partner: list[Tensor]) -> Tensor:
    """The share of what stays among what counts, ``(batch_size,)``.

    Args:
        stays: Of each hidden state, 1 where an example stays itself, else 0.
        own: Of each hidden state, 1 where the example's position counts, else 0.
        partner: The same of the partners.
    """
    kept = came = 0.0
    for here, ours, theirs in zip(stays, own, partner, strict=True):
        axes = tuple(range(1, len(here.shape)))
        kept = kept + ops.sum(here * ours, axis=axes)
        came = came + ops.sum((1.0 - here) * theirs, axis=axes)
    # Where the box brings nothing that counts, the example is trained on by itself.
    return ops.where(came > 0, kept / ops.where(came > 0, kept + came, 1.0), 1.0)
