"""Seeds for the layers of a backbone."""

import numpy as np


def layer_seeds(seed, count):
    """Derives independent seeds for several layers from one.

    Args:
        seed: Integer >= 0, or None to leave every layer to Keras' global generator.
        count: Number of seeds.

    Returns:
        A list of integers, or of None.

    Example:
    >>> layer_seeds(None, 2)
    [None, None]
    """
    if seed is None:
        return [None] * count
    return [int(word) for word in np.random.SeedSequence(seed).generate_state(count)]
