"""Hidden states of a batch at a mix point, and the pairs of examples made of them."""

import itertools
import math
from typing import NamedTuple

from keras import ops

from keras_amp.graph import keras_compat
from keras_amp.graph.masks import SHARED, united
from keras_amp.policies.operators import expand_like
from keras_amp.typing import Size, Tensor


class Pair(NamedTuple):
    """Hidden states with those of their partners and the united masks.

    Attributes:
        hidden: The tensors that are mixed, each ``(batch_size, ...)``.
        partner: The same of the partners.
        implicit_masks: The mask that Keras puts on each of ``hidden``; None for no mask.
        masks: The mask tensors that bypass the mix point.
    """

    hidden: list[Tensor]
    partner: list[Tensor]
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

    def pair(self, lam: Tensor, permutation: Tensor) -> Pair:
        """Pair every example with its partner, and unite the masks of the two.

        A position counts if it counts in either example. An example whose share is
        exactly 0 does not take part, so that ``lam = 1`` is training without mixing.

        Args:
            lam: Float32 tensor ``(batch_size,)``, the drawn coefficients.
            permutation: Int32 tensor ``(batch_size,)``.

        Returns:
            A ``Pair``.
        """

        def unite(mask: Tensor | None, meaning: str = "keep") -> Tensor | None:
            if mask is None or meaning == SHARED:
                return mask
            partner = ops.take(mask, permutation, axis=0)
            return united(mask, partner, lam, meaning)

        implicit = [keras_compat.mask_of(x) for x in self.tensors]
        return Pair(
            self.tensors,
            [ops.take(x, permutation, axis=0) for x in self.tensors],
            [unite(mask) for mask in implicit],
            [unite(*mask) for mask in zip(self.masks, self.meanings, strict=True)],
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
    lams = [ops.broadcast_to(expand_like(lam, h), ops.shape(h)) for h in hidden]
    if len(lams) == 1:
        return lams[0]
    return ops.concatenate([ops.reshape(v, _flat(v)) for v in lams], axis=1)


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
