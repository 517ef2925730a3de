"""Assertions on what is known only as a training step runs."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_amp.training.loss_names import ONE_EACH
from keras_amp.training.tensorflow.compilation import OWN_ASSERTION
from keras_amp.typing import Size, Tensor

JOINED = "one_loss_per_example"  # an operation's name, found in TensorFlow's errors


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


def divides_data_sets() -> bool:
    """Whether Keras divides a data set between processes: never here."""
    return False


def values_of(y: Tensor) -> np.ndarray | None:
    """Returns a tensor's values, or None while a step is traced."""
    return np.asarray(y) if tf.executing_eagerly() else None


def asserted(
    y: list[Tensor], size: Size, checks: Iterable[tuple[Any, Tensor, str]]
) -> list[Tensor]:
    """Returns labels whose use implies that they are right, as far as a step can tell.

    Args:
        y: List of labels, each ``(batch_size, ...)``.
        size: The number of examples.
        checks: Tuples of a ``LabelCheck``, labels, and what these are called.

    Returns:
        The labels.
    """
    if tf.executing_eagerly():
        return y  # whose values were looked at
    hold = [check.assertion(labels, called) for check, labels, called in checks]
    for labels in y:
        if not isinstance(size, int) or labels.shape[0] is None:
            number = tf.shape(labels)[0]
            hold.append(
                holds(
                    tf.equal(number, size),
                    "Expected `y` to hold one label for each example of the batch. "
                    "Received:",
                    *(number, "labels for", size, "examples."),
                )
            )
    return [once(hold, labels) for labels in y]


def one_loss_each(values: Tensor, lam: Tensor, about: str, hint: str) -> Tensor:
    """Returns losses whose use fails where they are not as many as the examples.

    Args:
        values: The losses, a tensor whose length is not known before a step runs.
        lam: Tensor ``(batch_size,)``.
        about: How the error begins; it goes on with their number.
        hint: How it ends.
    """
    received, expected = tf.shape(values)[0], tf.shape(lam)[0]
    right = tf.equal(received, expected)
    asserted = holds(right, about, received, "for", expected, f"examples. {hint}")
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


def clearer_error(error: Exception) -> Exception | None:
    """Returns the ValueError that a failed assertion stands for, or None."""
    if not isinstance(error, tf.errors.InvalidArgumentError):
        return None
    if JOINED in str(error):
        return ValueError(f"{ONE_EACH} Received: a loss that returns another number.")
    found = re.search(r"assertion failed: (\[Expected .*\])", str(error))
    if not found:
        return None
    parts = re.findall(r"\[(.*?)\](?= \[|$)", found.group(1))
    return ValueError(" ".join(parts).replace("\\'", "'"))
