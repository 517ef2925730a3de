"""The draw of a step: a coefficient and a partner for every example (Eq. 10)."""

import keras
from keras import ops

from keras_amp.policies.passes import Draw
from keras_amp.policies.policy import Policy
from keras_amp.typing import Size, Tensor


def draw(
    policy: Policy,
    batch_size: Size,
    seed_generator: keras.random.SeedGenerator,
    y: Tensor | None = None,
) -> Draw:
    """Draws the coefficients and partners of a batch by a policy.

    Args:
        policy: The policy.
        batch_size: Integer or scalar integer tensor.
        seed_generator: What the random numbers come from.
        y: Labels ``(batch_size, ...)``, for policies whose partners depend on them; None
            where there are none.

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
    if y is not None:
        permutation = policy.draw_partners(y, lam, permutation, seed_generator)
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
