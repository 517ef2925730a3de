"""What ``jit_compile="auto"`` compiles on a CPU; Keras itself compiles nothing there.

Measured on two cores (``benchmarks/step_time.py``). XLA fuses what surrounds the products
of attention and of an LSTM's loop: the adversarial step at the words then takes three
quarters of its time in graph mode. XLA's convolutions are slower than TensorFlow's own by
half; there only the update of the weights is compiled, as an optimizer's formulas are a
dozen passes over all weights in graph mode and one in XLA.
"""

import keras
import tensorflow as tf
from keras.src.trainers.trainer import model_supports_jit  # public nowhere

_COMPILED = (keras.layers.MultiHeadAttention, keras.layers.LSTM)


def on_cpu():
    """Whether there is no accelerator, whose rules are Keras' own."""
    return not any(keras.distribution.list_devices(kind) for kind in ("gpu", "tpu"))


def step_pays(model):
    """Whether the whole training step can be compiled, and that pays on a CPU.

    Args:
        model: The model that is trained.
    """
    pays = any(isinstance(layer, _COMPILED) for layer in model._flatten_layers())
    return pays and model_supports_jit(model)


def update_pays(optimizer):
    """Whether the update of the weights can be compiled by itself.

    Args:
        optimizer: The optimizer: one of Keras' own, as another may hold what XLA has not.
    """
    return type(optimizer).__module__.startswith("keras.src.optimizers.")


def compiled_update(optimizer, gradients, weights):
    """Applies gradients as ``optimizer.apply`` does, compiled by XLA.

    Args:
        optimizer: A built ``keras.optimizers.Optimizer``.
        gradients: List of tensors, ``IndexedSlices`` or None.
        weights: The variables, as many.
    """

    @tf.function(jit_compile=True)
    def update(gradients):
        optimizer.apply(gradients, weights)

    update(gradients)
