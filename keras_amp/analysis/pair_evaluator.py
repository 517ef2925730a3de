"""Pairs of examples, mixed at chosen coefficients: what a model's loss is there.

Training draws one lambda for each pair; here every pair is evaluated at many, without
noise. ``keras_amp.analysis.curve`` makes curves of it.
"""

import numbers
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import keras
import numpy as np
from keras import ops, tree

from keras_amp.analysis.examples import read_examples
from keras_amp.graph import keras_compat
from keras_amp.graph.cuts import cut
from keras_amp.graph.lookup import as_function
from keras_amp.graph.masks import SHARED
from keras_amp.graph.pairs import Hidden, Pair
from keras_amp.graph.split import SplitModel
from keras_amp.models import MixupAMPModel
from keras_amp.training import backend, input_check, validation
from keras_amp.training.label_checks import LabelChecks
from keras_amp.training.output_losses import (
    OutputLosses,
    leaves_of,
    outputs_of,
    targets_of,
)
from keras_amp.typing import Structure, Tensor
from keras_amp.validation import check_count, check_meanings

# Arguments of `loss_along_lambda`.
Lambdas: TypeAlias = int | Sequence[float] | np.ndarray
Partner: TypeAlias = Literal["reversed", "seeded"] | Sequence[int] | np.ndarray
Pairs: TypeAlias = int | Sequence[int] | np.ndarray | None


class Mixtures:
    """Pairs of examples that are mixed at one place of a model, whenever it is asked.

    For who evaluates them again and again while the model is trained: the model is cut
    and its parts are compiled once, and read the weights as they are then.

    The arguments are those of ``keras_amp.loss_along_lambda``.

    Attributes:
        place: Name of the layer behind which examples are mixed.
        lambdas: Float64 array ``(num_lambdas,)``.

    Raises:
        ValueError: As ``loss_along_lambda``.
        TypeError: As ``loss_along_lambda``.

    Example:
    >>> from keras_amp.analysis.pair_evaluator import Mixtures
    >>> classifier = keras_amp.backbones.text_cnn(9, 2, 5, embedding_dim=4, filters=2)
    >>> data = np.ones((4, 5), int), np.arange(4) % 2
    >>> mixtures = Mixtures(classifier, data, "sentence", lambdas=3)
    >>> mixtures.losses().shape, mixtures.place
    ((4, 3), 'sentence')
    """

    def __init__(
        self,
        model: keras.Model,
        data: Any,
        mix_at: str | tuple[str, ...] | None = None,
        lambdas: Lambdas = 21,
        partner: Partner = "reversed",
        pairs: Pairs = None,
        batch_size: int = 256,
        seed: int | None = None,
        loss: Any = None,
        masks: dict[str, str] | None = None,
    ) -> None:
        validation.check_backend()
        mixes = isinstance(model, MixupAMPModel)
        classifier = model.classifier if mixes else model
        validation.check_classifier(classifier)
        if masks is None and mixes:
            masks = model.masks
        masks = check_meanings(masks)
        self._split = _the_split(model, classifier, mixes, mix_at, masks)
        self.place = self._split.place
        self.lambdas = checked_lambdas(lambdas)
        self._loss_container, loss = _loss_of(model, classifier, loss)
        self._x, self._y = read_examples(data)
        input_check.check_inputs(classifier, self._x, "the inputs of `data`")
        self._outputs = outputs_of(classifier)
        labels = len(tree.flatten(self._y))
        if labels > 1 and len(classifier.outputs) == 1:
            raise ValueError(
                "Expected `data` to hold one array of labels. Received: "
                f"{labels} arrays, for a classifier of one output."
            )
        checks = LabelChecks(classifier, self._outputs, self._loss_container, loss)
        checks.check_arrays(self._x, self._y, "the labels of `data`")
        number = len(tree.flatten(self._y)[0])
        self._first = checked_pairs(pairs, number)
        self._second = _checked_partners(partner, number, seed)[self._first]
        # A model may know the size of its batches.
        static = tree.flatten(self._split.below.inputs)[0].shape[0]
        self._batch_size = static or check_count("batch_size", batch_size)
        self._fixed = static is not None
        self._below, self._above = self._run_below, self._run_above
        if not (model.compiled and model.run_eagerly):
            jit = model.compiled and model.jit_compile
            jit = jit and not (mixes and model.compiles_by_default)
            self._below, self._above = (
                backend.compiled_function(run, part, jit)
                for run, part in (
                    (self._run_below, self._split.below),
                    (self._run_above, self._split.above),
                )
            )

    def losses(self) -> np.ndarray:
        """Evaluates the pairs at the model's present weights.

        Returns:
            A float64 array ``(num_pairs, num_lambdas)``.
        """
        shape = (len(self._first), len(self.lambdas))
        first, second, lam = (
            np.broadcast_to(v, shape).ravel()
            for v in (self._first[:, None], self._second[:, None], self.lambdas)
        )
        # Seen from its other example a pair is the same mixture at 1 - lam.
        lam = np.where(first > second, 1 - lam, lam).astype("float32")
        columns = [np.minimum(first, second), np.maximum(first, second), lam]
        rows, place_of = np.unique(np.stack(columns, 1), axis=0, return_inverse=True)
        examples, pairs = np.unique(rows[:, :2].astype(int), return_inverse=True)
        pairs, lam = pairs.reshape(-1, 2), rows[:, 2].astype("float32")
        hidden = self._in_batches(
            lambda batch: self._below(_taken(self._x, examples[batch])), len(examples)
        )

        def of_batch(batch: np.ndarray) -> list[Tensor]:
            both = np.concatenate([pairs[batch, 0], pairs[batch, 1]])
            labels = _taken(self._y, examples[both])
            return [self._above(_taken(hidden, both), labels, lam[batch])]

        (values,) = self._in_batches(of_batch, len(rows))
        return values[place_of.reshape(shape)].astype("float64")

    def _in_batches(
        self, function: Callable[[np.ndarray], list[Any]], number: int
    ) -> list[Any]:
        """Calls a function on batches of indices; returns its results as whole arrays.

        The last batch is filled up with its last index: one shape, traced once.
        """
        size = self._batch_size if self._fixed else min(self._batch_size, number)
        results = [
            _as_arrays(function(np.minimum(np.arange(i, i + size), number - 1)))
            for i in range(0, number, size)
        ]
        return [
            None if parts[0] is None else np.concatenate(parts)[:number]
            for parts in zip(*results, strict=True)
        ]

    def _run_below(self, x: Structure) -> list[Tensor | None]:
        """The hidden states of a batch, Keras' masks of them, and the other masks.

        All of them have the batch as their first axis.
        """
        hidden = backend.without_effect(
            lambda: self._split.run_below(x, training=False), self._split.below
        )
        implicit = [keras_compat.mask_of(tensor) for tensor in hidden.tensors]
        size = ops.shape(hidden.tensors[0])[0]
        masks = [
            ops.repeat(mask[None], size, axis=0) if meaning == SHARED else mask
            for mask, meaning in zip(hidden.masks, hidden.meanings, strict=True)
        ]
        return [*hidden.tensors, *implicit, *masks]

    def _run_above(
        self, values: list[Tensor | None], y: Structure, lam: Tensor
    ) -> Tensor:
        """The losses of mixtures, ``(batch_size,)``.

        Args:
            values: What ``_run_below`` returns, of the first examples and then of their
                partners, each ``(2 * batch_size, ...)``.
            y: Their labels, each ``(2 * batch_size, ...)``.
            lam: Float32 ``(batch_size,)``.
        """
        values = [v if v is None else ops.convert_to_tensor(v) for v in values]
        count, size = len(self._split.mixed_behind), lam.shape[0]
        for tensor, mask in zip(values[:count], values[count : 2 * count], strict=True):
            if mask is not None:
                keras_compat.put_mask(tensor, mask)
        meanings = self._split.mask_meanings
        # A mask that all examples share is united with itself.
        united_as = ["keep" if m == SHARED else m for m in meanings]
        hidden = Hidden(values[:count], values[2 * count :], united_as)
        # Every row is paired with the one of the other half; the first half is kept.
        other = np.roll(np.arange(2 * size, dtype="int32"), size)
        pair = Pair(
            *(
                [v if v is None else v[:size] for v in part or []]
                for part in hidden.pair(ops.concatenate([lam, lam]), other)
            )
        )
        masks = zip(pair.masks, meanings, strict=True)
        pair = pair._replace(masks=[v[0] if m == SHARED else v for v, m in masks])
        y_pred = backend.without_effect(
            lambda: self._split.run_above(pair, lam, training=False), self._split.above
        )
        own, partner = (
            tree.map_structure(lambda v, part=part: v[part], y)
            for part in (slice(size), slice(size, None))
        )
        targets = targets_of(self._loss_container, self._outputs, own)
        losses_of = OutputLosses(targets, alone=True)
        labels = leaves_of(own), leaves_of(partner)
        return backend.without_effect(
            lambda: losses_of.total(losses_of.each(y_pred, *labels, lam)),
            self._split.above,
            losses_of.losses,
        )


def checked_lambdas(lambdas: Any) -> np.ndarray:
    """Returns ``lambdas`` of ``loss_along_lambda`` as a float64 array ``(n,)``.

    Raises:
        ValueError: If it is neither an integer >= 2 nor a sequence of numbers in [0, 1].

    Example:
    >>> keras_amp.analysis.pair_evaluator.checked_lambdas(3)
    array([0. , 0.5, 1. ])
    """
    counted = isinstance(lambdas, numbers.Integral) and not isinstance(lambdas, bool)
    if counted and lambdas >= 2:
        return np.linspace(0.0, 1.0, int(lambdas))
    try:
        values = np.array(lambdas, "float64")
    except (TypeError, ValueError):
        values = np.array(np.nan)
    if counted or values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        received = f"lambdas={lambdas!r}"
    elif not values.size:
        received = "none."
    else:
        return values
    raise ValueError(
        "Expected `lambdas` to be an integer >= 2, the number of values from 0 to 1, or "
        "a sequence of values in [0, 1]: outside of it a label would have a negative "
        f"share. Received: {received}"
    )


def checked_pairs(pairs: Any, number: int) -> np.ndarray:
    """Returns ``pairs`` of ``loss_along_lambda`` as an integer array of indices.

    Args:
        pairs: None for all, an integer for the first so many, or indices.
        number: Integer, the number of examples.

    Raises:
        ValueError: If there are not as many examples.

    Example:
    >>> keras_amp.analysis.pair_evaluator.checked_pairs(3, 8).tolist()
    [0, 1, 2]
    """
    if pairs is None:
        return np.arange(number)
    if isinstance(pairs, numbers.Integral) and not isinstance(pairs, bool):
        if 1 <= int(pairs) <= number:
            return np.arange(int(pairs))
    elif _are_indices(pairs, number) and np.size(pairs):
        return np.asarray(pairs)
    raise ValueError(
        f"Expected `pairs` to be None, an integer from 1 to {number}, or a list of "
        f"indices from 0 to {number - 1}: there are {number} examples. Received: "
        f"pairs={pairs!r}"
    )


def _the_split(
    model: keras.Model,
    classifier: keras.Model,
    mixes: bool,
    mix_at: str | tuple[str, ...] | None,
    masks: dict[str, str] | None,
) -> SplitModel:
    """Cuts a classifier at the one place to mix at."""
    together = isinstance(mix_at, tuple) and all(isinstance(n, str) for n in mix_at)
    if mix_at is not None and not isinstance(mix_at, str) and not together:
        raise TypeError(
            "Expected `mix_at` to be the name of one layer, a tuple of names that are "
            f"mixed together, or None. Received: mix_at={mix_at!r}"
        )
    places: Any = [mix_at] if together else mix_at
    if places is None and mixes:
        places = model.mix_at
    # Mixing as far up as it makes no difference: less to evaluate at every lambda.
    rewrite = model.rewrite if mixes else True
    splits = cut(classifier, places, rewrite, move_up=True, masks=masks)
    if len(splits) > 1:
        names = ", ".join(repr(split.place) for split in splits)
        raise ValueError(
            f"Expected `mix_at` to name one of the mix points {names} of '{model.name}'. "
            "Received: mix_at=None"
        )
    return splits[0]


def _loss_of(model: keras.Model, classifier: keras.Model, loss: Any) -> tuple[Any, Any]:
    """The compiled loss, and what it was compiled from."""
    if loss is None and model.compiled:
        return keras_compat.loss_container(model), model.loss
    function = as_function(classifier, "model")
    if loss is None:
        for output in function.outputs:
            _check_probabilities(classifier, output)
        loss = "crossentropy"  # Keras tells which from the shapes
    # Of the same layers: the user's model stays as it was compiled.
    compiled = keras.Model(function.input, function.output)
    compiled.compile(loss=loss)
    return keras_compat.loss_container(compiled), loss


def _check_probabilities(classifier: keras.Model, output: Tensor) -> None:
    """Raises unless it is seen that an output are probabilities."""
    last = keras_compat.node_of(output).operation
    activation = getattr(last, "activation", last)
    name = getattr(activation, "__name__", type(activation).__name__)
    if name.lower() not in ("softmax", "sigmoid"):
        raise ValueError(
            "Expected a model that is compiled, or whose output a softmax or sigmoid "
            f"yields, so that its loss is known. Received: '{classifier.name}', not "
            f"compiled, whose output is that of '{last.name}'. Pass `loss`, such as "
            "keras.losses.SparseCategoricalCrossentropy(from_logits=True)."
        )


def _checked_partners(partner: Any, number: int, seed: int | None) -> np.ndarray:
    """The index of each example's partner."""
    if isinstance(partner, str) and partner == "reversed":
        return np.arange(number)[::-1]
    if isinstance(partner, str) and partner == "seeded":
        if validation.check_seed(seed) is None:
            raise ValueError(
                "Expected `seed` to be an integer with partner='seeded'. Received: None"
            )
        return np.random.default_rng(seed).permutation(number)
    if _are_indices(partner, number) and len(partner) == number:
        return np.asarray(partner)
    raise ValueError(
        "Expected `partner` to be 'reversed', 'seeded' or an integer array of the shape "
        f"({number},) with values from 0 to {number - 1}. Received: partner={partner!r}"
    )


def _are_indices(values: Any, number: int) -> bool:
    """Whether values are a one-dimensional array of indices below a number."""
    try:
        values = np.asarray(values)
    except ValueError:  # rows of different lengths
        return False
    if values.ndim != 1 or values.dtype.kind not in "iu":
        return False
    return bool(((values >= 0) & (values < number)).all())


def _taken(arrays: Any, indices: np.ndarray) -> Any:
    """Rows of a structure of arrays, in which None stands for what is not there."""
    return tree.map_structure(lambda v: v if v is None else v[indices], arrays)


def _as_arrays(tensors: list[Tensor | None]) -> list[np.ndarray | None]:
    return [v if v is None else ops.convert_to_numpy(v) for v in tensors]
