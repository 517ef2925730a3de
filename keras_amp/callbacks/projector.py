"""The files that TensorBoard's projector reads: a model's embeddings and their list.

Keras lists the embeddings of a model's outer layers only, and names a tensor that is in
none of its files. Here the embeddings of nested models are listed, too, and a checkpoint
is written that the projector can read.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_amp.graph import keras_compat

CONFIG = "projector_config.pbtxt"
CHECKPOINT = "keras_embedding.ckpt"


def embedding_layers(model: keras.Model) -> dict[str, keras.layers.Embedding]:
    """Return a dict from tensor names, without slashes, to a model's embedding layers.

    Args:
        model: A Keras model; the layers of nested models are included.

    Example:
    >>> from keras_amp.callbacks.projector import embedding_layers
    >>> words = keras.layers.Embedding(9, 2, name="words")
    >>> model = keras.Sequential([keras.Input((3,)), keras.Sequential([words])])
    >>> list(embedding_layers(model))
    ['words']
    """
    found: dict[str, keras.layers.Embedding] = {}
    for layer in keras_compat.layers_of(model, include_self=False):
        if isinstance(layer, keras.layers.Embedding):
            name = unique = layer.name.replace("/", "_")
            while unique in found:
                unique = f"{name}_{len(found)}"
            found[unique] = layer
    return found


def write_config(
    folder: str | os.PathLike[str],
    layers: dict[str, keras.layers.Embedding],
    metadata: str | Path | Mapping[str, str] | None,
) -> None:
    """Write ``projector_config.pbtxt``.

    Args:
        folder: Existing folder.
        layers: The result of ``embedding_layers``.
        metadata: Path of a file that names the rows of all embeddings, a dict from
            layers' names to such paths, or None.

    Raises:
        ValueError: If no embedding layer has one of these names.
    """
    from google.protobuf import text_format
    from tensorboard.plugins import projector

    names = sorted({layer.name for layer in layers.values()})
    unknown = [] if isinstance(metadata, (str, Path)) else set(metadata or ()) - {*names}
    if unknown:
        raise ValueError(
            "Expected the keys of `embeddings_metadata` to be names of embedding layers: "
            f"{', '.join(names) or 'the model has none'}. Received: "
            f"{', '.join(map(repr, sorted(unknown)))}"
        )
    config = projector.ProjectorConfig()
    for name, layer in layers.items():
        embedding = config.embeddings.add()
        embedding.tensor_name = f"{name}/.ATTRIBUTES/VARIABLE_VALUE"
        if isinstance(metadata, (str, Path)):
            embedding.metadata_path = str(metadata)
        elif metadata and layer.name in metadata:
            embedding.metadata_path = str(metadata[layer.name])
    (Path(folder) / CONFIG).write_text(text_format.MessageToString(config))


def write_checkpoint(
    folder: str | os.PathLike[str], layers: dict[str, keras.layers.Embedding], epoch: int
) -> None:
    """Write the embeddings into a checkpoint; the projector shows the latest one.

    Args:
        folder: The folder of ``write_config``.
        layers: The result of ``embedding_layers``.
        epoch: Integer, part of the file's name.
    """
    tensors = {name: _variable(layer.embeddings) for name, layer in layers.items()}
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(**tensors), str(folder), None, checkpoint_name=CHECKPOINT
    )
    manager.save(checkpoint_number=epoch)


def _variable(embeddings: Any) -> tf.Variable:
    """Return a layer's embeddings as a variable of TensorFlow, if need be by a copy.

    They are none where the layer computes them, and on JAX.
    """
    value = embeddings.value if isinstance(embeddings, keras.Variable) else embeddings
    if isinstance(value, tf.Variable):
        return value
    return tf.Variable(keras.ops.convert_to_numpy(value), trainable=False)
