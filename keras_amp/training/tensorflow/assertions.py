"""Assertions on what is known only as a training step runs."""

import math
import re
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from keras_amp.training.tensorflow.compilation import OWN_ASSERTION
from keras_amp.typing import Tensor

JOINED = "one_loss_per_example"  # an operation's name, found in TensorFlow's errors
ONE_EACH = (
    "Expected the compiled loss to return one loss per example before its reduction, "
    "shape (batch_size,): mixup weighs every example's losses by its own lambda."
)


def holds(condition: Tensor, *message: str | Tensor) -> tf.Operation:
    """Returns an operation that fails with a message if a condition does not hold.

    Args:
        condition: Boolean scalar tensor.
        *message: Strings and scalar tensors.
    """
    return tf.debugging.Assert(condition, list(message), name=OWN_ASSERTION)


def once(operations: Sequence[tf.Operation], value: Tensor) -> Tensor:
    """Returns a tensor whose use implies that operations of ``holds`` have run."""
    with tf.control_dependencies(operations):
        return tf.identity(value)


def check_losses(
    values: Tensor, lam: Tensor, loss: keras.losses.Loss, known: bool
) -> Tensor:
    """Checks that a loss has given one value for each example.

    Args:
        values: The losses, a tensor.
        lam: Tensor ``(batch_size,)``.
        loss: The loss, for the error.
        known: Whether the loss is one of Keras', which does so always.

    Returns:
        The losses. If their number is known only while a step runs, using them fails
        where it is wrong.

    Raises:
        ValueError: If their number is known, and not that of the examples.
    """
    received, expected = values.shape[0], lam.shape[0]
    message = f"{ONE_EACH} Received: loss={loss!r}, which returns"
    hint = "A loss of some examples only, such as the hardest, can return 0 for others."
    if None not in (received, expected):
        if received != expected:
            raise ValueError(f"{message} {received} for {expected} examples. {hint}")
        return values
    if known:
        return values
    received, expected = tf.shape(values)[0], tf.shape(lam)[0]
    right = tf.equal(received, expected)
    asserted = holds(right, message, received, "for", expected, f"examples. {hint}")
    with tf.control_dependencies([asserted]):
        return _joined(values, lam, tf.identity(right))


def _joined(values: Tensor, lam: Tensor, right: Tensor) -> Tensor:
    """Returns the values, by operations that fail if they are not as many as lambdas.

    XLA drops assertions, so these operations have shapes that fail as XLA compiles them.
    If XLA learns the number of values only as the step runs, all losses become NaN. The
    gradients depend on ``right`` as well, or other operations would fail before.
    """

    def where_right(tensor: Tensor, like: Tensor) -> Tensor:
        # A gather, as TensorFlow infers from other operations that both numbers are
        # equal, and then drops the assertion.
        tensor = tf.gather(tensor, tf.range(tf.size(like)))
        return tf.where(right, tensor, tf.constant(math.nan, tensor.dtype))

    @tf.custom_gradient
    def join(values: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        joined = values
        if values.shape[0] is not None:
            rows = [values[None], tf.zeros_like(lam, values.dtype)[None]]
            joined = tf.reduce_sum(tf.concat(rows, 0, name=JOINED), axis=0)
        return where_right(joined, lam), lambda upstream: where_right(upstream, values)

    return join(values)


def as_value_error(error: Exception) -> ValueError | None:
    """Returns the ValueError that a failed assertion stands for, or None."""
    if JOINED in str(error):
        return ValueError(f"{ONE_EACH} Received: a loss that returns another number.")
    found = re.search(r"assertion failed: (\[Expected .*\])", str(error))
    if not found:
        return None
    parts = re.findall(r"\[(.*?)\](?= \[|$)", found.group(1))
    return ValueError(" ".join(parts).replace("\\'", "'"))
