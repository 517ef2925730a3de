"""Finds the layer that a name denotes in a functional model, at any depth."""

import keras

from keras_amp.graph import keras_compat
from keras_amp.graph.overrides import defining_class
from keras_amp.validation import about_integers, did_you_mean, foreign_library


def as_function(model, argument):
    """Returns the graph of a functional model or of a built Sequential.

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
            # Without a list around it, so that a plain array fits its structure.
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


def has_own_call(model):
    """Whether a functional model's class computes something else than its graph."""
    if not isinstance(model, (keras.Function, keras.Sequential)):
        return False
    return defining_class(model, "call") is not None


def _is_graph(operation):
    if has_own_call(operation):
        return False
    return isinstance(operation, keras.Function) or (
        isinstance(operation, keras.Sequential) and operation.built
    )


class Place:
    """An operation of a graph, with the nested models on the way to it."""

    def __init__(self, path, operation, node, calls, opened):
        self.path, self.operation = path, operation
        self.node, self.calls, self.opened = node, calls, opened


def all_places(function, path=(), opened=()):
    """All operations of a graph and of the models nested in it, from the inputs on."""
    nodes = {}
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
            # What is called several times holds several copies of every place inside.
            inside = all_places(nested, here, (*opened, operation))
            for place in inside:
                place.calls *= len(called)
            places.extend(inside)
    return places


def find(function, name, model):
    """Returns the one place that ``name`` denotes, or lists the candidates."""
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


def _matches(function, name):
    wanted = tuple(part for part in str(name).split("/") if part)
    places = all_places(function)
    if str(name).startswith("/"):
        return [place for place in places if place.path == wanted]
    # Names given by Keras may hold a slash themselves; the whole name is tried as well.
    return [
        place
        for place in places
        if place.path[-len(wanted) :] == wanted or place.operation.name == name
    ]


def check_site(place):
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


def check_floating(tensor, where):
    if not keras.backend.is_float_dtype(tensor.dtype):
        behind = _first_floats(tensor)
        hint = f" In this model that is {behind!r}." if behind else ""
        raise ValueError(
            f"Expected a floating-point tensor at the mix point. Received: {where}, "
            f"whose output is {tensor.dtype} of the shape {tensor.shape}. "
            f"{about_integers(tensor.dtype, len(tensor.shape))}{hint}"
        )


def _first_floats(x):
    """The name of the nearest operation behind a tensor that yields floats, or None."""
    waiting, seen = [x], set()
    while waiting:
        for node in keras_compat.readers_of(waiting.pop(0)):
            if id(node) in seen:
                continue
            seen.add(id(node))
            if any(keras.backend.is_float_dtype(y.dtype) for y in node.outputs):
                return node.operation.name
            waiting.extend(node.outputs)
    return None
