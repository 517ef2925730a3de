"""The draw of a step: a coefficient and a partner for every example (Eq. 10)."""

from typing import NamedTuple

import keras
from keras import ops

from keras_amp.policies import Mixup
from keras_amp.typing import Size, Tensor


class Draw(NamedTuple):
    """What the labels and the hidden states of a batch are both mixed by.

    Attributes:
        lam: Float32 tensor ``(batch_size,)``, the share of the examples themselves.
        permutation: Int32 tensor ``(batch_size,)``: example ``i`` is mixed with example
            ``permutation[i]``.
    """

    lam: Tensor
    permutation: Tensor


def draw(
    policy: Mixup, batch_size: Size, seed_generator: keras.random.SeedGenerator
) -> Draw:
    """Draws the coefficients and partners of a batch by a policy.

    Args:
        policy: The policy.
        batch_size: Integer or scalar integer tensor.
        seed_generator: What the random numbers come from.

    Returns:
        A ``Draw``.

    Raises:
        ValueError: If the policy returns another shape than ``(batch_size,)``.

    Example:
    >>> from keras_amp.training.draw import draw
    >>> draw(keras_amp.Mixup(), 3, keras.random.SeedGenerator(1)).lam.shape
    TensorShape([3])
    """
    lam, permutation = policy.draw(batch_size, seed_generator)
    drawn = Draw(ops.cast(lam, "float32"), ops.cast(permutation, "int32"))
    expected = batch_size if isinstance(batch_size, int) else None
    for name, value in (("lam", drawn.lam), ("permutation", drawn.permutation)):
        shape = tuple(value.shape)
        differs = None not in (expected, *shape) and shape != (expected,)
        if len(shape) != 1 or differs:
            size = "batch_size" if expected is None else expected
            raise ValueError(
                f"Expected `policy.draw` to return `{name}` of shape ({size},). "
                f"Received: shape {shape} from {policy!r}"
            )
    return drawn
