"""The operations of a traced TensorFlow function, those of nested functions included."""

import itertools


def operations(graph):
    """Yields every operation that running a graph can reach.

    Loops, branches and functions that it calls are looked into, each once.

    Args:
        graph: A ``tf.Graph``, such as a ``ConcreteFunction``'s, or the one being traced.

    Yields:
        Protocol buffers ``NodeDef``, with ``op`` (its kind), ``name`` (with the names of
        the layers around it) and ``attr``.

    Example:
    >>> import tensorflow as tf
    >>> noisy = tf.function(lambda x: x + tf.random.normal(()))
    >>> graph = noisy.get_concrete_function(tf.TensorSpec(())).graph
    >>> "RandomStandardNormal" in [node.op for node in keras_amp.traced.operations(graph)]
    True
    """
    definition = graph.as_graph_def()
    functions = {f.signature.name: f.node_def for f in definition.library.function}
    seen, waiting = set(), [definition.node]
    while waiting:
        for node in waiting.pop():
            yield node
            for name in _called(node):
                if name in functions and name not in seen:
                    seen.add(name)
                    waiting.append(functions[name])


def _called(node):
    """Names of the functions that an operation may call."""
    yield node.op  # a function's name may stand in place of an operation's
    for value in node.attr.values():
        for function in itertools.chain([value.func], value.list.func):
            yield function.name
