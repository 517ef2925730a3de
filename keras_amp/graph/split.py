"""A functional model, split at a mix point into what lies below and what lies above.

What lies below is computed once a step, however often what lies above is evaluated.
"""

from collections.abc import Sequence

import keras
from keras import ops, tree

from keras_amp.graph import keras_compat, placement
from keras_amp.graph.insertion import replay
from keras_amp.graph.masks import masks_around
from keras_amp.graph.pairs import (
    Hidden,
    Pair,
    per_dimension,
    per_hidden_state,
    positions,
    side_by_side,
)
from keras_amp.layers import MixLayer
from keras_amp.typing import Structure, Tensor


class SplitModel:
    """A functional model, split at a mix point into what lies below and above.

    A mix point is one ``MixLayer``, or several that mix together, by the same lambda. The
    split may lie higher than these, behind layers that commute with mixing
    (``keras_amp.graph.affine``), and then passes through several tensors.

    Masks reach the upper part in two ways: as the implicit Keras mask of a mixed tensor
    (``Embedding(mask_zero=True)``), and as tensors that bypass the mix point
    (``keras_amp.graph.masks``), such as KerasHub's input ``padding_mask`` and booleans
    that the model computes, for instance ``ids != 0``. Both are passed on.

    Args:
        model: A functional model whose graph holds ``mix_layers``.
        mix_layers: List of ``MixLayer``s to split at.
        names: What the user called each of them.
        rewrite: Whether to replace LSTMs by faster layers that compute the same
            (``keras_amp.graph.lstm``).
        move_up: With ``rewrite``, whether to mix as far up as that changes no result.
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
            mask bypasses it, or the meaning of a boolean that does is not found.
    """

    def __init__(
        self,
        model: keras.Model,
        mix_layers: list[MixLayer],
        names: Sequence[str],
        rewrite: bool = False,
        move_up: bool = False,
        masks: dict[str, str] | None = None,
    ) -> None:
        self.mix_layer, self.names = mix_layers[0], tuple(names)
        mixed = [placement.mixed_by(layer, model) for layer in mix_layers]
        placement.check_side_by_side(model, mixed, names)
        placement.check_rows_are_examples(model, mixed, names)
        said: dict[str, str] = {}
        for layer in mix_layers:
            said.update(layer.masks or {})
        said.update(masks or {})
        placement.check_known(said, model)
        model, mixed, entries = placement.prepare(model, mixed, rewrite, move_up)
        found = masks_around(model, mixed, entries, self.place, said)
        self.mask_meanings = [meaning for _, meaning in found]
        called = dict(zip(map(id, mixed), names, strict=True))
        self.mixed_behind: list[str] = [
            called.get(id(x), keras_compat.node_of(x).operation.name) for x in entries
        ]
        tensors = [*entries, *(mask for mask, _ in found)]
        self.below = keras.Model(model.input, tensors, name="below")
        self.above = _above(model, tensors)
        self.above.supports_masking = True

    @property
    def place(self) -> str:
        """The mix point's name; of several layers their names together."""
        return " + ".join(self.names)

    def run_below(self, inputs: Structure, training: bool = True) -> Hidden:
        """Compute the hidden states, once a step.

        Args:
            inputs: The model's inputs.
            training: Whether in training mode (dropout, batch statistics).

        Returns:
            A ``Hidden``.
        """
        tensors = tree.flatten(self.below(inputs, training=training))
        count = len(self.mixed_behind)
        return Hidden(tensors[:count], tensors[count:], self.mask_meanings)

    def run_above(
        self,
        pair: Pair,
        lam: Tensor | None,
        training: bool = True,
        delta: Tensor | None = None,
    ) -> Structure:
        """Mix a ``Pair`` by ``lam`` and compute the predictions.

        Args:
            pair: A ``Pair``.
            lam: Float32 tensor ``(batch_size,)``, the share of the examples themselves,
                or one for every dimension; see ``lam_per_dimension``. None where the pair
                has no partners.
            training: Whether in training mode.
            delta: Float32 tensor that is added to the hidden states, of the shape of
                ``zeros``; None for nothing.

        Returns:
            What the model returns.
        """
        mixed = pair.hidden
        if pair.partner is not None:
            mixed = [
                self.mix_layer(hidden, partner=partner, lam=lam)
                for hidden, partner, lam in zip(
                    pair.hidden,
                    pair.partner,
                    per_hidden_state(lam, pair.hidden),
                    strict=True,
                )
            ]
        if delta is not None:
            deltas = per_hidden_state(delta, pair.hidden)
            mixed = [
                hidden + ops.cast(each, hidden.dtype)
                for hidden, each in zip(mixed, deltas, strict=True)
            ]
        implicit = [*pair.implicit_masks, *[None] * len(pair.masks)]
        return self.above([*mixed, *pair.masks], training=training, mask=implicit)

    def zeros(self, pair: Pair) -> Tensor:
        """Return a zero for every dimension of the hidden states.

        Args:
            pair: A ``Pair``.

        Returns:
            A float32 tensor of the shape of the hidden state; of several hidden states
            ``(batch_size, num_dimensions)``, those of all of them side by side.
        """
        return per_dimension(ops.zeros((ops.shape(pair.hidden[0])[0],)), pair.hidden)

    def counted(self, pair: Pair) -> list[Tensor]:
        """Return ones in the shape of each hidden state, 0 where it is padding.

        Args:
            pair: A ``Pair``.

        Returns:
            A list of float32 tensors, each of the shape of a hidden state.
        """
        ones = [ops.ones(ops.shape(h), dtype="float32") for h in pair.hidden]
        counted = positions(pair, self.mask_meanings)
        return [
            one if mask is None else one * ops.cast(mask, one.dtype)
            for one, mask in zip(ones, counted, strict=True)
        ]

    def without_padding(self, pair: Pair, delta: Tensor) -> Tensor:
        """Return a delta that is 0 at the positions that are known to be padding.

        Args:
            pair: A ``Pair``.
            delta: Tensor of the shape of ``zeros``.
        """
        counted = positions(pair, self.mask_meanings)
        if all(mask is None for mask in counted):
            return delta
        parts = [
            each if mask is None else each * ops.cast(mask, each.dtype)
            for each, mask in zip(
                per_hidden_state(delta, pair.hidden), counted, strict=True
            )
        ]
        return side_by_side(parts)

    def lam_per_dimension(self, pair: Pair, lam: Tensor) -> Tensor:
        """Give every dimension of the hidden states its example's coefficient.

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
        return per_dimension(lam, pair.hidden)

    @property
    def noise_states(self) -> list[keras.Variable]:
        """The state variables of the random generators above the mix point."""
        others = self.above.weights + self.above.metrics_variables
        known = {id(variable) for variable in others}
        return [v for v in self.above.variables if id(v) not in known]


def _above(model: keras.Model, entries: list[Tensor]) -> keras.Model:
    """The part of a model above some of its tensors, as a model with new inputs.

    ``keras.Model(entries, model.output)`` would compute the same, but it would move the
    mask inputs among the entries to nodes of its own: models that read these inputs could
    not be saved any more.
    """
    upper = keras.Function(entries, model.output)
    inputs = [keras.Input(batch_shape=x.shape, dtype=x.dtype) for x in entries]
    return _Above(inputs, replay(upper, inputs), name="above")


class _Above(keras.Model):
    """A functional model that takes a mask; its layers decide what they do with it."""

    def compute_mask(self, inputs: Structure, previous_mask: Structure) -> None:
        """Add no mask to those that the layers have set."""
        return
