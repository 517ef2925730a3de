"""Looks through the values of large arrays of labels, in little memory and not twice."""

import weakref
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeAlias

import numpy as np

Wrong: TypeAlias = tuple[int, Any, int]  # its place, its value, how many there are

CHUNK = 2**17  # values looked at at a time; 1 MB of float64

# What has been found right: from an array's id to a weak reference to it and the rules
# that it kept. No array is kept alive.
_RIGHT: dict[int, tuple[weakref.ref[Any], set[Hashable]]] = {}


def first_wrong(
    y: np.ndarray,
    allowed: Callable[[np.ndarray], np.ndarray],
    bounds: tuple[float, float],
) -> Wrong | None:
    """Finds labels that are not allowed, a chunk at a time.

    Args:
        y: Array of booleans, integers or floats, of any layout; also a memory map.
        allowed: Callable from a chunk, float or integer ``(n,)``, to booleans of its
            shape; False for NaN.
        bounds: A tuple ``(lowest, highest)``. Integers and booleans between the two are
            allowed without being asked for one by one.

    Returns:
        None where every label is allowed. Else a tuple of the first wrong label's place
        on the first axis, its value, and how many labels are wrong.

    Example:
    >>> from keras_amp.training.label_values import first_wrong
    >>> place, value, number = first_wrong(
    ...     np.array([[0, 1], [7, 2], [8, 0]], "uint8"), lambda y: y < 3, (0, 2)
    ... )
    >>> place, int(value), number
    (1, 7, 2)
    """
    first, number, done = None, 0, 0
    for chunk in _chunks(y):
        wrong = _wrong(chunk, allowed, bounds)
        if wrong is not None and wrong.any():
            place = int(np.argmax(wrong))
            if first is None:
                row = (done + place) * y.shape[0] // y.size if y.ndim else 0
                first = row, chunk[place].copy()
            number += int(np.count_nonzero(wrong))
        done += chunk.size
    return None if first is None else (*first, number)


def known_right(array: Any, rules: Hashable) -> bool:
    """Whether an array was found to keep these rules before, and is still that array.

    That it was changed in place since is not seen: for that there are its ``ends``.

    Args:
        array: What the user passed: an array, a tensor, a series.
        rules: What it has to keep; anything hashable.
    """
    known = _RIGHT.get(id(array))
    return known is not None and known[0]() is array and rules in known[1]


def remember_right(array: Any, rules: Hashable) -> None:
    """Remembers, as long as the array lives, that it keeps these rules."""
    key = id(array)
    if key in _RIGHT and _RIGHT[key][0]() is array:
        _RIGHT[key][1].add(rules)
        return
    try:
        reference = weakref.ref(array, lambda _: _RIGHT.pop(key, None))
    except TypeError:  # of its kind there are no weak references
        return
    _RIGHT[key] = reference, {rules}


def ends(y: np.ndarray) -> list[np.ndarray]:
    """The two ends of an array: what was changed as a whole shows there, at no cost."""
    if not y.size or not y.ndim:
        return [y]
    rows = max(1, CHUNK // y[0].size)
    return [y] if 2 * rows >= len(y) else [y[:rows], y[-rows:]]


def _chunks(y: np.ndarray) -> Iterable[Any]:
    """An array's values in their order, as many vectors; of what is contiguous, views."""
    return np.nditer(
        y,
        flags=["external_loop", "buffered", "zerosize_ok"],
        order="C",
        buffersize=CHUNK,
    )


def _wrong(
    chunk: np.ndarray,
    allowed: Callable[[np.ndarray], np.ndarray],
    bounds: tuple[float, float],
) -> np.ndarray | None:
    """Which values of a chunk are wrong; None where the bounds tell that none is."""
    if chunk.dtype.kind in "biu":
        if not chunk.size or (bounds[0] <= chunk.min() and chunk.max() <= bounds[1]):
            return None
    elif chunk.dtype.itemsize < 4:  # also bfloat16, which NumPy does not know
        chunk = chunk.astype("float32")
    return ~np.asarray(allowed(chunk))
