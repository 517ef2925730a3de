"""The user's arrays, divided into what is trained, developed and tested on."""

import hashlib
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_amp import data
from keras_amp.experiments.examples import TEST_SEED

FEW = 1000  # training examples, below which trials are folds of them
FOLDS, FOLDS_OF_MANY = 5, 10
TEST, DEV = 0.2, 0.1  # shares that are set aside


@dataclass(frozen=True, eq=False)
class Arrays:
    """Inputs and labels.

    Attributes:
        x: Array ``(num_examples, ...)``, or a structure of them.
        y: Array ``(num_examples,)`` of integers, or ``(num_examples, classes)``.
    """

    x: Any
    y: np.ndarray

    def __len__(self):
        return len(self.y)

    @property
    def classes(self):
        """The labels as integers, an array ``(num_examples,)``."""
        if self.y.ndim == 2 and self.y.shape[1] > 1:
            return self.y.argmax(axis=1)
        return self.y.reshape(-1).astype("int64")

    def take(self, places):
        """Returns the examples at places, an integer array."""
        return Arrays(
            keras.tree.map_structure(lambda a: a[places], self.x), self.y[places]
        )


class Splits:
    """The examples of a search: a test split that its trials never read.

    Args:
        train: ``Arrays``.
        dev: ``Arrays``, or None to take a part of ``train``.
        test: ``Arrays``.
    """

    def __init__(self, train, dev, test):
        self.train, self.dev, self.test = train, dev, test
        self.few = len(train) < FEW

    @property
    def sizes(self):
        """Dict of the sizes of those that there are."""
        splits = {"train": self.train, "dev": self.dev, "test": self.test}
        return {name: len(split) for name, split in splits.items() if split is not None}

    def fingerprint(self):
        """Returns 16 hexadecimal digits that other examples would not have."""
        digest = hashlib.sha256()
        for split in (self.train, self.dev, self.test):
            if split is not None:
                for array in (*keras.tree.flatten(split.x), split.y):
                    array = np.asarray(array)
                    content = array.tolist() if array.dtype.kind in "OSU" else None
                    digest.update(repr((array.shape, str(array.dtype))).encode())
                    digest.update(
                        np.ascontiguousarray(array).tobytes()
                        if content is None
                        else repr(content).encode()
                    )
        return digest.hexdigest()[:16]

    def of_trial(self, fold):
        """Returns what a trial's cell trains and develops on, by its number."""
        if self.dev is not None:
            return self.train, self.dev
        folds = FOLDS if self.few else FOLDS_OF_MANY
        return _both(self.train, lambda s: data.fold(s, fold, folds, TEST_SEED))

    def of_confirmation(self, seed):
        """Returns what a seed trains and chooses its epoch on."""
        if self.dev is not None:
            return self.train, self.dev
        return _both(self.train, lambda s: data.hold_out(s, DEV, seed))

    def notices(self):
        """Returns sentences about the data."""
        counts = np.bincount(self.train.classes)
        share = 100 * counts.max() / counts.sum()
        found = []
        if share >= 90:
            found.append(
                f"{share:.1f}% of the training examples are of class {counts.argmax()}: "
                f"to say so of every one errs in about {100 - share:.1f}%"
            )
        if self.few and self.dev is None:
            found.append(
                f"{len(self.train)} examples to train on are few: a trial is {FOLDS} "
                "folds of them"
            )
        return found


def divided(given):
    """Returns the ``Splits`` of what a user has given.

    Args:
        given: A tuple ``(x, y)``; three of them, to train, develop and test on; or a
            dict of them, ``"train"``, and ``"dev"`` and ``"test"`` where there are such.

    Raises:
        ValueError: If it is something else, or labels are no classes.

    Example:
    >>> from keras_amp.experiments.search.arrays import divided
    >>> divided((np.zeros((10, 3)), np.arange(10) % 2)).sizes
    {'train': 8, 'test': 2}
    """
    pairs = given if isinstance(given, dict) else None
    if isinstance(given, tuple | list) and len(given) == 2:
        pairs = {"train": given}
    elif isinstance(given, tuple | list) and len(given) == 3:
        pairs = dict(zip(("train", "dev", "test"), given, strict=True))
    known = {"train", "dev", "test"}
    if not pairs or "train" not in pairs or not pairs.keys() <= known:
        raise ValueError(
            "Expected `data` to be (x, y), or three of these to train, develop and test "
            f"on, or a dict of them. Received: {type(given).__name__}"
            + (f" of {', '.join(map(str, given))}" if isinstance(given, dict) else "")
        )
    found = {n: _arrays(n, pair) for n, pair in pairs.items() if pair is not None}
    train, test = found["train"], found.get("test")
    if test is None:
        train, test = _both(train, lambda s: data.hold_out(s, TEST, TEST_SEED))
    return Splits(train, found.get("dev"), test)


def _arrays(name, pair):
    try:
        x, y = pair
    except (TypeError, ValueError):
        raise ValueError(
            f"Expected `data` to hold a pair (x, y) to {name} on. Received: "
            f"{type(pair).__name__}"
        ) from None
    y, x = np.asarray(y), keras.tree.map_structure(np.asarray, x)
    sizes = {len(array) for array in (*keras.tree.flatten(x), y)}
    if len(sizes) != 1:
        raise ValueError(
            f"Expected as many labels as examples to {name} on. Received: "
            f"{' and '.join(map(str, sorted(sizes)))}"
        )
    classes = y.ndim == 1 or (y.ndim == 2 and y.shape[1] >= 1)
    if not classes or y.dtype.kind not in "biuf" or not np.array_equal(y, y.round()):
        raise ValueError(
            "Expected labels that are classes, integers (num_examples,) or one-hot "
            f"(num_examples, num_classes). Received: {y.dtype} {y.shape}"
        )
    return Arrays(x, y)


def _both(arrays, divide):
    """Divides examples as ``keras_amp.data`` divides texts, by class."""
    places = tuple(map(str, range(len(arrays))))
    parts = divide(data.Split(places, arrays.classes))
    return tuple(arrays.take(np.array(part.texts, "int64")) for part in parts)
