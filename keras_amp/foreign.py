"""State and noise that are not Keras' own: TensorFlow's variables and random operations.

Keras can run a pass and keep its own variables as they were. Of a layer that holds a
``tf.Variable``, a ``tf.random.Generator`` included, it knows nothing. What a pass does to
these is found by tracing it once, without running it: they are then read before a pass
and put back after it. Nothing can be put back of ``tf.random``'s operations.
"""

import functools
import inspect
import re
import warnings
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_amp import traced

# Layers and functions of these packages hold no such thing.
_KNOWN = {"keras", "keras_hub", "keras_amp"}
# Operations that draw from a state that cannot be read.
_DRAWS = {
    "Multinomial",
    "ParameterizedTruncatedNormal",
    "RandomGamma",
    "RandomPoisson",
    "RandomPoissonV2",
    "RandomShuffle",
    "RandomStandardNormal",
    "RandomUniform",
    "RandomUniformInt",
    "TruncatedNormal",
}
# Operations that move the variable in which a `tf.random.Generator` keeps its state.
_MOVES = re.compile(r"Rng\w*Skip|NonDeterministicInts|Stateful(?!PartitionedCall)\w+")
_CHANGES = re.compile(
    r"Assign\w*VariableOp|ResourceScatter\w+|Resource(Sparse)?Apply\w+"
    r"|ResourceStridedSliceAssign|ResourceCountUpTo"
)


class Foreign(NamedTuple):
    """What a pass does beside Keras.

    Attributes:
        variables: Handles of the variables that it changes, resource tensors.
        generators: Handles of the variables of random generators that it moves on.
        noise: Strings that say what draws noise that cannot be put back.
    """

    variables: list
    generators: list
    noise: list


NOTHING = Foreign([], [], [])


def examine(function, model):
    """Finds what a function does beside Keras, without doing it.

    Args:
        function: Callable of no arguments; what it reads may be tensors of any graph.
        model: The functional model whose layers it runs.

    Returns:
        ``Foreign``. Of a function that cannot be traced, as it runs eagerly only, it
        names the variables that the layers hold.

    Example:
    >>> import tensorflow as tf
    >>> from keras_amp.foreign import examine
    >>> shuffle = keras.layers.Lambda(tf.random.shuffle, name="shuffle")
    >>> model = keras.Sequential([keras.Input((2,)), shuffle])
    >>> examine(lambda: model(np.ones((3, 2))), model).noise
    ["layer 'shuffle', which draws by tf.random (RandomShuffle)"]
    """
    layers = model._flatten_layers()
    operations = getattr(model, "operations", [])
    if not any(_may_hold(operation) for operation in [*layers, *operations]):
        return NOTHING
    graph = tf.__internal__.FuncGraph("examined")
    before = np.random.get_state()
    try:
        with keras.StatelessScope(), graph.as_default():
            function()
    except Exception:  # whatever a layer's code raises where it cannot be traced
        return Foreign([v.handle for v in _held(map(vars, layers))], [], [])
    finally:
        drawn = not all(map(np.array_equal, before, np.random.get_state()))
        np.random.set_state(before)
    captures = zip(graph.external_captures, graph.internal_captures, strict=True)
    variables, generators = [], []
    for handle, placeholder in captures:
        if handle.dtype == tf.resource:
            kinds = set(traced.consumers(graph, placeholder))
            if any(map(_MOVES.fullmatch, kinds)):
                generators.append(handle)
            elif any(map(_CHANGES.fullmatch, kinds)):
                variables.append(handle)
    noise = _noise(graph, {layer.name for layer in layers})
    return Foreign(variables, generators, noise + ["np.random"] * drawn)


def without_effect(function, model):
    """Calls a function and puts back what it changes, be it Keras' or TensorFlow's.

    Args:
        function: Callable of no arguments.
        model: The functional model that it runs.

    Returns:
        What the function returns.
    """
    found = examine(function, model)
    handles = found.variables + found.generators
    before = read(handles)
    with keras.StatelessScope():
        result = function()
    put_back(handles, before)
    return result


def read(handles):
    """Returns the values of variables, to be put back."""
    return [tf.raw_ops.ReadVariableOp(resource=h, dtype=_dtype(h)) for h in handles]


def put_back(handles, values):
    """Sets variables to values that were read."""
    for handle, value in zip(handles, values, strict=True):
        tf.raw_ops.AssignVariableOp(resource=handle, value=value)


class Examined:
    """Examines each split of a model once, and warns once of what it finds."""

    def __init__(self):
        self._found, self._warned = {}, False

    def of(self, split, function, policy):
        """What a pass above a mix point does beside Keras.

        Args:
            split: ``keras_amp.surgery.Split``.
            function: Callable of no arguments that runs the pass.
            policy: The policy, whose passes are to see the same noise or not.

        Returns:
            ``Foreign``.
        """
        if not policy.adversarial:
            return NOTHING
        found = self._found.get(split)
        if found is None:
            found = examine(function, split.above)
            if tf.distribute.get_strategy().num_replicas_in_sync == 1:
                self._found[split] = found  # else each replica has its own variables
        if found.noise and policy.noise == "shared" and not self._warned:
            self._warned = True
            warnings.warn(
                "Expected all noise above the mix point to be drawn by keras.random, so "
                "that the passes of a step see the same (noise='shared'). Received: "
                f"{'; '.join(found.noise)}. That cannot be put back: every pass draws "
                "anew, and the choice of the larger loss is one between noises, too. "
                "Draw by keras.random or a tf.random.Generator, or pass "
                "noise='independent' to the policy.",
                stacklevel=2,
            )
        return found


def _noise(graph, names):
    """Says which operations of a graph draw by ``tf.random``, and in which layers."""
    found = {}
    for node in traced.operations(graph):
        if node.op in _DRAWS:
            # A scope is its layer's name, numbered.
            scopes = [re.sub(r"_\d+$", "", scope) for scope in node.name.split("/")]
            scopes = [s for s in [*node.name.split("/"), *scopes] if s in names]
            layer = f"layer '{scopes[-1]}'" if scopes else "a layer"
            found[f"{layer}, which draws by tf.random ({node.op})"] = None
    return list(found)


def _may_hold(layer):
    """Whether a layer, or a function that it is made from, is a user's own."""
    functions = [
        getattr(value, "func", value)
        for value in vars(layer).values()
        if inspect.isroutine(value) or isinstance(value, functools.partial)
    ]
    return any(
        (getattr(value, "__module__", None) or "").split(".")[0] not in _KNOWN
        for value in [type(layer), *functions]
    )


def _held(values):
    """The TensorFlow variables in nested lists and dicts."""
    for value in values:
        if isinstance(value, tf.Variable):
            yield value
        elif isinstance(value, tf.Module) and not isinstance(value, keras.layers.Layer):
            yield from value.variables
        elif isinstance(value, dict):
            yield from _held(value.values())
        elif isinstance(value, (list, tuple)):
            yield from _held(value)


def _dtype(handle):
    return tf.as_dtype(handle._handle_data.shape_and_type[0].dtype)
