"""Convolutions of words as products of matrices, which many seeds compute as fast as one.

Under ``jax.vmap`` a convolution has a kernel for each seed: XLA groups the channels, for
which it has no fast kernel on a CPU; nor has it one for a convolution within a loop.
"""

import functools

import keras
from keras import ops

from keras_amp.graph import keras_compat
from keras_amp.typing import Tensor


def as_products(model: keras.Model) -> None:
    """Has the plain ``Conv1D`` layers of a model compute by ``convolve_by_products``.

    Those with padding, strides, dilation or groups compute as before.
    """
    for layer in keras_compat.layers_of(model):
        if type(layer) is keras.layers.Conv1D and _is_plain(layer):
            layer.convolution_op = convolve_by_products
            # Its own call does not ask for that; the one of all convolutions does.
            layer.call = super(keras.layers.Conv1D, layer).call


def convolve_by_products(inputs: Tensor, kernel: Tensor) -> Tensor:
    """Convolves texts with filters: a product of matrices for each word of a filter.

    Args:
        inputs: Tensor ``(batch_size, length, channels)``.
        kernel: Tensor ``(width, channels, filters)``.

    Returns:
        A tensor ``(batch_size, length - width + 1, filters)``.

    Example:
    >>> from keras_amp.training.jax.convolutions import convolve_by_products
    >>> convolve_by_products(np.ones((1, 3, 2)), np.ones((2, 2, 5))).shape
    TensorShape([1, 2, 5])
    """
    width = kernel.shape[0]
    length = inputs.shape[1] - width + 1
    products = (
        ops.matmul(inputs[:, place : place + length], kernel[place])
        for place in range(width)
    )
    return functools.reduce(ops.add, products)


def _is_plain(layer: keras.layers.Conv1D) -> bool:
    return (
        layer.padding == "valid"
        and layer.data_format == "channels_last"
        and layer.groups == 1
        and {*layer.strides, *layer.dilation_rate} == {1}
    )
