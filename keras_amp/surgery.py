"""Surgery on functional models: insert a MixLayer, and split a model at it.

A functional model is a graph of operations. Inserting a layer replays that graph over
the same operations with one more behind the named one; nested models on the way to it
are opened, so that the mix point belongs to the outer graph. Splitting cuts the graph at
the mix point, so that what lies below is computed once a step however often what lies
above is evaluated.
"""

import difflib
import re
import warnings
from typing import NamedTuple

import keras
from keras import ops, tree

from keras_amp import graphs
from keras_amp.axes import column
from keras_amp.layers import MixLayer
from keras_amp.overrides import HONOURED, REFUSED, defining_class, is_overridden
from keras_amp.parts import Activation, Preactivation
from keras_amp.recurrence import Projection, Recurrence, in_two_parts
from keras_amp.sinking import split_activations, sunk

# Inputs of masked language models that are about a mask without being one:
# `mask_positions`, `mask_ids`, `mask_weights`.
OF_MASKED_WORDS = {"positions", "ids", "weights"}


def insert_mix_layer(model, after, name="mix"):
    """Inserts a ``MixLayer`` behind the output of a named layer.

    Args:
        model: A functional ``keras.Model`` or a built ``keras.Sequential``.
        after: Name of the layer to mix behind. Layers inside nested models count: a
            plain name will do where it is unique, else a path of names from the outside
            in, such as ``"bert_backbone/embeddings_dropout"``; a leading ``"/"`` means
            the outermost level. An input layer may be named too, to mix the inputs.
        name: Name of the new ``MixLayer``.

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
    mixed = _inserted(model, after, name)
    methods = [m for m in (*HONOURED, *REFUSED) if is_overridden(model, m)]
    if methods:
        warnings.warn(
            f"'{model.name}' overrides {', '.join(f'`{m}()`' for m in methods)}; the "
            "model with a MixLayer, a plain keras.Model, does not. Pass the model itself "
            f"to `keras_amp.MixupAMPModel(model, mix_at={after!r})`.",
            stacklevel=2,
        )
    return mixed


def _inserted(model, after, name):
    """Inserts the layer; see ``insert_mix_layer``."""
    function = as_function(model, "model")
    site = _find(function, after, model)
    _check_site(site)
    if any(place.operation.name == name for place in _places(function)):
        raise ValueError(
            f"Expected `name` to be new to the model. Received: name={name!r}, which a "
            "layer of the model already has. Pass another `name`."
        )
    layer = MixLayer(name=name)
    return _replay_model(
        model,
        opened=site.opened,
        behind=lambda operation, outputs: (
            tree.map_structure(layer, outputs) if operation is site.operation else outputs
        ),
    )


def splits(model, mix_at, rewrite=False, sink=False):
    """Cuts a model at each of its mix points.

    Args:
        model: A functional ``keras.Model`` or a built ``keras.Sequential``.
        mix_at: A layer's name or path, a list of them, or None for the ``MixLayer``s
            that the model holds. The name of a ``MixLayer`` denotes that layer itself.
        rewrite: As ``Split``.
        sink: As ``Split``.

    Returns:
        A list of ``Split``, one for each mix point.

    Raises:
        ValueError: As ``insert_mix_layer`` and ``Split``; if ``mix_at`` is empty or names
            a layer twice; if it is None and the model holds no ``MixLayer``.
    """
    if mix_at is None:
        opened, layers = open_mix_layers(model)
        if not layers:
            raise ValueError(
                f"Expected `mix_at` to say where to mix, as '{model.name}' holds no "
                "MixLayer. Received: mix_at=None. Pass a layer's name, such as that of "
                "its embedding, or put a `keras_amp.MixLayer` into the network."
            )
        return [Split(opened, layer, layer.name, rewrite, sink) for layer in layers]
    names = [mix_at] if isinstance(mix_at, str) else list(mix_at)
    function = as_function(model, "classifier")
    layers = {id(_find(function, name, model).operation) for name in names}
    if not names or len(layers) != len(names):
        raise ValueError(
            "Expected `mix_at` to name at least one layer, and none twice. Received: "
            f"mix_at={mix_at!r}"
        )
    return [_split_at(model, name, rewrite, sink) for name in names]


def _split_at(model, name, rewrite, sink):
    place = _find(as_function(model, "classifier"), name, model)
    if isinstance(place.operation, MixLayer):
        opened, _ = open_mix_layers(model)
        return Split(opened, place.operation, name, rewrite, sink)
    taken = {p.operation.name for p in _places(as_function(model, "classifier"))}
    layer_name = "mix"
    while layer_name in taken:
        layer_name += "_"
    mixed = _inserted(model, name, layer_name)
    return Split(mixed, mixed.get_layer(layer_name), name, rewrite, sink)


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
        ValueError: If ``model`` has no graph.
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
    raise ValueError(
        f"Expected `{argument}` to be a functional model or a built Sequential: its "
        "graph is cut where it mixes. Received: "
        f"{model if not isinstance(model, keras.Model) else type(model).__name__}"
        f" (of type {type(model)}). Build the network with the functional API, "
        "`keras.Model(inputs, outputs)`; a subclassed model's layers can be called there "
        "as they are."
    )


class Split:
    """A functional model, cut at its ``MixLayer`` into what lies below and above.

    The cut may lie higher than the ``MixLayer``, behind layers that commute with mixing
    (``keras_amp.sinking``), and then go through several tensors.

    Masks reach the upper part in two ways, and both are handed over: as the implicit
    Keras mask of the mixed tensor (``Embedding(mask_zero=True)``), and as tensors that
    bypass the mix point: mask inputs such as KerasHub's ``padding_mask`` (recognised by
    the word "mask" in the name; 1 or True where a position counts) and booleans that the
    model computes, such as ``ids != 0`` (or ``ids == 0``, which marks the padding).

    Args:
        model: A functional model whose graph holds ``mix_layer``.
        mix_layer: The ``MixLayer`` to cut at.
        mixes_behind: What the user called the mix point.
        rewrite: Whether to replace LSTMs by faster layers that compute the same
            (``keras_amp.recurrence``).
        sink: With ``rewrite``, whether to mix as far up as that changes no result.

    Attributes:
        below: ``keras.Model`` from the model's inputs to ``[*hidden, *masks]``.
        above: ``keras.Model`` from ``[*mixed, *masks]`` to the model's output.
        mix_layer: The ``MixLayer`` between the two.
        mixed_behind: Names of the layers whose outputs are mixed.

    Raises:
        ValueError: If the model's output does not depend on the mix point, nothing lies
            above it, it is called more than once, it mixes integers, or an input that is
            not a mask bypasses it.
    """

    def __init__(self, model, mix_layer, mixes_behind, rewrite=False, sink=False):
        self.mix_layer, self.mixes_behind = mix_layer, mixes_behind
        nodes = [n for n in graphs.nodes(model) if n.operation is mix_layer]
        if len(nodes) != 1:
            reached = (
                "has no way from it to the output"
                if not nodes
                else f"calls it {len(nodes)} times"
            )
            raise ValueError(
                f"Expected the model to call the mix layer '{mix_layer.name}' once on "
                f"the way to its output. Received: a model that {reached}."
            )
        hidden, mixed = nodes[0].input_tensors[0], nodes[0].outputs[0]
        _check_floating(hidden, f"the mix layer '{mix_layer.name}'")
        if any(output is mixed for output in model.outputs):
            raise ValueError(
                f"Expected layers above the mix layer '{mix_layer.name}'. Received: a "
                "model whose output it is. Mix behind an earlier layer."
            )
        model, mixed, entries = _entries(model, mixed, rewrite, sink)
        masks = _masks_around(model, mixed, entries, mix_layer.name)
        self.mark_padding = [_marks_padding(mask) for mask in masks]
        self.mixed_behind = [
            mixes_behind if x is mixed else x._keras_history.operation.name
            for x in entries
        ]
        self.below = keras.Model(model.input, [*entries, *masks], name="below")
        self.above = _above(model, [*entries, *masks])
        self.above.supports_masking = True

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
        return Hidden(tensors[:count], tensors[count:], self.mark_padding)

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
            self.mix_layer(hidden, partner=partner, lam=lam)
            for hidden, partner in zip(pair.hidden, pair.partner, strict=True)
        ]
        implicit = [*pair.implicit_masks, *[None] * len(pair.masks)]
        return self.above([*mixed, *pair.masks], training=training, mask=implicit)

    def lam_per_dimension(self, pair, lam):
        """Gives every dimension of the hidden states its example's coefficient.

        Args:
            pair: A ``Pair``.
            lam: Float32 tensor ``(batch_size,)``.

        Returns:
            A float32 tensor of the shape of the hidden states.

        Raises:
            ValueError: If mixing was moved up, where other dimensions are mixed.
        """
        if self.mixed_behind != [self.mixes_behind]:
            raise ValueError(
                "Expected the model to be made with a policy of step_per='dimension', as "
                f"it then mixes behind '{self.mixes_behind}' itself. Received: a model "
                f"that mixes behind {', '.join(self.mixed_behind)}, which changes no "
                "result with step_per='example' only."
            )
        (hidden,) = pair.hidden
        return ops.broadcast_to(column(lam, hidden), ops.shape(hidden))

    @property
    def noise_states(self):
        """The state variables of the random generators above the mix point."""
        others = self.above.weights + self.above.metrics_variables
        known = {id(variable) for variable in others}
        return [v for v in self.above.variables if id(v) not in known]


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
        mark_padding: For each of ``masks`` whether True marks padding, not words.
    """

    def __init__(self, tensors, masks, mark_padding):
        self.tensors, self.masks, self.mark_padding = tensors, masks, mark_padding

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

        def unite(mask):
            return _union(mask, ops.take(mask, permutation, axis=0), lam)

        def unite_padding(mask):
            return ops.logical_not(unite(ops.logical_not(mask)))

        implicit = [getattr(x, "_keras_mask", None) for x in self.tensors]
        return Pair(
            self.tensors,
            [ops.take(x, permutation, axis=0) for x in self.tensors],
            [None if mask is None else unite(mask) for mask in implicit],
            [
                (unite_padding if marks_padding else unite)(mask)
                for mask, marks_padding in zip(self.masks, self.mark_padding, strict=True)
            ],
        )


class Pair(NamedTuple):
    """Hidden states with their partners' and the united masks; see ``Hidden.pair``."""

    hidden: list
    partner: list
    implicit_masks: list  # Keras' own, of each of `hidden`; None where there is none
    masks: list


def _union(mask, partner_mask, lam):
    """The positions that count in an example or its partner, in the mask's own dtype."""
    lam = column(lam, mask)
    nothing = ops.zeros_like(mask)
    own = ops.where(lam > 0, mask, nothing)
    other = ops.where(lam < 1, partner_mask, nothing)
    boolean = keras.backend.standardize_dtype(mask.dtype) == "bool"
    return (ops.logical_or if boolean else ops.maximum)(own, other)


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
    near = difflib.get_close_matches(str(name), known, n=3)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise ValueError(
        f"Expected the name of a layer of '{model.name}'. Received: {name!r}.{hint} Its "
        f"layers are: {', '.join(known)}"
    )


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
        raise ValueError(
            f"Expected a floating-point tensor at the mix point. Received: {where}, "
            f"whose output is {tensor.dtype}: a weighted mean of token ids means "
            "nothing. Mix behind the layer that turns ids into vectors (the embedding)."
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


def _entries(model, mixed, rewrite, sink):
    """Where examples are to be mixed in place of a tensor.

    Returns:
        The model, its LSTMs taken apart, and the layers that mixing sinks into; the
        tensor in that model; and the tensors to mix.
    """
    if not rewrite:
        return model, mixed, [mixed]
    apart = [n.operation for n in graphs.nodes(model) if in_two_parts(n)]
    if sink:
        apart += split_activations(model, mixed)
    if apart:
        mix_layer = mixed._keras_history.operation
        model = _replay_model(model, (), lambda operation, outputs: outputs, apart)
        (node,) = (n for n in graphs.nodes(model) if n.operation is mix_layer)
        mixed = node.outputs[0]
    return model, mixed, sunk(model, mixed) if sink else [mixed]


def _masks_around(model, mixed, entries, name):
    """The mask tensors that operations above the mix point read from below it.

    Args:
        model: The model.
        mixed: The tensor of the mix point.
        entries: The tensors that are mixed in its place.
        name: The mix layer's name, for errors.
    """
    downstream = {id(mixed)}
    for node in graphs.nodes_in_order(model):
        if any(id(x) in downstream for x in node.input_tensors):
            downstream.update(id(x) for x in node.outputs)
    if not any(id(output) in downstream for output in model.outputs):
        raise ValueError(
            f"Expected the model's output to depend on the mix layer '{name}'. Received: "
            "a model in which it does not."
        )
    masks, seen = [], set()
    cut = {id(x) for x in entries}
    waiting, visited = [(x, None) for x in model.outputs], set()
    while waiting:
        x, reader = waiting.pop()
        if id(x) in cut or id(x) in visited:
            continue
        visited.add(id(x))
        if id(x) in downstream:
            node = graphs.node_of(x)
            waiting.extend((parent, node.operation) for parent in node.input_tensors)
        elif reader is not None:
            masks.extend(_mask_sources(x, reader, name, seen))
    return masks


def _mask_sources(x, reader, name, seen):
    """Follows a tensor that bypasses the mix point down to the masks it comes from."""
    if id(x) in seen:
        return []
    seen.add(id(x))
    if _is_mask_input(x):
        return [x]
    node = graphs.node_of(x)
    if x.dtype == "bool" and not _comes_from_mask_inputs(x):
        return [x]
    if node.is_input:
        raise ValueError(
            f"Expected every input to reach the layers above the mix layer '{name}' "
            "through it, masks apart. Received: the input "
            f"'{node.operation.name}' reaches '{reader.name}' around it, so the two "
            "examples' values would not be mixed. "
            "Mix behind the layer where the paths have joined; if the input is a mask, "
            'give it a name with the word "mask", such as "padding_mask".'
        )
    return [
        mask
        for parent in node.input_tensors
        for mask in _mask_sources(parent, reader, name, seen)
    ]


def _is_mask_input(x):
    node = graphs.node_of(x)
    words = set(re.split(r"[^a-z]+", node.operation.name.lower()))
    return node.is_input and "mask" in words and not words & OF_MASKED_WORDS


def _comes_from_mask_inputs(x):
    """Whether a tensor is computed from mask inputs alone, which are then united."""
    node = graphs.node_of(x)
    if node.is_input:
        return _is_mask_input(x)
    return all(_comes_from_mask_inputs(parent) for parent in node.input_tensors)


def _marks_padding(mask):
    """Whether True marks padding: ``ids == 0``, or what is not ``ids != 0``."""
    node = graphs.node_of(mask)
    kind = type(node.operation).__name__
    if kind == "LogicalNot":
        return not _marks_padding(node.input_tensors[0])
    return kind == "Equal"
