"""The batch axis of a graph's tensors: whether each example still has a row of its own.

Examples are mixed by their index on the first axis. So a tensor can be mixed only if that
axis is the batch, and mixing commutes with an operation only if the operation leaves the
batch axis as it is. A transposition that moves axis 0, a reshape that joins examples and
a concatenation along axis 0 do not.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import tree

from keras_amp.graph import keras_compat
from keras_amp.graph.keras_compat import Node
from keras_amp.typing import Structure, Tensor

Shape = tuple[Any, ...]  # of integers, and None for what is unknown

# Unknown axes receive these sizes, to see which one is the batch. They are primes, so
# that hardly any other size of a network equals that of the batch.
_BATCH_SIZE = 7919
_LENGTHS = (101, 103, 107, 109, 113, 127)


def keeps_examples(node: Node) -> bool:
    """Return whether a node treats axis 0 of all its tensors as the batch.

    Args:
        node: A node whose operation is one that ``keras_amp.graph.affine`` lists. The
            first axis of its symbolic inputs is the batch.

    Returns:
        True if example ``i`` of the output depends on example ``i`` of the inputs alone,
        in the same way for all ``i``; False if not, or if the node does not tell.
    """
    operation = node.operation
    ranks = {len(x.shape) for x in node.input_tensors}
    if len(ranks) > 1:
        return False  # broadcasting aligns the last axes, not the batch
    (rank,) = ranks
    is_layer = isinstance(operation, keras.layers.Layer)
    kind = type(operation).__name__
    if kind == "GetItem":
        return _keeps_all_rows(node)
    constants = [shape for shape in _constant_shapes(node) if shape]
    if not is_layer and kind in ("Add", "Subtract"):
        return all(_is_the_same_for_all(shape, rank) for shape in constants)
    if constants:
        return False  # its rows may differ from example to example
    return kind not in _CHECKS or _CHECKS[kind](node, rank)


def _constant_shapes(node: Node) -> list[Shape]:
    """The shapes of a node's arguments that are no symbolic tensors."""
    constants: list[Any] = []
    for argument in (*node.arguments.args, *node.arguments.kwargs.values()):
        leaves = tree.flatten(argument)
        symbolic = [isinstance(leaf, keras.KerasTensor) for leaf in leaves]
        # A list with tensors in it is a list of operands; any other is an array.
        operands = leaves if any(symbolic) else [argument]
        constants += [x for x in operands if not isinstance(x, keras.KerasTensor)]
    return [tuple(getattr(c, "shape", None) or np.shape(c)) for c in constants]


def _is_the_same_for_all(shape: Shape, rank: int) -> bool:
    """Whether a constant of a shape is added to all examples alike."""
    return len(shape) < rank or (len(shape) == rank and shape[0] == 1)


def _keeps_all_rows(node: Node) -> bool:
    """Whether an index takes axis 0 as a whole; of the others it may take parts."""
    arguments = [*node.arguments.args, *node.arguments.kwargs.values()]
    key = arguments[1] if isinstance(arguments[1], (tuple, list)) else (arguments[1],)
    kinds = (slice, int, type(None), type(Ellipsis))
    if not key or not all(isinstance(part, kinds) for part in key):
        return False
    if key[0] is Ellipsis:
        # It stands for no axis at all where the rest of the index names all of them.
        named = sum(part is not None for part in key[1:])
        return named < len(node.input_tensors[0].shape)
    return key[0] == slice(None)


def _keeps_sizes(node: Node, rank: int) -> bool:
    """Whether a reshape leaves the size of an example as it was."""
    before, after = (x.shape[1:] for x in (node.input_tensors[0], node.outputs[0]))
    if not node.outputs[0].shape or None in (*before, *after):
        return False
    return math.prod(before) == math.prod(after)


def _keeps_first_axis(node: Node, rank: int) -> bool:
    axes = node.operation.axes
    return bool(axes[0] % rank == 0 if axes is not None else rank == 1)


def _inserts_behind_batch(node: Node, rank: int) -> bool:
    axes = np.atleast_1d(node.operation.axis)
    return all(axis % (rank + len(axes)) != 0 for axis in axes)


def _removes_behind_batch(node: Node, rank: int) -> bool:
    axes = node.operation.axis
    return axes is not None and all(axis % rank != 0 for axis in np.atleast_1d(axes))


def _joins_behind_batch(node: Node, rank: int) -> bool:
    return bool(node.operation.axis % rank != 0)


def _einsum_keeps_batch(node: Node, rank: int) -> bool:
    """Whether the first axis of an ``EinsumDense`` is not one of its kernel's."""
    layer = node.operation
    inputs, kernel, outputs = (
        layer.equation.replace("->", ",").replace(" ", "").split(",")
    )
    if inputs.startswith("..."):
        return rank > len(inputs) - 3 and outputs.startswith("...")
    first, declared = inputs[0], len(node.outputs[0].shape)
    # Keras does not compare the declared shape with the equation.
    fits = "..." in outputs or len(outputs) == declared
    return fits and outputs[0] == first and first not in kernel + (layer.bias_axes or "")


# All other operations keep the batch axis, whatever their arguments are.
_CHECKS = {
    "Reshape": _keeps_sizes,
    "Transpose": _keeps_first_axis,
    "ExpandDims": _inserts_behind_batch,
    "Squeeze": _removes_behind_batch,
    "Concatenate": _joins_behind_batch,
    "EinsumDense": _einsum_keeps_batch,
}


def is_first(function: keras.Function, tensors: list[Tensor]) -> list[bool | None]:
    """Find out whether the batch is the first axis of tensors of a graph.

    The shapes are inferred again, for a batch of a size that no other axis has.

    Args:
        function: The graph.
        tensors: List of its symbolic tensors.

    Returns:
        A list with True, False or, where the shapes do not tell, None for each tensor.
    """
    for lengths in (_LENGTHS, ()):
        try:
            shapes = _shapes(function, tensors, lengths)
        except Exception:  # of any kind: a layer may refuse other sizes than its own
            continue
        return [_is_batch(shape, _BATCH_SIZE) for shape in shapes]
    of_batch = {x.shape[0] for x in function.inputs if x.shape and x.shape[0]}
    if len(of_batch) == 1:  # the model fixes the size of its batches
        return [_is_batch(tuple(x.shape), *of_batch) for x in tensors]
    return [None] * len(tensors)


def _is_batch(shape: Shape, batch_size: int) -> bool | None:
    if not shape:
        return False
    if shape[0] is None and batch_size not in shape:
        return None
    return bool(shape[0] == batch_size)


def _shapes(
    function: keras.Function, tensors: list[Tensor], lengths: tuple[int, ...]
) -> list[Shape]:
    """The shapes of tensors of a graph, for a batch of ``_BATCH_SIZE`` examples."""

    def resized(x: Tensor) -> Tensor:
        sizes = dict(enumerate(lengths))
        rest = [sizes.get(i) if n is None else n for i, n in enumerate(x.shape[1:])]
        shape = (_BATCH_SIZE, *rest) if x.shape else ()
        return keras.KerasTensor(shape, dtype=x.dtype, sparse=x.sparse, ragged=x.ragged)

    def outputs_of(operation: keras.Operation, *args: Any, **kwargs: Any) -> Structure:
        outputs = operation.compute_output_spec(*args, **kwargs)
        given = [x for x in tree.flatten((args, kwargs)) if hasattr(x, "shape")]
        if keras_compat.is_of_keras(operation) or not any(
            x.shape and x.shape[0] == _BATCH_SIZE for x in given
        ):
            return outputs
        # A user's layer may return None for the batch, whatever its inputs are.
        return tree.map_structure(
            lambda x: (
                keras.KerasTensor((_BATCH_SIZE, *x.shape[1:]), dtype=x.dtype)
                if x.shape and x.shape[0] is None
                else x
            ),
            outputs,
        )

    part = keras.Function(function.inputs, tensors)
    inputs = [resized(x) for x in function.inputs]
    outputs = keras_compat.run_graph(part, inputs, outputs_of)
    return [tuple(x.shape) for x in outputs]
