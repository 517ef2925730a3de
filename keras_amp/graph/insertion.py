"""Inserts a MixLayer into a functional model, by calling its graph anew.

The same operations are called on new symbolic inputs, with one more behind the named one.
Nested models on the way to it are opened, so that the mix point belongs to the outer
graph.
"""

import warnings

import keras
from keras import ops, tree

from keras_amp.graph import keras_compat
from keras_amp.graph.layer_parts import Activation, Preactivation
from keras_amp.graph.lookup import all_places, as_function, check_site, find
from keras_amp.graph.lstm import Projection, Recurrence
from keras_amp.graph.overrides import HONOURED, REFUSED, is_overridden
from keras_amp.layers import MixLayer


def insert_mix_layer(model, after, name="mix", masks=None):
    """Inserts a ``MixLayer`` behind the output of a named layer.

    Args:
        model: A functional ``keras.Model`` or a built ``keras.Sequential``.
        after: Name of the layer to mix behind. Layers inside nested models count: a
            plain name will do where it is unique, else a path of names from the outside
            in, such as ``"bert_backbone/embeddings_dropout"``; a leading ``"/"`` means
            the outermost level. An input layer may be named too, to mix the inputs.
        name: Name of the new ``MixLayer``.
        masks: As ``MixLayer``.

    Returns:
        A functional ``keras.Model`` over the same layers and weights, which predicts
        exactly what ``model`` predicts. Nested models on the path are opened; all others
        stay whole. ``model`` itself is untouched, and training one trains the other. What
        its class overrides, such as ``compute_loss``, is not taken over (a warning says
        so): ``MixupAMPModel(model, mix_at=after)`` honours it.

    Raises:
        ValueError: If ``model`` is not a graph, ``after`` is unknown, ambiguous or called
            several times, its output is not one floating-point tensor, or the names of
            opened layers collide.

    Example:
    >>> model = keras.Sequential([
    ...     keras.Input((7,)),
    ...     keras.layers.Embedding(100, 8, name="embedding"),
    ...     keras.layers.GlobalMaxPooling1D(),
    ...     keras.layers.Dense(2, activation="softmax"),
    ... ])
    >>> mixed = keras_amp.insert_mix_layer(model, after="embedding")
    >>> [layer.name for layer in mixed.layers][1:3]
    ['embedding', 'mix']
    """
    function = as_function(model, "model")
    site = find(function, after, model)
    check_site(site)
    if any(place.operation.name == name for place in all_places(function)):
        raise ValueError(
            f"Expected `name` to be new to the model. Received: name={name!r}, which a "
            "layer of the model already has. Pass another `name`."
        )
    methods = [m for m in (*HONOURED, *REFUSED) if is_overridden(model, m)]
    if methods:
        warnings.warn(
            f"'{model.name}' overrides {', '.join(f'`{m}()`' for m in methods)}; the "
            "model with a MixLayer, a plain keras.Model, does not. Pass the model itself "
            f"to `keras_amp.MixupAMPModel(model, mix_at={after!r})`.",
            stacklevel=2,
        )
    layer = MixLayer(masks=masks, name=name)
    return insert(model, {site.operation: layer}, site.opened)


def insert(model, layers, opened):
    """Puts each layer of a dict behind the operation that is its key."""

    def behind(operation, outputs):
        layer = layers.get(operation)
        return outputs if layer is None else tree.map_structure(layer, outputs)

    return replay_model(model, opened, behind)


def open_mix_layers(model):
    """Brings the MixLayers of nested models to the outermost graph.

    Args:
        model: A functional ``keras.Model`` or a built ``keras.Sequential``.

    Returns:
        A tuple of a functional model over the same layers, whose graph holds every
        ``MixLayer`` that ``model`` holds at any depth, and the list of these layers.
    """
    places = [
        place
        for place in all_places(as_function(model, "model"))
        if isinstance(place.operation, MixLayer)
    ]
    opened = [nested for place in places for nested in place.opened]
    layers = [place.operation for place in places]
    return replay_model(model, opened, lambda operation, outputs: outputs), layers


def replay_model(model, opened, behind, apart=()):
    """Rebuilds a model over the same operations; see ``replay``."""
    function = as_function(model, "model")
    _check_names(function, opened)
    outputs = replay(function, function.input, opened, behind, apart=apart)
    rebuilt = keras.Model(function.input, outputs, name=model.name)
    # With half-precision weights it decides on the optimizer's loss scaling.
    rebuilt.dtype_policy = model.dtype_policy
    return rebuilt


def replay(function, inputs, opened, behind, training=None, apart=()):
    """Calls a graph's operations on new symbolic inputs.

    Args:
        function: The graph.
        inputs: Symbolic tensors in the structure of the graph's inputs.
        opened: Nested models whose operations are called one by one.
        behind: Callable ``(operation, outputs) -> outputs`` applied to every result.
        training: The ``training`` argument that a nested model was called with.
        apart: Layers to be called as two; see ``_taken_apart``.

    Returns:
        The outputs, in the graph's structure.
    """

    def call(operation, *args, **kwargs):
        # A nested graph knows of no mask where its inputs came with none; the tensors of
        # the outer graph bring theirs.
        kwargs = {
            key: value
            for key, value in kwargs.items()
            if value is not None or not key.endswith("mask")
        }
        if any(operation is nested for nested in opened):
            inner_training = kwargs.get("training") if training is None else training
            inner = as_function(operation, "model")
            given = args[0] if args else kwargs["inputs"]
            given = _fit_structure(inner, given, kwargs.get("mask"))
            outputs = replay(inner, given, opened, behind, inner_training)
        elif any(operation is layer for layer in apart):
            outputs = _taken_apart(operation, args, kwargs)
        else:
            if training is not None and keras_compat.takes_training(operation):
                kwargs["training"] = training  # over its own, as Keras does
            outputs = operation(*args, **kwargs)
        return behind(operation, outputs)

    inputs = [
        behind(keras_compat.node_of(x).operation, given)
        for x, given in zip(function.inputs, tree.flatten(inputs), strict=True)
    ]
    return keras_compat.run_graph(function, inputs, call)


def _taken_apart(layer, args, kwargs):
    """Calls a layer as two: an affine part, then its activation or its loop."""
    # What else the call was given makes no difference where a layer is taken apart.
    masks = {key: kwargs.pop(key) for key in ("mask",) if key in kwargs}
    (inputs,) = (
        x for x in tree.flatten((args, kwargs)) if isinstance(x, keras.KerasTensor)
    )
    if hasattr(layer, "return_sequences"):
        return Recurrence(layer)(Projection(layer)(inputs), **masks)
    return Activation(layer)(Preactivation(layer)(inputs))


def _fit_structure(function, inputs, masks):
    """Orders, casts and masks what a nested model is given, as its call would."""

    def in_order(value):
        if isinstance(value, dict) and not isinstance(function.input, dict):
            value = [value[x.name] for x in function.inputs]
        return tree.flatten(value)

    given = [
        x if x.dtype == expected.dtype else ops.cast(x, expected.dtype)
        for x, expected in zip(in_order(inputs), function.inputs, strict=True)
    ]
    for i, mask in enumerate([] if masks is None else in_order(masks)):
        if mask is not None:
            # On a copy: the tensor's other readers have not been given this mask.
            given[i] = ops.copy(given[i])
            keras_compat.put_mask(given[i], mask)
    return given


def _check_names(function, opened):
    """A graph's names are unique; those of opened models join the outer ones."""
    owners = {}
    for place in all_places(function):
        if any(place.operation is nested for nested in opened):
            continue
        if any(outer not in opened for outer in place.opened) or (
            isinstance(place.operation, keras.layers.InputLayer) and place.opened
        ):
            continue
        name = place.operation.name
        if owners.setdefault(name, place.operation) is not place.operation:
            raise ValueError(
                f"Expected the layers of '{opened[0].name}' to have names of their own: "
                f"mixing inside it opens it into the outer graph. Received: two layers "
                f"named {name!r}. Rename one, for instance by "
                f'`layer.name = "{opened[0].name}_{name}"`.'
            )
