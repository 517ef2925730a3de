"""A functional model, cut at a mix point.

What lies below is computed once a step, however often what lies above is evaluated.
"""

import itertools
import math
from typing import NamedTuple

import keras
from keras import ops, tree

from keras_amp.graph import batch_axis, keras_compat
from keras_amp.graph.affine import split_activations, sunk
from keras_amp.graph.insertion import replay, replay_model
from keras_amp.graph.lookup import all_places, check_floating
from keras_amp.graph.lstm import in_two_parts
from keras_amp.graph.masks import SHARED, masks_around, united
from keras_amp.policies.operators import expand_like
from keras_amp.validation import did_you_mean


class NestedPlacesError(ValueError):
    """Places that are to be mixed together, of which one lies above another."""


class SplitModel:
    """A functional model, cut at a mix point into what lies below and above.

    A mix point is one ``MixLayer``, or several that mix together, by the same lambda. The
    cut may lie higher than these, behind layers that commute with mixing
    (``keras_amp.graph.affine``), and then go through several tensors.

    Masks reach the upper part in two ways, and both are handed over: as the implicit
    Keras mask of a mixed tensor (``Embedding(mask_zero=True)``), and as tensors that
    bypass the mix point (``keras_amp.graph.masks``): mask inputs such as KerasHub's
    ``padding_mask`` and booleans that the model computes, such as ``ids != 0``.

    Args:
        model: A functional model whose graph holds ``mix_layers``.
        mix_layers: List of ``MixLayer``s to cut at.
        names: What the user called each of them.
        rewrite: Whether to replace LSTMs by faster layers that compute the same
            (``keras_amp.graph.lstm``).
        sink: With ``rewrite``, whether to mix as far up as that changes no result.
        masks: Dict from names to meanings, as ``MixupAMPModel`` takes it, or None.

    Attributes:
        below: ``keras.Model`` from the model's inputs to ``[*hidden, *masks]``.
        above: ``keras.Model`` from ``[*mixed, *masks]`` to the model's output.
        mix_layer: The ``MixLayer`` between the two; the first of several.
        names: Tuple of strings, what the user called the mix point's layers.
        mixed_behind: Names of the layers whose outputs are mixed.
        mask_meanings: For each mask its meaning (``keras_amp.graph.masks``).

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
            called.get(id(x), keras_compat.node_of(x).operation.name) for x in entries
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
        lams = [ops.broadcast_to(expand_like(lam, h), ops.shape(h)) for h in pair.hidden]
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
    outputs = replay(upper, inputs, (), lambda operation, outputs: outputs)
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
        meanings: For each of ``masks`` its meaning (``keras_amp.graph.masks``).
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

        implicit = [keras_compat.mask_of(x) for x in self.tensors]
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


def _mixed_by(layer, model):
    """The tensor that a ``MixLayer`` of a model returns."""
    nodes = [n for n in keras_compat.nodes_of(model) if n.operation is layer]
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
    check_floating(nodes[0].input_tensors[0], f"the mix layer '{layer.name}'")
    if any(output is mixed for output in model.outputs):
        raise ValueError(
            f"Expected layers above the mix layer '{layer.name}'. Received: a model "
            "whose output it is. Mix behind an earlier layer."
        )
    return mixed


def _check_side_by_side(model, mixed, names):
    """Raises if one of the tensors that are mixed together is computed from another."""
    above = {id(x): set() for x in mixed}
    for node in keras_compat.nodes_of(model):
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
            raise NestedPlacesError(
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
    known = {place.operation.name for place in all_places(model)}
    unknown = [name for name in said if name not in known]
    if unknown:
        raise ValueError(
            f"Expected `masks` to name layers or inputs of '{model.name}'. Received: "
            f"{unknown[0]!r}.{did_you_mean(unknown[0], known)}"
        )


def _entries(model, mixed, rewrite, sink):
    """Where examples are to be mixed in place of some tensors.

    Returns:
        The model, its LSTMs taken apart, and the layers that mixing sinks into; the
        tensors in that model; and the tensors to mix.
    """
    if not rewrite:
        return model, mixed, mixed
    apart = [n.operation for n in keras_compat.nodes_of(model) if in_two_parts(n)]
    if sink:
        apart += split_activations(model, mixed)
    if apart:
        layers = [keras_compat.node_of(x).operation for x in mixed]
        model = replay_model(model, (), lambda operation, outputs: outputs, apart)
        mixed = [_mixed_by(layer, model) for layer in layers]
    return model, mixed, sunk(model, mixed) if sink else mixed
