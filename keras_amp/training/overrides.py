"""Runs the methods of Keras that a user's class overrides, in training on mixtures.

A classifier is evaluated by its own ``test_step`` and ``predict_step``. Its class may
override ``compute_loss``, and so may a subclass of ``MixupAMPModel``: in training,
``super().compute_loss(...)`` returns the mixtures' loss.

While such a method of the classifier runs, the classifier has the loss, metrics and
optimizer that the mixing model was compiled with. Afterwards it has its own again.
"""

import contextlib
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import keras
from keras import ops, tree

from keras_amp.graph import keras_compat
from keras_amp.graph.overrides import is_overridden
from keras_amp.typing import Structure, Tensor


def own_metrics(
    classifier: keras.Model, found: Iterable[keras.metrics.Metric]
) -> list[keras.metrics.Metric]:
    """Returns the metrics of a classifier's class that ``compile`` did not make.

    Args:
        classifier: The classifier.
        found: Metrics that are known already.

    Returns:
        A list of further ``keras.metrics.Metric``s.
    """
    compiled = [
        keras_compat.loss_tracker(classifier),
        keras_compat.metrics_container(classifier),
    ]
    known = {id(metric) for metric in [*found, *compiled]}
    losses = keras_compat.loss_container(classifier)
    if losses is not None:
        known.update(id(metric) for metric in losses.metrics)
    return [metric for metric in classifier.metrics if id(metric) not in known]


class Mixture:
    """The loss of a batch of mixtures, for a ``compute_loss`` that builds on it.

    Args:
        loss: The mixtures' reduced loss, without regularization losses.
        y: The labels that ``compute_loss`` receives and must pass to ``super()``
            unchanged. The same holds for ``y_pred`` and ``sample_weight``.
        y_pred: Predictions.
        sample_weight: Weights or None.
    """

    def __init__(
        self, loss: Tensor, y: Structure, y_pred: Structure, sample_weight: Structure
    ) -> None:
        self._loss, self.taken = loss, False
        self.y, self.y_pred, self.sample_weight = y, y_pred, sample_weight

    def take(self, y: Structure, y_pred: Structure, sample_weight: Structure) -> Tensor:
        """Returns the mixtures' loss, if it is asked for with what the method was given.

        Raises:
            ValueError: If they are others than those that the method was given.
        """
        for name, given in (
            ("y", y),
            ("y_pred", y_pred),
            ("sample_weight", sample_weight),
        ):
            if not _same(getattr(self, name), given):
                raise ValueError(
                    f"Expected `compute_loss()` to hand its `{name}` on to "
                    "`super().compute_loss(...)` as it is: in training that call returns "
                    "the loss of mixtures, between the labels of two examples. "
                    f"Received: {given!r}. Change labels and weights in the data, and "
                    "predictions in the network."
                )
        self.taken = True
        return self._loss


def _same(expected: Structure, given: Structure) -> bool:
    """Whether two structures hold the same tensors."""
    expected, given = (
        [leaf for leaf in tree.flatten(value) if leaf is not None]
        for value in (expected, given)
    )
    return len(expected) == len(given) and all(
        a is b for a, b in zip(expected, given, strict=True)
    )


class Overrides:
    """Runs what the class of a mixing model, or of its classifier, overrides.

    It is not a Keras object, so that nothing in it is saved.
    """

    def __init__(self) -> None:
        # Each replica of a distributed step runs in a thread of its own, on one model.
        self._here = threading.local()
        self._borrowers = 0
        self._own: dict[str, Any] = {}

    def training_loss(self, model: keras.Model, x: Structure, mixture: Mixture) -> Tensor:
        """Calls the model's ``compute_loss`` on a mixture, once.

        Args:
            model: A ``MixupAMPModel``.
            x: The batch's inputs.
            mixture: A ``Mixture``.

        Returns:
            The loss to be differentiated.

        Raises:
            ValueError: If an override does not build on ``super()``.
        """
        self._here.mixture = mixture
        try:
            loss = keras_compat.compute_loss(
                model, x, mixture.y, mixture.y_pred, mixture.sample_weight, training=True
            )
        finally:
            self._here.mixture = None
        _check_taken(mixture, model)
        return loss

    def compute_loss(
        self,
        model: keras.Model,
        x: Structure,
        y: Structure,
        y_pred: Structure,
        sample_weight: Structure,
        training: bool,
    ) -> Tensor:
        """Returns the loss of the mixtures in training, else that of a batch."""
        mixture = getattr(self._here, "mixture", None)
        classifier = model.classifier
        if not is_overridden(classifier, "compute_loss"):
            if mixture is None:
                return keras.Model.compute_loss(
                    model, x, y, y_pred, sample_weight, training
                )
            return _with_penalties(model, mixture.take(y, y_pred, sample_weight))
        with self.lent(model), _losses_of(model):
            loss = keras_compat.compute_loss(
                classifier, x, y, y_pred, sample_weight, training=training
            )
        if mixture is not None:
            _check_taken(mixture, classifier)
        return loss

    @contextlib.contextmanager
    def lent(self, model: keras.Model) -> Iterator[None]:
        """Makes the classifier be compiled as the model is, for a while."""
        classifier = model.classifier
        if not self._borrowers:
            self._own = keras_compat.compiled_state(classifier)
            lent = keras_compat.compiled_state(
                model, lambda container: _InPlace(container, self._here)
            )
            keras_compat.put_compiled_state(classifier, {**self._own, **lent})
        self._borrowers += 1
        try:
            yield
        finally:
            self._borrowers -= 1
            if not self._borrowers:
                keras_compat.put_compiled_state(classifier, self._own)


class _InPlace:
    """A compiled loss that returns a mixture's loss while there is a mixture."""

    def __init__(self, compiled: Any, here: threading.local) -> None:
        self._compiled, self._here = compiled, here

    def __call__(
        self, y: Structure, y_pred: Structure, sample_weight: Structure = None
    ) -> Tensor:
        mixture = getattr(self._here, "mixture", None)
        if mixture is None:
            return self._compiled(y, y_pred, sample_weight)
        return mixture.take(y, y_pred, sample_weight)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._compiled, name)


@contextlib.contextmanager
def _losses_of(model: keras.Model) -> Iterator[None]:
    """Makes the classifier's ``losses`` the model's, if a subclass adds some."""
    classifier, losses = model.classifier, model.losses
    if len(losses) == len(classifier.losses):
        yield
        return
    with keras_compat.losses_replaced(classifier, losses):
        yield


def _with_penalties(model: keras.Model, loss: Tensor) -> Tensor:
    """Adds regularization losses to that of a batch."""
    for additional in model.losses:
        # A loss compiled without reduction is a vector, whose gradient is that of its
        # sum; the penalty counts once in that sum.
        penalty = ops.cast(keras_compat.additional_loss(model, additional), loss.dtype)
        loss = loss + penalty / ops.cast(ops.size(loss), loss.dtype)
    return loss


def _check_taken(mixture: Mixture, model: keras.Model) -> None:
    """Raises unless the mixture's loss is part of what a model's override returned."""
    if mixture.taken:
        return
    raise ValueError(
        "Expected `compute_loss()` to build on `super().compute_loss(...)`: in training "
        "that call returns the loss of mixtures, which one of its own cannot be. "
        f"Received: {type(model).__name__}, whose `compute_loss()` does not call it. "
        "Pass the loss of labels and predictions to `compile(loss=...)`, and let "
        "`compute_loss()` add the rest."
    )
