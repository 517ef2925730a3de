"""Setting examples aside: stratified, seeded, reproducible on every machine."""

import numpy as np


def hold_out(split, fraction, seed):
    """Sets a share of every class aside.

    Args:
        split: A ``Split``.
        fraction: Float in (0, 1), the share of each class to set aside, rounded to whole
            examples. A class keeps at least one example where it is, and gives at least
            one if it has two.
        seed: Integer >= 0; the same seed sets the same examples aside.

    Returns:
        A tuple of two ``Split``s, what remains and what was set aside, both in the order
        of the original.

    Raises:
        ValueError: If ``fraction`` lies outside its range.

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
    generator = np.random.default_rng(seed)
    aside = np.zeros(len(split), dtype=bool)
    for label in np.unique(split.labels):
        members = np.flatnonzero(split.labels == label)
        count = min(max(round(fraction * len(members)), 1), len(members) - 1)
        aside[generator.permutation(members)[:count]] = True
    return split.take(np.flatnonzero(~aside)), split.take(np.flatnonzero(aside))
