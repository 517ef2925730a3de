"""LSTM layers in two parts: what does not depend on the loop, and a loop with a gradient.

An LSTM (Hochreiter and Schmidhuber, 1997) computes, for each time step t::

    z_t = x_t W + b + h_{t-1} U,    i, f, o = sigmoid(z_i, z_f, z_o),    g = tanh(z_g)
    c_t = f c_{t-1} + i g,          h_t = o tanh(c_t)

The projection ``x_t W + b`` needs no loop: it is one product for all steps, and affine,
so that mixing sinks behind it (``keras_amp.graph.affine``). Nor does most of the gradient.
Walking back, with ``dh_t`` and ``dc_t`` the gradients that reach a step's states,

    dc_t += dh_t o (1 - tanh(c_t)^2)
    dz_i = dc_t g i (1 - i)         dz_f = dc_t c_{t-1} f (1 - f)
    dz_g = dc_t i (1 - g^2)         dz_o = dh_t tanh(c_t) o (1 - o)
    dh_{t-1} = dz_t U^T             dc_{t-1} = dc_t f

the loop needs one product a step, and the kernel's gradient is one product behind it::

    dU = sum_t h_{t-1}^T dz_t = [h_0; h_1; ...]^T [dz_1; dz_2; ...]

Differentiating the loop itself, as backends do, adds up ``dU`` step by step: as many
operations, in small pieces, each of which reads and writes a matrix as large as U.
"""

import itertools

import keras
from keras import ops, tree

from keras_amp.graph.keras_compat import has_keras_lstm_loop
from keras_amp.graph.layer_parts import LayerPart


def lstm(projected, recurrent_kernel, mask=None):
    """The hidden states of an LSTM, from its projected inputs.

    Args:
        projected: Floating-point tensor ``(time, batch_size, 4 * units)``: ``x W + b``,
            in the order of Keras' gates: input, forget, cell, output.
        recurrent_kernel: Tensor ``(units, 4 * units)`` of the same dtype.
        mask: Boolean tensor ``(time, batch_size)`` or None. Where it is False, a step
            keeps the states as they were.

    Returns:
        A tensor ``(time, batch_size, units)``.

    Example:
    >>> projected = np.zeros((3, 2, 8), "float32")
    >>> keras_amp.graph.lstm.lstm(projected, np.ones((2, 8), "float32")).shape
    TensorShape([3, 2, 2])
    """
    if mask is not None:
        mask = ops.expand_dims(mask, -1)

    @ops.custom_gradient
    def recurrence(projected, recurrent_kernel):
        h, c, gates = _forward(projected, recurrent_kernel, mask)

        def gradient(*arguments, upstream=None):
            # Keras hands it over by name or by position, depending on the backend.
            (dh,) = arguments if upstream is None else (upstream,)
            dz = _backward(dh, c, gates, recurrent_kernel, mask)
            units = recurrent_kernel.shape[0]
            h_before = ops.reshape(_shifted(h), (-1, units))
            d_kernel = ops.matmul(
                ops.transpose(h_before), ops.reshape(dz, (-1, 4 * units))
            )
            return dz, d_kernel

        return h, gradient

    return recurrence(
        ops.convert_to_tensor(projected), ops.convert_to_tensor(recurrent_kernel)
    )


# `ops.scan` collects tensors of the carry's shapes only, so what a step hands out is
# carried, too. The mask, where there is one, is the last of a step's inputs.


def _forward(projected, recurrent_kernel, mask):
    """The states h and c and the gates' activations, each ``(time, batch_size, ...)``."""

    def step(carry, inputs):
        (h_before, c_before, _), (z, *here) = carry, inputs
        z = z + ops.matmul(h_before, recurrent_kernel)
        i, f, g, o = ops.split(z, 4, axis=-1)
        i, f, g, o = ops.sigmoid(i), ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o)
        c = f * c_before + i * g
        h = o * ops.tanh(c)
        gates = ops.concatenate([i, f, g, o], axis=-1)
        carry = _where(here, h, h_before), _where(here, c, c_before), gates
        return carry, carry

    gates = ops.zeros_like(projected[0])
    state = ops.zeros_like(gates[:, : recurrent_kernel.shape[0]])
    inputs = (projected,) if mask is None else (projected, mask)
    return _scan(step, (state, state, gates), inputs)


def _backward(dh, c, gates, recurrent_kernel, mask):
    """The gradient with respect to ``projected``, from that of all hidden states."""
    transposed = ops.transpose(recurrent_kernel)

    def step(carry, inputs):
        (dh_after, dc_after, _), (dh, c, c_before, gates, *here) = carry, inputs
        i, f, g, o = ops.split(gates, 4, axis=-1)
        tanh_c = ops.tanh(c)
        dh = dh + dh_after
        dc = dc_after + dh * o * (1 - tanh_c * tanh_c)
        dz = ops.concatenate(
            [
                dc * g * i * (1 - i),
                dc * c_before * f * (1 - f),
                dc * i * (1 - g * g),
                dh * tanh_c * o * (1 - o),
            ],
            axis=-1,
        )
        dz = _where(here, dz, ops.zeros_like(dz))
        dh_before = _where(here, ops.matmul(dz, transposed), dh)
        carry = dh_before, _where(here, dc * f, dc_after), dz
        return carry, carry

    state = ops.zeros_like(c[0])
    inputs = dh, c, _shifted(c), gates
    _, _, dz = _scan(
        step,
        (state, state, ops.zeros_like(gates[0])),
        inputs if mask is None else (*inputs, mask),
        reverse=True,
    )
    return dz


def _scan(step, init, inputs, reverse=False):
    """Scans over the time of several tensors; returns what each step hands out.

    Keras' TensorFlow scan fails on several tensors of unknown time (it takes the missing
    length for an object). There they are scanned as one tensor, and parted in each step.

    Args:
        step: As ``ops.scan`` takes it.
        init: Tuple of tensors, the first carry.
        inputs: Tuple of tensors ``(time, batch_size, ...)``; a mask comes last.
        reverse: Whether time runs backwards.
    """
    if inputs[0].shape[0] is not None or len(inputs) == 1:
        return ops.scan(step, init, inputs, reverse=reverse)[1]
    dtypes = [keras.backend.standardize_dtype(x.dtype) for x in inputs]
    ends = list(itertools.accumulate(x.shape[-1] for x in inputs))
    packed = ops.concatenate([ops.cast(x, dtypes[0]) for x in inputs], axis=-1)

    def of_packed(carry, here):
        parts = ops.split(here, ends[:-1], axis=-1)
        return step(carry, tuple(map(ops.cast, parts, dtypes)))

    return ops.scan(of_packed, init, packed, reverse=reverse)[1]


def _where(here, taken, kept):
    return ops.where(here[0], taken, kept) if here else taken


def _shifted(states):
    """The states before each step; they begin with zeros."""
    return ops.concatenate([ops.zeros_like(states[:1]), states[:-1]], axis=0)


def in_two_parts(node):
    """Whether a graph's node calls an LSTM, or two in one, that the parts can compute.

    What Keras computes otherwise is left to it: other activations, dropout inside of the
    layer, states that are passed in, handed out or kept, and cuDNN on a GPU.

    Args:
        node: A node of a functional model's graph.
    """
    layer = node.operation
    others = {k: v for k, v in node.arguments.kwargs.items() if k != "mask"}
    given = tree.flatten((node.arguments.args, others))
    if sum(isinstance(x, keras.KerasTensor) for x in given) != 1:
        return False  # it is given states to begin with
    if type(layer) is keras.layers.Bidirectional:
        one_output = layer.merge_mode is not None and _plain(layer)
        ahead, back = _directions(layer)
        alike = ahead.units == back.units and ahead.use_bias == back.use_bias
        return one_output and alike and all(map(_is_plain_lstm, (ahead, back)))
    return _is_plain_lstm(layer)


def _is_plain_lstm(layer):
    kind = type(layer)
    return (
        isinstance(layer, keras.layers.LSTM)
        and kind.call is keras.layers.LSTM.call
        and has_keras_lstm_loop(layer)
        and type(layer.cell) is keras.layers.LSTMCell
        and _plain(layer)
        and layer.activation is keras.activations.tanh
        and layer.recurrent_activation is keras.activations.sigmoid
        and not (layer.dropout or layer.recurrent_dropout)
        and not (layer.stateful or layer.return_state or layer.unroll)
        and not (layer.use_cudnn and keras.distribution.list_devices("gpu"))
    )


def _plain(layer):
    quantized = getattr(layer, "quantization_mode", None) is not None
    return layer.activity_regularizer is None and not quantized


def _directions(layer):
    """The LSTMs of a layer: its own two, or itself."""
    if isinstance(layer, keras.layers.Bidirectional):
        return [layer.forward_layer, layer.backward_layer]
    return [layer]


class Projection(LayerPart):
    """An LSTM's projection of its inputs, side by side those of its directions."""

    def call(self, inputs):
        """Computes ``x W + b``, ``(batch_size, time, 4 * units)`` of each direction."""
        cells = [direction.cell for direction in _directions(self.layer)]
        kernel = ops.concatenate([cell.kernel for cell in cells], axis=-1)
        inputs, kernel = (ops.cast(x, self.compute_dtype) for x in (inputs, kernel))
        projected = ops.matmul(inputs, kernel)
        if cells[0].use_bias:
            bias = ops.concatenate([cell.bias for cell in cells], axis=-1)
            projected = ops.add(projected, ops.cast(bias, self.compute_dtype))
        return projected

    def compute_output_shape(self, input_shape):
        """Returns ``(batch_size, time, 4 * units)``, summed over the directions."""
        width = sum(4 * direction.units for direction in _directions(self.layer))
        return (*input_shape[:2], width)

    def compute_mask(self, inputs, previous_mask):
        """The mask of the inputs."""
        return previous_mask


class Recurrence(LayerPart):
    """The loop of an LSTM over its projected inputs."""

    def call(self, projected, mask=None):
        """Computes what the layer returns."""
        projected = ops.transpose(projected, (1, 0, 2))  # (time, batch_size, ...)
        if mask is not None:
            mask = ops.cast(ops.transpose(mask), "bool")
        outputs, first = [], 0
        for direction in _directions(self.layer):
            last = first + 4 * direction.units
            outputs.append(self._states(direction, projected[:, :, first:last], mask))
            first = last
        return outputs[0] if len(outputs) == 1 else self._merge(*outputs)

    def _states(self, layer, projected, mask):
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

    def _merge(self, ahead, back):
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

    def compute_output_shape(self, projected_shape):
        """Returns the layer's."""
        return self.layer.compute_output_shape(projected_shape)

    def compute_mask(self, inputs, previous_mask):
        """The layer's own."""
        return self.layer.compute_mask(inputs, previous_mask)
