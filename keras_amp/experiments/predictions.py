"""The predictions of a test set as a short text, which a cell's record keeps."""

import base64
import zlib

import numpy as np

LEAST = 1e-30  # a probability below it is taken for it


def packed(labels, probabilities):
    """Returns labels and probabilities as what a JSON file can hold.

    Logarithms of the probabilities are kept in half precision, to 0.05% of themselves;
    the predicted classes are kept as they are. 500 examples of 6 classes take 8 kB.

    Args:
        labels: Integer array ``(num_examples,)``.
        probabilities: Float array ``(num_examples, num_classes)``.

    Returns:
        A dict of ``classes``, an integer, and of two texts, ``labels`` and
        ``log_probabilities``.

    Example:
    >>> from keras_amp.experiments.predictions import packed, unpacked
    >>> labels, found = unpacked(packed([1, 0], [[0.25, 0.75], [0.875, 0.125]]))
    >>> labels.tolist(), found.round(3).tolist()
    ([1, 0], [[0.25, 0.75], [0.875, 0.125]])
    """
    probabilities = np.asarray(probabilities, "float64")
    logs = np.log(np.maximum(probabilities, LEAST)).astype("<f2")
    rows, predicted = np.arange(len(logs)), probabilities.argmax(axis=1)
    # Rounding may make another class as likely, or an earlier one of two.
    changed = logs.argmax(axis=1) != predicted
    above = np.nextafter(logs.max(axis=1), np.float16(1))
    logs[rows[changed], predicted[changed]] = above[changed]
    return {
        "classes": probabilities.shape[1],
        "labels": _text(np.asarray(labels, "<u2")),
        "log_probabilities": _text(logs.T),  # what is alike stands together
    }


def unpacked(found):
    """Returns the labels and the probabilities of ``packed``.

    Args:
        found: Dict, as ``packed`` returns it.

    Returns:
        A tuple of an integer array ``(num_examples,)`` and a float64 array
        ``(num_examples, num_classes)``, rows that sum to 1.
    """
    labels = _array(found["labels"], "<u2").astype("int64")
    logs = _array(found["log_probabilities"], "<f2").reshape(found["classes"], -1).T
    probabilities = np.exp(logs.astype("float64"))
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True)


def _text(array):
    """An array's bytes, first the lower ones of all numbers, then the upper ones."""
    planes = np.frombuffer(array.tobytes(), "u1").reshape(-1, array.itemsize).T
    return base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode()


def _array(text, kind):
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), "u1")
    return np.frombuffer(planes.reshape(np.dtype(kind).itemsize, -1).T.tobytes(), kind)
