"""Sinking: mixing as far up a network as affine layers allow, at the same result.

Mixing is affine and its weights sum to one, so it commutes with every affine map
``A(x) = W x + b``, the bias included, whether or not lambda lies in [0, 1]::

    A(lam * x + (1 - lam) * x') = lam * W x + (1 - lam) * W x' + b
                                = lam * A(x) + (1 - lam) * A(x')

So mixing behind a layer that is followed by affine layers alone equals mixing behind
those, up to rounding: for the outputs, and therefore for every gradient, of the weights
too. What the affine layers compute no longer depends on lambda and is computed once a
step, however often the search evaluates what lies above. A layer with an activation is
affine up to it, and is taken apart there: word mixing in a convolutional network becomes
mixing of the convolutions' pre-activations.

One mix point may sink into several tensors, each of which is mixed by the same lambda.
It sinks no further than examples keep to themselves (``keras_amp.graph.batch_axis``).
"""

import collections

import keras

from keras_amp.graph.batch_axis import keeps_examples
from keras_amp.graph.keras_compat import mask_of, nodes_of, ops_name
from keras_amp.graph.layer_parts import Preactivation
from keras_amp.graph.lstm import Projection

# Layers that are affine but for their `activation`.
_WITH_ACTIVATION = (
    keras.layers.Dense,
    keras.layers.EinsumDense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
)
_LINEAR = (
    keras.layers.Identity,
    keras.layers.Reshape,
    keras.layers.Flatten,
    keras.layers.Permute,
    keras.layers.RepeatVector,
    keras.layers.ZeroPadding1D,
    keras.layers.ZeroPadding2D,
    keras.layers.ZeroPadding3D,
    keras.layers.Cropping1D,
    keras.layers.Cropping2D,
    keras.layers.Cropping3D,
    keras.layers.AveragePooling1D,
    keras.layers.AveragePooling2D,
    keras.layers.AveragePooling3D,
    keras.layers.GlobalAveragePooling1D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalAveragePooling3D,
    keras.layers.Add,
    keras.layers.Subtract,
    keras.layers.Average,
    keras.layers.Concatenate,
)
# Operations of `keras.ops`, by name; a constant operand keeps the first two affine.
_OPERATIONS = (
    "Add",
    "Subtract",
    "Reshape",
    "Transpose",
    "ExpandDims",
    "Squeeze",
    "GetItem",
    "Concatenate",
)
# With a mask on the tensor, only what treats every position alike and hands the mask on:
# an average over the words that count would weigh the two examples' words otherwise.
_UNDER_A_MASK = (keras.layers.Dense, keras.layers.Identity)


def split_activations(function, mixed):
    """Finds the layers to be taken apart, so that mixing can sink to their activations.

    Args:
        function: The graph, a ``keras.Function``.
        mixed: List of the tensors that are mixed in it.

    Returns:
        A list of layers, each called once, on tensors that are affine in ``mixed``.
    """
    _, readers = _affine(function, mixed)
    calls = collections.Counter(id(n.operation) for n in nodes_of(function))
    return [
        node.operation
        for node in readers
        if _has_affine_part(node.operation, mixed)
        and keeps_examples(node)
        and calls[id(node.operation)] == 1
    ]


def sunk(function, mixed):
    """Finds the tensors to mix in place of some, as far up as mixing can sink.

    Args:
        function: The graph, a ``keras.Function``.
        mixed: List of the tensors that are mixed in it, by the same lambda.

    Returns:
        A list of tensors, ``mixed`` where it cannot sink.
    """
    affine, readers = _affine(function, mixed)
    read = {id(x) for node in readers for x in node.input_tensors}
    return [x for x in affine if id(x) in read]


def _affine(function, mixed):
    """The tensors that are affine in some tensors, and the nodes that end the region."""
    affine, readers = {id(x): x for x in mixed}, []
    outputs = {id(x) for x in function.outputs}
    for node in nodes_of(function):
        if node.is_input or not any(id(x) in affine for x in node.input_tensors):
            continue
        is_affine = (
            all(id(x) in affine for x in node.input_tensors)
            and not any(id(x) in outputs for x in node.outputs)  # something lies above
            and _is_affine(node, mixed)
            and keeps_examples(node)
        )
        if is_affine:
            affine.update((id(x), x) for x in node.outputs)
        else:
            readers.append(node)
    return list(affine.values()), readers


def _is_affine(node, mixed):
    operation = node.operation
    if not isinstance(operation, keras.layers.Layer):
        return ops_name(operation) in _OPERATIONS and not _masked(mixed)
    if type(operation) in (Preactivation, Projection):
        return True
    if type(operation) in _LINEAR:
        return _allows(operation, mixed)
    return _has_affine_part(operation, mixed) and _is_linear(operation.activation)


def _has_affine_part(operation, mixed):
    """Whether a layer is affine up to its activation, and does nothing beside."""
    return (
        type(operation) in _WITH_ACTIVATION
        and operation.activity_regularizer is None  # a penalty on what was mixed
        and getattr(operation, "quantization_mode", None) is None  # it rounds
        and _allows(operation, mixed)
    )


def _allows(layer, mixed):
    return not _masked(mixed) or type(layer) in _UNDER_A_MASK


def _masked(mixed):
    return any(mask_of(x) is not None for x in mixed)


def _is_linear(activation):
    return activation is None or activation is keras.activations.linear
