"""The loop of an LSTM, with a gradient of its own that needs less of the loop.

An LSTM (Hochreiter and Schmidhuber, 1997) computes, for each time step t::

    z_t = x_t W + b + h_{t-1} U,    i, f, o = sigmoid(z_i, z_f, z_o),    g = tanh(z_g)
    c_t = f c_{t-1} + i g,          h_t = o tanh(c_t)

The projection ``x_t W + b`` is computed outside of the loop, by one product for all
steps. It is affine, so that mixing can move behind it (``keras_amp.graph.affine``). Most
of the gradient is computed outside, too. Let ``dh_t`` and ``dc_t`` be the gradients with
respect to a step's states. The loop runs backwards in time::

    dc_t += dh_t o (1 - tanh(c_t)^2)
    dz_i = dc_t g i (1 - i)         dz_f = dc_t c_{t-1} f (1 - f)
    dz_g = dc_t i (1 - g^2)         dz_o = dh_t tanh(c_t) o (1 - o)
    dh_{t-1} = dz_t U^T             dc_{t-1} = dc_t f

It needs one product a step. The kernel's gradient is one product after the loop::

    dU = sum_t h_{t-1}^T dz_t = [h_0; h_1; ...]^T [dz_1; dz_2; ...]

A backend that differentiates the loop itself adds up ``dU`` step by step. That takes as
many operations, but each step reads and writes a matrix as large as U.
"""

import itertools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_amp.typing import Tensor


def lstm(projected: Tensor, recurrent_kernel: Tensor, mask: Tensor = None) -> Tensor:
    """Compute the hidden states of an LSTM from its projected inputs.

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
    def recurrence(projected: Tensor, recurrent_kernel: Tensor) -> Any:
        h, c, gates = _forward(projected, recurrent_kernel, mask)

        def gradient(*arguments: Tensor, upstream: Tensor = None) -> tuple[Tensor, ...]:
            # Keras passes it by name or by position, depending on the backend.
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


# `ops.scan` collects tensors of the carry's shapes only, so the carry also holds what a
# step returns. The mask, if there is one, is the last of a step's inputs.


def _forward(
    projected: Tensor, recurrent_kernel: Tensor, mask: Tensor
) -> tuple[Tensor, ...]:
    """The states h and c and the gates' activations, each ``(time, batch_size, ...)``."""

    def step(carry: Any, inputs: Any) -> Any:
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


def _backward(
    dh: Tensor, c: Tensor, gates: Tensor, recurrent_kernel: Tensor, mask: Tensor
) -> Tensor:
    """The gradient with respect to ``projected``, from that of all hidden states."""
    transposed = ops.transpose(recurrent_kernel)

    def step(carry: Any, inputs: Any) -> Any:
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


def _scan(
    step: Callable[[Any, Any], Any],
    init: tuple[Tensor, ...],
    inputs: tuple[Tensor, ...],
    reverse: bool = False,
) -> tuple[Tensor, ...]:
    """Scan over the time of several tensors; return what each step returns.

    On TensorFlow, Keras' scan fails on several tensors whose time is unknown (it treats
    the missing length as an object). They are then scanned as one tensor, which each step
    splits.

    Args:
        step: As ``ops.scan`` takes it.
        init: Tuple of tensors, the first carry.
        inputs: Tuple of tensors ``(time, batch_size, ...)``; a mask comes last.
        reverse: Whether time runs backwards.
    """
    if inputs[0].shape[0] is not None or len(inputs) == 1:
        _, states = ops.scan(step, init, inputs, reverse=reverse)
        return states
    dtypes = [keras.backend.standardize_dtype(x.dtype) for x in inputs]
    ends = list(itertools.accumulate(x.shape[-1] for x in inputs))
    packed = ops.concatenate([ops.cast(x, dtypes[0]) for x in inputs], axis=-1)

    def of_packed(carry: Any, here: Tensor) -> Any:
        parts = ops.split(here, ends[:-1], axis=-1)
        return step(carry, tuple(map(ops.cast, parts, dtypes)))

    _, states = ops.scan(of_packed, init, packed, reverse=reverse)
    return states


def _where(here: list[Tensor], taken: Tensor, kept: Tensor) -> Tensor:
    """``taken`` where a mask, if there is one, is True, else ``kept``."""
    return ops.where(here[0], taken, kept) if here else taken


def _shifted(states: Tensor) -> Tensor:
    """The states before each step; those before the first are zeros."""
    return ops.concatenate([ops.zeros_like(states[:1]), states[:-1]], axis=0)
