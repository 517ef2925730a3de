"""How far two predictions of an example are apart, by what the loss says of them.

Classes (softmax): ``KL(p || q)``. Labels that are each there or not (sigmoid): the KL of
each label, averaged as the loss averages them. Numbers: the squared distance, averaged
over an example's numbers. Of several positions (one label per word, say) it is the mean
over those that count, or the sum where the loss sums.
"""

import keras
from keras import ops

from keras_amp.graph import keras_compat
from keras_amp.training.loss_names import loss_name, loss_setting
from keras_amp.training.losses import averages, over_positions
from keras_amp.typing import Tensor

CLASSES = (
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "kl_divergence",
)
LABELS = ("binary_crossentropy", "binary_focal_crossentropy")
NUMBERS = (
    "huber",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
)


def divergence(loss: keras.losses.Loss, first: Tensor, second: Tensor) -> Tensor:
    """Return how far two predictions of each example are apart.

    Args:
        loss: The compiled loss, which says what the predictions are.
        first: Predictions ``(batch_size, ..., num_outputs)``.
        second: Others, of the same shape; one of the two with Keras' mask if there is
            one.

    Returns:
        A float32 tensor ``(batch_size,)``.

    Raises:
        ValueError: If the loss does not tell whether the predictions are classes, labels
            or numbers.

    Example:
    >>> from keras_amp.training.divergence import divergence
    >>> loss = keras.losses.SparseCategoricalCrossentropy()
    >>> apart = divergence(loss, np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]]))
    >>> round(float(apart[0]), 4)  # (log 2 + log (2 / 3)) / 2
    0.1438
    """
    mask = keras_compat.mask_of(first)
    mask = keras_compat.mask_of(second) if mask is None else mask
    first, second = ops.cast(first, "float32"), ops.cast(second, "float32")
    values = _values(loss, first, second)
    reduce = ops.mean if averages(loss) else ops.sum
    if mask is None:
        return over_positions(reduce, values)
    mask = ops.cast(mask, "float32")
    apart = over_positions(reduce, values * mask)
    return ops.divide_no_nan(apart, ops.mean(mask)) if averages(loss) else apart


def _values(loss: keras.losses.Loss, first: Tensor, second: Tensor) -> Tensor:
    """The divergence at each position, ``(batch_size, ...)``."""
    name = loss_name(loss)
    logits = bool(loss_setting(loss, "from_logits"))
    if name in CLASSES:
        log_p, log_q = (
            ops.log_softmax(y, axis=-1) if logits else _log(y) for y in (first, second)
        )
        return ops.sum(ops.exp(log_p) * (log_p - log_q), axis=-1)
    if name in LABELS:
        own = [_log_of_label(y, logits) for y in (first, second)]
        (log_p, log_not_p), (log_q, log_not_q) = own
        there = ops.exp(log_p) * (log_p - log_q)
        not_there = ops.exp(log_not_p) * (log_not_p - log_not_q)
        return ops.mean(there + not_there, axis=-1)
    if name in NUMBERS:
        return ops.mean(ops.square(first - second), axis=-1)
    raise ValueError(
        "Expected a compiled loss that tells what the predictions are, for their "
        f"divergence: one of Keras' {', '.join((*CLASSES, *LABELS, *NUMBERS))}. "
        f"Received: loss={loss!r}."
    )


def _log(probabilities: Tensor) -> Tensor:
    """The logarithm of probabilities, which 0 has too, as in Keras' losses."""
    total = ops.sum(probabilities, axis=-1, keepdims=True)
    epsilon = keras.config.epsilon()
    return ops.log(ops.clip(probabilities / total, epsilon, 1.0 - epsilon))


def _log_of_label(y: Tensor, logits: bool) -> tuple[Tensor, Tensor]:
    """The logarithms of the probabilities that a label is there, and that it is not."""
    if logits:
        return -ops.softplus(-y), -ops.softplus(y)
    epsilon = keras.config.epsilon()
    p = ops.clip(y, epsilon, 1.0 - epsilon)
    return ops.log(p), ops.log(1.0 - p)
