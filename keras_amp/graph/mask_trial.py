"""Finds out by a trial what a boolean that a model computes means.

A boolean may say which positions count (``ids != 0``) or which are padding
(``ids == 0``). A mixture needs to know, to unite the booleans of two examples.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_amp.graph import keras_compat
from keras_amp.graph.mask_names import holds_segments, is_mask_input, may_be_mask
from keras_amp.typing import Tensor

# Ids that stand for words, besides those next to the numbers that a graph compares with.
_WORDS = (2, 3, 5, 11, 101, 1009, 10007, 100003, 1000003)


def meaning_of(x: Tensor, inputs: list[Tensor]) -> str | None:
    """Find out what a boolean means by a trial on padding and on words.

    The graph below the boolean is run on texts that hold only padding, which is 0 (and 0
    in mask inputs) or negative, and on texts that hold only one word.

    Args:
        x: Symbolic boolean tensor.
        inputs: The symbolic inputs on which its values depend.

    Returns:
        ``"keep"`` if it is False for padding and True for words, ``"hide"`` if it is the
        other way round, else None. None also if it differs between words, or depends on
        weights.

    Example:
    >>> ids = keras.Input((7,), dtype="int32")
    >>> keras_amp.graph.mask_trial.meaning_of(ids != 0, [ids])
    'keep'
    >>> keras_amp.graph.mask_trial.meaning_of(keras.ops.equal(ids, 0), [ids])
    'hide'
    >>> nines = keras.ops.equal(ids, 9)  # picks positions out
    >>> keras_amp.graph.mask_trial.meaning_of(nines, [ids])
    """
    ids = [v for v in inputs if not is_mask_input(v)]
    if any(holds_segments(v) or may_be_mask(v) for v in ids):
        return None
    function = keras.Function(inputs, x)
    constants = _numbers_in(function)
    if constants is None:
        return None
    integers = all(not keras.backend.is_float_dtype(v.dtype) for v in ids)

    def says(values: list[Any], counts: bool) -> list[bool | None]:
        """What the boolean is for each value, True or False; None if it is both."""
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


def _numbers_in(function: keras.Function) -> set[float] | None:
    """The numbers that a graph's operations are called with; None if it has weights."""
    numbers: set[float] = set()
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


def _numbers(value: Any) -> list[float]:
    if isinstance(value, keras.KerasTensor):
        return []
    try:
        array = np.asarray(value)
    except Exception:  # a tensor of another kind, or no array
        return []
    if array.dtype.kind not in "iuf" or array.size > 1000:
        return []
    return [float(v) for v in np.unique(array) if np.isfinite(v)]


def _trial_words(constants: set[float], ids: list[Tensor]) -> list[float]:
    """Values that stand for words: none of the constants, the largest last."""
    if any(keras.backend.is_float_dtype(v.dtype) for v in ids):
        near = {c + d for c in constants for d in (-0.25, 0.25)}
        return [v for v in sorted(near) if v not in (*constants, 0)] + [-9876.5, 9876.5]
    limit = min((np.iinfo(v.dtype).max for v in ids), default=2**31 - 1)
    # Not the largest integer, to which the graph could not add anything.
    above = max([min(limit // 2, 2**30), *(c + 1 for c in constants if c < limit)])
    tried = {*_WORDS, *(c + d for c in constants for d in (-1, 1))}
    words = sorted(v for v in tried if 0 < v < above and v not in constants)
    return [*words, above]


def _answer(
    function: keras.Function, inputs: list[Tensor], value: float, counts: bool
) -> bool | None:
    """What a boolean is for inputs that hold one value: True, False, or None for both.

    Args:
        function: From the inputs to the boolean.
        inputs: The symbolic inputs.
        value: Number, what ids and features hold.
        counts: Whether mask inputs mark all positions as counting.
    """
    arrays = [
        np.full(
            [3 if n is None else n for n in v.shape],
            counts if is_mask_input(v) else value,
        ).astype(v.dtype)
        for v in inputs
    ]
    try:
        answers = ops.convert_to_numpy(function(arrays))
    except Exception:  # of any kind: a layer may not take such a text
        return None
    return bool(answers.flat[0]) if (answers == answers.flat[0]).all() else None
