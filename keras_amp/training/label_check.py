"""Checks of labels: of arrays before training, of batches in the training step."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from keras import tree

from keras_amp.training import input_check, label_values
from keras_amp.training.input_check import shown
from keras_amp.training.loss_names import ignored_class, loss_name
from keras_amp.training.tensorflow import assertions
from keras_amp.typing import Size, Structure, Tensor

Kind: TypeAlias = Literal["index", "share"]  # of a class


class LabelCheck:
    """What the labels must look like, by the classifier's output and the loss.

    Args:
        classifier: A classifier with one output.
        loss: The loss as compiled. Of losses that Keras does not bring nothing is known,
            so that only the number of labels is checked.
    """

    def __init__(self, classifier: keras.Model, loss: Any) -> None:
        self.output_shape = tuple(tree.flatten(classifier.outputs)[0].shape)
        self.classes = self.output_shape[-1]
        self.loss = loss_name(loss)
        self.ignored = ignored_class(loss)

    def check_arrays(self, x: Any, y: Any, argument: str = "`y`") -> None:
        """Checks the labels that ``fit`` is given as arrays or tensors.

        The values of an array are looked through once, however often it is passed; of one
        seen before only the ends are, so that an array changed as a whole is noticed.

        Args:
            x: Arrays or tensors; anything else, such as a data set, is not looked into.
            y: Labels, or None where ``x`` is a data set.
            argument: What the user called the labels.

        Raises:
            ValueError: If the numbers differ, there is none, or a label has the wrong
                shape or lies outside the classes.
        """
        sizes = {len(v) for v in tree.flatten(x) if _is_array(v) and len(v.shape)}
        if 0 in sizes:
            raise ValueError(
                f"Expected at least one example beside {argument}. Received: inputs of "
                "length 0."
            )
        first = input_check.first_of(y)
        if isinstance(first, (str, bytes)):
            raise _no_numbers(argument, f"texts, such as {first!r}")
        input_check.check_no_list(y, argument)
        leaves = tree.flatten(y)
        if len(leaves) != 1 or not _is_array(leaves[0]):
            return
        labels = leaves[0]
        number = len(labels) if len(labels.shape) else 1
        if sizes and sizes != {number}:
            raise ValueError(
                f"Expected {argument} to hold one label for each example. Received: "
                f"{number} labels for {', '.join(map(str, sorted(sizes)))} examples."
            )
        self.check_shape(labels, argument)
        values = np.asarray(labels)
        rules = (self._kind(values), self.classes, self.ignored)
        seen = label_values.known_right(labels, rules)
        if seen and not any(map(self._first_wrong, label_values.ends(values))):
            return
        self.check_values(values, argument)
        label_values.remember_right(labels, rules)

    def check_shape(self, y: Any, argument: str = "`y`") -> None:
        """Raises if the labels' shape, as far as it is known, does not suit the loss."""
        received = tf.TensorShape(y.shape)
        if received.rank is None or self._kind(y) is None:
            return
        expected = self.output_shape[1:]
        if self._kind(y) == "index":
            fitting = [expected[:-1], (*expected[:-1], 1)]
        else:
            fitting = [expected, expected[:-1]] if self.classes == 1 else [expected]
        if not any(received[1:].is_compatible_with(shape) for shape in fitting):
            shapes = " or ".join(shown(("batch_size", *shape)) for shape in fitting)
            raise ValueError(
                f"Expected {argument} to have the shape {shapes}: the classifier has "
                f"the output shape {shown(self.output_shape)} and the loss is "
                f"{self.loss!r}. Received: shape {shown(tuple(y.shape))}."
            )

    def check_weight(self, weight: Tensor | None) -> None:
        """Raises if weights do not go with the examples' losses, as far as is known."""
        received = tf.TensorShape(None if weight is None else weight.shape)
        if received.rank is None or self.loss is None:
            return
        losses, shape = self.output_shape[1:-1], tuple(received)[1:]
        if len(shape) > len(losses) and shape[-1] == 1:
            shape = shape[:-1]
        sizes = zip(shape, losses, strict=False)
        if len(shape) != len(losses) or any(
            a not in (b, 1, None) and b for a, b in sizes
        ):
            raise ValueError(
                "Expected `sample_weight` to have the shape "
                f"{shown(('batch_size', *losses))}: one weight for each loss of "
                f"{self.loss!r}. Received: shape {shown(tuple(received))}."
            )

    def check_values(self, y: np.ndarray, argument: str = "`y`") -> None:
        """Raises if an array holds a label that is no class."""
        if y.dtype.kind in "OSUTMm":
            raise _no_numbers(argument, f"dtype {y.dtype}")
        if self._kind(y) is None:
            return
        wrong = self._first_wrong(y)
        if wrong is not None:
            place, value, number = wrong
            value = str(value) if value.dtype.kind in "iu" else f"{value:g}"
            raise ValueError(
                f"{self._expectation(y, argument)} Received: {value} (label {place}), "
                f"{number} such of {y.size}."
            )

    def _first_wrong(self, y: np.ndarray) -> label_values.Wrong | None:
        kind = self._kind(y)
        if kind is None:
            return None
        return label_values.first_wrong(
            y,
            lambda chunk: self._allowed(chunk, kind, np.floor),
            (0, 1 if kind == "share" else self.classes - 1),
        )

    def assertion(self, y: Tensor, argument: str = "`y`") -> tf.Operation:
        """Returns an operation that fails where ``check_values`` raises.

        XLA drops assertions; there a class index out of range makes the loss NaN.
        """
        kind = self._kind(y)
        if kind is None:
            return tf.no_op()
        labels = tf.cast(y, "float32")
        return assertions.holds(
            tf.reduce_all(self._allowed(labels, kind, tf.floor)),
            f"{self._expectation(y, argument)} Received: values from",
            *(tf.reduce_min(labels), "to", tf.reduce_max(labels)),
        )

    def check_dataset(self, dataset: tf.data.Dataset, argument: str) -> tf.data.Dataset:
        """Returns the data set with its labels checked as they are read.

        The check runs in the input pipeline, where it works under XLA too.

        Raises:
            ValueError: If the data set is known to be empty, or its labels' shape to be
                wrong.
        """
        if tf.get_static_value(dataset.cardinality()) == 0:
            raise ValueError(
                f"Expected {argument} to hold at least one batch. Received: a data set "
                "of length 0."
            )
        spec = dataset.element_spec
        if not isinstance(spec, tuple) or len(spec) not in (2, 3):
            return dataset
        leaves = tree.flatten(spec[1])
        if len(leaves) != 1 or not isinstance(leaves[0], tf.TensorSpec):
            return dataset
        labels = f"the labels of {argument}"
        if leaves[0].dtype == tf.string:
            raise _no_numbers(labels, "texts (dtype string)")
        self.check_shape(leaves[0], labels)
        if self._kind(leaves[0]) is None:
            return dataset

        def checked(x: Any, y: Any, *weight: Any) -> tuple[Any, ...]:
            holds = self.assertion(tree.flatten(y)[0], labels)
            y = tree.map_structure(lambda leaf: assertions.once([holds], leaf), y)
            return x, y, *weight

        return dataset.map(checked)

    def _kind(self, y: Any) -> Kind | None:
        """``"index"`` or ``"share"`` (of a class), or None where nothing is known."""
        if self.loss in ("crossentropy", "ce"):  # Keras resolves these by shape
            if self.classes == 1:
                return "share"
            rank = len(y.shape)
            column = y.shape[-1] == 1
            return "index" if rank < len(self.output_shape) or column else "share"
        kinds: dict[str | None, Kind] = {
            "sparse_categorical_crossentropy": "index",
            "categorical_crossentropy": "share",
            "categorical_focal_crossentropy": "share",
            "binary_crossentropy": "share",
            "binary_focal_crossentropy": "share",
        }
        return kinds.get(self.loss)

    def _allowed(self, labels: Any, kind: Kind, floor: Callable[[Any], Any]) -> Any:
        if kind == "share":
            return (labels >= 0) & (labels <= 1)
        inside = (labels >= 0) & (labels < self.classes) & (labels == floor(labels))
        return inside if self.ignored is None else inside | (labels == self.ignored)

    def _expectation(self, y: Any, argument: str) -> str:
        if self._kind(y) == "share":
            return f"Expected {argument} to lie between 0 and 1, as {self.loss!r} asks."
        return (
            f"Expected {argument} to hold class indices from 0 to {self.classes - 1}, as "
            f"the classifier has {self.classes} classes."
        )


def check_batch(
    classifier: keras.Model,
    x: Structure,
    y: Tensor | None,
    sample_weight: Tensor | None,
    label_check: LabelCheck,
) -> tuple[Tensor, Size]:
    """Checks one batch inside a training step.

    What the shapes tell is raised while the step is traced; values are asserted while it
    runs.

    Args:
        classifier: The classifier.
        x: Its inputs.
        y: Labels, or None.
        sample_weight: Weights, or None.
        label_check: ``LabelCheck``.

    Returns:
        The labels and the batch size, an integer where it is static, else a scalar
        tensor. Using these labels implies that the assertions hold.

    Raises:
        ValueError: If there are no labels, their shape is wrong or the static batch
            sizes differ; in eager mode also if a label is no class.
    """
    input_check.check_inputs(classifier, x, "the inputs of a batch", "batch", y)
    inputs = next(v for v in tree.flatten(x) if v is not None)
    if y is None:
        raise ValueError(
            "Expected labels `y` to train on: mixup interpolates the losses of two "
            "labels. Received: y=None. A data set has to yield tuples, (x, y)."
        )
    expected, received = inputs.shape[0], y.shape[0]
    if None not in (expected, received) and expected != received:
        raise ValueError(
            "Expected `y` to hold one label for each example of the batch. Received: "
            f"{received} labels for {expected} examples."
        )
    label_check.check_shape(y)
    label_check.check_weight(sample_weight)
    if tf.executing_eagerly():
        label_check.check_values(np.asarray(y))
        return y, expected
    batch_size = expected if expected is not None else tf.shape(inputs)[0]
    hold = [label_check.assertion(y)]
    if expected is None or received is None:
        number = tf.shape(y)[0]
        hold.append(
            assertions.holds(
                tf.equal(number, batch_size),
                "Expected `y` to hold one label for each example of the batch. Received:",
                *(number, "labels for", batch_size, "examples."),
            )
        )
    return assertions.once(hold, y), batch_size


def _no_numbers(argument: str, received: str) -> ValueError:
    """The error about labels that are no numbers."""
    return ValueError(
        f"Expected {argument} to hold numbers. Received: {received}. Give every class an "
        "index, by `keras.layers.StringLookup` for instance."
    )


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or (
        hasattr(value, "shape") and hasattr(value, "__array__")
    )
