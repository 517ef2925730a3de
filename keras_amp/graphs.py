"""Walking the graph of a functional model."""


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
