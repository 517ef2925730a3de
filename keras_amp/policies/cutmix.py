"""CutMix: a box of an image, or a span of a sequence, comes from the partner."""

import keras
from keras import ops

from keras_amp.policies.adversarial_search import found
from keras_amp.policies.mixup import Mixup
from keras_amp.policies.needs import Needs
from keras_amp.policies.passes import Draw, Passes, Point, Searched
from keras_amp.typing import Tensor


@keras.saving.register_keras_serializable(package="keras_amp")
class CutMix(Mixup):
    """Paste a box of the partner into each example; the labels take the share that stays.

    A box of ``1 - lambda`` of all positions, lambda ~ Beta(alpha, alpha), lies anywhere
    and is cut off at the borders: behind images ``(height, width, channels)`` a
    rectangle, behind sequences ``(length, channels)`` a span, behind features
    ``(number,)`` a range of these. Lambda of the labels is then the share that is not
    covered.

    **When to use it.** Behind images, and hidden states whose positions mean something.

    **What it costs.** What mixup does.

    **Traps.** A class may be told by the very part that is covered. A span that lies in
    the padding of a text changes the label and nothing else: mix where texts are of
    nearly one length.

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
        hidden = passes.zeros(start)
        shape = ops.shape(hidden)
        stays = self.box(start.draw.lam, shape, passes.seed_generator)
        share = ops.mean(stays, axis=tuple(range(1, len(shape))))
        at = Point(Draw(share, start.draw.permutation), ops.broadcast_to(stays, shape))
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
        axes = _positions(len(shape))
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


def _positions(rank: int) -> list[int]:
    """The axes that a box has an extent in: all but the batch and the channels."""
    if rank < 3:
        return list(range(1, rank))
    first_is_channels = rank > 3 and keras.config.image_data_format() == "channels_first"
    return list(range(2, rank) if first_is_channels else range(1, rank - 1))
