"""The classes of a loaded data set and of its splits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Split:
    """Texts with their labels.

    Attributes:
        texts: Tuple of strings.
        labels: Int32 array ``(len(texts),)``, indices into the data set's class names.

    Example:
    >>> from keras_amp.data import Split
    >>> len(Split(("Who ?", "Where ?"), np.array([0, 1])))
    2
    """

    texts: tuple[str, ...]
    labels: NDArray[np.integer]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, indices: ArrayLike) -> "Split":
        """Return the examples at the given positions, in that order."""
        chosen = np.asarray(indices, dtype=int)
        return Split(tuple(self.texts[i] for i in chosen), self.labels[chosen])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A text classification data set.

    Attributes:
        name: The name or path that it was loaded by.
        class_names: Tuple of strings; labels are indices into it.
        train: The training ``Split``.
        dev: The development ``Split``, or None if the data has none.
        test: The test ``Split``, or None if the data has none.
        citation: The work to cite, or None.
        folds: Number of folds of the cross-validation by which results on it are
            reported, or None if they are not reported by cross-validation.
        phrases: Labelled phrases of the training texts, a ``Split`` to train on, too; or
            None if they were not asked for.

    Example:
    >>> data = keras_amp.data.load("questions")
    >>> data.dev is None, data.test.labels.dtype.name
    (True, 'int32')
    """

    name: str
    class_names: tuple[str, ...]
    train: Split
    dev: Split | None = None
    test: Split | None = None
    citation: str | None = None
    folds: int | None = None
    phrases: Split | None = None

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def __repr__(self) -> str:
        sizes = ", ".join(
            f"{name}={len(split)}"
            for name, split in (
                ("train", self.train),
                ("dev", self.dev),
                ("test", self.test),
                ("phrases", self.phrases),
            )
            if split is not None
        )
        return f"Dataset({self.name!r}, {sizes}, classes={list(self.class_names)})"
