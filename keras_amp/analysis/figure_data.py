"""The arrays that figures are drawn from: checked, and their means."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

TwoArrays: TypeAlias = tuple[ArrayLike, ArrayLike]


def mean_and_deviation(runs: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation (n - 1) over runs, without NaN.

    Args:
        runs: Float array ``(num_runs, n)``.

    Returns:
        A tuple of float64 arrays ``(n,)``; the mean is NaN where no run has a finite
        value, the deviation where fewer than two have.

    Example:
    >>> keras_amp.analysis.figures.mean_and_deviation([[1.0, 2.0], [3.0, np.nan]])
    (array([2., 2.]), array([1.41421356,        nan]))
    """
    runs = np.asarray(runs, "float64")
    there = np.isfinite(runs)
    number, values = there.sum(axis=0), np.where(there, runs, 0.0)
    mean = values.sum(axis=0) / np.where(number, number, np.nan)
    squares = (np.where(there, runs - mean, 0.0) ** 2).sum(axis=0)
    return mean, np.sqrt(squares / np.where(number > 1, number - 1, np.nan))


def check_some(argument: str, values: Mapping[str, Any]) -> None:
    """Raise if there is nothing to draw."""
    if not values:
        raise ValueError(f"Expected `{argument}` to hold something. Received: {values!r}")


def arrays_of_rank(
    argument: str, values: Mapping[str, ArrayLike], rank: int
) -> dict[str, np.ndarray]:
    """The values as float64 arrays of a rank, none of them empty."""
    check_some(argument, values)
    arrays = {name: np.asarray(value, "float64") for name, value in values.items()}
    for name, array in arrays.items():
        if array.ndim != rank or not array.size:
            raise ValueError(
                f"Expected `{argument}` to hold {rank}-D arrays that are not empty. "
                f"Received: for {name!r} the shape {array.shape}"
            )
    return arrays


def equal_pair(
    argument: str, name: str, pair: TwoArrays
) -> tuple[np.ndarray, np.ndarray]:
    """Two 1-D float64 arrays of equal length."""
    first, second = (np.asarray(values, "float64") for values in pair)
    if first.ndim != 1 or first.shape != second.shape or not first.size:
        raise ValueError(
            f"Expected `{argument}` to hold two 1-D arrays of equal length for each "
            f"name. Received: for {name!r} the shapes {first.shape} and {second.shape}"
        )
    return first, second
