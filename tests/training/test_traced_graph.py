"""The operations of a traced function are found wherever they stand."""

import numpy as np
import pytest
import tensorflow as tf

from keras_amp.training.tensorflow import traced_graph


def called_host(x):
    return tf.ensure_shape(tf.numpy_function(np.float32, [x], tf.float32), ())


def in_a_branch(x):
    return tf.cond(x > 0, lambda: called_host(x), lambda: x)


def in_a_loop(x):
    return tf.while_loop(lambda x: x < 3, lambda x: (in_a_branch(x) + 1,), (x,))[0]


def in_a_function(x):
    return tf.function(in_a_loop, autograph=False)(x)


def in_a_gradient(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.custom_gradient(lambda x: (x, called_host))(x)
    return tape.gradient(y, x)


@pytest.mark.parametrize(
    "where", [called_host, in_a_branch, in_a_loop, in_a_function, in_a_gradient]
)
def test_operations_of_nested_functions_are_found(where):
    seen = []

    @tf.function(autograph=False)
    def step(x):
        with tf.name_scope("layer"):
            y = where(x)
        seen.extend(traced_graph.operations(tf.compat.v1.get_default_graph()))
        return y

    graph = step.get_concrete_function(tf.TensorSpec(())).graph
    for nodes in (seen, traced_graph.operations(graph)):  # as it is traced, and after
        found = [node.name for node in nodes if node.op == "PyFunc"]
        assert found
        assert where is not called_host or found[0].startswith("layer/")


def test_a_function_that_is_not_called_does_not_count():
    @tf.function(autograph=False)
    def step(x):
        tf.function(called_host).get_concrete_function(x).add_to_graph()
        return x + 1

    graph = step.get_concrete_function(tf.TensorSpec(())).graph
    assert graph.as_graph_def().library.function
    assert "PyFunc" not in [node.op for node in traced_graph.operations(graph)]
