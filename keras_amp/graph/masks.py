"""Masks that reach the layers above a mix point around it, and how two are united.

Two mixed examples have one mask. How it follows from theirs depends on what True says:

==========  =========================  =============================================
meaning     True stands where          of two examples
==========  =========================  =============================================
"keep"      a position counts          True where it counts in either
"hide"      a position is padding      True where it is padding in both
"select"    a position is picked out,  True where either has picked it
            to be pooled at, say
==========  =========================  =============================================

An input with the word "mask" in its name keeps; of booleans that the model computes the
meaning is found by a trial (``meaning_of``). What cannot be found the user has to say.
"""

import re

import keras
import numpy as np
from keras import ops

from keras_amp.graph import batch_axis, keras_compat
from keras_amp.policies.operators import expand_like

# Of a mask that is the same for all examples; it is handed on as it is.
SHARED = "shared"

# Inputs of masked language models that are about a mask without being one:
# `mask_positions`, `mask_ids`, `mask_weights`.
_OF_MASKED_WORDS = {"positions", "ids", "weights"}
# PyTorch's `key_padding_mask` says True where padding stands, others the opposite.
_OF_PYTORCH = {"key", "padding", "mask"}
# Ids of parts of a text, whose 0 is no padding.
_OF_SEGMENTS = {"segment", "segments", "type", "types"}
# Their values do not depend on the tensor that they are called on.
_CONSTANTS = ("OnesLike", "ZerosLike")
# Ids that are tried as words, beside those near the numbers that a graph compares with.
_WORDS = (2, 3, 5, 11, 101, 1009, 10007, 100003, 1000003)


class _UndecidedError(Exception):
    """A boolean whose meaning is not seen."""


class _BypassError(Exception):
    """An input that is no mask."""


def masks_around(model, mixed, entries, name, meanings):
    """Finds the masks that operations above a mix point read from below it.

    Args:
        model: A functional model.
        mixed: List of its tensors that are mixed.
        entries: List of the tensors that are mixed in their place.
        name: The mix point's name, for errors.
        meanings: Dict from names of layers, operations and inputs to ``MEANINGS``.

    Returns:
        A list of tuples ``(tensor, meaning)``, where a meaning may also be ``SHARED``.

    Raises:
        ValueError: If the model's output does not depend on the mix point, an input that
            is no mask reaches the output around it, or a boolean's meaning is not seen.
    """
    downstream = {id(x) for x in mixed}
    for node in keras_compat.nodes_of(model):
        if any(id(x) in downstream for x in node.input_tensors):
            downstream.update(id(x) for x in node.outputs)
    if not any(id(output) in downstream for output in model.outputs):
        raise ValueError(
            f"Expected the model's output to depend on the mix layer '{name}'. Received: "
            "a model in which it does not."
        )
    sources = _Sources(model, meanings)
    found, cut = [], {id(x) for x in entries}
    waiting, visited = [(x, None) for x in model.outputs], set()
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
    _check_batch_axis(model, found)
    return found


def _check_batch_axis(model, found):
    """Raises if masks are to be united whose first axis is not the batch."""
    first = batch_axis.is_first(model, [x for x, _ in found])
    for (x, meaning), is_first in zip(found, first, strict=True):
        if is_first is False and meaning != SHARED:
            name = keras_compat.node_of(x).operation.name
            raise ValueError(
                "Expected masks whose first axis is the batch, so that those of two "
                f"mixed examples can be united. Received: '{name}', of the shape "
                f"{x.shape}. Name the mask that it is computed from."
            )


def _masks_of(x, reader, name, sources):
    try:
        return sources.of(x)
    except _UndecidedError as error:
        (tensor,) = error.args
        operation = keras_compat.node_of(tensor).operation
        raise ValueError(
            "Expected masks that keep or hide positions, so that those of two mixed "
            f"examples can be united. Received: '{operation.name}', which reaches "
            f"'{reader.name}' around the mix layer '{name}', and of which it is not seen "
            "what True stands for. Say so by an argument, "
            f'`masks={{"{operation.name}": "select"}}` if True picks positions out (to '
            'pool at, say), "keep" if it stands where a position counts, "hide" where it '
            "is padding."
        ) from None
    except _BypassError as error:
        (tensor,) = error.args
        source = keras_compat.node_of(tensor).operation.name
        raise ValueError(
            f"Expected every input to reach the layers above the mix layer '{name}' "
            f"through it, masks apart. Received: the input '{source}' reaches "
            f"'{reader.name}' around it, so the two examples' values would not be mixed. "
            "Mix behind the layer where the paths have joined, or at several places "
            f"together, `mix_at={_together(name, tensor)}`. If the input is a mask, or a "
            f'layer computes one from it, name it: `masks={{"{source}": "keep"}}` if '
            'True stands where a position counts, "hide" where it is padding.'
        ) from None


def _together(name, x):
    """How a mix point's name and an input of numbers stand in one tuple."""
    floating = keras.backend.is_float_dtype(x.dtype)
    other = repr(keras_compat.node_of(x).operation.name) if floating else "..."
    return f"({name!r}, {other})"


class _Sources:
    """Follows tensors that bypass a mix point down to the masks that they come from.

    Args:
        model: The model.
        meanings: As ``masks_around``.
    """

    def __init__(self, model, meanings):
        self.model, self.meanings = model, meanings
        self._seen = set()

    def of(self, x):
        """Returns the masks behind a tensor, as ``masks_around``; each of them once."""
        if id(x) in self._seen:
            return []
        found = self._of(x)
        self._seen.add(id(x))
        return found

    def _of(self, x):
        node = keras_compat.node_of(x)
        meaning = self.meanings.get(node.operation.name)
        if meaning is None and _is_mask_input(x):
            meaning = "keep"
        if meaning is None and x.dtype == "bool":
            meaning = self._meaning_of_boolean(x)
        if meaning is not None:
            return [(x, meaning)]
        if node.is_input:
            raise (_UndecidedError if _may_be_mask(x) else _BypassError)(x)
        try:
            return [mask for parent in node.input_tensors for mask in self.of(parent)]
        except _BypassError:
            if x.dtype != "bool":
                raise
            raise _UndecidedError(x) from None

    def _meaning_of_boolean(self, x):
        """What a boolean means as a whole; None to look at what it comes from."""
        inputs, said = _ancestors(x, self.meanings)
        if said:
            return None
        (first,) = batch_axis.is_first(self.model, [x])
        if not inputs:
            return SHARED if first is False else "keep"
        if first is False or all(map(_is_mask_input, inputs)):
            return None  # what it is computed from is united
        return meaning_of(x, inputs)


def _ancestors(x, meanings):
    """The inputs on whose values a tensor depends.

    Returns:
        A list of symbolic inputs, and whether ``meanings`` name one of the operations on
        the way to them.
    """
    inputs, said, waiting, seen = [], False, [x], set()
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


def _words(x):
    return set(re.split(r"[^a-z]+", keras_compat.node_of(x).operation.name.lower()))


def _may_be_mask(x):
    """Whether an input may be a mask, though it is not seen of which kind."""
    return x.dtype == "bool" or _words(x) >= _OF_PYTORCH


def _is_mask_input(x):
    """Whether an input is a mask that says 1 or True where a position counts."""
    words = _words(x)
    others = words & _OF_MASKED_WORDS or words >= _OF_PYTORCH
    return keras_compat.node_of(x).is_input and "mask" in words and not others


def meaning_of(x, inputs):
    """Finds out what a boolean means, by trying what it says of words and of padding.

    The graph below the boolean is run on texts of nothing but padding, which is 0 (a mask
    input says 0 there) or negative, and on texts of nothing but one word each.

    Args:
        x: Symbolic boolean tensor.
        inputs: The symbolic inputs on which its values depend.

    Returns:
        ``"keep"`` if it is False for padding and True for words, ``"hide"`` if it is the
        other way round, else None. None also where the words differ or weights decide.

    Example:
    >>> ids = keras.Input((7,), dtype="int32")
    >>> keras_amp.graph.masks.meaning_of(ids != 0, [ids])
    'keep'
    >>> keras_amp.graph.masks.meaning_of(keras.ops.equal(ids, 0), [ids])
    'hide'
    >>> keras_amp.graph.masks.meaning_of(keras.ops.equal(ids, 9), [ids])  # it picks the nines
    """
    ids = [v for v in inputs if not _is_mask_input(v)]
    if any(_words(v) & _OF_SEGMENTS or _may_be_mask(v) for v in ids):
        return None
    function = keras.Function(inputs, x)
    constants = _numbers_in(function)
    if constants is None:
        return None
    integers = all(not keras.backend.is_float_dtype(v.dtype) for v in ids)

    def says(values, counts):
        """What the boolean says of each value, True, False or None if it is not one."""
        return [_answer(function, inputs, value, counts) for value in values]

    words = says(_trial_words(constants, ids), True)
    (zero,) = says([0], False)
    if None in (zero, *words):
        return None
    largest = words[-1]
    if zero is False and largest is True and (integers or all(words)):
        return "keep"
    if len(set(words)) > 1:
        return None
    if zero is not largest:
        return "hide"
    negative = [c for c in constants if c < 0] + ([-1, -100] if integers else [])
    if any(answer is (not largest) for answer in says(negative, False)):
        return "keep" if largest else "hide"
    return None


def _numbers_in(function):
    """The numbers that a graph's operations are called with; None if weights play in."""
    numbers = set()
    for node in keras_compat.nodes_of(function):
        if node.is_input:
            continue
        if getattr(node.operation, "variables", None):
            return None
        arguments = [*node.arguments.args, *node.arguments.kwargs.values()]
        arguments += [v for v in vars(node.operation).values() if np.isscalar(v)]
        for argument in arguments:
            numbers.update(_numbers(argument))
    return numbers


def _numbers(value):
    if isinstance(value, keras.KerasTensor):
        return []
    try:
        array = np.asarray(value)
    except Exception:  # a tensor of another kind, or no array at all
        return []
    if array.dtype.kind not in "iuf" or array.size > 1000:
        return []
    return [float(v) for v in np.unique(array) if np.isfinite(v)]


def _trial_words(constants, ids):
    """Values that stand for words: none that a constant names, the largest last."""
    if any(keras.backend.is_float_dtype(v.dtype) for v in ids):
        near = {c + d for c in constants for d in (-0.25, 0.25)}
        return [v for v in sorted(near) if v not in (*constants, 0)] + [-9876.5, 9876.5]
    limit = min((np.iinfo(v.dtype).max for v in ids), default=2**31 - 1)
    # Not the largest there is, to which the graph could not add anything.
    above = max([min(limit // 2, 2**30), *(c + 1 for c in constants if c < limit)])
    tried = {*_WORDS, *(c + d for c in constants for d in (-1, 1))}
    words = sorted(v for v in tried if 0 < v < above and v not in constants)
    return [*words, above]


def _answer(function, inputs, value, counts):
    """What a boolean says of inputs that hold one value: True, False, or None for both.

    Args:
        function: From the inputs to the boolean.
        inputs: The symbolic inputs.
        value: Number, what ids and features hold.
        counts: Whether mask inputs say that positions count.
    """
    arrays = [
        np.full(
            [3 if n is None else n for n in v.shape],
            counts if _is_mask_input(v) else value,
        ).astype(v.dtype)
        for v in inputs
    ]
    try:
        answers = ops.convert_to_numpy(function(arrays))
    except Exception:  # whatever the layers cannot do with such a text
        return None
    return bool(answers.flat[0]) if (answers == answers.flat[0]).all() else None


def united(mask, partner_mask, lam, meaning="keep"):
    """Unites the masks of two examples, in the masks' own dtype.

    An example whose share is exactly 0 does not take part.

    Args:
        mask: Tensor ``(batch_size, ...)``.
        partner_mask: Tensor of the same shape and dtype.
        lam: Float32 tensor ``(batch_size,)``, the share of the example itself.
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
    lam = expand_like(lam, mask)
    hides = meaning == "hide"
    absent = ops.ones_like(mask) if hides else ops.zeros_like(mask)
    own = ops.where(lam > 0, mask, absent)
    other = ops.where(lam < 1, partner_mask, absent)
    if keras.backend.standardize_dtype(mask.dtype) == "bool":
        return (ops.logical_and if hides else ops.logical_or)(own, other)
    return (ops.minimum if hides else ops.maximum)(own, other)
