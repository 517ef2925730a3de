"""Checks of what a user hands in, before it can fail deep inside a training step."""

import math
import warnings

import keras
import numpy as np
import tensorflow as tf
from keras import tree

from keras_amp import surgery


def check_classifier(classifier):
    """Raises unless the classifier is a graph with one output."""
    function = surgery.as_function(classifier, "classifier")
    if len(function.outputs) != 1:
        names = getattr(classifier, "output_names", None)
        raise ValueError(
            "Expected `classifier` to have one output; several are not supported. "
            f"Received: '{classifier.name}' with {len(function.outputs)} outputs "
            f"({names}). Wrap the part that leads to one of them, "
            "`keras.Model(classifier.inputs, classifier.outputs[0])`."
        )


def check_labels(x, y, classifier, loss):
    """Checks array labels before training: their number, and their classes.

    Args:
        x: ``fit``'s inputs: arrays or tensors, or a data set (not looked into).
        y: ``fit``'s labels, or None where ``x`` is a data set.
        classifier: The classifier.
        loss: The loss as compiled.

    Raises:
        ValueError: If the numbers differ or a class index is outside the classes.
    """
    if y is None or not all(_is_array(v) for v in tree.flatten(y)):
        return
    labels = tree.flatten(y)[0]
    sizes = {len(v) for v in tree.flatten(x) if _is_array(v) and len(v.shape)}
    if sizes and sizes != {len(labels)}:
        raise ValueError(
            "Expected `y` to hold one label for each example of `x`. Received: "
            f"{len(labels)} labels for {', '.join(map(str, sorted(sizes)))} examples."
        )
    classes = _class_range(classifier, loss)
    if classes is None or not len(labels):
        return
    low, high = (float(f(np.asarray(labels))) for f in (np.min, np.max))
    if not 0 <= low <= high <= classes - 1:
        raise ValueError(
            f"Expected `y` to hold class indices from 0 to {classes - 1}: the classifier "
            f"has {classes} classes. Received: labels from {low:g} to {high:g}."
        )


def check_batch(x, y, classifier, loss):
    """Checks one batch inside a training step.

    What the shapes tell is raised while the step is traced; values are asserted while it
    runs (XLA drops assertions; there, a class index out of range makes the loss NaN).

    Returns:
        The batch size, an integer where it is static, else a scalar tensor.

    Raises:
        ValueError: If there are no labels, or the static batch sizes differ.
    """
    inputs = next(v for v in tree.flatten(x) if v is not None)
    if y is None:
        raise ValueError(
            "Expected labels `y` to train on: mixup interpolates the losses of two "
            "labels. Received: y=None."
        )
    expected, received = inputs.shape[0], y.shape[0]
    if None not in (expected, received) and expected != received:
        raise ValueError(
            "Expected `y` to hold one label for each example of the batch. Received: "
            f"{received} labels for {expected} examples."
        )
    batch_size = expected if expected is not None else tf.shape(inputs)[0]
    if expected is None or received is None:
        tf.debugging.assert_equal(
            tf.shape(y)[0],
            batch_size,
            message="Expected `y` to hold one label for each example of the batch.",
        )
    classes = _class_range(classifier, loss)
    if classes is not None:
        labels = tf.cast(y, "float32")
        tf.debugging.Assert(
            tf.reduce_all((labels >= 0) & (labels <= classes - 1)),
            [f"Expected `y` to hold class indices from 0 to {classes - 1}. Received:", y],
        )
    return batch_size


class NonFiniteLoss(keras.callbacks.Callback):
    """Warns, once a run, of a training loss that became NaN or infinite."""

    def on_train_begin(self, logs=None):
        """Forgets earlier warnings."""
        self._warned = False

    def on_epoch_end(self, epoch, logs=None):
        """Looks at the epoch's mean loss."""
        loss = float((logs or {}).get("loss", 0.0))
        if math.isfinite(loss) or self._warned:
            return
        self._warned = True
        warnings.warn(
            f"The training loss became {loss} in epoch {epoch + 1}; the weights are "
            "likely useless from here on. To stop at the first such batch pass "
            "`callbacks=[keras.callbacks.TerminateOnNaN()]` to `fit`: it needs nothing "
            "but the `loss` that every step reports. Common causes are a learning rate "
            "that is too large and labels outside the classes.",
            RuntimeWarning,
            stacklevel=2,
        )


def _class_range(classifier, loss):
    """The number of classes where labels are class indices by the loss, else None."""
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", None)
    sparse = name == "sparse_categorical_crossentropy" or (
        isinstance(loss, keras.losses.SparseCategoricalCrossentropy)
        and getattr(loss, "ignore_class", None) is None
    )
    return classifier.outputs[0].shape[-1] if sparse else None


def _is_array(value):
    return isinstance(value, np.ndarray) or (
        hasattr(value, "shape") and hasattr(value, "__array__")
    )
