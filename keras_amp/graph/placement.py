"""Where a model mixes: what a mix point has to fulfil, and how far up mixing moves."""

from collections.abc import Sequence

import keras

from keras_amp.graph import batch_axis, keras_compat
from keras_amp.graph.affine import divisible_layers, mix_tensors
from keras_amp.graph.insertion import replay_model
from keras_amp.graph.layer_parts import is_divisible_lstm
from keras_amp.graph.lookup import all_places, check_floating
from keras_amp.layers import MixLayer
from keras_amp.typing import Tensor
from keras_amp.validation import did_you_mean


class NestedPlacesError(ValueError):
    """Places that are to be mixed together, of which one lies above another."""


def mixed_by(layer: MixLayer, model: keras.Model) -> Tensor:
    """Return the tensor that a ``MixLayer`` of a model returns.

    Raises:
        ValueError: If the model does not call the layer exactly once on the way to its
            output, if it mixes integers, or if nothing lies above it.
    """
    nodes = [node for node in keras_compat.nodes_of(model) if node.operation is layer]
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


def check_side_by_side(
    model: keras.Model, mixed: list[Tensor], names: Sequence[str]
) -> None:
    """Raise if one of the tensors that are mixed together is computed from another."""
    above: dict[int, set[str]] = {id(x): set() for x in mixed}
    for node in keras_compat.nodes_of(model):
        from_places: set[str] = set()
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


def check_rows_are_examples(
    model: keras.Model, mixed: list[Tensor], names: Sequence[str]
) -> None:
    """Raise if the first axis of a tensor that is mixed is not the batch."""
    first = batch_axis.is_first(model, mixed)
    for name, x, is_first in zip(names, mixed, first, strict=True):
        if is_first is False:
            raise ValueError(
                "Expected a mix point whose first axis is the batch: an example's "
                f"partner is another row of it. Received: '{name}', whose output of the "
                f"shape {x.shape} has something else there. Mix where every example "
                "still has a row of its own."
            )


def check_known(meanings: dict[str, str], model: keras.Model) -> None:
    """Raise if the argument ``masks`` names a layer that the model does not hold."""
    known = {place.operation.name for place in all_places(model)}
    unknown = [name for name in meanings if name not in known]
    if unknown:
        raise ValueError(
            f"Expected `masks` to name layers or inputs of '{model.name}'. Received: "
            f"{unknown[0]!r}.{did_you_mean(unknown[0], known)}"
        )


def prepare(
    model: keras.Model, mixed: list[Tensor], rewrite: bool, move_up: bool
) -> tuple[keras.Model, list[Tensor], list[Tensor]]:
    """Find the tensors to mix in place of those of the mix layers.

    Args:
        model: A functional model.
        mixed: List of its tensors that ``MixLayer``s return.
        rewrite: Whether layers may be divided into parts that compute the same.
        move_up: With ``rewrite``, whether mixing moves as far up as the result allows.

    Returns:
        The model, in which the layers that pay are divided; ``mixed`` in that model; and
        the tensors to mix.
    """
    if not rewrite:
        return model, mixed, mixed
    nodes = keras_compat.nodes_of(model)
    divided = [node.operation for node in nodes if is_divisible_lstm(node)]
    if move_up:
        divided += divisible_layers(model, mixed)
    if divided:
        layers = [keras_compat.node_of(x).operation for x in mixed]
        model = replay_model(model, divided=divided)
        mixed = [mixed_by(layer, model) for layer in layers]
    return model, mixed, mix_tensors(model, mixed) if move_up else mixed
