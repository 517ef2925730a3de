"""Finds the layer that a name denotes in a functional model, at any depth."""

import keras

from keras_amp.graph import keras_compat
from keras_amp.graph.keras_compat import Node
from keras_amp.graph.overrides import defining_class
from keras_amp.typing import Tensor
from keras_amp.validation import about_integers, did_you_mean, foreign_library


def as_function(model: keras.Model, argument: str) -> keras.Function:
    """Return the graph of a functional model or of a built Sequential.

    Args:
        model: The model.
        argument: What the caller's user named it, for the error.

    Raises:
        ValueError: If ``model`` has no graph, or is another library's.
    """
    if has_own_call(model):
        raise ValueError(
            f"Expected `{argument}` to compute what its graph says: the graph is cut "
            f"where it mixes. Received: '{model.name}', whose class "
            f"{type(model).__name__} overrides `call()`. Put what it adds into the "
            "graph, as layers."
        )
    if isinstance(model, keras.Function):
        return model
    if isinstance(model, keras.Sequential):
        if model.built and model.layers:
            # Not in a list, so that the structure is that of a plain array.
            inputs, outputs = (
                tensors[0] if len(tensors) == 1 else tensors
                for tensors in (model.inputs, model.outputs)
            )
            return keras.Model(inputs, outputs, name=model.name)
        raise ValueError(
            f"Expected `{argument}` to be a functional model or a built Sequential. "
            f"Received: the Sequential '{model.name}', not built yet. Begin it with "
            "`keras.Input(shape)`, or call it on a batch first."
        )
    library = foreign_library(model)
    if library:
        raise ValueError(
            f"Expected `{argument}` to be a model of Keras 3, made by `import keras`. "
            f"Received: a {type(model).__name__} of {library}. Build the network of "
            "keras.layers, with `keras.Model(inputs, outputs)`."
        )
    raise ValueError(
        f"Expected `{argument}` to be a functional model or a built Sequential: its "
        "graph is cut where it mixes. Received: "
        f"{model if not isinstance(model, keras.Model) else type(model).__name__}"
        f" (of type {type(model)}). Build the network with the functional API, "
        "`keras.Model(inputs, outputs)`; a subclassed model's layers can be called there "
        "as they are."
    )


def has_own_call(model: object) -> bool:
    """Return whether a functional model's class overrides ``call``."""
    if not isinstance(model, (keras.Function, keras.Sequential)):
        return False
    return defining_class(model, "call") is not None


def _is_graph(operation: keras.Operation) -> bool:
    if has_own_call(operation):
        return False
    return isinstance(operation, keras.Function) or (
        isinstance(operation, keras.Sequential) and operation.built
    )


class Place:
    """An operation of a graph, with the nested models on the way to it.

    Args:
        path: Names from the outermost level inwards, the operation's own last.
        operation: The operation.
        node: The first node that calls it.
        calls: How often it is called.
        opened: The nested models on the way, outermost first.
    """

    def __init__(
        self,
        path: tuple[str, ...],
        operation: keras.Operation,
        node: Node,
        calls: int,
        opened: tuple[keras.Model, ...],
    ) -> None:
        self.path, self.operation = path, operation
        self.node, self.calls, self.opened = node, calls, opened


def all_places(
    function: keras.Function,
    path: tuple[str, ...] = (),
    opened: tuple[keras.Model, ...] = (),
) -> list[Place]:
    """Return all operations of a graph and of the models nested in it, in order."""
    nodes: dict[int, list[Node]] = {}
    for node in keras_compat.nodes_of(function):
        nodes.setdefault(id(node.operation), []).append(node)
    places = []
    for operation in function.operations:
        called = nodes.get(id(operation), [])
        if not called:
            continue
        here = (*path, operation.name)
        places.append(Place(here, operation, called[0], len(called), opened))
        if _is_graph(operation):
            nested = as_function(operation, "model")
            # A nested model that is called several times calls its layers as often.
            inside = all_places(nested, here, (*opened, operation))
            for place in inside:
                place.calls *= len(called)
            places.extend(inside)
    return places


def find(function: keras.Function, name: str, model: keras.Model) -> Place:
    """Return the one place that a name denotes.

    Args:
        function: The graph.
        name: A layer's name or path; see ``insert_mix_layer``.
        model: The model that the graph is of, for errors.

    Raises:
        ValueError: If no layer has the name, or several have; it lists the candidates.
    """
    matches = _matches(function, name)
    if len(matches) == 1:
        return matches[0]
    if matches:
        paths = ", ".join(
            "/" + place.path[0] if len(place.path) == 1 else "/".join(place.path)
            for place in matches
        )
        raise ValueError(
            f"Expected a name that denotes one layer of '{model.name}'. Received: "
            f"{name!r}, which {len(matches)} layers have. Name one by its path: {paths}"
        )
    known = [
        "/".join(place.path)
        for place in all_places(function)
        if isinstance(place.operation, keras.layers.Layer)
    ]
    raise ValueError(
        f"Expected the name of a layer of '{model.name}'. Received: {name!r}."
        f"{did_you_mean(str(name), known)} Its "
        f"layers are: {', '.join(known)}"
    )


def _matches(function: keras.Function, name: str) -> list[Place]:
    wanted = tuple(part for part in str(name).split("/") if part)
    places = all_places(function)
    if str(name).startswith("/"):
        return [place for place in places if place.path == wanted]
    # A layer's own name may contain a slash, so that the whole name is tried as well.
    return [
        place
        for place in places
        if place.path[-len(wanted) :] == wanted or place.operation.name == name
    ]


def check_site(place: Place) -> None:
    """Raise unless a ``MixLayer`` can be put behind a place."""
    path = "/".join(place.path)
    if place.calls > 1:
        raise ValueError(
            f"Expected a layer that the model calls once. Received: {path!r}, which is "
            f"called {place.calls} times; a MixLayer can stand behind only one of the "
            "calls. Put a `keras_amp.MixLayer` into the network where it should mix."
        )
    outputs = place.node.outputs
    if len(outputs) != 1:
        raise ValueError(
            f"Expected a layer with one output tensor. Received: {path!r}, which has "
            f"{len(outputs)}. Name a layer behind it that uses the one to be mixed."
        )
    check_floating(outputs[0], f"layer {path!r}")


def check_floating(tensor: Tensor, where: str) -> None:
    """Raise unless a tensor, of which ``where`` says where it is, holds floats."""
    if not keras.backend.is_float_dtype(tensor.dtype):
        behind = _first_floats(tensor)
        hint = f" In this model that is {behind!r}." if behind else ""
        raise ValueError(
            f"Expected a floating-point tensor at the mix point. Received: {where}, "
            f"whose output is {tensor.dtype} of the shape {tensor.shape}. "
            f"{about_integers(tensor.dtype, len(tensor.shape))}{hint}"
        )


def _first_floats(x: Tensor) -> str | None:
    """The name of the nearest operation behind a tensor that yields floats, or None."""
    waiting: list[Tensor] = [x]
    seen: set[int] = set()
    while waiting:
        for node in keras_compat.readers_of(waiting.pop(0)):
            if id(node) in seen:
                continue
            seen.add(id(node))
            if any(keras.backend.is_float_dtype(y.dtype) for y in node.outputs):
                return str(node.operation.name)
            waiting.extend(node.outputs)
    return None
