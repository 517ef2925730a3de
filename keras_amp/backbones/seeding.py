"""Seeds for the layers of a backbone."""

from typing import Any

import numpy as np


def layer_seeds(seed: int | None, count: int) -> list[Any]:
    """Derive independent seeds for several layers from one seed.

    Args:
        seed: Integer >= 0, or None for seeds from Keras' global generator.
        count: Number of seeds.

    Returns:
        A list of integers, or of None.

    Example:
    >>> layer_seeds(None, 2)
    [None, None]
    """
    if seed is None:
        return [None] * count
    return [
        int(layer_seed)
        for layer_seed in np.random.SeedSequence(seed).generate_state(count)
    ]
