"""The compiled loss, one number per example, and its own reduction.

Mixup interpolates two losses and MinOp compares losses example by example, so both need
the compiled loss before its reduction.
"""

import keras
from keras import ops


class ExampleLoss:
    """The compiled loss of a single-output model, split into examples and reduction.

    Args:
        compile_loss: The compiled loss container of a Keras model
            (``model._compile_loss`` after ``compile``).
        y: Labels of a batch, to resolve names such as ``"crossentropy"``.
        y_pred: Predictions of a batch.

    Raises:
        ValueError: If the model was compiled without a loss.
    """

    def __init__(self, compile_loss, y, y_pred):
        if compile_loss is None:
            raise ValueError(
                "Expected `compile()` to receive a `loss`: mixup interpolates the losses "
                'of two labels. Received: loss=None. Pass, for instance, loss="sparse_'
                'categorical_crossentropy".'
            )
        if not compile_loss.built:
            compile_loss.build(y, y_pred)
        # The resolved loss object stands nowhere in Keras' public interface.
        _, self.loss, self.weight, _ = compile_loss._flat_losses[0]
        self.reduction = self.loss.reduction
        # A plain copy; `copy.copy` would go through Keras' pickling, that is a file.
        self._unreduced = object.__new__(type(self.loss))
        self._unreduced.__dict__.update(self.loss.__dict__)
        self._unreduced.reduction = None

    def __call__(self, y, y_pred, sample_weight=None):
        """Returns each example's weighted loss, float32 ``(batch_size,)``.

        Losses of several positions (one label per word, say) are averaged over them, or
        summed where the compiled loss sums.

        Raises:
            ValueError: If the loss is one number for the whole batch.
        """
        values = self._unreduced(y, y_pred, sample_weight)
        if len(values.shape) == 0:
            raise ValueError(
                "Expected the compiled loss to return one loss per example before its "
                "reduction, shape (batch_size,): mixup weighs every example's losses by "
                f"its own lambda. Received: loss={self.loss!r}, which returns a single "
                "number. Leave the mean over the batch to the loss's `reduction`."
            )
        mask = getattr(y_pred, "_keras_mask", None)
        if mask is not None and self._averages:
            # As Keras: positions that the mask leaves out do not count in the mean.
            valid = ops.mean(ops.cast(mask, values.dtype))
            values = ops.divide_no_nan(values, valid)
        if len(values.shape) > 1:
            positions = tuple(range(1, len(values.shape)))
            average = ops.mean if self._averages else ops.sum
            values = average(values, axis=positions)
        if self.weight is not None:
            values = values * self.weight
        return ops.cast(values, "float32")

    def reduce(self, values, example_weight):
        """Reduces the examples' losses as the compiled loss does.

        Keras' own reduction runs, so the result is scaled for distributed training as
        in ``Model.compute_loss``.

        Args:
            values: Float32 tensor ``(batch_size,)``, weighted losses.
            example_weight: Float32 tensor ``(batch_size,)``, the examples' weights; used
                by ``"mean_with_sample_weight"``, which divides by their sum.

        Returns:
            A scalar; ``(batch_size,)`` where the loss was compiled with no reduction.
        """
        if self.reduction == "mean_with_sample_weight":
            mean = _Reduction("sum_over_batch_size")(values, values)
            return ops.divide_no_nan(mean, ops.mean(example_weight))
        return _Reduction(self.reduction)(values, values)

    @property
    def _averages(self):
        return self.reduction not in ("sum", "none", None)


class _Reduction(keras.losses.Loss):
    """Keras' reduction of losses that are already computed."""

    def __init__(self, reduction):
        super().__init__(name="mixup", reduction=reduction, dtype="float32")

    def call(self, y_true, y_pred):
        return y_pred
