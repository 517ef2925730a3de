"""Walking the graph of a functional model."""

import keras


def nodes(function):
    """All nodes of a ``keras.Function``, in no order."""
    return [n for at_depth in function._nodes_by_depth.values() for n in at_depth]


def nodes_in_order(function):
    """The graph's nodes, each behind those it reads from."""
    by_depth = function._nodes_by_depth
    return [n for depth in sorted(by_depth, reverse=True) for n in by_depth[depth]]


def node_of(x):
    """The node that a symbolic tensor comes from."""
    operation, index, _ = x._keras_history
    return operation._inbound_nodes[index]


def is_of_keras(operation):
    """Whether an operation is one that Keras brings, not a user's or KerasHub's."""
    return type(operation).__module__.split(".")[0] == "keras"


def first_floats(x):
    """The name of the nearest operation behind a tensor that yields floats, or None."""
    waiting, seen = [x], set()
    while waiting:
        tensor = waiting.pop(0)
        for node in tensor._keras_history.operation._outbound_nodes:
            reads = any(tensor is read for read in node.input_tensors)
            if not reads or id(node) in seen:
                continue
            seen.add(id(node))
            if any(keras.backend.is_float_dtype(y.dtype) for y in node.outputs):
                return node.operation.name
            waiting.extend(node.outputs)
    return None
