"""Which axes of a hidden state are positions: those of an image, a text or a table."""

import keras


def position_axes(rank: int) -> list[int]:
    """Return the axes that are positions: all but the batch and the channels.

    Args:
        rank: The number of axes of a hidden state: 4 for images ``(batch_size, height,
            width, channels)``, or with the channels first if Keras' image data format
            says so; 3 for sequences ``(batch_size, length, channels)``; 2 for features,
            which are positions themselves.

    Example:
    >>> from keras_amp.policies.positions import position_axes
    >>> position_axes(4), position_axes(3), position_axes(2)
    ([1, 2], [1], [1])
    """
    if rank < 3:
        return list(range(1, rank))
    first_is_channels = rank > 3 and keras.config.image_data_format() == "channels_first"
    return list(range(2, rank) if first_is_channels else range(1, rank - 1))
