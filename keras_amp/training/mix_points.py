"""Runs a step at one of several mix points, picked at random (manifold mixup)."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
from keras import tree

from keras_amp.graph import keras_compat
from keras_amp.graph.split import SplitModel
from keras_amp.training import backend
from keras_amp.typing import Structure, Tensor


class Result(NamedTuple):
    """What a step at a mix point yields.

    Attributes:
        gradients: List of the trainable weights' gradients; None where a weight plays no
            part.
        loss: Scalar, scaled for distribution as Keras does.
        losses: List of such scalars, the loss of each output where there are several,
            without their weights.
        y_pred: The mixtures' predictions, in the structure of the classifier's output.
        report: Dict of float32 tensors ``(batch_size,)`` (``training.metrics``).
        label: Tuple of two lists: the labels that metrics compare the predictions with,
            and their weights.
    """

    gradients: list[Tensor | None]
    loss: Tensor
    losses: list[Tensor]
    y_pred: Structure
    report: dict[str, Tensor]
    label: tuple[list[Tensor], list[Tensor]]


def at_random_point(
    splits: Sequence[SplitModel],
    step: Callable[[SplitModel], Result],
    seed_generator: keras.random.SeedGenerator,
) -> Result:
    """Runs ``step(split)`` at one mix point, picked uniformly if there are several."""
    if len(splits) == 1:
        return step(splits[0])
    point = keras.random.randint((), 0, len(splits), seed=seed_generator)
    # All branches must return tensors alike. None stands for a weight that plays no part,
    # or for a mask that is not there, at every mix point.
    there: dict[str, list[bool]] = {}

    def branch(split: SplitModel) -> tuple[Result, list[Tensor]]:
        result = step(split)
        masks = [keras_compat.mask_of(y) for y in tree.flatten(result.y_pred)]
        there["gradients"] = [g is not None for g in result.gradients]
        there["masks"] = [mask is not None for mask in masks]
        gradients = [g for g in result.gradients if g is not None]
        masks = [mask for mask in masks if mask is not None]
        return result._replace(gradients=gradients), masks

    result, masks = backend.switch(
        point, [functools.partial(branch, split) for split in splits]
    )
    masks, gradients = iter(masks), iter(result.gradients)
    for y, masked in zip(tree.flatten(result.y_pred), there["masks"], strict=True):
        if masked:
            keras_compat.put_mask(y, next(masks))
    return result._replace(
        gradients=[next(gradients) if g else None for g in there["gradients"]]
    )
