"""Affine regions: mixing as far up a network as affine layers allow, at the same result.

Mixing is affine and its weights sum to one, so that it commutes with every affine map
``A(x) = W x + b``, the bias included, whether or not lambda lies in [0, 1]::

    A(lam * x + (1 - lam) * x') = lam * W x + (1 - lam) * W x' + b
                                = lam * A(x) + (1 - lam) * A(x')

So mixing before affine layers equals mixing behind them, up to rounding: the outputs are
equal, and therefore all gradients, those of the weights too. What the affine layers
compute does not depend on lambda and is computed once a step, however often the search
for lambda' evaluates what lies above. A layer with an activation is affine up to it, and
is divided there (``keras_amp.graph.layer_parts``): mixing the words of a convolutional
network becomes mixing the convolutions' preactivations.

The output of one mix point may be read by several such layers. Then several tensors are
mixed in its place, all by the same lambda. Mixing never moves behind an operation that
connects the examples of a batch (``keras_amp.graph.batch_axis``).
"""

import collections

import keras

from keras_amp.graph.batch_axis import keeps_examples
from keras_amp.graph.keras_compat import Node, mask_of, nodes_of, ops_name
from keras_amp.graph.layer_parts import Preactivation, Projection
from keras_amp.typing import Tensor

# Layers that are affine up to their `activation`.
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
# Operations of `keras.ops`, by name. With a constant operand the first two are affine.
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
# Layers that stay affine where the tensor has a mask: they treat all positions alike and
# pass the mask on. An average over the words that count does not, as two examples have
# different numbers of words.
_UNDER_A_MASK = (keras.layers.Dense, keras.layers.Identity)


def divisible_layers(
    function: keras.Function, mixed: list[Tensor]
) -> list[keras.layers.Layer]:
    """Find the layers behind whose affine part the mixing could move.

    Args:
        function: The graph.
        mixed: List of the tensors that are mixed in it.

    Returns:
        A list of layers with an activation, each called once, on tensors that are affine
        in ``mixed``.
    """
    _, readers = _affine_region(function, mixed)
    calls = collections.Counter(id(node.operation) for node in nodes_of(function))
    return [
        node.operation
        for node in readers
        if _has_affine_part(node.operation, mixed)
        and keeps_examples(node)
        and calls[id(node.operation)] == 1
    ]


def mix_tensors(function: keras.Function, mixed: list[Tensor]) -> list[Tensor]:
    """Find the tensors to mix in place of others, as far up as mixing can move.

    Args:
        function: The graph.
        mixed: List of the tensors that are mixed in it, by the same lambda.

    Returns:
        A list of tensors; ``mixed`` itself where mixing cannot move.
    """
    affine, readers = _affine_region(function, mixed)
    read = {id(x) for node in readers for x in node.input_tensors}
    return [x for x in affine if id(x) in read]


def _affine_region(
    function: keras.Function, mixed: list[Tensor]
) -> tuple[list[Tensor], list[Node]]:
    """The tensors that are affine in some tensors, and the nodes that end the region."""
    affine = {id(x): x for x in mixed}
    readers: list[Node] = []
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


def _is_affine(node: Node, mixed: list[Tensor]) -> bool:
    operation = node.operation
    if not isinstance(operation, keras.layers.Layer):
        return ops_name(operation) in _OPERATIONS and not _masked(mixed)
    if type(operation) in (Preactivation, Projection):
        return True
    if type(operation) in _LINEAR:
        return _allows_masks(operation, mixed)
    return _has_affine_part(operation, mixed) and _is_linear(operation.activation)


def _has_affine_part(operation: keras.Operation, mixed: list[Tensor]) -> bool:
    """Whether a layer is affine up to its activation, and has no other effect."""
    return (
        type(operation) in _WITH_ACTIVATION
        and operation.activity_regularizer is None  # a penalty on what was mixed
        and getattr(operation, "quantization_mode", None) is None  # it rounds
        and _allows_masks(operation, mixed)
    )


def _allows_masks(layer: keras.layers.Layer, mixed: list[Tensor]) -> bool:
    return not _masked(mixed) or type(layer) in _UNDER_A_MASK


def _masked(mixed: list[Tensor]) -> bool:
    return any(mask_of(x) is not None for x in mixed)


def _is_linear(activation: object) -> bool:
    return activation is None or activation is keras.activations.linear
