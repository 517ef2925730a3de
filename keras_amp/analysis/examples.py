"""Reads the examples whose pairs are evaluated: arrays, or a data set of batches."""

from typing import Any

import numpy as np
import tensorflow as tf
from keras import tree

from keras_amp.typing import Structure


def read_examples(data: Any) -> tuple[Structure, Structure]:
    """Returns the inputs and the labels of ``data`` as arrays.

    Args:
        data: As ``loss_along_lambda``.

    Returns:
        A tuple of a structure of arrays ``(num_examples, ...)``, and such an array of
        labels; or a structure of them, where there are several outputs.

    Raises:
        ValueError: As ``loss_along_lambda``.
        TypeError: As ``loss_along_lambda``.

    Example:
    >>> from keras_amp.analysis.examples import read_examples
    >>> dataset = keras_amp.data.batches(np.zeros((5, 3)), np.arange(5), 2)
    >>> [array.shape for array in read_examples(dataset)]
    [(5, 3), (5,)]
    """
    if isinstance(data, tf.data.Dataset):
        data = _joined(data)
    if not isinstance(data, (tuple, list)):
        raise TypeError(
            "Expected `data` to be a tuple (x, y) of arrays or a tf.data.Dataset of "
            f"batches. Received: {type(data).__name__}"
        )
    if len(data) not in (2, 3):
        raise ValueError(
            "Expected `data` to hold inputs and labels, (x, y). Received: "
            f"{len(data)} of them."
        )
    x = tree.map_structure(lambda v: v if v is None else np.asarray(v), data[0])
    labels = [np.asarray(v) for v in tree.flatten(data[1]) if v is not None]
    if not labels:
        raise ValueError(
            "Expected `data` to hold one array of labels. Received: no arrays."
        )
    if any(v is not None and not v.shape for v in [*tree.flatten(x), *labels]):
        raise ValueError(
            "Expected `data` to hold arrays of examples, (num_examples, ...). Received: "
            "a single number."
        )
    if not len(labels[0]):
        raise ValueError("Expected `data` to hold at least one example. Received: none.")
    y = tree.map_structure(lambda v: v if v is None else np.asarray(v), data[1])
    return x, labels[0] if len(labels) == 1 else y


def _joined(dataset: tf.data.Dataset) -> tuple[Any, Any]:
    """The batches of a data set put together, as ``(x, y)``."""
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        raise ValueError(
            "Expected `data` to be a data set of batches (x, y). Received: elements of "
            f"the structure {spec}"
        )
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            "Expected `data` to end. Received: a data set that repeats for ever; take a "
            "part of it by `take`."
        )
    if any(leaf.shape.rank == 0 for leaf in tree.flatten(spec)):
        raise ValueError(
            "Expected `data` to be a data set of batches. Received: one of single "
            "examples; `data.batch(256)` makes batches."
        )
    batches = [tree.flatten(batch[:2]) for batch in dataset.as_numpy_iterator()]
    if not batches:
        raise ValueError("Expected `data` to hold at least one batch. Received: none.")
    arrays = []
    for parts in zip(*batches, strict=True):
        shapes = {part.shape[1:] for part in parts}
        if len(shapes) > 1:
            raise ValueError(
                "Expected `data` to hold examples of one shape. Received: batches of "
                f"{' and '.join(map(str, sorted(shapes)))}; pad them alike."
            )
        arrays.append(np.concatenate(parts))
    return tree.pack_sequence_as(spec[:2], arrays)
