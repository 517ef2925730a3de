"""What is not public in Keras: each of its parts does what its one function says."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from backends import JAX
from keras import ops

import keras_amp
from keras_amp.graph import keras_compat as compat

PACKAGE = Path(keras_amp.__file__).parent


def small_model(**compiled):
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, activation="relu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(2, kernel_regularizer=keras.regularizers.L2(0.1)),
        ]
    )
    if compiled:
        model.compile("sgd", **compiled)
    return model


def batch(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(5, 3)), rng.normal(size=(5, 2))


# No other file touches them.


def private_names_of_keras():
    folder = Path(keras.__file__).parent / "src"
    names = set()
    for path in folder.rglob("*.py"):
        if not path.name.endswith("_test.py"):
            names |= set(re.findall(r"(?:\.|def )(_[a-z]\w*)", path.read_text()))
    return names


def uses_of_insides(path, known):
    """Yields the places of a file where Keras' private names stand."""
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    module = module.removesuffix(".__init__")

    def is_of_ours(owner):
        """Whether a class, named by its path in the module, has no base of Keras'."""
        found = importlib.import_module(module)
        for name in owner:
            found = getattr(found, name, None)
        if not isinstance(found, type):
            return True  # made within a function
        return not any(
            base.__module__.startswith(("keras.src", compat.__name__))
            for base in found.__mro__
        )

    def visit(node, owner):
        if isinstance(node, ast.ClassDef):
            owner = (*owner, node.name)
        found = None
        match node:
            case ast.Import(names=names):
                found = next((a.name for a in names if "keras.src" in a.name), None)
            case ast.ImportFrom(module=str(name)) if name.startswith("keras.src"):
                found = name
            case ast.Constant(value=str(text)) if text in known:
                found = repr(text)
            case ast.FunctionDef(name=name) if name in known and owner:
                found = None if is_of_ours(owner) else f"def {name}"
            case ast.Attribute(value=value, attr=name) if name in known:
                own = ast.unparse(value) in ("self", "cls", "super()")
                found = None if own and is_of_ours(owner) else ast.unparse(node)
        if found:
            yield f"{path.relative_to(PACKAGE)}:{node.lineno}: {found}"
        for child in ast.iter_child_nodes(node):
            yield from visit(child, owner)

    return visit(ast.parse(path.read_text()), ())


def test_no_other_file_of_the_package_touches_them():
    known = private_names_of_keras()
    assert {"_keras_mask", "_compile_loss", "_train_writer"} <= known
    others = [p for p in sorted(PACKAGE.rglob("*.py")) if p != Path(compat.__file__)]
    assert not [use for path in others for use in uses_of_insides(path, known)]
    # They are found where they stand.
    assert len(list(uses_of_insides(Path(compat.__file__), known))) > 20


def test_what_fit_would_make_is_made_before():
    """The variables of the metrics, which a first batch decides on."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(loss="mse", metrics=["mae"])
    assert len(model.metrics_variables) == 2  # the loss'
    compat.symbolic_build(model, (np.ones((4, 3)), np.ones((4, 2))))
    assert len(model.metrics_variables) == 4


def test_every_function_has_a_test_here():
    names = [
        name
        for name, value in vars(compat).items()
        if inspect.getmodule(value) is compat and not name.startswith("_")
    ]
    text = Path(__file__).read_text()
    untested = [name for name in names if f"compat.{name}" not in text]
    assert untested == ["Arguments", "Node"]  # which say what `node_of` returns


# Code of Keras.


def test_is_of_keras():
    class Mine(keras.layers.Dense):
        pass

    def mine(x):
        return x

    theirs = [keras.layers.Dense, keras.layers.Dense(1), keras.activations.relu]
    assert all(map(compat.is_of_keras, theirs))
    assert not any(map(compat.is_of_keras, [Mine, Mine(1), mine, np.ones]))


def test_ops_name():
    x = keras.Input((4, 6))
    results = {
        "Add": x + 1.0,
        "Subtract": ops.subtract(x, x),
        "Reshape": ops.reshape(x, (-1, 24)),
        "Transpose": ops.transpose(x, (0, 2, 1)),
        "ExpandDims": ops.expand_dims(x, 1),
        "Squeeze": ops.squeeze(ops.expand_dims(x, 1), 1),
        "GetItem": x[:, 0],
        "Concatenate": ops.concatenate([x, x], axis=1),
        "OnesLike": ops.ones_like(x),
        "ZerosLike": ops.zeros_like(x),
    }
    operations = {name: compat.node_of(y).operation for name, y in results.items()}
    assert all(compat.ops_name(each) == name for name, each in operations.items())
    assert operations["Transpose"].axes == (0, 2, 1)
    assert operations["ExpandDims"].axis == operations["Squeeze"].axis == 1
    assert operations["Concatenate"].axis == 1

    class Add(keras.Operation):
        def compute_output_spec(self, x):
            return x

    assert compat.ops_name(Add()) is None
    assert compat.ops_name(keras.layers.Reshape((24,))) is None


# Graphs.


def test_nodes_of_a_graph_are_in_order():
    x = keras.Input((3,))
    hidden = keras.layers.Dense(3)(x)
    output = keras.layers.Add()([x, keras.layers.Dense(3)(hidden)])
    function = keras.Function(x, output)
    nodes = compat.nodes_of(function)
    assert {n.operation for n in nodes} == set(function.operations)
    seen = set()
    for node in nodes:
        assert all(id(read) in seen for read in node.input_tensors)
        assert node.is_input == isinstance(node.operation, keras.layers.InputLayer)
        seen.update(map(id, node.outputs))


def test_a_tensor_knows_the_call_that_yields_it():
    x, other = keras.Input((3,)), keras.Input((3,))
    layer = keras.layers.Dense(2)
    first, second = layer(x), layer(other, training=True)
    node = compat.node_of(second)
    assert node.operation is layer
    assert node.input_tensors[0] is other
    assert node.outputs[0] is second
    assert node.arguments.args[0] is other
    assert node.arguments.kwargs["training"] is True
    assert [call.outputs[0] for call in compat.calls_of(layer)] == [first, second]
    (reader,) = compat.readers_of(x)
    assert reader.outputs[0] is first
    assert compat.readers_of(first) == []


def test_run_graph_calls_every_operation_by_the_function():
    model = small_model()
    function = keras.Function(model.inputs, model.outputs)
    called = []

    def call(operation, *args, **kwargs):
        called.append(operation)
        return operation(*args, **kwargs)

    x, _ = batch()
    (y,) = compat.run_graph(function, [x], call)
    np.testing.assert_array_equal(y, model(x))
    assert called == list(model.layers)


def test_takes_training():
    class Plain(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    assert compat.takes_training(keras.layers.Dropout(0.1))
    assert compat.takes_training(small_model())
    assert not compat.takes_training(Plain())
    assert not compat.takes_training(compat.node_of(keras.Input((1,)) + 1.0).operation)


def test_has_keras_lstm_loop():
    class Same(keras.layers.LSTM):
        pass

    calls = []

    class Other(keras.layers.LSTM):
        def inner_loop(self, *args, **kwargs):
            calls.append(args)
            return super().inner_loop(*args, **kwargs)

    assert compat.has_keras_lstm_loop(keras.layers.LSTM(1))
    assert compat.has_keras_lstm_loop(Same(1))
    assert not compat.has_keras_lstm_loop(Other(1))
    Other(1)(np.ones((1, 2, 1)))
    assert calls  # it is the loop that Keras runs


def test_layers_of_any_depth():
    inner = small_model()
    model = keras.Sequential([keras.Input((3,)), inner])
    assert set(compat.layers_of(model)) >= {model, inner, *inner.layers}
    assert model not in compat.layers_of(model, include_self=False)


# Masks.


def test_masks_travel_on_tensors():
    ids = np.array([[1, 2, 0]])
    embedded = keras.layers.Embedding(3, 2, mask_zero=True)(ids)
    np.testing.assert_array_equal(compat.mask_of(embedded), ids != 0)
    x = ops.convert_to_tensor(np.arange(6.0).reshape(1, 3, 2))
    assert compat.mask_of(x) is None
    compat.put_mask(x, ops.convert_to_tensor([[True, False, True]]))
    mean = keras.layers.GlobalAveragePooling1D()(x)
    np.testing.assert_allclose(mean, [[2.0, 3.0]])


# What `compile` makes.


def test_the_open_scope():
    assert compat.stateless_scope() is None
    variable = keras.Variable(1.0)
    with keras.StatelessScope([(variable, 2.0)]) as scope:
        assert compat.stateless_scope() is scope
        assert float(scope.get_current_value(variable)) == 2.0
    assert compat.stateless_scope() is None


def test_what_compile_makes():
    x, y = batch()
    model = small_model()
    parts = (compat.loss_container, compat.metrics_container, compat.loss_tracker)
    assert [part(model) for part in parts] == [None] * 3
    model.compile("sgd", "mse", metrics=["mae"], loss_weights=2.0)
    reported = model.evaluate(x, y, verbose=0, return_dict=True)
    losses, metrics, tracker = (part(model) for part in parts)
    assert losses.built
    assert metrics.built
    penalty = float(sum(model.losses))
    assert float(losses(y, model(x))) + penalty == pytest.approx(reported["loss"])
    assert float(tracker.result()) == pytest.approx(reported["loss"])
    assert list(metrics.result()) == ["mae"]
    (output,) = model.outputs
    ((loss, weight, *given),) = compat.given_losses(losses, y, output)
    assert float(2.0 * loss(y, model(x))) == pytest.approx(float(losses(y, model(x))))
    assert weight == 2.0
    assert given[0] is y
    assert given[1] is output
    assert given[2] is None


def test_which_label_each_loss_is_given():
    """Keras' own arrangement, noted; the losses of each output are those it reports."""
    x, y = batch()
    inner = small_model()
    (output,) = inner.outputs
    model = keras.Model(inner.inputs, {"b": output, "a": output * 2})
    model.compile("sgd", {"a": "mse", "b": "mae"}, loss_weights={"a": 2.0, "b": 3.0})
    labels = {"a": y, "b": y + 1}
    container = compat.loss_container(model)
    unbuilt = compat.losses_like(container)
    for each in (container, unbuilt):
        given = compat.given_losses(each, labels, model.output, y)
        assert [one.y is labels[name] for one, name in zip(given, "ab", strict=True)]
        assert [one.weight for one in given] == [2.0, 3.0]
        assert all(isinstance(one, compat.GivenLoss) for one in given)
        assert all(one.sample_weight is y for one in given)
        assert [one.y_pred is model.output[n] for one, n in zip(given, "ab", strict=True)]
        assert each.built
    reported = model.evaluate(x, labels, verbose=0, return_dict=True)
    predicted = model(x)
    for one, name in zip(given, "ab", strict=True):
        value = float(one.loss(labels[name], predicted[name]))
        assert reported[f"{name}_loss"] == pytest.approx(value)


def test_a_model_is_compiled_as_another_one_is():
    x, y = batch()
    lent, own = small_model(loss="mse"), small_model(loss="mae")
    own.set_weights(lent.get_weights())
    state = compat.compiled_state(own)
    before = own.test_on_batch(x, y)
    wrapped = []
    compat.put_compiled_state(
        own, compat.compiled_state(lent, lambda c: wrapped.append(c) or c)
    )
    assert wrapped == [compat.loss_container(lent)]
    assert own.loss == "mse"
    own.test_function = None
    assert own.test_on_batch(x, y) == pytest.approx(lent.test_on_batch(x, y))
    compat.put_compiled_state(own, state)
    own.test_function = None
    own.reset_metrics()
    assert own.test_on_batch(x, y) == pytest.approx(before)


def test_made_under_a_strategy():
    with tf.distribute.OneDeviceStrategy("cpu:0").scope():
        inside = small_model()
    assert compat.made_under_a_strategy(inside)
    with compat.strategy_scope(inside):
        assert tf.distribute.get_strategy() is inside.distribute_strategy
    assert not compat.made_under_a_strategy(small_model())


def test_supports_jit_where_all_layers_do():
    class NotCompiled(keras.layers.Layer):
        supports_jit = False

        def __init__(self):
            super().__init__()
            self.supports_jit = False

        def call(self, inputs):
            return inputs

    assert compat.supports_jit(small_model())
    assert not compat.supports_jit(keras.Sequential([small_model(), NotCompiled()]))


# Losses.


def test_compute_loss_with_and_without_training():
    given = []

    class Old(keras.Sequential):
        def compute_loss(self, x, y, y_pred, sample_weight=None):
            given.append(sample_weight)
            return 7.0

    x, y = batch()
    assert compat.compute_loss(Old(), x, y, y, "weights", training=True) == 7.0
    assert given == ["weights"]
    model = small_model(loss="mse")
    args = (x, y, model(x), None)
    expected = model.compute_loss(*args, training=False)
    assert float(compat.compute_loss(model, *args, training=False)) == float(expected)


def test_additional_loss_is_added_to_the_compiled_one():
    x, y = batch()
    model = small_model(loss="mse")
    total = model.compute_loss(x, y, model(x), None)
    compiled = compat.loss_container(model)(y, model(x))
    (penalty,) = model.losses
    added = compat.additional_loss(model, penalty)
    assert float(compiled + added) == pytest.approx(float(total))


def test_losses_replaced_for_a_while():
    model = small_model()
    (own,) = map(float, model.losses)
    with compat.losses_replaced(model, [1.0, 2.0]):
        assert model.losses == [1.0, 2.0]
    assert list(map(float, model.losses)) == [own]


def test_loss_settings():
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=3)
    assert compat.loss_settings(loss)["ignore_class"] == 3
    assert compat.loss_settings(lambda y, y_pred: y) == {}


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight"])
def test_masked_weight_averages_as_keras_does(reduction):
    y = np.array([[1.0], [2.0], [3.0], [4.0]], "float32")
    y_pred = ops.convert_to_tensor(np.zeros((4, 1), "float32"))
    weight = np.array([1.0, 2.0, 1.0, 3.0], "float32")
    mask = ops.convert_to_tensor([True, True, False, True])
    compat.put_mask(y_pred, mask)
    loss = keras.losses.MeanAbsoluteError(reduction=reduction)
    total = np.sum([1.0 * 1, 2.0 * 2, 3.0 * 4])
    counts = compat.masked_weight(weight, mask, "float32", reduction)
    if reduction == "mean_with_sample_weight":
        np.testing.assert_allclose(counts, [1.0, 2.0, 0.0, 3.0])
        expected = total / 6
    else:
        # Keras scales the weights, so that the mean over all is that over the mask.
        np.testing.assert_allclose(counts, np.array([1.0, 2.0, 0.0, 3.0]) * 4 / 3)
        expected = total / 3
    assert float(loss(y, y_pred, weight)) == pytest.approx(expected)
    assert compat.masked_weight(None, None, "float32", reduction) is None


# Optimizers and random generators.


def test_the_step_counter_counts_accumulated_ones():
    optimizer = keras.optimizers.SGD(gradient_accumulation_steps=2)
    weight = keras.Variable(np.zeros(3))
    for _ in range(3):
        optimizer.apply([np.ones(3)], [weight])
    assert int(compat.step_counter(optimizer)) == 3
    assert int(optimizer.iterations) == 1


def test_given_learning_rate():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    given = compat.given_learning_rate(keras.optimizers.SGD(schedule))
    assert given is schedule
    number = compat.given_learning_rate(keras.optimizers.SGD(0.25))
    assert float(number) == 0.25


def test_is_seed_state():
    layer = keras.layers.Dropout(0.5)
    states = [v for v in layer.variables if compat.is_seed_state(v)]
    assert states == layer.variables == [layer.seed_generator.state]
    assert not compat.is_seed_state(keras.Variable(1.0))


@pytest.mark.skipif(not JAX, reason="keras.distribution is JAX's: BACKEND=jax")
def test_each_batch_is_laid_out():
    """Keras itself puts a last and smaller batch where the first one is."""

    class Divided(keras.distribution.DataParallel):
        def get_data_layout(self, shape):
            if shape[0] % 4 == 0:
                return super().get_data_layout(shape)
            return keras.distribution.TensorLayout([None, None], self.device_mesh)

    x = np.arange(18.0).reshape(6, 3)
    with Divided(devices=keras.distribution.list_devices()[:4]).scope():
        model = keras.Sequential([keras.Input((3,)), keras.layers.Rescaling(2.0)])
        model.compile(run_eagerly=True)
        with pytest.raises(ValueError, match="partitioned 4 times"):
            model.predict(x, batch_size=4, verbose=0)
        with compat.each_batch_laid_out():
            found = model.predict(x, batch_size=4, verbose=0)
    np.testing.assert_array_equal(found, 2 * x)


# Classes that Keras asks by private names.


def test_a_fit_that_fails_leaves_the_variables_as_they_were():
    class Failing(compat.TrainedOnJAX):
        first = ()

        def __init__(self):
            super().__init__()
            self.inner = small_model()

        def call(self, x):
            return self.inner(x)

        def check_first(self, batch):
            self.first = [np.shape(part) for part in batch[:2]]

        def compute_loss(self, *args, training=True, **kwargs):
            if training:
                raise ValueError("mine")
            return super().compute_loss(*args, training=training, **kwargs)

    model = Failing()
    model.compile("adam", "mse", run_eagerly=True)
    before = model.get_weights()
    with pytest.raises(ValueError, match="mine"):
        model.fit(np.ones((5, 3)), np.ones((5, 2)), batch_size=3, verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.first == ([(3, 3), (3, 2)] if JAX else ())


def test_a_model_is_exported_by_another(tmp_path):
    class Wrapper(compat.ExportedByAnother, keras.Model):
        def __init__(self, model):
            super().__init__()
            self.wrapped, self.built = model, True

        @property
        def exported_model(self):
            return self.wrapped

        @property
        def exported_shapes(self):
            return (None, 3)

        def call(self, inputs):
            return self.wrapped(inputs)

    model = small_model()
    wrapper, x = Wrapper(model), batch()[0].astype("float32")
    wrapper(x[:1])
    wrapper.export(tmp_path / "keras", verbose=False)
    tf.saved_model.save(wrapper, tmp_path / "tf")
    loaded = tf.saved_model.load(tmp_path / "keras")
    np.testing.assert_allclose(loaded.serve(x), model(x), rtol=1e-6)
    loaded = tf.saved_model.load(tmp_path / "tf")
    (served,) = loaded.signatures["serving_default"](tf.constant(x)).values()
    np.testing.assert_allclose(served, model(x), rtol=1e-6)


def test_tensorboard_asks_for_the_embeddings(tmp_path):
    asked = []

    class Writes(compat.TensorBoard):
        def configure_embeddings(self):
            asked.append("configured")
            super().configure_embeddings()

        def log_embeddings(self, epoch):
            asked.append(epoch)
            super().log_embeddings(epoch)

    model = keras.Sequential([keras.Input((2,)), keras.layers.Embedding(3, 2)])
    callback = Writes(tmp_path, embeddings_freq=1, write_graph=False)
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_end(0, {})
    with callback.train_writer.as_default():
        tf.summary.scalar("mine", 1.0, step=0)
    callback.on_train_end()
    assert asked == ["configured", 0]
    assert any("ckpt" in path.name for path in tmp_path.rglob("*"))
    (events,) = (tmp_path / "train").glob("events*")
    assert b"mine" in events.read_bytes()
