"""The operators: free functions that read like the paper's equations.

Reference:
    Liu et al., *Adversarial Mixing Policy for Relaxing Locally Linear Constraints in
    Mixup*, EMNLP 2021. Equation numbers in this package are that paper's.
"""

import keras
from keras import ops

from keras_amp.typing import Tensor
from keras_amp.validation import about_integers


def mix(inputs: Tensor, partner: Tensor, lam: Tensor) -> Tensor:
    """Mix each example with its partner: Eq. 5, 6, 11, 12 and 17.

        mixed_i = lam_i * inputs_i + (1 - lam_i) * partner_i

    The combination is computed in float32 (in float64 for float64 inputs) and cast back
    once: bfloat16 would lose a quarter of the adversarial steps on ``lam``. For
    ``lam = 1`` the result is ``inputs`` exactly.

    Args:
        inputs: Floating-point tensor ``(batch_size, ...)``: hidden states, or losses.
        partner: Tensor of the same shape.
        lam: Float32 tensor ``(batch_size,)``, one coefficient per example; a scalar is
            shared by all, and a tensor of the shape of ``inputs`` mixes every dimension
            by its own.

    Returns:
        A tensor of the shape and dtype of ``inputs``.

    Raises:
        ValueError: If ``inputs`` are not floating-point numbers.

    Example:
    >>> keras_amp.policies.mix(np.array([2.0]), np.array([4.0]), np.array([0.75])).numpy()
    array([2.5])
    """
    inputs, partner, lam, dtype = _precise(inputs, partner, lam)
    return ops.cast(lam * inputs + (1 - lam) * partner, dtype)


def mix_hidden(inputs: Tensor, partner: Tensor, lam: Tensor) -> Tensor:
    """Mix hidden states as ``mix``, up to rounding, so that a compiler rounds them alike.

        mixed_i = inputs_i + (1 - lam_i) * (partner_i - inputs_i)

    XLA computes mixtures anew wherever they are read. The one product here is joined with
    the sum everywhere; of the two of ``mix`` now the one is, now the other. The gradient
    of a maximum looks for the values that equal the largest: it would miss those that
    were rounded otherwise.

    Args:
        inputs: As ``mix``, finite.
        partner: As ``mix``, finite.
        lam: As ``mix``.

    Returns:
        As ``mix``: for ``lam = 1`` ``inputs`` exactly.

    Raises:
        ValueError: As ``mix``.

    Example:
    >>> from keras_amp.policies.operators import mix_hidden
    >>> mix_hidden(np.array([2.0]), np.array([4.0]), np.array([0.75])).numpy()
    array([2.5])
    """
    inputs, partner, lam, dtype = _precise(inputs, partner, lam)
    return ops.cast(inputs + (1 - lam) * (partner - inputs), dtype)


def _precise(
    inputs: Tensor, partner: Tensor, lam: Tensor
) -> tuple[Tensor, Tensor, Tensor, str]:
    """What is mixed in the precision of the mixing, and the dtype of its result."""
    inputs = ops.convert_to_tensor(inputs)
    dtype = keras.backend.standardize_dtype(inputs.dtype)
    if not keras.backend.is_float_dtype(dtype):
        raise ValueError(
            "Expected `inputs` to be floating-point hidden states. Received: inputs of "
            f"dtype {dtype} and shape {tuple(inputs.shape)}. "
            f"{about_integers(dtype, len(inputs.shape))}"
        )
    precise = keras.backend.result_type(dtype, "float32")
    lam = ops.cast(lam, precise)
    if 0 < len(lam.shape) < len(inputs.shape):
        lam = expand_like(lam, inputs)
    return ops.cast(inputs, precise), ops.cast(partner, precise), lam, dtype


def rand_op(inputs: Tensor, lam: Tensor, permutation: Tensor) -> Tensor:
    """RandOp: mix every example with a random one of its batch (Eq. 10-13).

    Args:
        inputs: Floating-point tensor ``(batch_size, ...)``.
        lam: Float32 tensor ``(batch_size,)``, drawn from Beta(alpha, alpha).
        permutation: Int32 tensor ``(batch_size,)``: example ``i`` is mixed with example
            ``permutation[i]``.

    Returns:
        ``mix(inputs, inputs[permutation], lam)``.

    Example:
    >>> keras_amp.policies.rand_op(np.array([2.0, 4.0]), np.array([0.5, 1.0]), [1, 0])
    <tf.Tensor: shape=(2,), dtype=float64, numpy=array([3., 4.])>
    """
    return mix(inputs, ops.take(inputs, permutation, axis=0), lam)


def normalized(lam_gradient: Tensor) -> Tensor:
    """Divide each example's gradient by its own size, so that only its direction is left.

        direction_i = gradient_i / rms(gradient_i),    0 where the gradient is 0

    The root mean square is taken over the example's dimensions. One coefficient per
    example becomes its sign.

    Args:
        lam_gradient: Float tensor ``(batch_size, ...)``.

    Returns:
        A tensor of its shape.

    Example:
    >>> keras_amp.policies.normalized(np.array([[3e-30, 4e-30], [0.0, 0.0]])).numpy()
    array([[0.84852814, 1.13137085],
           [0.        , 0.        ]])
    """
    axes = tuple(range(1, len(lam_gradient.shape)))
    # First by the largest one: the squares of tiny gradients would be 0.
    largest = ops.abs(lam_gradient)
    largest = ops.max(largest, axis=axes, keepdims=True) if axes else largest
    gradient = lam_gradient / ops.where(largest > 0, largest, ops.ones_like(largest))
    square = ops.square(gradient)
    square = ops.mean(square, axis=axes, keepdims=True) if axes else square
    rms = ops.sqrt(square)
    return gradient / ops.where(rms > 0, rms, ops.ones_like(rms))


def unit(gradient: Tensor, norm: str = "l2") -> Tensor:
    """Scale each example's gradient to the norm 1; a gradient of 0 stays 0.

    Args:
        gradient: Float tensor ``(batch_size, ...)``.
        norm: ``"l2"``: ``gradient_i / ||gradient_i||_2`` over all of an example's
            dimensions; ``"linf"``: the sign of each.

    Returns:
        A tensor of its shape.

    Example:
    >>> keras_amp.policies.operators.unit(np.array([[3.0, -4.0]])).numpy()
    array([[ 0.6, -0.8]])
    """
    if norm == "linf":
        return ops.sign(gradient)
    return normalized(gradient) / ops.sqrt(
        ops.cast(_dimensions(gradient), gradient.dtype)
    )


def within(delta: Tensor, radius: Tensor, norm: str = "l2") -> Tensor:
    """Pull each example's delta back to where its norm is at most the radius.

    Args:
        delta: Float tensor ``(batch_size, ...)``.
        radius: Float >= 0 or a scalar tensor.
        norm: ``"l2"`` or ``"linf"``, the largest absolute value.

    Returns:
        A tensor of its shape.

    Example:
    >>> keras_amp.policies.operators.within(np.array([[6.0, 8.0]]), 5.0).numpy()
    array([[3., 4.]])
    """
    if norm == "linf":
        return ops.clip(delta, -radius, radius)
    square = ops.sum(
        ops.square(delta), axis=tuple(range(1, len(delta.shape))), keepdims=True
    )
    too_long = square > radius**2
    size = ops.sqrt(ops.where(too_long, square, ops.ones_like(square)))
    return ops.where(too_long, delta * (radius / size), delta)


def _dimensions(values: Tensor) -> Tensor:
    """The number of an example's dimensions."""
    return ops.prod(ops.convert_to_tensor(ops.shape(values)[1:], dtype="int32"))


def max_op(
    lam: Tensor,
    lam_gradient: Tensor,
    step_size: Tensor = 0.002,
    max_gradient: float | None = 1.0,
    clip_lam: bool = False,
) -> Tensor:
    """MaxOp: move lambda a small step up the gradient of the loss (Eq. 14-16).

        lam' = lam + step_size * clip(dL/dlam, -max_gradient, max_gradient)

    Only the inputs are mixed with lambda'; the labels keep lambda.

    Args:
        lam: Float32 tensor ``(batch_size, ...)``.
        lam_gradient: Float32 tensor of its shape, dL/dlambda.
        step_size: Float >= 0 or a scalar tensor, the paper's epsilon. 0 is plain mixup.
        max_gradient: Float > 0, the largest absolute gradient; None does not clip.
        clip_lam: Whether lambda' is pushed back into [0, 1]. The paper does not.

    Returns:
        A float32 tensor of the shape of ``lam``, the adversarial lambda.

    Example:
    >>> keras_amp.policies.max_op(np.array([0.5]), np.array([3.0]), step_size=0.1).numpy()
    array([0.6])
    """
    if max_gradient is not None:
        lam_gradient = ops.clip(lam_gradient, -max_gradient, max_gradient)
    adversarial_lam = lam + step_size * lam_gradient
    return ops.clip(adversarial_lam, 0.0, 1.0) if clip_lam else adversarial_lam


def adversarial_mask(loss: Tensor, adversarial_loss: Tensor) -> Tensor:
    """MinOp's mask: whether the step on lambda raised the loss (Eq. 21).

    Args:
        loss: Tensor ``(batch_size,)``, the losses at lambda.
        adversarial_loss: Tensor ``(batch_size,)``, the losses at lambda'.

    Returns:
        A boolean tensor ``(batch_size,)``; False where the two are equal.

    Example:
    >>> from keras_amp.policies import adversarial_mask
    >>> adversarial_mask(np.array([1.0, 2.0]), np.array([1.5, 2.0])).numpy()
    array([ True, False])
    """
    return ops.greater(adversarial_loss, loss)


def min_op(loss: Tensor, adversarial_loss: Tensor) -> Tensor:
    """MinOp: take the larger one of each example's two losses (Eq. 18-21).

        L_final = L * (1 - mask) + L' * mask,    mask = L' > L

    Args:
        loss: Tensor ``(batch_size,)``, the losses at lambda.
        adversarial_loss: Tensor ``(batch_size,)``, the losses at lambda'.

    Returns:
        A tensor ``(batch_size,)``.

    Example:
    >>> keras_amp.policies.min_op(np.array([1.0, 2.0]), np.array([1.5, 0.5])).numpy()
    array([1.5, 2. ])
    """
    mask = adversarial_mask(loss, adversarial_loss)
    return ops.where(mask, adversarial_loss, loss)


def expand_like(values: Tensor, like: Tensor) -> Tensor:
    """Give values ``(batch_size,)`` the axes of a tensor ``(batch_size, ...)``.

    Args:
        values: Tensor ``(batch_size,)``.
        like: Tensor of at least one axis.

    Returns:
        A tensor ``(batch_size, 1, ...)``.

    Example:
    >>> from keras_amp.policies.operators import expand_like
    >>> expand_like(np.array([True, False]), np.zeros((2, 3, 4))).shape
    TensorShape([2, 1, 1])
    """
    return ops.reshape(values, (-1,) + (1,) * (len(like.shape) - 1))
