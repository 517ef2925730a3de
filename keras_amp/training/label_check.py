"""Checks of the labels of one output: of arrays, of what data sets yield, of batches."""

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
from keras_amp.typing import Tensor

Kind: TypeAlias = Literal["index", "share"]  # of a class


class LabelCheck:
    """What the labels must look like, by the classifier's output and the loss.

    Args:
        classifier: A classifier.
        loss: The loss as compiled. Of losses that Keras does not bring nothing is known,
            so that only the number of labels is checked.
        output: Place of the output among several.
    """

    def __init__(self, classifier: keras.Model, loss: Any, output: int = 0) -> None:
        self.output_shape = tuple(tree.flatten(classifier.outputs)[output].shape)
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
            raise no_numbers(argument, f"texts, such as {first!r}")
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
            raise no_numbers(argument, f"dtype {y.dtype}")
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
        # What is shown of integers is int32, for which TensorFlow traces no condition.
        shown_as = "int32" if y.dtype.is_integer else "float32"
        lowest = tf.cast(tf.reduce_min(y), shown_as)
        highest = tf.cast(tf.reduce_max(y), shown_as)
        return assertions.holds(
            tf.reduce_all(self._allowed(labels, kind, tf.floor)),
            f"{self._expectation(y, argument)} Received: values from",
            *(lowest, "to", highest),
        )

    def asks_of_values(self, y: Any) -> bool:
        """Whether it is known what values the labels may have."""
        return self._kind(y) is not None

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


def no_numbers(argument: str, received: str) -> ValueError:
    """The error about labels that are no numbers."""
    return ValueError(
        f"Expected {argument} to hold numbers. Received: {received}. Give every class an "
        "index, by `keras.layers.StringLookup` for instance."
    )


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or (
        hasattr(value, "shape") and hasattr(value, "__array__")
    )
