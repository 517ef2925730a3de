"""Exported, a mixing model is its classifier: what is read back predicts alike."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import text_classifier

import keras_amp

RNG = np.random.default_rng(2)
IDS = RNG.integers(1, 20, (9, 7)).astype("int32")
NUMBERS = RNG.normal(size=(9, 5)).astype("float32")
Y = np.arange(9) % 3


def words():
    layers = [keras.Input((7,), dtype="int32", name="words")]
    layers += [keras.layers.Embedding(20, 4, name="mixed")]
    layers += [keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(3, "softmax")]
    return keras.Sequential(layers), IDS


def of_two(structure, dtype):
    """Words, and numbers or a mask of them, that join where they are mixed."""
    ids = keras.Input((7,), dtype="int32", name="ids")
    other = keras.Input((5,), dtype=dtype, name="other")
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(20, 4)(ids))
    scaled = keras.layers.Rescaling(0.5)(other)
    joined = keras.layers.Concatenate(name="mixed")([pooled, scaled])
    inputs, data = [ids, other], [IDS, NUMBERS.astype(dtype)]
    if structure is dict:
        inputs, data = (
            dict(zip(("ids", "other"), v, strict=True)) for v in (inputs, data)
        )
    return keras.Model(inputs, keras.layers.Dense(3, "softmax")(joined)), data


KINDS = {
    "words": words,
    "list": lambda: of_two(list, "float32"),
    "dict": lambda: of_two(dict, "int32"),
}


@pytest.fixture(params=list(KINDS))
def trained(request):
    """A model that has been trained and nothing else; inputs; its classifier's answer."""
    classifier, x = KINDS[request.param]()
    model = keras_amp.MixupAMPModel(classifier, "mixed", keras_amp.Mixup(), seed=1)
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.train_on_batch(x, Y)
    return model, x, keras.ops.convert_to_numpy(classifier(x))


def specs(x):
    return keras.tree.map_structure(
        lambda v: keras.InputSpec(shape=(None, *v.shape[1:]), dtype=str(v.dtype)), x
    )


def test_saved_models(trained, tmp_path):
    model, x, expected = trained
    model.export(tmp_path / "export", verbose=False)
    archive = keras.export.ExportArchive()
    archive.track_and_add_endpoint("serve", model, [specs(x)])
    archive.write_out(tmp_path / "archive", verbose=False)
    for name in ("export", "archive"):
        loaded = tf.saved_model.load(tmp_path / name)
        np.testing.assert_allclose(loaded.serve(x), expected, rtol=1e-5)
    signature = tf.saved_model.load(tmp_path / "export").signatures["serving_default"]
    given = signature.structured_input_signature[1].values()
    dtypes = sorted(str(v.dtype) for v in keras.tree.flatten(x))
    assert sorted(spec.dtype.name for spec in given) == dtypes


def test_tensorflow_saves_it(tmp_path):
    classifier, x = words()
    model = keras_amp.MixupAMPModel(classifier, "mixed")
    tf.saved_model.save(model, tmp_path / "saved")
    loaded = tf.saved_model.load(tmp_path / "saved")
    got = loaded.signatures["serving_default"](tf.constant(x))
    np.testing.assert_allclose(*got.values(), classifier(x), rtol=1e-5)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_tflite(trained, tmp_path):
    model, x, expected = trained
    converted = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    path = tmp_path / "model.tflite"
    model.export(path, format="litert", verbose=False)
    for content in (converted, path.read_bytes()):
        interpreter = tf.lite.Interpreter(model_content=content)
        arrays = {v.shape[1]: v for v in keras.tree.flatten(x)}
        for detail in interpreter.get_input_details():
            array = arrays[detail["shape"][1]]
            interpreter.resize_tensor_input(detail["index"], array.shape)
        interpreter.allocate_tensors()
        for detail in interpreter.get_input_details():
            array = arrays[detail["shape"][1]]
            interpreter.set_tensor(detail["index"], array.astype(detail["dtype"]))
        interpreter.invoke()
        (output,) = interpreter.get_output_details()
        np.testing.assert_allclose(
            interpreter.get_tensor(output["index"]), expected, rtol=1e-4
        )


def test_what_is_saved_otherwise_stays_the_same():
    """No shapes of inputs in the file, by which Keras would build it."""
    model = keras_amp.MixupAMPModel(text_classifier(), "embedding")
    assert model.get_build_config() is None
    config = keras.saving.serialize_keras_object(model)
    assert "build_config" not in config


def test_its_layers_are_the_classifiers():
    class Headed(keras_amp.MixupAMPModel):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.head = keras.layers.Dense(1, name="head")

    classifier = text_classifier()
    model = Headed(classifier, "embedding")
    assert model.layers == [*classifier.layers, model.head]
    assert model.get_layer("embedding") is classifier.get_layer("embedding")
    lines = []
    model.summary(print_fn=lines.append)
    assert "embedding" in "".join(lines)
