"""Surgery on functional models: insert a MixLayer, and split a model at it.

A functional model is a graph of operations. Inserting a layer replays that graph over
the same operations with one more behind the named one; nested models on the way to it
are opened, so that the mix point belongs to the outer graph. Splitting cuts the graph at
the mix point, so that what lies below is computed once a step however often what lies
above is evaluated.
"""

import difflib
import itertools
import math
import warnings
from typing import NamedTuple

import keras
from keras import ops, tree

from keras_amp import batch_axis, graphs
from keras_amp.axes import column
from keras_amp.layers import MixLayer
from keras_amp.masks import SHARED, masks_around, united
from keras_amp.overrides import HONOURED, REFUSED, defining_class, is_overridden
from keras_amp.parts import Activation, Preactivation
from keras_amp.recurrence import Projection, Recurrence, in_two_parts
from keras_amp.sinking import split_activations, sunk
from keras_amp.values import about_integers, foreign_library


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
    site = _find(function, after, model)
    _check_site(site)
    if any(place.operation.name == name for place in _places(function)):
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
    return _insert(model, {site.operation: layer}, site.opened)


def _insert(model, layers, opened):
    """Puts each layer of a dict behind the operation that is its key."""

    def behind(operation, outputs):
        layer = layers.get(operation)
        return outputs if layer is None else tree.map_structure(layer, outputs)

    return _replay_model(model, opened, behind)


def splits(model, mix_at, rewrite=False, sink=False, masks=None):
    """Cuts a model at each of its mix points.

    Args:
        model: A functional ``keras.Model`` or a built ``keras.Sequential``.
        mix_at: A layer's name or path; a tuple of them, to be mixed together; a list of
            both, one of which is taken at a time; or None for each of the ``MixLayer``s
            that the model holds. The name of a ``MixLayer`` denotes that layer itself.
        rewrite: As ``Split``.
        sink: As ``Split``.
        masks: As ``Split``.

    Returns:
        A list of ``Split``, one for each mix point.

    Raises:
        ValueError: As ``insert_mix_layer`` and ``Split``; if ``mix_at`` is empty or names
            a place twice; if it is None and the model holds no ``MixLayer``.
    """
    if mix_at is None:
        opened, layers = open_mix_layers(model)
        if not layers:
            raise ValueError(
                f"Expected `mix_at` to say where to mix, as '{model.name}' holds no "
                "MixLayer. Received: mix_at=None. Pass a layer's name, such as that of "
                "its embedding, or put a `keras_amp.MixLayer` into the network."
            )
        return [
            Split(opened, [layer], [layer.name], rewrite, sink, masks) for layer in layers
        ]
    if isinstance(mix_at, tuple) and all(isinstance(name, str) for name in mix_at):
        try:
            return splits(model, [mix_at], rewrite, sink, masks)
        except _NestedPlacesError as error:
            # A tuple once was the same as a list.
            warnings.warn(str(error), DeprecationWarning, stacklevel=3)
    points = [mix_at] if isinstance(mix_at, str) else list(mix_at)
    groups = [(point,) if isinstance(point, str) else point for point in points]
    function = as_function(model, "classifier")
    places = [{_find(function, n, model).operation for n in names} for names in groups]
    twice = any(len(p) != len(n) for p, n in zip(places, groups, strict=True))
    twice = twice or len(set(map(frozenset, places))) != len(places)
    if twice or not groups or not all(groups):
        raise ValueError(
            "Expected `mix_at` to name at least one layer, and none twice. Received: "
            f"mix_at={mix_at!r}"
        )
    return [_split_at(model, names, rewrite, sink, masks) for names in groups]


class _NestedPlacesError(ValueError):
    """Places that are to be mixed together, of which one lies above another."""


def _split_at(model, names, rewrite, sink, masks):
    function = as_function(model, "classifier")
    places = [_find(function, name, model) for name in names]
    taken = {p.operation.name for p in _places(function)}
    layers, inserted = [], {}
    for place in places:
        if isinstance(place.operation, MixLayer):
            layers.append(place.operation)
            continue
        _check_site(place)
        layer_name = "mix"
        while layer_name in taken:
            layer_name += "_"
        taken.add(layer_name)
        inserted[place.operation] = MixLayer(name=layer_name)
        layers.append(inserted[place.operation])
    opened = [nested for place in places for nested in place.opened]
    return Split(_insert(model, inserted, opened), layers, names, rewrite, sink, masks)


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
        for place in _places(as_function(model, "model"))
        if isinstance(place.operation, MixLayer)
    ]
    opened = [nested for place in places for nested in place.opened]
    layers = [place.operation for place in places]
    return _replay_model(model, opened, lambda operation, outputs: outputs), layers


def as_function(model, argument):
    """Returns the graph of a functional model or of a built Sequential.

    Args:
        model: The model.
        argument: What the caller's user named it, for the error.

    Raises:
        ValueError: If ``model`` has no graph, or is another library's.
    """
    if _has_own_call(model):
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


class Split:
    """A functional model, cut at a mix point into what lies below and above.

    A mix point is one ``MixLayer``, or several that mix together, by the same lambda. The
    cut may lie higher than these, behind layers that commute with mixing
    (``keras_amp.sinking``), and then go through several tensors.

    Masks reach the upper part in two ways, and both are handed over: as the implicit
    Keras mask of a mixed tensor (``Embedding(mask_zero=True)``), and as tensors that
    bypass the mix point (``keras_amp.masks``): mask inputs such as KerasHub's
    ``padding_mask`` and booleans that the model computes, such as ``ids != 0``.

    Args:
        model: A functional model whose graph holds ``mix_layers``.
        mix_layers: List of ``MixLayer``s to cut at.
        names: What the user called each of them.
        rewrite: Whether to replace LSTMs by faster layers that compute the same
            (``keras_amp.recurrence``).
        sink: With ``rewrite``, whether to mix as far up as that changes no result.
        masks: Dict from names to meanings, as ``MixupAMPModel`` takes it, or None.

    Attributes:
        below: ``keras.Model`` from the model's inputs to ``[*hidden, *masks]``.
        above: ``keras.Model`` from ``[*mixed, *masks]`` to the model's output.
        mix_layer: The ``MixLayer`` between the two; the first of several.
        names: Tuple of strings, what the user called the mix point's layers.
        mixed_behind: Names of the layers whose outputs are mixed.
        mask_meanings: For each mask its meaning (``keras_amp.masks``).

    Raises:
        ValueError: If the model's output does not depend on the mix point, nothing lies
            above it, one of its layers is called more than once, mixes integers or
            tensors without a batch axis, or lies above another; if an input that is no
            mask bypasses it, or it is not seen what a boolean means that does.
    """

    def __init__(self, model, mix_layers, names, rewrite=False, sink=False, masks=None):
        self.mix_layer, self.names = mix_layers[0], tuple(names)
        mixed = [_mixed_by(layer, model) for layer in mix_layers]
        _check_side_by_side(model, mixed, names)
        _check_batch_axis(model, mixed, names)
        said = {}
        for layer in mix_layers:
            said.update(layer.masks or {})
        said.update(masks or {})
        _check_known(said, model)
        model, mixed, entries = _entries(model, mixed, rewrite, sink)
        found = masks_around(model, mixed, entries, self.place, said)
        self.mask_meanings = [meaning for _, meaning in found]
        called = dict(zip(map(id, mixed), names, strict=True))
        self.mixed_behind = [
            called.get(id(x), x._keras_history.operation.name) for x in entries
        ]
        tensors = [*entries, *(mask for mask, _ in found)]
        self.below = keras.Model(model.input, tensors, name="below")
        self.above = _above(model, tensors)
        self.above.supports_masking = True

    @property
    def place(self):
        """The mix point's name; of several layers their names together."""
        return " + ".join(self.names)

    def run_below(self, inputs, training=True):
        """Computes the hidden states, once a step.

        Args:
            inputs: The model's inputs.
            training: Whether in training mode (dropout, batch statistics).

        Returns:
            A ``Hidden``.
        """
        tensors = tree.flatten(self.below(inputs, training=training))
        count = len(self.mixed_behind)
        return Hidden(tensors[:count], tensors[count:], self.mask_meanings)

    def run_above(self, pair, lam, training=True):
        """Mixes a ``Pair`` by ``lam`` and computes the predictions.

        Args:
            pair: A ``Pair``.
            lam: Float32 tensor ``(batch_size,)``, the share of the examples themselves,
                or one for every dimension; see ``lam_per_dimension``.
            training: Whether in training mode.

        Returns:
            What the model returns.
        """
        mixed = [
            self.mix_layer(hidden, partner=partner, lam=part)
            for hidden, partner, part in zip(
                pair.hidden, pair.partner, _parts(lam, pair.hidden), strict=True
            )
        ]
        implicit = [*pair.implicit_masks, *[None] * len(pair.masks)]
        return self.above([*mixed, *pair.masks], training=training, mask=implicit)

    def lam_per_dimension(self, pair, lam):
        """Gives every dimension of the hidden states its example's coefficient.

        Args:
            pair: A ``Pair``.
            lam: Float32 tensor ``(batch_size,)``.

        Returns:
            A float32 tensor of the shape of the hidden states; of several hidden states
            ``(batch_size, num_dimensions)``, those of all of them side by side.

        Raises:
            ValueError: If mixing was moved up, where other dimensions are mixed.
        """
        if self.mixed_behind != list(self.names):
            raise ValueError(
                "Expected the model to be made with a policy of step_per='dimension', as "
                f"it then mixes behind '{self.place}' itself. Received: a model "
                f"that mixes behind {', '.join(self.mixed_behind)}, which changes no "
                "result with step_per='example' only."
            )
        lams = [ops.broadcast_to(column(lam, h), ops.shape(h)) for h in pair.hidden]
        if len(lams) == 1:
            return lams[0]
        return ops.concatenate([ops.reshape(v, _flat(v)) for v in lams], axis=1)

    @property
    def noise_states(self):
        """The state variables of the random generators above the mix point."""
        others = self.above.weights + self.above.metrics_variables
        known = {id(variable) for variable in others}
        return [v for v in self.above.variables if id(v) not in known]


def _flat(x):
    """The shape ``(batch_size, num_dimensions)`` of a tensor's values."""
    return (ops.shape(x)[0], math.prod(ops.shape(x)[1:]))


def _parts(lam, hidden):
    """Each hidden state's coefficients, of those of all side by side."""
    if len(hidden) == 1 or len(lam.shape) == 1:
        return [lam] * len(hidden)
    ends = [0, *itertools.accumulate(_flat(h)[1] for h in hidden)]
    return [
        ops.reshape(lam[:, first:last], ops.shape(h))
        for h, first, last in zip(hidden, ends, ends[1:], strict=False)
    ]


def _above(model, entries):
    """The part of a model above some of its tensors, as a model on inputs of its own.

    ``keras.Model(entries, model.output)`` would do, did it not move the mask inputs among
    the entries to nodes of its own: models that read them could not be saved any more.
    """
    upper = keras.Function(entries, model.output)
    inputs = [keras.Input(batch_shape=x.shape, dtype=x.dtype) for x in entries]
    outputs = _replay(upper, inputs, (), lambda operation, outputs: outputs)
    return _Above(inputs, outputs, name="above")


class _Above(keras.Model):
    """A functional model that takes a mask; its layers decide what becomes of it."""

    def compute_mask(self, inputs, previous_mask):
        """Adds no mask to those that the layers have set."""
        return


class Hidden:
    """The hidden states of a batch at the mix point, and the masks that go with them.

    Args:
        tensors: The tensors that are mixed, each ``(batch_size, ...)``, with the masks
            that Keras has put on them.
        masks: The mask tensors that bypass the mix point, each ``(batch_size, ...)``.
        meanings: For each of ``masks`` its meaning (``keras_amp.masks``).
    """

    def __init__(self, tensors, masks, meanings):
        self.tensors, self.masks, self.meanings = tensors, masks, meanings

    def pair(self, lam, permutation):
        """Pairs every example with its partner, and unites the masks of the two.

        A position counts if it counts in either example; an example whose share is
        exactly 0 does not take part, so that ``lam = 1`` is training without mixing.

        Args:
            lam: Float32 tensor ``(batch_size,)``, the drawn coefficients.
            permutation: Int32 tensor ``(batch_size,)``.

        Returns:
            A ``Pair``.
        """

        def unite(mask, meaning="keep"):
            if mask is None or meaning == SHARED:
                return mask
            partner = ops.take(mask, permutation, axis=0)
            return united(mask, partner, lam, meaning)

        implicit = [getattr(x, "_keras_mask", None) for x in self.tensors]
        return Pair(
            self.tensors,
            [ops.take(x, permutation, axis=0) for x in self.tensors],
            [unite(mask) for mask in implicit],
            [unite(*mask) for mask in zip(self.masks, self.meanings, strict=True)],
        )


class Pair(NamedTuple):
    """Hidden states with their partners' and the united masks; see ``Hidden.pair``."""

    hidden: list
    partner: list
    implicit_masks: list  # Keras' own, of each of `hidden`; None where there is none
    masks: list


class _Place:
    """An operation of a graph, with the nested models on the way to it."""

    def __init__(self, path, operation, node, calls, opened):
        self.path, self.operation = path, operation
        self.node, self.calls, self.opened = node, calls, opened


def _places(function, path=(), opened=()):
    """All operations of a graph and of the models nested in it, from the inputs on."""
    nodes = {}
    for node in graphs.nodes(function):
        nodes.setdefault(id(node.operation), []).append(node)
    places = []
    for operation in function.operations:
        called = nodes.get(id(operation), [])
        if not called:
            continue
        here = (*path, operation.name)
        places.append(_Place(here, operation, called[0], len(called), opened))
        if _is_graph(operation):
            nested = as_function(operation, "model")
            # What is called several times holds several copies of every place inside.
            inside = _places(nested, here, (*opened, operation))
            for place in inside:
                place.calls *= len(called)
            places.extend(inside)
    return places


def _is_graph(operation):
    if _has_own_call(operation):
        return False
    return isinstance(operation, keras.Function) or (
        isinstance(operation, keras.Sequential) and operation.built
    )


def _has_own_call(model):
    """Whether a functional model's class computes something else than its graph."""
    if not isinstance(model, (keras.Function, keras.Sequential)):
        return False
    return defining_class(model, "call") is not None


def _matches(function, name):
    wanted = tuple(part for part in str(name).split("/") if part)
    places = _places(function)
    if str(name).startswith("/"):
        return [place for place in places if place.path == wanted]
    # Names given by Keras may hold a slash themselves; the whole name is tried as well.
    return [
        place
        for place in places
        if place.path[-len(wanted) :] == wanted or place.operation.name == name
    ]


def _find(function, name, model):
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
        for place in _places(function)
        if isinstance(place.operation, keras.layers.Layer)
    ]
    raise ValueError(
        f"Expected the name of a layer of '{model.name}'. Received: {name!r}."
        f"{_nearest(str(name), known)} Its "
        f"layers are: {', '.join(known)}"
    )


def _nearest(name, known):
    """Asks whether one of the names most like an unknown one was meant."""
    near = difflib.get_close_matches(name, known, n=3)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


def _check_site(place):
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
    _check_floating(outputs[0], f"layer {path!r}")


def _check_floating(tensor, where):
    if not keras.backend.is_float_dtype(tensor.dtype):
        behind = graphs.first_floats(tensor)
        hint = f" In this model that is {behind!r}." if behind else ""
        raise ValueError(
            f"Expected a floating-point tensor at the mix point. Received: {where}, "
            f"whose output is {tensor.dtype} of the shape {tensor.shape}. "
            f"{about_integers(tensor.dtype, len(tensor.shape))}{hint}"
        )


def _replay_model(model, opened, behind, apart=()):
    """Rebuilds a model over the same operations; see ``_replay``."""
    function = as_function(model, "model")
    _check_names(function, opened)
    outputs = _replay(function, function.input, opened, behind, apart=apart)
    rebuilt = keras.Model(function.input, outputs, name=model.name)
    # With half-precision weights it decides on the optimizer's loss scaling.
    rebuilt.dtype_policy = model.dtype_policy
    return rebuilt


def _replay(function, inputs, opened, behind, training=None, apart=()):
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
            outputs = _replay(inner, given, opened, behind, inner_training)
        elif any(operation is layer for layer in apart):
            outputs = _taken_apart(operation, args, kwargs)
        else:
            if training is not None and getattr(
                operation, "_call_has_training_arg", False
            ):
                kwargs["training"] = training  # over its own, as Keras does
            outputs = operation(*args, **kwargs)
        return behind(operation, outputs)

    inputs = [
        behind(x._keras_history.operation, given)
        for x, given in zip(function.inputs, tree.flatten(inputs), strict=True)
    ]
    return function._run_through_graph(inputs, call_fn=call)


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
            given[i]._keras_mask = mask
    return given


def _check_names(function, opened):
    """A graph's names are unique; those of opened models join the outer ones."""
    owners = {}
    for place in _places(function):
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


def _mixed_by(layer, model):
    """The tensor that a ``MixLayer`` of a model returns."""
    nodes = [n for n in graphs.nodes(model) if n.operation is layer]
    if len(nodes) != 1:
        reached = (
            "has no way from it to the output"
            if not nodes
            else f"calls it {len(nodes)} times"
        )
        raise ValueError(
            f"Expected the model to call the mix layer '{layer.name}' once on the way to "
            f"its output. Received: a model that {reached}."
        )
    mixed = nodes[0].outputs[0]
    _check_floating(nodes[0].input_tensors[0], f"the mix layer '{layer.name}'")
    if any(output is mixed for output in model.outputs):
        raise ValueError(
            f"Expected layers above the mix layer '{layer.name}'. Received: a model "
            "whose output it is. Mix behind an earlier layer."
        )
    return mixed


def _check_side_by_side(model, mixed, names):
    """Raises if one of the tensors that are mixed together is computed from another."""
    above = {id(x): set() for x in mixed}
    for node in graphs.nodes_in_order(model):
        from_places = set()
        for x in node.input_tensors:
            from_places |= above.get(id(x), set()) | {
                name for name, m in zip(names, mixed, strict=True) if m is x
            }
        for x in node.outputs:
            above[id(x)] = from_places
    for name, x in zip(names, mixed, strict=True):
        if above[id(x)]:
            below = min(above[id(x)])
            raise _NestedPlacesError(
                "Expected the places of a tuple, which are mixed together, to lie side "
                f"by side. Received: mix_at={tuple(names)!r}, where '{name}' lies above "
                f"'{below}', so that its inputs are mixed already. Name one of them; a "
                f"list, [{below!r}, {name!r}], mixes at one of them at a time."
            )


def _check_batch_axis(model, mixed, names):
    """Raises if the first axis of what is mixed is not the batch."""
    first = batch_axis.is_first(model, mixed)
    for name, x, is_first in zip(names, mixed, first, strict=True):
        if is_first is False:
            raise ValueError(
                "Expected a mix point whose first axis is the batch: an example's "
                f"partner is another row of it. Received: '{name}', whose output of the "
                f"shape {x.shape} has something else there. Mix where every example "
                "still has a row of its own."
            )


def _check_known(said, model):
    """Raises if ``masks`` speak of what the model does not hold."""
    known = {place.operation.name for place in _places(model)}
    unknown = [name for name in said if name not in known]
    if unknown:
        raise ValueError(
            f"Expected `masks` to name layers or inputs of '{model.name}'. Received: "
            f"{unknown[0]!r}.{_nearest(unknown[0], known)}"
        )


def _entries(model, mixed, rewrite, sink):
    """Where examples are to be mixed in place of some tensors.

    Returns:
        The model, its LSTMs taken apart, and the layers that mixing sinks into; the
        tensors in that model; and the tensors to mix.
    """
    if not rewrite:
        return model, mixed, mixed
    apart = [n.operation for n in graphs.nodes(model) if in_two_parts(n)]
    if sink:
        apart += split_activations(model, mixed)
    if apart:
        layers = [x._keras_history.operation for x in mixed]
        model = _replay_model(model, (), lambda operation, outputs: outputs, apart)
        mixed = [_mixed_by(layer, model) for layer in layers]
    return model, mixed, sunk(model, mixed) if sink else mixed
