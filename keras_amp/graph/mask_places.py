"""Which axes of a mask are which positions of a hidden state.

A mask need not have the shape of the positions alone: that of an attention layer is
``(batch_size, 1, length)`` or ``(batch_size, length, length)``, whose last axis says
which words are looked at. So a mask's positions are its last axes that have their sizes.
One with fewer axes says it of the first positions: that of the frames of a film, say.
"""

from collections.abc import Callable
from typing import NamedTuple

from keras import ops

from keras_amp.policies.positions import position_axes
from keras_amp.typing import Tensor


class Place(NamedTuple):
    """Where a mask says what counts of a hidden state.

    Attributes:
        state: Index of the hidden state.
        first: The mask's first axis that is one of positions.
        axes: The axes of the hidden state that it and the following ones are.
    """

    state: int
    first: int
    axes: list[int]


def places_of(mask: Tensor, hidden: list[Tensor]) -> list[Place]:
    """Find the hidden states that a mask is about.

    Args:
        mask: Tensor ``(batch_size, ...)``.
        hidden: List of tensors ``(batch_size, ...)``.

    Returns:
        A list of ``Place``. A mask of as many words as there are features is about words
        if there are any.

    Example:
    >>> from keras_amp.graph.mask_places import places_of
    >>> places_of(np.ones((2, 1, 7)), [np.ones((2, 7, 3)), np.ones((2, 7))])
    [Place(state=0, first=2, axes=[1])]
    """
    places = [_place(mask, h, i) for i, h in enumerate(hidden)]
    found = [place for place in places if place is not None]
    of_words = [place for place in found if len(hidden[place.state].shape) > 2]
    return of_words or found


def share_at(mask: Tensor, hidden: list[Tensor], shares: list[Tensor]) -> Tensor | None:
    """Return the examples' shares at the positions of a mask.

    Args:
        mask: Tensor ``(batch_size, ...)``.
        hidden: List of tensors ``(batch_size, ...)``.
        shares: For each of these the share of the example in each dimension.

    Returns:
        A tensor that broadcasts to the mask, the mean of what the dimensions of a
        position have; None where the mask is about none of the hidden states.
    """
    found = [
        _moved(ops.mean, shares[state], axes, len(mask.shape), first)
        for state, first, axes in places_of(mask, hidden)
    ]
    return sum(found) / len(found) if found else None


def counted_by(mask: Tensor, hidden: Tensor, place: Place) -> Tensor:
    """Return a mask of meaning "keep" as one that broadcasts to a hidden state.

    Args:
        mask: Boolean tensor ``(batch_size, ...)``.
        hidden: Tensor ``(batch_size, ...)``.
        place: Where the mask says it.
    """
    own = list(range(place.first, place.first + len(place.axes)))
    return _moved(ops.any, mask, own, len(hidden.shape), place.axes[0])


def _place(mask: Tensor, hidden: Tensor, state: int) -> Place | None:
    axes, shape = position_axes(len(hidden.shape)), list(mask.shape)
    sizes = [hidden.shape[axis] for axis in axes]
    for first in range(len(shape) - len(axes), 0, -1):
        if shape[first : first + len(axes)] == sizes:
            return Place(state, first, axes)
    known = len(shape) - 1
    if 0 < known < len(axes) and shape[1:] == sizes[:known]:
        return Place(state, 1, axes[:known])
    return None


def _moved(
    reduce: Callable[..., Tensor], values: Tensor, kept: list[int], rank: int, first: int
) -> Tensor:
    """Reduces all axes but the batch and those that are kept, and places these."""
    others = tuple(i for i in range(1, len(values.shape)) if i not in kept)
    values = reduce(values, axis=others) if others else values
    size = ops.shape(values)
    shape = [size[0], *[1] * (rank - 1)]
    shape[first : first + len(kept)] = size[1:]
    return ops.reshape(values, shape)
