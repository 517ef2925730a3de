"""Splits a classifier at each of the places that ``mix_at`` names."""

import warnings
from collections.abc import Sequence

import keras

from keras_amp.graph.insertion import insert, open_mix_layers
from keras_amp.graph.lookup import all_places, as_function, check_site, find
from keras_amp.graph.placement import NestedPlacesError
from keras_amp.graph.split import SplitModel
from keras_amp.layers import MixLayer


def cut(
    model: keras.Model,
    mix_at: str | Sequence[str | tuple[str, ...]] | None,
    rewrite: bool = False,
    move_up: bool = False,
    masks: dict[str, str] | None = None,
) -> list[SplitModel]:
    """Split a model at each of its mix points.

    Args:
        model: A functional ``keras.Model`` or a built ``keras.Sequential``.
        mix_at: A layer's name or path; a tuple of them, to be mixed together; a list of
            both, one of which is taken at a time; or None for each of the ``MixLayer``s
            that the model holds. The name of a ``MixLayer`` denotes that layer itself.
        rewrite: As ``SplitModel``.
        move_up: As ``SplitModel``.
        masks: As ``SplitModel``.

    Returns:
        A list of ``SplitModel``, one for each mix point.

    Raises:
        ValueError: As ``insert_mix_layer`` and ``SplitModel``; if ``mix_at`` is empty or
            names a place twice; if it is None and the model holds no ``MixLayer``.
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
            SplitModel(opened, [layer], [layer.name], rewrite, move_up, masks)
            for layer in layers
        ]
    if isinstance(mix_at, tuple) and all(isinstance(name, str) for name in mix_at):
        try:
            return cut(model, [mix_at], rewrite, move_up, masks)
        except NestedPlacesError as error:
            # A tuple used to mean what a list means.
            warnings.warn(str(error), DeprecationWarning, stacklevel=3)
    points = [mix_at] if isinstance(mix_at, str) else list(mix_at)
    groups = [(point,) if isinstance(point, str) else point for point in points]
    function = as_function(model, "classifier")
    places = [{find(function, n, model).operation for n in names} for names in groups]
    twice = any(len(p) != len(n) for p, n in zip(places, groups, strict=True))
    twice = twice or len(set(map(frozenset, places))) != len(places)
    if twice or not groups or not all(groups):
        raise ValueError(
            "Expected `mix_at` to name at least one layer, and none twice. Received: "
            f"mix_at={mix_at!r}"
        )
    return [_split_at(model, names, rewrite, move_up, masks) for names in groups]


def _split_at(
    model: keras.Model,
    names: tuple[str, ...],
    rewrite: bool,
    move_up: bool,
    masks: dict[str, str] | None,
) -> SplitModel:
    function = as_function(model, "classifier")
    places = [find(function, name, model) for name in names]
    taken = {p.operation.name for p in all_places(function)}
    layers, inserted = [], {}
    for place in places:
        if isinstance(place.operation, MixLayer):
            layers.append(place.operation)
            continue
        check_site(place)
        layer_name = "mix"
        while layer_name in taken:
            layer_name += "_"
        taken.add(layer_name)
        inserted[place.operation] = MixLayer(name=layer_name)
        layers.append(inserted[place.operation])
    opened = [nested for place in places for nested in place.opened]
    return SplitModel(
        insert(model, inserted, opened), layers, names, rewrite, move_up, masks
    )
