"""Which of Keras' methods a user's class overrides.

A classifier's class may say how it is evaluated (``test_step``, ``predict_step``), and
``compute_loss`` may add to the loss. What a ``train_step`` or ``compute_metrics`` of the
classifier would do with mixtures is unknown; these are refused.
"""

import keras

from keras_amp.graph.keras_compat import is_of_keras

REFUSED = ("train_step", "compute_metrics")
# On JAX Keras hands these the values of the variables, in lists that are the model's.
REFUSED_ON_JAX = ("test_step", "predict_step")

HONOURED = ("compute_loss", "test_step", "predict_step")


def defining_class(model: keras.Operation, name: str) -> type | None:
    """Return the class that defines a method of a model, or None if Keras does.

    Args:
        model: A Keras model.
        name: The method's name.
    """
    owner = next(c for c in type(model).__mro__ if name in vars(c))
    return None if is_of_keras(owner) else owner


def is_overridden(model: keras.Model, name: str) -> bool:
    """Return whether a user's class overrides a method, or it is set on the model."""
    return name in vars(model) or defining_class(model, name) is not None


def check_overrides(classifier: keras.Model) -> None:
    """Raise if a classifier overrides a method that mixing could not honour.

    Args:
        classifier: A Keras model.

    Raises:
        ValueError: If it overrides ``train_step`` or ``compute_metrics``; on JAX also if
            ``test_step`` or ``predict_step``.
    """
    on_jax = keras.backend.backend() == "jax"
    for name in REFUSED + REFUSED_ON_JAX * on_jax:
        if is_overridden(classifier, name):
            raise ValueError(
                f"Expected `classifier` to be trained by Keras' own `{name}()`: it is "
                f"trained on mixtures, of which that method knows nothing. Received: "
                f"'{classifier.name}', whose class {type(classifier).__name__} overrides "
                f"`{name}()`. {_INSTEAD[name]}"
            )


_INSTEAD = {
    "train_step": (
        "Put penalties into `compute_loss()`, on top of `super().compute_loss(...)`, or "
        "into layers, by `add_loss`; or wrap `keras.Model(classifier.inputs, "
        "classifier.outputs)`, which is trained without that method."
    ),
    "compute_metrics": (
        "Override it in a subclass of `keras_amp.MixupAMPModel`, which calls it with the "
        "mixtures' predictions and the labels of the larger share, or pass metrics to "
        "`compile()`; and wrap `keras.Model(classifier.inputs, classifier.outputs)`."
    ),
    "test_step": "On JAX evaluate the classifier by itself: it is trained in place.",
    "predict_step": "On JAX predict by the classifier itself: it is trained in place.",
}
