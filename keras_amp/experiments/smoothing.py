"""The cross-entropy with smoothed labels, of class indices."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_amp")
class SmoothedCrossentropy(keras.losses.Loss):
    """The cross-entropy of probabilities, with smoothed labels.

        loss = -(1 - s) log p_y - s / num_classes * sum_c log p_c

    Keras smooths one-hot labels alone; these are class indices.

    Args:
        label_smoothing: Float in [0, 1), s: the share of a label that is spread over all
            classes.
        reduction: As every Keras loss, over the examples.
        name: Name of the loss.
        dtype: As every Keras loss; float32 by default.

    Example:
    >>> from keras_amp.experiments.smoothing import SmoothedCrossentropy
    >>> loss = SmoothedCrossentropy(0.1)
    >>> round(float(loss(np.array([0]), np.array([[0.75, 0.25]]))), 4)
    0.3426
    """

    def __init__(
        self,
        label_smoothing,
        reduction="sum_over_batch_size",
        name="smoothed_crossentropy",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        """Returns the loss of each example.

        Args:
            y_true: Labels ``(batch_size,)`` or ``(batch_size, 1)``.
            y_pred: Probabilities ``(batch_size, num_classes)``.

        Returns:
            A tensor ``(batch_size,)``.
        """
        labels = ops.reshape(ops.cast(y_true, "int32"), ops.shape(y_pred)[:-1])
        return keras.losses.categorical_crossentropy(
            ops.one_hot(labels, y_pred.shape[-1], dtype=y_pred.dtype),
            y_pred,
            label_smoothing=self.label_smoothing,
        )

    def get_config(self):
        """Returns the arguments that rebuild this loss."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
