"""How far a training has come, as the model itself remembers it."""

import keras

from keras_amp.graph import keras_compat


def steps_taken(optimizer):
    """Returns how many training steps an optimizer has taken, as an integer.

    The count is saved and restored with the optimizer, and Keras' learning rate
    schedules are functions of it. With ``gradient_accumulation_steps`` every batch
    counts, unlike in ``optimizer.iterations``; a step that loss scaling skips, as its
    gradient is not finite, does not count.

    Args:
        optimizer: A ``keras.optimizers.Optimizer``.

    Example:
    >>> from keras_amp.callbacks.steps import steps_taken
    >>> optimizer = keras.optimizers.SGD(gradient_accumulation_steps=2)
    >>> optimizer.apply([np.ones(3)], [keras.Variable(np.zeros(3))])
    >>> steps_taken(optimizer), int(optimizer.iterations)
    (1, 0)
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of loss scaling
    return int(keras.ops.convert_to_numpy(keras_compat.steps_taken(optimizer)))
