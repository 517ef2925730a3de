"""The number of steps of a training, and variables that are up to date within it."""

import keras

from keras_amp.graph import keras_compat


def update_variables(model: keras.Model) -> None:
    """Make a model's variables hold what a ``fit`` that is under way has come to.

    On JAX Keras keeps the values elsewhere within an epoch; afterwards it goes on with
    those of the variables. On TensorFlow there is nothing to do.

    Args:
        model: The model.
    """
    update = getattr(model, "jax_state_sync", None)
    if update is not None:
        update()


def steps_taken(optimizer: keras.Optimizer) -> int:
    """Return how many training steps an optimizer has taken.

    The count is saved and restored with the optimizer, and Keras' learning rate
    schedules are functions of it. With ``gradient_accumulation_steps`` every batch is
    counted, unlike in ``optimizer.iterations``. A step that loss scaling skips, because
    its gradient is not finite, is not counted.

    Args:
        optimizer: A ``keras.optimizers.Optimizer``.

    Returns:
        An integer.

    Example:
    >>> from keras_amp.callbacks.steps import steps_taken
    >>> optimizer = keras.optimizers.SGD(gradient_accumulation_steps=2)
    >>> optimizer.apply([np.ones(3)], [keras.Variable(np.zeros(3))])
    >>> steps_taken(optimizer), int(optimizer.iterations)
    (1, 0)
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of loss scaling
    return int(keras.ops.convert_to_numpy(keras_compat.step_counter(optimizer)))
