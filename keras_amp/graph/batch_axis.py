"""The batch axis of a graph's tensors: whether every example still stands by itself.

Examples are mixed by their place on the first axis. So a tensor can be mixed only where
that axis is the batch, and mixing commutes with an operation only where the operation
leaves the batch alone. A transposition that moves axis 0, a reshape that joins examples
and a concatenation along axis 0 do not.
"""

import math

import keras
import numpy as np
from keras import tree

from keras_amp.graph import keras_compat

# The sizes that unknown axes are given to see which one is the batch. They are primes, so
# that no other size of a network is likely to equal that of the batch.
_BATCH_SIZE = 7919
_LENGTHS = (101, 103, 107, 109, 113, 127)


def keeps_examples(node):
    """Whether a node treats axis 0 of all its tensors as the batch.

    Args:
        node: A node whose operation is one of those that ``keras_amp.graph.affine`` lists. The
            first axis of its symbolic inputs is the batch.

    Returns:
        True if example ``i`` of the output depends on example ``i`` of the inputs alone,
        in the same way for all ``i``; False if not, or if that cannot be seen.
    """
    operation = node.operation
    ranks = {len(x.shape) for x in node.input_tensors}
    if len(ranks) > 1:
        return False  # broadcasting aligns the last axes, not the batch
    (rank,) = ranks
    kind = keras_compat.ops_name(operation) or type(operation).__name__
    if kind == "GetItem":
        return _keeps_all_rows(node)
    constants = [shape for shape in _constant_shapes(node) if shape]
    if not isinstance(operation, keras.layers.Layer) and kind in ("Add", "Subtract"):
        return all(_is_the_same_for_all(shape, rank) for shape in constants)
    if constants:
        return False  # its rows may differ from example to example
    return _CHECKS.get(kind, lambda node, rank: True)(node, rank)


def _constant_shapes(node):
    """The shapes of what a node is called with beside symbolic tensors."""
    constants = []
    for argument in (*node.arguments.args, *node.arguments.kwargs.values()):
        leaves = tree.flatten(argument)
        symbolic = [isinstance(leaf, keras.KerasTensor) for leaf in leaves]
        # A list that holds tensors is a list of operands, another one is an array.
        operands = leaves if any(symbolic) else [argument]
        constants += [x for x in operands if not isinstance(x, keras.KerasTensor)]
    return [tuple(getattr(c, "shape", None) or np.shape(c)) for c in constants]


def _is_the_same_for_all(shape, rank):
    """Whether a constant of a shape is added to all examples alike."""
    return len(shape) < rank or (len(shape) == rank and shape[0] == 1)


def _keeps_all_rows(node):
    """Whether an index takes axis 0 as a whole, and parts of the others only."""
    arguments = [*node.arguments.args, *node.arguments.kwargs.values()]
    key = arguments[1] if isinstance(arguments[1], (tuple, list)) else (arguments[1],)
    kinds = (slice, int, type(None), type(Ellipsis))
    if not key or not all(isinstance(part, kinds) for part in key):
        return False
    if key[0] is Ellipsis:
        # It stands for no axis at all where the others name every one.
        named = sum(part is not None for part in key[1:])
        return named < len(node.input_tensors[0].shape)
    return key[0] == slice(None)


def _keeps_sizes(node, rank):
    """Whether a reshape leaves the size of an example as it was."""
    before, after = (x.shape[1:] for x in (node.input_tensors[0], node.outputs[0]))
    if not node.outputs[0].shape or None in (*before, *after):
        return False
    return math.prod(before) == math.prod(after)


def _keeps_first_axis(node, rank):
    axes = node.operation.axes
    return axes[0] % rank == 0 if axes is not None else rank == 1


def _inserts_behind_batch(node, rank):
    axes = np.atleast_1d(node.operation.axis)
    return all(axis % (rank + len(axes)) != 0 for axis in axes)


def _removes_behind_batch(node, rank):
    axes = node.operation.axis
    return axes is not None and all(axis % rank != 0 for axis in np.atleast_1d(axes))


def _joins_behind_batch(node, rank):
    return node.operation.axis % rank != 0


def _einsum_keeps_batch(node, rank):
    """Whether the first axis of an ``EinsumDense`` is none of its kernel's."""
    layer = node.operation
    inputs, kernel, outputs = (
        layer.equation.replace("->", ",").replace(" ", "").split(",")
    )
    if inputs.startswith("..."):
        return rank > len(inputs) - 3 and outputs.startswith("...")
    first, declared = inputs[0], len(node.outputs[0].shape)
    fits = "..." in outputs or len(outputs) == declared  # Keras believes what is declared
    return fits and outputs[0] == first and first not in kernel + (layer.bias_axes or "")


# Of the others the first axis is the batch whatever their arguments.
_CHECKS = {
    "Reshape": _keeps_sizes,
    "Transpose": _keeps_first_axis,
    "ExpandDims": _inserts_behind_batch,
    "Squeeze": _removes_behind_batch,
    "Concatenate": _joins_behind_batch,
    "EinsumDense": _einsum_keeps_batch,
}


def is_first(function, tensors):
    """Whether the first axis of tensors of a graph is the batch.

    The shapes are inferred anew, for a size of the batch that nothing else has.

    Args:
        function: The graph, a ``keras.Function``.
        tensors: List of its symbolic tensors.

    Returns:
        A list with True, False or, where the shapes do not tell, None for each tensor.
    """
    for lengths in (_LENGTHS, ()):
        try:
            shapes = _shapes(function, tensors, lengths)
        except Exception:  # of any layer, which may fix the sizes that it takes
            continue
        return [_is_batch(shape, _BATCH_SIZE) for shape in shapes]
    of_batch = {x.shape[0] for x in function.inputs if x.shape and x.shape[0]}
    if len(of_batch) == 1:  # the model fixes the size of its batches
        return [_is_batch(tuple(x.shape), *of_batch) for x in tensors]
    return [None] * len(tensors)


def _is_batch(shape, batch_size):
    if not shape:
        return False
    if shape[0] is None and batch_size not in shape:
        return None
    return shape[0] == batch_size


def _shapes(function, tensors, lengths):
    """The shapes of tensors of a graph whose batch has the size ``_BATCH_SIZE``."""

    def resized(x):
        sizes = dict(enumerate(lengths))
        rest = [sizes.get(i) if n is None else n for i, n in enumerate(x.shape[1:])]
        shape = (_BATCH_SIZE, *rest) if x.shape else ()
        return keras.KerasTensor(shape, dtype=x.dtype, sparse=x.sparse, ragged=x.ragged)

    def outputs_of(operation, *args, **kwargs):
        outputs = operation.compute_output_spec(*args, **kwargs)
        given = [x for x in tree.flatten((args, kwargs)) if hasattr(x, "shape")]
        if keras_compat.is_of_keras(operation) or not any(
            x.shape and x.shape[0] == _BATCH_SIZE for x in given
        ):
            return outputs
        # A layer of the user's may say None for the batch, whatever its inputs.
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
