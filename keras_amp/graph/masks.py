"""Masks that bypass a mix point, and how those of two examples are united.

Two mixed examples have one mask. How it follows from theirs depends on what True means:

==========  =========================  =============================================
meaning     True stands where          for two examples
==========  =========================  =============================================
"keep"      a position counts          True where it counts in either
"hide"      a position is padding      True where it is padding in both
"select"    a position is picked out,  True where either has picked it
            to be pooled at, say
==========  =========================  =============================================

An input with the word "mask" in its name has the meaning "keep". The meaning of a boolean
that the model computes is found by a trial (``keras_amp.graph.mask_trial``). Where it is
not found, the user has to say it.
"""

import keras
from keras import ops

from keras_amp.graph import batch_axis, keras_compat
from keras_amp.graph.mask_names import is_mask_input, may_be_mask
from keras_amp.graph.mask_trial import meaning_of
from keras_amp.policies.operators import expand_like
from keras_amp.typing import Tensor

# The meaning of a mask that is the same for all examples; it is passed on as it is.
SHARED = "shared"

# Operations whose values do not depend on the tensor that they are called on.
_CONSTANTS = ("OnesLike", "ZerosLike")


class _UndecidedError(Exception):
    """A boolean whose meaning is not found."""


class _BypassError(Exception):
    """An input that is no mask."""


Found = tuple[Tensor, str]  # a mask and its meaning


def masks_around(
    model: keras.Model,
    mixed: list[Tensor],
    entries: list[Tensor],
    name: str,
    meanings: dict[str, str],
) -> list[Found]:
    """Find the masks that operations above a mix point read from below it.

    Args:
        model: A functional model.
        mixed: List of its tensors that are mixed.
        entries: List of the tensors that are mixed in their place.
        name: The mix point's name, for errors.
        meanings: Dict from names of layers, operations and inputs to ``MEANINGS``.

    Returns:
        A list of tuples ``(tensor, meaning)``, where a meaning may also be ``SHARED``.

    Raises:
        ValueError: If an output does not depend on the mix point, an input that
            is no mask bypasses it, or a boolean's meaning is not found.
    """
    downstream = {id(x) for x in mixed}
    for node in keras_compat.nodes_of(model):
        if any(id(x) in downstream for x in node.input_tensors):
            downstream.update(id(x) for x in node.outputs)
    beside = [i for i, x in enumerate(model.outputs) if id(x) not in downstream]
    if beside:
        which = "it"
        if len(model.outputs) > 1:
            which = f"the output '{model.output_names[beside[0]]}'"
        raise ValueError(
            f"Expected the model's output to depend on the mix layer '{name}'. Received: "
            f"a model in which {which} does not. Mix where all outputs come from."
        )
    sources = _Sources(model, meanings)
    found: list[Found] = []
    cut, visited = {id(x) for x in entries}, set()
    waiting: list[tuple[Tensor, keras.Operation | None]]
    waiting = [(x, None) for x in model.outputs]
    while waiting:
        x, reader = waiting.pop()
        if id(x) in cut or id(x) in visited:
            continue
        visited.add(id(x))
        if id(x) in downstream:
            node = keras_compat.node_of(x)
            waiting.extend((parent, node.operation) for parent in node.input_tensors)
        elif reader is not None:
            found.extend(_masks_of(x, reader, name, sources))
    _check_rows_are_examples(model, found)
    return found


def _check_rows_are_examples(model: keras.Model, found: list[Found]) -> None:
    """Raise if the first axis of a mask that is to be united is not the batch."""
    first = batch_axis.is_first(model, [x for x, _ in found])
    for (x, meaning), is_first in zip(found, first, strict=True):
        if is_first is False and meaning != SHARED:
            name = keras_compat.node_of(x).operation.name
            raise ValueError(
                "Expected masks whose first axis is the batch, so that those of two "
                f"mixed examples can be united. Received: '{name}', of the shape "
                f"{x.shape}. Name the mask that it is computed from."
            )


def _masks_of(
    x: Tensor, reader: keras.Operation, name: str, sources: "_Sources"
) -> list[Found]:
    """The masks behind a tensor; raises an error for the user if one is not found."""
    try:
        return sources.of(x)
    except _UndecidedError as error:
        (tensor,) = error.args
        operation = keras_compat.node_of(tensor).operation
        raise ValueError(
            "Expected masks that keep or hide positions, so that those of two mixed "
            f"examples can be united. Received: '{operation.name}', which reaches "
            f"'{reader.name}' around the mix layer '{name}'; what True means in it was "
            "not found. Say so by an argument, "
            f'`masks={{"{operation.name}": "select"}}` if True picks positions out (to '
            'pool at, say), "keep" if it stands where a position counts, "hide" where it '
            "is padding."
        ) from None
    except _BypassError as error:
        (tensor,) = error.args
        source = keras_compat.node_of(tensor).operation.name
        raise ValueError(
            "Expected every input, except masks, to reach the layers above the mix layer "
            f"'{name}' through it. Received: the input '{source}' reaches "
            f"'{reader.name}' around it, so the two examples' values would not be mixed. "
            "Mix behind the layer where the paths have joined, or at several places "
            f"together, `mix_at={_together(name, tensor)}`. If the input is a mask, or a "
            f'layer computes one from it, name it: `masks={{"{source}": "keep"}}` if '
            'True stands where a position counts, "hide" where it is padding.'
        ) from None


def _together(name: str, x: Tensor) -> str:
    """A tuple of a mix point's name and that of an input of numbers, as text."""
    floating = keras.backend.is_float_dtype(x.dtype)
    other = repr(keras_compat.node_of(x).operation.name) if floating else "..."
    return f"({name!r}, {other})"


class _Sources:
    """Follows tensors that bypass a mix point down to the masks that they depend on.

    Args:
        model: The model.
        meanings: As ``masks_around``.
    """

    def __init__(self, model: keras.Model, meanings: dict[str, str]) -> None:
        self.model, self.meanings = model, meanings
        self._seen: set[int] = set()

    def of(self, x: Tensor) -> list[Found]:
        """Return the masks behind a tensor, as ``masks_around``; each of them once."""
        if id(x) in self._seen:
            return []
        found = self._of(x)
        self._seen.add(id(x))
        return found

    def _of(self, x: Tensor) -> list[Found]:
        node = keras_compat.node_of(x)
        meaning = self.meanings.get(node.operation.name)
        if meaning is None and is_mask_input(x):
            meaning = "keep"
        if meaning is None and x.dtype == "bool":
            meaning = self._meaning_of_boolean(x)
        if meaning is not None:
            return [(x, meaning)]
        if node.is_input:
            raise (_UndecidedError if may_be_mask(x) else _BypassError)(x)
        try:
            return [mask for parent in node.input_tensors for mask in self.of(parent)]
        except _BypassError:
            if x.dtype != "bool":
                raise
            raise _UndecidedError(x) from None

    def _meaning_of_boolean(self, x: Tensor) -> str | None:
        """What a boolean means; None if the masks that it depends on are to be united."""
        inputs, said = _ancestors(x, self.meanings)
        if said:
            return None
        (first,) = batch_axis.is_first(self.model, [x])
        if not inputs:
            return SHARED if first is False else "keep"
        if first is False or all(map(is_mask_input, inputs)):
            return None
        return meaning_of(x, inputs)


def _ancestors(x: Tensor, meanings: dict[str, str]) -> tuple[list[Tensor], bool]:
    """The inputs on whose values a tensor depends.

    Returns:
        A list of symbolic inputs, and whether ``meanings`` name one of the operations on
        the way to them.
    """
    inputs: list[Tensor] = []
    said, waiting, seen = False, [x], set()
    while waiting:
        x = waiting.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        node = keras_compat.node_of(x)
        said = said or node.operation.name in meanings
        if node.is_input:
            inputs.append(x)
        elif keras_compat.ops_name(node.operation) not in _CONSTANTS:
            waiting.extend(node.input_tensors)
    return inputs, said


def united(
    mask: Tensor, partner_mask: Tensor, lam: Tensor, meaning: str = "keep"
) -> Tensor:
    """Unite the masks of two examples, in the masks' own dtype.

    An example whose share is exactly 0 does not take part.

    Args:
        mask: Tensor ``(batch_size, ...)``.
        partner_mask: Tensor of the same shape and dtype.
        lam: Float32 tensor ``(batch_size,)``, the share of the example itself; or one
            that broadcasts to the masks, its share of each position.
        meaning: One of ``MEANINGS``.

    Returns:
        A tensor of the masks' shape and dtype.

    Example:
    >>> one, other = np.array([[True, False]]), np.array([[True, True]])
    >>> keras_amp.graph.masks.united(one, other, np.array([0.5])).numpy()
    array([[ True,  True]])
    >>> keras_amp.graph.masks.united(one, other, np.array([0.5]), "hide").numpy()
    array([[ True, False]])
    """
    lam = expand_like(lam, mask) if len(lam.shape) == 1 else lam
    hides = meaning == "hide"
    absent = ops.ones_like(mask) if hides else ops.zeros_like(mask)
    own = ops.where(lam > 0, mask, absent)
    other = ops.where(lam < 1, partner_mask, absent)
    if keras.backend.standardize_dtype(mask.dtype) == "bool":
        return (ops.logical_and if hides else ops.logical_or)(own, other)
    return (ops.minimum if hides else ops.maximum)(own, other)
