"""The operations of a traced TensorFlow function, those of nested functions included."""

import itertools
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from keras_amp.typing import Tensor


def operations(graph: tf.Graph) -> Iterator[Any]:
    """Yields every operation that running a graph can reach.

    Loops, branches and functions that it calls are looked into, each once.

    Args:
        graph: A ``tf.Graph``, such as a ``ConcreteFunction``'s, or the one being traced.

    Yields:
        Protocol buffers ``NodeDef``, with ``op`` (its kind), ``name`` (with the names of
        the layers around it) and ``attr``.

    Example:
    >>> import tensorflow as tf
    >>> from keras_amp.training.tensorflow import traced_graph
    >>> noisy = tf.function(lambda x: x + tf.random.normal(()))
    >>> graph = noisy.get_concrete_function(tf.TensorSpec(())).graph
    >>> "RandomStandardNormal" in [node.op for node in traced_graph.operations(graph)]
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


def _called(node: Any) -> Iterator[str]:
    """Names of the functions that an operation may call."""
    yield node.op  # a function's name may stand in place of an operation's
    for value in node.attr.values():
        for function in itertools.chain([value.func], value.list.func):
            yield function.name


def consumers(graph: tf.Graph, tensor: Tensor) -> Iterator[str]:
    """Yields the kinds of operations that take a tensor, in called functions too.

    Args:
        graph: A ``tf.Graph``.
        tensor: A tensor of it, such as the placeholder of what a function captures.

    Yields:
        Strings, such as ``"ReadVariableOp"``.

    Example:
    >>> import tensorflow as tf
    >>> from keras_amp.training.tensorflow import traced_graph
    >>> count = tf.Variable(0.0)
    >>> counting = tf.function(lambda: count.assign_add(1.0))
    >>> graph = counting.get_concrete_function().graph
    >>> list(traced_graph.consumers(graph, graph.internal_captures[0]))
    ['AssignAddVariableOp', 'ReadVariableOp']
    """
    definition = graph.as_graph_def()
    functions = {f.signature.name: f for f in definition.library.function}
    seen, waiting = set(), [(definition.node, tensor.op.name)]
    while waiting:
        nodes, name = waiting.pop()
        for node in nodes:
            for i, given in enumerate(node.input):
                if given.split(":")[0] != name:
                    continue
                if node.op == "Identity":
                    waiting.append((nodes, node.name))
                    continue
                yield node.op
                # The first input of a branch says which is taken.
                i -= node.op in ("If", "StatelessIf", "Case", "StatelessCase")
                for called in (functions[n] for n in _called(node) if n in functions):
                    inside = (called.signature.name, i)
                    if inside not in seen and 0 <= i < len(called.signature.input_arg):
                        seen.add(inside)
                        argument = called.signature.input_arg[i].name
                        waiting.append((called.node_def, argument))
