"""Layers divided into two parts: one that is affine, and the rest, over the same weights.

A layer with an activation consists of its ``Preactivation`` and its ``Activation``, an
LSTM of its ``Projection`` and its ``Recurrence`` (``keras_amp.graph.lstm``). The affine
part comes first, so that mixing can move behind it (``keras_amp.graph.affine``).
"""

from typing import Any

import keras
from keras import ops, tree

from keras_amp.graph.keras_compat import Node, has_keras_lstm_loop
from keras_amp.graph.lstm import lstm
from keras_amp.typing import Tensor


def call_in_parts(
    layer: keras.layers.Layer, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Tensor:
    """Call a layer as its two parts, one after the other.

    Args:
        layer: A built layer, to which ``is_divisible_lstm`` or
            ``keras_amp.graph.affine.divisible_layers`` applies.
        args: The arguments of its call.
        kwargs: The keyword arguments of its call.

    Returns:
        What the layer returns, up to rounding.
    """
    # The other arguments make no difference to a layer that can be divided.
    masks = {key: value for key, value in kwargs.items() if key == "mask"}
    given = tree.flatten((args, {k: v for k, v in kwargs.items() if k != "mask"}))
    (inputs,) = (x for x in given if isinstance(x, keras.KerasTensor))
    if hasattr(layer, "return_sequences"):
        return Recurrence(layer)(Projection(layer)(inputs), **masks)
    return Activation(layer)(Preactivation(layer)(inputs))


def is_divisible_lstm(node: Node) -> bool:
    """Return whether a node calls an LSTM, or a pair of them, that the parts compute.

    Keras computes all others: those with other activations, with dropout inside of the
    layer, with states that are passed in, returned or kept, and those that cuDNN runs on
    a GPU.

    Args:
        node: A node of a functional model's graph.
    """
    layer = node.operation
    others = {k: v for k, v in node.arguments.kwargs.items() if k != "mask"}
    given = tree.flatten((node.arguments.args, others))
    if sum(isinstance(x, keras.KerasTensor) for x in given) != 1:
        return False  # its first states are passed in
    if type(layer) is keras.layers.Bidirectional:
        one_output = layer.merge_mode is not None and _is_plain(layer)
        ahead, back = _directions(layer)
        alike = ahead.units == back.units and ahead.use_bias == back.use_bias
        return one_output and alike and all(map(_is_plain_lstm, (ahead, back)))
    return _is_plain_lstm(layer)


def _is_plain_lstm(layer: keras.Operation) -> bool:
    return bool(
        isinstance(layer, keras.layers.LSTM)
        and type(layer).call is keras.layers.LSTM.call
        and has_keras_lstm_loop(layer)
        and type(layer.cell) is keras.layers.LSTMCell
        and _is_plain(layer)
        and layer.activation is keras.activations.tanh
        and layer.recurrent_activation is keras.activations.sigmoid
        and not (layer.dropout or layer.recurrent_dropout)
        and not (layer.stateful or layer.return_state or layer.unroll)
        and not (layer.use_cudnn and _has_gpu())
    )


def _has_gpu() -> bool:
    try:
        return bool(keras.distribution.list_devices("gpu"))
    except RuntimeError:  # of JAX, where there is none
        return False


def _is_plain(layer: keras.layers.Layer) -> bool:
    quantized = getattr(layer, "quantization_mode", None) is not None
    return layer.activity_regularizer is None and not quantized


def _directions(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """The LSTMs of a layer: its two directions, or the layer itself."""
    if isinstance(layer, keras.layers.Bidirectional):
        return [layer.forward_layer, layer.backward_layer]
    return [layer]


class LayerPart(keras.layers.Layer):
    """A part of what a layer computes, over its weights.

    Args:
        layer: The built layer.
    """

    def __init__(self, layer: keras.layers.Layer) -> None:
        name = f"{layer.name}_{type(self).__name__.lower()}"
        super().__init__(name=name, dtype=layer.dtype_policy, autocast=False)
        self.layer = layer
        self.supports_masking = layer.supports_masking
        self.built = True


class Preactivation(LayerPart):
    """A layer without its activation."""

    def call(self, inputs: Tensor) -> Tensor:
        """Compute the layer's affine part."""
        activation, self.layer.activation = self.layer.activation, None
        try:
            return self.layer(inputs)
        finally:
            self.layer.activation = activation

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor) -> Tensor:
        """Return the layer's mask."""
        return self.layer.compute_mask(inputs, previous_mask)


class Activation(LayerPart):
    """A layer's activation alone."""

    def call(self, inputs: Tensor) -> Tensor:
        """Apply the activation."""
        return self.layer.activation(inputs)


class Projection(LayerPart):
    """An LSTM's projection of its inputs; of two directions, both side by side."""

    def __init__(self, layer: keras.layers.Layer) -> None:
        super().__init__(layer)
        # The loop needs the mask, whether or not the layer itself passes it on.
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        """Compute ``x W + b``, ``(batch_size, time, 4 * units)`` of each direction."""
        cells = [direction.cell for direction in _directions(self.layer)]
        kernel = ops.concatenate([cell.kernel for cell in cells], axis=-1)
        inputs, kernel = (ops.cast(x, self.compute_dtype) for x in (inputs, kernel))
        projected = ops.matmul(inputs, kernel)
        if cells[0].use_bias:
            bias = ops.concatenate([cell.bias for cell in cells], axis=-1)
            projected = ops.add(projected, ops.cast(bias, self.compute_dtype))
        return projected

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return ``(batch_size, time, 4 * units)``, summed over the directions."""
        width = sum(4 * direction.units for direction in _directions(self.layer))
        return (*input_shape[:2], width)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor) -> Tensor:
        """Return the mask of the inputs."""
        return previous_mask


class Recurrence(LayerPart):
    """The loop of an LSTM over its projected inputs."""

    def call(self, projected: Tensor, mask: Tensor = None) -> Tensor:
        """Compute what the layer returns."""
        projected = ops.transpose(projected, (1, 0, 2))  # (time, batch_size, ...)
        if mask is not None:
            mask = ops.cast(ops.transpose(mask), "bool")
        outputs, first = [], 0
        for direction in _directions(self.layer):
            last = first + 4 * direction.units
            outputs.append(
                self._run_direction(direction, projected[:, :, first:last], mask)
            )
            first = last
        return outputs[0] if len(outputs) == 1 else self._merge_directions(*outputs)

    def _run_direction(
        self, layer: keras.layers.LSTM, projected: Tensor, mask: Tensor
    ) -> Tensor:
        """What one direction returns, in the order of the inputs' time."""
        if layer.go_backwards:
            projected = ops.flip(projected, axis=0)
            mask = None if mask is None else ops.flip(mask, axis=0)
        kernel = ops.cast(layer.cell.recurrent_kernel, self.compute_dtype)
        states = lstm(projected, kernel, mask)
        if mask is not None and layer.zero_output_for_mask:
            states = ops.where(ops.expand_dims(mask, -1), states, 0.0)
        if not layer.return_sequences:
            return states[-1]
        return ops.transpose(states, (1, 0, 2))

    def _merge_directions(self, ahead: Tensor, back: Tensor) -> Tensor:
        if self.layer.return_sequences:
            back = ops.flip(back, axis=1)
        match self.layer.merge_mode:
            case "concat":
                return ops.concatenate([ahead, back], axis=-1)
            case "sum":
                return ahead + back
            case "ave":
                return (ahead + back) / 2
            case "mul":
                return ahead * back

    def compute_output_shape(self, projected_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the layer's output shape."""
        shape: tuple[Any, ...] = self.layer.compute_output_shape(projected_shape)
        return shape

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor) -> Tensor:
        """Return the layer's mask."""
        return self.layer.compute_mask(inputs, previous_mask)
