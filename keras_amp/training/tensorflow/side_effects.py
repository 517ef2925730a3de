"""Finds what a pass changes or draws that Keras does not know of.

Keras can run a pass and keep its own variables unchanged. It does not know the
``tf.Variable``s that a user's layer, function or loss holds, nor a
``tf.random.Generator``. A pass is traced once, without being run, to find which of these
it changes. Their values are then read before a pass and restored after it. The random
numbers of ``tf.random``'s operations cannot be restored, and a warning names the layer
that draws them. What Python code draws or changes within a graph
(``tf.numpy_function``) is not found.
"""

import inspect
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from keras_amp.graph import keras_compat
from keras_amp.graph.split import SplitModel
from keras_amp.policies.needs import Needs
from keras_amp.training.tensorflow import numpy_noise, traced_graph
from keras_amp.typing import Tensor

# Layers, losses and functions of these packages have no such side effects.
_KNOWN = {"keras", "keras_hub", "keras_amp"}
# Operations that draw random numbers from a state that cannot be read.
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
# Operations that change the state of a `tf.random.Generator`, a variable.
_MOVES = re.compile(r"Rng\w*Skip|NonDeterministicInts|Stateful(?!PartitionedCall)\w+")
_CHANGES = re.compile(
    r"Assign\w*VariableOp|ResourceScatter\w+|Resource(Sparse)?Apply\w+"
    r"|ResourceStridedSliceAssign|ResourceCountUpTo"
)


class SideEffects(NamedTuple):
    """What a pass changes or draws that Keras does not know of.

    Attributes:
        variables: Handles (resource tensors) of the variables that it changes.
        generators: Handles of the states of the random generators that it draws from.
        noise: Strings that name what draws random numbers that cannot be restored.
    """

    variables: list[Tensor]
    generators: list[Tensor]
    noise: list[str]


NOTHING = SideEffects([], [], [])


def examine(
    function: Callable[[], Any],
    model: keras.Model,
    losses: Sequence[keras.losses.Loss] = (),
) -> SideEffects:
    """Finds the side effects of a function without running it.

    Args:
        function: Callable of no arguments; what it reads may be tensors of any graph.
        model: The functional model whose layers it runs.
        losses: The ``keras.losses.Loss``es that it computes.

    Returns:
        ``SideEffects``. If the function cannot be traced because it runs eagerly only,
        these are the variables that the layers hold.

    Example:
    >>> import tensorflow as tf
    >>> from keras_amp.training.tensorflow.side_effects import examine
    >>> shuffle = keras.layers.Lambda(tf.random.shuffle, name="shuffle")
    >>> model = keras.Sequential([keras.Input((2,)), shuffle])
    >>> examine(lambda: model(np.ones((3, 2))), model).noise
    ["layer 'shuffle', which draws by tf.random (RandomShuffle)"]
    """
    layers = keras_compat.layers_of(model)
    own = list(_own([*layers, *getattr(model, "operations", []), *losses]))
    if not own:
        return NOTHING
    graph = tf.__internal__.FuncGraph("examined")
    try:
        with (
            numpy_noise.watched(own) as drew,
            keras.StatelessScope(),
            graph.as_default(),
        ):
            function()
    except Exception:  # whatever a layer's code raises where it cannot be traced
        held = _held(getattr(part, "__dict__", {}) for part in [*layers, *own])
        handles = {id(variable): variable.handle for variable in held}
        return SideEffects(list(handles.values()), [], drew)
    captures = zip(graph.external_captures, graph.internal_captures, strict=True)
    variables, generators = [], []
    for handle, placeholder in captures:
        if handle.dtype == tf.resource:
            kinds = set(traced_graph.consumers(graph, placeholder))
            if any(map(_MOVES.fullmatch, kinds)):
                generators.append(handle)
            elif any(map(_CHANGES.fullmatch, kinds)):
                variables.append(handle)
    names = {each.name: f"loss '{each.name}'" for each in losses}
    names |= {layer.name: f"layer '{layer.name}'" for layer in layers}
    return SideEffects(variables, generators, _noise(graph, names) + drew)


def without_effect(
    function: Callable[[], Any],
    model: keras.Model,
    losses: Sequence[keras.losses.Loss] = (),
) -> Any:
    """Calls a function and restores the variables that it changes.

    These are Keras' variables as well as TensorFlow's.

    Args:
        function: Callable of no arguments.
        model: The functional model that it runs.
        losses: The ``keras.losses.Loss``es that it computes.

    Returns:
        What the function returns.
    """
    found = examine(function, model, losses)
    handles = found.variables + found.generators
    before = read(handles)
    with keras.StatelessScope():
        result = function()
    put_back(handles, before)
    return result


def read(handles: list[Tensor]) -> list[Tensor]:
    """Returns the values of variables, to be restored."""
    return [tf.raw_ops.ReadVariableOp(resource=h, dtype=_dtype(h)) for h in handles]


def put_back(handles: list[Tensor], values: list[Tensor]) -> None:
    """Sets variables to the values that ``read`` returned."""
    for handle, value in zip(handles, values, strict=True):
        tf.raw_ops.AssignVariableOp(resource=handle, value=value)


class Examined:
    """Examines each split of a model once, and warns once of noise that is not shared."""

    def __init__(self) -> None:
        self._found: dict[SplitModel, SideEffects] = {}
        self._warned = False

    def of(
        self,
        split: SplitModel,
        function: Callable[[], Any],
        needs: Needs,
        losses: Sequence[keras.losses.Loss],
    ) -> SideEffects:
        """Returns the side effects of a pass above a mix point.

        Args:
            split: ``keras_amp.graph.split.SplitModel``.
            function: Callable of no arguments that runs the pass.
            needs: The ``Needs`` of the policy.
            losses: The ``keras.losses.Loss``es that the pass ends with.

        Returns:
            ``SideEffects``.
        """
        if needs.trains_on == "drawn":  # there is a single pass
            return NOTHING
        found = self._found.get(split)
        if found is None:
            found = examine(function, split.above, losses)
            if tf.distribute.get_strategy().num_replicas_in_sync == 1:
                self._found[split] = found  # else each replica has its own variables
        if found.noise and needs.noise == "shared" and not self._warned:
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


def _noise(graph: tf.Graph, names: dict[str, str]) -> list[str]:
    """Says which operations of a graph draw by ``tf.random``, and where.

    Args:
        graph: A ``tf.Graph``.
        names: Dict from the names of layers and losses to what they are called here.
    """
    found: dict[str, None] = {}
    for node in traced_graph.operations(graph):
        if node.op in _DRAWS:
            # A scope is its layer's name, numbered.
            scopes = [re.sub(r"_\d+$", "", scope) for scope in node.name.split("/")]
            scopes = [s for s in [*node.name.split("/"), *scopes] if s in names]
            where = names[scopes[-1]] if scopes else "a layer"
            found[f"{where}, which draws by tf.random ({node.op})"] = None
    return list(found)


def _own(parts: Iterable[Any]) -> Iterator[Any]:
    """Of layers and losses, and of what they call, those that are a user's own."""
    for part in parts:
        called = [v for v in vars(part).values() if callable(v)]
        called = [getattr(v, "func", v) for v in called if not isinstance(v, type)]
        for value in [part, *called]:
            origin = value if inspect.isroutine(value) else type(value)
            module = getattr(origin, "__module__", None) or ""  # built-ins have none
            if module.split(".")[0] not in _KNOWN:
                yield value


def _held(values: Iterable[Any]) -> Iterator[tf.Variable]:
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


def _dtype(handle: Tensor) -> tf.DType:
    return tf.as_dtype(handle._handle_data.shape_and_type[0].dtype)
