"""Axes of tensors: what belongs to an example meets what has more dimensions."""

from keras import ops


def column(values, like):
    """Gives values ``(batch_size,)`` the axes of a tensor ``(batch_size, ...)``.

    Args:
        values: Tensor ``(batch_size,)``.
        like: Tensor of at least one axis.

    Returns:
        A tensor ``(batch_size, 1, ...)``.

    Example:
    >>> from keras_amp.axes import column
    >>> column(np.array([True, False]), np.zeros((2, 3, 4))).shape
    TensorShape([2, 1, 1])
    """
    return ops.reshape(values, (-1,) + (1,) * (len(like.shape) - 1))
