"""Inserts a MixLayer into a functional model, by replaying its graph.

To replay a graph is to call its operations again, on new symbolic inputs: with one more
behind the named one, with nested models opened, so that the mix point belongs to the
outermost graph, or with layers divided into their parts.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops, tree

from keras_amp.graph import keras_compat
from keras_amp.graph.layer_parts import call_in_parts
from keras_amp.graph.lookup import all_places, as_function, check_site, find
from keras_amp.graph.overrides import HONOURED, REFUSED, is_overridden
from keras_amp.layers import MixLayer
from keras_amp.typing import Structure, Tensor


def insert_mix_layer(
    model: keras.Model,
    after: str,
    name: str = "mix",
    masks: dict[str, str] | None = None,
) -> keras.Model:
    """Insert a ``MixLayer`` behind the output of a named layer.

    Args:
        model: A functional ``keras.Model`` or a built ``keras.Sequential``.
        after: Name of the layer to mix behind; it may lie inside a nested model. Where
            the name is not unique, give a path of names from the outermost model
            inwards, such as ``"bert_backbone/embeddings_dropout"``; a leading ``"/"``
            means the outermost level. An input layer may be named, to mix the inputs.
        name: Name of the new ``MixLayer``.
        masks: As ``MixLayer``.

    Returns:
        A functional ``keras.Model`` over the same layers and weights, which predicts
        exactly what ``model`` predicts. Nested models on the path are opened; all others
        stay whole. ``model`` itself is not changed, and training one trains the other.
        The copy does not have what the class of ``model`` overrides, such as
        ``compute_loss``, and a warning says so; ``MixupAMPModel(model, mix_at=after)``
        honours it.

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


def insert(
    model: keras.Model,
    layers: dict[keras.Operation, MixLayer],
    opened: Sequence[keras.Model],
) -> keras.Model:
    """Put each layer of a dict behind the operation that is its key."""

    def behind(operation: keras.Operation, outputs: Structure) -> Structure:
        layer = layers.get(operation)
        return outputs if layer is None else tree.map_structure(layer, outputs)

    return replay_model(model, opened, behind)


def open_mix_layers(model: keras.Model) -> tuple[keras.Model, list[MixLayer]]:
    """Bring the MixLayers of nested models to the outermost graph.

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
    return replay_model(model, opened), layers


Behind = Callable[[keras.Operation, Structure], Structure]


def _as_they_are(operation: keras.Operation, outputs: Structure) -> Structure:
    return outputs


def replay_model(
    model: keras.Model,
    opened: Sequence[keras.Model] = (),
    behind: Behind = _as_they_are,
    divided: Sequence[keras.layers.Layer] = (),
) -> keras.Model:
    """Rebuild a model over the same operations; see ``replay``."""
    function = as_function(model, "model")
    _check_names(function, opened)
    outputs = replay(function, function.input, opened, behind, divided=divided)
    rebuilt = keras.Model(function.input, outputs, name=model.name)
    # In half precision it decides on the optimizer's loss scaling.
    rebuilt.dtype_policy = model.dtype_policy
    return rebuilt


def replay(
    function: keras.Function,
    inputs: Structure,
    opened: Sequence[keras.Model] = (),
    behind: Behind = _as_they_are,
    training: bool | None = None,
    divided: Sequence[keras.layers.Layer] = (),
) -> Structure:
    """Call a graph's operations on new symbolic inputs.

    Args:
        function: The graph.
        inputs: Symbolic tensors in the structure of the graph's inputs.
        opened: Nested models whose operations are called one by one.
        behind: Callable ``(operation, outputs) -> outputs``, applied to every result.
        training: The ``training`` argument that a nested model was called with.
        divided: Layers to be called as their two parts (``layer_parts``).

    Returns:
        The outputs, in the graph's structure.
    """

    def call(operation: keras.Operation, *args: Any, **kwargs: Any) -> Structure:
        # A nested graph was built on inputs without a mask. Its calls now take the masks
        # that the outer graph's tensors have.
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
        elif any(operation is layer for layer in divided):
            outputs = call_in_parts(operation, args, kwargs)
        else:
            if training is not None and keras_compat.takes_training(operation):
                kwargs["training"] = training  # replaces its own, as in Keras
            outputs = operation(*args, **kwargs)
        return behind(operation, outputs)

    inputs = [
        behind(keras_compat.node_of(x).operation, given)
        for x, given in zip(function.inputs, tree.flatten(inputs), strict=True)
    ]
    return keras_compat.run_graph(function, inputs, call)


def _fit_structure(
    function: keras.Function, inputs: Structure, masks: Structure
) -> list[Tensor]:
    """Order, cast and mask the arguments of a nested model, as its call would."""

    def in_order(value: Structure) -> list[Any]:
        if isinstance(value, dict) and not isinstance(function.input, dict):
            value = [value[x.name] for x in function.inputs]
        leaves: list[Any] = tree.flatten(value)
        return leaves

    given = [
        x if x.dtype == expected.dtype else ops.cast(x, expected.dtype)
        for x, expected in zip(in_order(inputs), function.inputs, strict=True)
    ]
    for i, mask in enumerate([] if masks is None else in_order(masks)):
        if mask is not None:
            # On a copy: the tensor's other readers are not called with this mask.
            given[i] = ops.copy(given[i])
            keras_compat.put_mask(given[i], mask)
    return given


def _check_names(function: keras.Function, opened: Sequence[keras.Model]) -> None:
    """Raise unless the names of opened models' layers are new to the outer graph."""
    owners: dict[str, keras.Operation] = {}
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
