"""Hidden states of a batch at a mix point, and the pairs of examples made of them."""

import itertools
import math
from typing import NamedTuple

from keras import ops

from keras_amp.graph import keras_compat
from keras_amp.graph.mask_places import counted_by, places_of, share_at
from keras_amp.graph.masks import SHARED, united
from keras_amp.policies.operators import expand_like
from keras_amp.typing import Size, Tensor


class Pair(NamedTuple):
    """Hidden states with those of their partners and the united masks.

    Attributes:
        hidden: The tensors that are mixed, each ``(batch_size, ...)``.
        partner: The same of the partners; None where nothing is mixed.
        implicit_masks: The mask that Keras puts on each of ``hidden``; None for no mask.
        masks: The mask tensors that bypass the mix point.
    """

    hidden: list[Tensor]
    partner: list[Tensor] | None
    implicit_masks: list[Tensor | None]
    masks: list[Tensor]


class Hidden:
    """The hidden states of a batch at the mix point, and the masks that go with them.

    Args:
        tensors: The tensors that are mixed, each ``(batch_size, ...)``, with the masks
            that Keras has put on them.
        masks: The mask tensors that bypass the mix point, each ``(batch_size, ...)``.
        meanings: For each of ``masks`` its meaning (``keras_amp.graph.masks``).
    """

    def __init__(
        self, tensors: list[Tensor], masks: list[Tensor], meanings: list[str]
    ) -> None:
        self.tensors, self.masks, self.meanings = tensors, masks, meanings

    def alone(self) -> Pair:
        """Return the hidden states as they are, each example by itself."""
        implicit = [keras_compat.mask_of(x) for x in self.tensors]
        return Pair(self.tensors, None, implicit, self.masks)

    def pair(self, lam: Tensor, permutation: Tensor, stays: Tensor | None = None) -> Pair:
        """Pair every example with its partner, and unite the masks of the two.

        A position counts if it counts in either example. An example whose share is
        exactly 0 does not take part, so that ``lam = 1`` is training without mixing.

        Args:
            lam: Float32 tensor ``(batch_size,)``, the drawn coefficients.
            permutation: Int32 tensor ``(batch_size,)``.
            stays: The share of the example in each dimension, as ``per_dimension``
                returns; then it is that share of a position which says who takes part.
                None for ``lam`` in all of them.

        Returns:
            A ``Pair``.
        """
        shares = None if stays is None else per_hidden_state(stays, self.tensors)

        def unite(mask: Tensor | None, meaning: str, states: slice) -> Tensor | None:
            if mask is None or meaning == SHARED:
                return mask
            share = None
            if shares is not None and meaning != "select":
                share = share_at(mask, self.tensors[states], shares[states])
            partner = ops.take(mask, permutation, axis=0)
            return united(mask, partner, lam if share is None else share, meaning)

        implicit = [keras_compat.mask_of(x) for x in self.tensors]
        masks = zip(self.masks, self.meanings, strict=True)
        return Pair(
            self.tensors,
            [ops.take(x, permutation, axis=0) for x in self.tensors],
            [unite(m, "keep", slice(i, i + 1)) for i, m in enumerate(implicit)],
            [unite(*each, slice(None)) for each in masks],
        )


def per_dimension(lam: Tensor, hidden: list[Tensor]) -> Tensor:
    """Give every dimension of hidden states its example's coefficient.

    Args:
        lam: Float32 tensor ``(batch_size,)``.
        hidden: List of tensors ``(batch_size, ...)``.

    Returns:
        A float32 tensor of the shape of the hidden state; of several hidden states
        ``(batch_size, num_dimensions)``, those of all of them side by side.
    """
    return side_by_side(
        [ops.broadcast_to(expand_like(lam, h), ops.shape(h)) for h in hidden]
    )


def side_by_side(values: list[Tensor]) -> Tensor:
    """Join what there is for each of several hidden states; one alone stays as it is.

    Args:
        values: List of tensors ``(batch_size, ...)``.

    Returns:
        The only tensor, or one ``(batch_size, num_dimensions)``.
    """
    if len(values) == 1:
        return values[0]
    return ops.concatenate([ops.reshape(v, _flat(v)) for v in values], axis=1)


def positions(pair: Pair, meanings: list[str]) -> list[Tensor | None]:
    """Return which positions of each hidden state are no padding, as far as it is known.

    That is the mask that Keras puts on it, or one that bypasses the mix point and is
    about its positions (``keras_amp.graph.mask_places``).

    Args:
        pair: A ``Pair``.
        meanings: For each of its ``masks`` its meaning (``keras_amp.graph.masks``).

    Returns:
        A list of boolean tensors that broadcast to the hidden states; None where no mask
        is known.
    """
    found: list[Tensor | None] = [None] * len(pair.hidden)
    for i, mask in enumerate(pair.implicit_masks):
        if mask is not None:
            for place in places_of(mask, [pair.hidden[i]]):
                found[i] = counted_by(ops.cast(mask, "bool"), pair.hidden[i], place)
    for mask, meaning in zip(pair.masks, meanings, strict=True):
        if meaning not in ("keep", "hide"):
            continue
        keeps = ops.cast(mask, "bool")
        keeps = ops.logical_not(keeps) if meaning == "hide" else keeps
        for place in places_of(mask, pair.hidden):
            if found[place.state] is None:
                hidden = pair.hidden[place.state]
                found[place.state] = counted_by(keeps, hidden, place)
    return found


def per_hidden_state(lam: Tensor, hidden: list[Tensor]) -> list[Tensor]:
    """Return the coefficients of each hidden state.

    Args:
        lam: Float32 tensor ``(batch_size,)``, or what ``per_dimension`` returns.
        hidden: List of tensors ``(batch_size, ...)``.

    Returns:
        A list of as many tensors, each ``(batch_size,)`` or of its hidden state's shape.
    """
    if len(hidden) == 1 or len(lam.shape) == 1:
        return [lam] * len(hidden)
    ends = [0, *itertools.accumulate(_flat(h)[1] for h in hidden)]
    return [
        ops.reshape(lam[:, first:last], ops.shape(h))
        for h, first, last in zip(hidden, ends, ends[1:], strict=False)
    ]


def _flat(x: Tensor) -> tuple[Size, int]:
    """The shape ``(batch_size, num_dimensions)`` of a tensor's values."""
    return (ops.shape(x)[0], math.prod(ops.shape(x)[1:]))
