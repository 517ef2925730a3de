"""The door to what each backend does in its own way: TensorFlow's or JAX's.

Keras' backend is fixed when Keras is imported, and so is what stands behind this door.
All that a step, the search and the policies know of the backend is what it offers.
"""

from typing import TYPE_CHECKING

import keras

if TYPE_CHECKING or keras.backend.backend() != "jax":
    from keras_amp.training.tensorflow.assertions import (
        asserted,
        clearer_error,
        divides_data_sets,
        one_loss_each,
        values_of,
    )
    from keras_amp.training.tensorflow.backend import (
        Recorder,
        SeedGenerator,
        compiled_function,
        loss_and_gradients,
        outside_the_step,
        replicas,
        switch,
    )
    from keras_amp.training.tensorflow.compilation import Compilation, is_fixed
    from keras_amp.training.tensorflow.compiled_model import BackendModel
    from keras_amp.training.tensorflow.side_effects import Examined, without_effect
else:
    from keras_amp.training.jax.backend import (
        Compilation,
        Examined,
        Recorder,
        SeedGenerator,
        asserted,
        clearer_error,
        divides_data_sets,
        is_fixed,
        loss_and_gradients,
        one_loss_each,
        outside_the_step,
        replicas,
        switch,
        values_of,
    )
    from keras_amp.training.jax.model import (
        BackendModel,
        compiled_function,
        without_effect,
    )

__all__ = [
    "BackendModel",
    "Compilation",
    "Examined",
    "Recorder",
    "SeedGenerator",
    "asserted",
    "clearer_error",
    "compiled_function",
    "divides_data_sets",
    "is_fixed",
    "loss_and_gradients",
    "one_loss_each",
    "outside_the_step",
    "replicas",
    "switch",
    "values_of",
    "without_effect",
]
