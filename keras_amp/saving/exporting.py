"""A mixing model, exported: what is exported is its classifier."""

import os
from typing import Any, TypeAlias

import keras
from keras import tree

from keras_amp.graph.keras_compat import ExportedByAnother

Shape: TypeAlias = tuple[int | None, ...]
Shapes: TypeAlias = Shape | list[Shape] | dict[str, Shape]  # one for each input


class ExportsClassifier(ExportedByAnother):
    """A base of Keras models around a ``classifier``, which is exported in their place.

    Keras, TensorFlow and its converters ask a model that has no graph what it has been
    called with. This one answers with its classifier's inputs, whether it has been called
    or not. TensorFlow Lite's ``from_keras_model`` allows one dtype for all inputs; where
    those of the classifier differ, the answer is floats, which the classifier casts.
    """

    classifier: keras.Model

    def export(self, filepath: str | os.PathLike[str], *args: Any, **kwargs: Any) -> Any:
        """Exports the classifier, as ``keras.Model.export`` does; same arguments.

        Example:
        >>> import tempfile, tensorflow as tf
        >>> model = keras.Sequential([keras.Input((3,)),
        ...                           keras.layers.Dense(4, name="hidden"),
        ...                           keras.layers.Dense(2, activation="softmax")])
        >>> model = keras_amp.MixupAMPModel(model, mix_at="hidden")
        >>> folder = tempfile.mkdtemp()
        >>> model.export(folder, verbose=False)
        >>> loaded = tf.saved_model.load(folder)
        >>> loaded.serve(np.zeros((1, 3), "float32")).shape.as_list()
        [1, 2]
        """
        return self.classifier.export(filepath, *args, **kwargs)

    @property
    def exported_model(self) -> keras.Model:
        """The model that says what it is called with: the classifier."""
        return self.classifier

    @property
    def exported_shapes(self) -> Shapes:
        """The shapes of the classifier's inputs."""
        return _shapes(self.classifier)

    @property
    def input_dtype(self) -> str:
        """The dtype of the classifier's inputs; where they differ, that of floats."""
        dtypes = {x.dtype for x in self.classifier.inputs}
        return dtypes.pop() if len(dtypes) == 1 else keras.config.floatx()

    def get_build_config(self) -> None:
        """None: the model is built as it is made."""


def _shapes(classifier: keras.Model) -> Shapes:
    """The shapes of a classifier's inputs: a tuple, or a dict or list of such."""
    inputs = classifier.input if isinstance(classifier, keras.Function) else None
    if isinstance(inputs, dict) and set(map(type, inputs.values())) == {
        keras.KerasTensor
    }:
        return {name: tuple(x.shape) for name, x in inputs.items()}
    shapes = [tuple(x.shape) for x in tree.flatten(classifier.inputs)]
    return shapes if len(shapes) > 1 else shapes[0]
