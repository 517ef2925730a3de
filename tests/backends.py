"""What tests need of Keras' backend: compiled draws, gradients, values."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

JAX = keras.backend.backend() == "jax"
ROUNDING = 1e-5 if JAX else 1e-12  # JAX computes in float32 what is given in float64


def run_as(how, draw, generator):
    """A function that draws by a generator, run "eager", as a "graph" or by "xla"."""
    if how == "eager":
        return draw
    if not JAX:
        return tf.function(draw, jit_compile=how == "xla")
    import jax

    @jax.jit
    def pure(state):
        with keras.StatelessScope([(generator.state, state)]) as scope:
            drawn = draw()
        return drawn, scope.get_current_value(generator.state)

    def call():
        drawn, state = pure(generator.state.value)
        generator.state.assign(state)
        return drawn

    return call


def gradients(function, *inputs, variables=(), jit_compile=False):
    """Those of the sum of what a function of tensors returns, for these and variables."""
    if not JAX:

        @tf.function(autograph=False, jit_compile=jit_compile)
        def recorded(inputs):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                total = ops.sum(function(*inputs))
            return tape.gradient(total, [*inputs, *variables])

        return (recorded if jit_compile else recorded.python_function)(inputs)
    import jax

    def of_values(inputs, values):
        with keras.StatelessScope(zip(variables, values, strict=True)):
            return ops.sum(function(*inputs))

    taken = jax.grad(of_values, (0, 1))
    taken = jax.jit(taken) if jit_compile else taken
    found = taken(list(inputs), [v.value for v in variables])
    return [*found[0], *found[1]]


def observe(function, *tensors):
    """Calls a function with tensors' values while a step runs, compiled or not."""
    if not JAX:
        tf.numpy_function(function, tensors, [])
        return
    import jax

    jax.debug.callback(lambda *values: function(*map(np.array, values)), *tensors)
