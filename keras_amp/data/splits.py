"""Dividing examples by class and by a seed, the same on every machine."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from keras_amp.data.examples import Split


def hold_out(split: Split, fraction: float, seed: int) -> tuple[Split, Split]:
    """Set aside a fraction of every class.

    Args:
        split: A ``Split``.
        fraction: Float in (0, 1), the fraction of each class to set aside, rounded to
            whole examples. At least one example of a class remains, and at least one is
            set aside if the class has two.
        seed: Integer >= 0; the same seed sets aside the same examples.

    Returns:
        A tuple of two ``Split``s, the remaining examples and those set aside, both in the
        order of the original.

    Raises:
        ValueError: If ``fraction`` is not in its range.

    Example:
    >>> from keras_amp.data import Split, hold_out
    >>> split = Split(tuple("abcdefgh"), np.array([0, 0, 0, 0, 1, 1, 1, 1]))
    >>> rest, dev = hold_out(split, 0.25, seed=1)
    >>> len(rest), dev.labels
    (6, array([0, 1]))
    """
    if not 0 < fraction < 1:
        raise ValueError(
            f"Expected `fraction` to lie between 0 and 1. Received: fraction={fraction!r}"
        )

    def share(size: int) -> int:
        return min(max(round(fraction * size), 1), size - 1)

    aside = _choose(split.labels, share, seed)
    return split.take(np.flatnonzero(~aside)), split.take(np.flatnonzero(aside))


def subset(
    split: Split, seed: int, fraction: float | None = None, per_class: int | None = None
) -> Split:
    """Draw a stratified part of the examples, for studies with few labels.

    Args:
        split: A ``Split``.
        seed: Integer >= 0; another seed draws another part.
        fraction: Float in (0, 1], the fraction of each class, rounded down to whole
            examples, but at least one, as in the paper's low-resource study.
        per_class: Integer >= 1, examples of each class; of a smaller class, all.

    Returns:
        A ``Split``, in the order of the original.

    Raises:
        ValueError: If not exactly one of ``fraction`` and ``per_class`` is given, or it
            is not in its range.

    Example:
    >>> from keras_amp.data import Split, subset
    >>> split = Split(tuple("abcdefgh"), np.array([0, 0, 0, 0, 1, 1, 1, 1]))
    >>> subset(split, seed=1, per_class=1).labels
    array([0, 1])
    """
    if (fraction is None) == (per_class is None):
        raise ValueError(
            "Expected one of `fraction` and `per_class`. Received: "
            f"fraction={fraction!r}, per_class={per_class!r}"
        )
    if per_class is not None:
        if isinstance(per_class, bool) or not isinstance(per_class, int) or per_class < 1:
            raise ValueError(
                "Expected `per_class` to be an integer >= 1. Received: "
                f"per_class={per_class!r}"
            )
        chosen = _choose(split.labels, lambda size: min(per_class, size), seed)
    else:
        assert fraction is not None
        if not 0 < fraction <= 1:
            raise ValueError(
                "Expected `fraction` to lie above 0 and to be at most 1. Received: "
                f"fraction={fraction!r}"
            )
        # Add a little, so that 0.1 of 1,230 examples is 123 examples, not 122.
        chosen = _choose(
            split.labels, lambda size: max(int(fraction * size + 1e-9), 1), seed
        )
    return split.take(np.flatnonzero(chosen))


def fold(split: Split, index: int, folds: int = 10, seed: int = 0) -> tuple[Split, Split]:
    """Return one division of a cross-validation.

    Args:
        split: A ``Split``.
        index: Integer in ``[0, folds)``, the fold to test on.
        folds: Integer >= 2, number of folds; each class is spread evenly over them.
        seed: Integer >= 0 that determines the folds.

    Returns:
        A tuple of two ``Split``s, all other folds and fold ``index``.

    Raises:
        ValueError: If ``folds`` or ``index`` is not in its range.

    Example:
    >>> from keras_amp.data import Split, fold
    >>> split = Split(tuple("abcd"), np.array([0, 0, 1, 1]))
    >>> [fold(split, i, folds=2)[1].labels.tolist() for i in range(2)]
    [[0, 1], [0, 1]]
    """
    if folds < 2 or not 0 <= index < folds:
        raise ValueError(
            "Expected `folds` to be at least 2 and `index` to lie below it. Received: "
            f"folds={folds!r}, index={index!r}"
        )
    generator = np.random.default_rng(seed)
    part = np.empty(len(split), dtype=int)
    dealt = 0  # each class begins where the last one ended, so that folds are equal
    for label in np.unique(split.labels):
        members = generator.permutation(np.flatnonzero(split.labels == label))
        part[members] = (dealt + np.arange(len(members))) % folds
        dealt += len(members)
    test = part == index
    return split.take(np.flatnonzero(~test)), split.take(np.flatnonzero(test))


def _choose(
    labels: NDArray[np.integer], count: Callable[[int], int], seed: int
) -> NDArray[np.bool_]:
    """Mark ``count(size)`` random examples of each class that has ``size`` of them."""
    generator = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        chosen[generator.permutation(members)[: count(len(members))]] = True
    return chosen
