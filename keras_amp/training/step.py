"""The training step, in the order of its pseudocode (``keras_amp.training``)."""

import warnings
from typing import Any

import keras
from keras import ops, tree

from keras_amp.graph import keras_compat
from keras_amp.graph.split import SplitModel
from keras_amp.policies.passes import Draw, Searched
from keras_amp.training import backend, input_check
from keras_amp.training.draw import draw
from keras_amp.training.label_checks import LabelChecks
from keras_amp.training.labels import Labels, numbers_of
from keras_amp.training.metrics import Reports, report_of
from keras_amp.training.mix_points import Result, at_random_point
from keras_amp.training.output_losses import (
    Leaves,
    OutputLosses,
    in_structure_of,
    leaves_of,
    outputs_of,
    targets_of,
)
from keras_amp.training.overrides import Mixture, Overrides
from keras_amp.training.passes import Passes, Upper
from keras_amp.typing import Size, Structure, Tensor


class TrainingStep:
    """The training step of a model, called once a batch.

    It is not a Keras object, so that nothing in it is saved: variables are the model's.

    Args:
        model: The ``MixupAMPModel``.
        splits: List of ``SplitModel``, one for each mix point.
        policy_state: The variables of the policy (``policy.create_state()``).
        reports: What the model reports.

    Attributes:
        compilation: What is compiled; ``compile`` sets it.
    """

    def __init__(
        self,
        model: Any,
        splits: list[SplitModel],
        policy_state: list[keras.Variable],
        reports: Reports,
    ) -> None:
        self.model, self.splits = model, splits
        self.policy_state, self.reports = policy_state, reports
        self._outputs = outputs_of(model.classifier)
        self.overrides = Overrides()
        self.compilation = backend.Compilation(model, {"jit_compile": False})
        self._examined = backend.Examined()

    @property
    def label_checks(self) -> LabelChecks:
        """The checks of labels, by the classifier and the losses as compiled last."""
        model = self.model
        container = keras_compat.loss_container(model)
        return LabelChecks(
            model.classifier, self._outputs, container, getattr(model, "loss", None)
        )

    def __call__(self, data: Any) -> dict[str, Any]:
        """Trains on a batch; returns what it reports."""
        model, policy = self.model, self.model.policy
        batch = x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        losses_of, own, batch_size = self._checked(x, y, sample_weight)
        drawn = draw(policy, batch_size, model.seed_generator, numbers_of(own.y))
        labels = Labels(own, drawn.permutation if policy.needs.mixes else None)
        if model.trainable_weights and not model.optimizer.built:
            with backend.outside_the_step():
                model.optimizer.build(model.trainable_weights)  # it scales the loss
        result = at_random_point(
            self.splits,
            lambda split: self._train_at(split, batch, drawn, labels, losses_of),
            model.seed_generator,
        )
        self._update(result.gradients, x)
        return self._report(result, batch, batch_size)

    def check(self, data: Any) -> None:
        """Raises if a batch is none that the step takes."""
        self._checked(*keras.utils.unpack_x_y_sample_weight(data))

    def _checked(
        self, x: Structure, y: Structure, sample_weight: Structure
    ) -> tuple[OutputLosses, Leaves, Size]:
        """Checks a batch; returns the losses by output, the labels, and the batch's size.

        The losses are built as evaluation builds them: in the structure of the outputs.
        """
        model = self.model
        input_check.check_inputs(model.classifier, x, "the inputs of a batch", "batch", y)
        container = keras_compat.loss_container(model)
        targets = targets_of(container, self._outputs, y, sample_weight)
        own, batch_size = self.label_checks.check_batch(
            x, leaves_of(y, sample_weight), targets
        )
        return OutputLosses(targets), own, batch_size

    def _train_at(
        self,
        split: SplitModel,
        batch: tuple[Structure, Structure, Structure],
        drawn: Draw,
        labels: Labels,
        losses_of: OutputLosses,
    ) -> Result:
        """Mixes at one point, searches, and takes the gradient of the weights."""
        model, policy = self.model, self.model.policy
        x, given_y, given_weight = batch

        def run(recorder: Any) -> tuple[Tensor, Any]:
            needs = policy.needs
            upper = Upper(split, x, labels, losses_of, drawn if needs.mixes else None)
            start = upper.start(needs.moves == "lam_per_dimension")
            with recorder.stop_recording():
                effects = self._examined.of(
                    split, lambda: upper.evaluate(start), needs, losses_of.losses
                )
            passes = Passes(
                upper,
                ops.shape(drawn.lam)[0] * backend.replicas(),
                model.seed_generator,
                recorder,
                upper.evaluate,
                needs.noise == "independent",
                split.noise_states,
                effects,
            )
            searched = policy.search(passes, start)
            y_pred, losses = searched.trained
            weights = self._weights(searched)
            loss = losses_of.reduce(_weighted(losses, weights))
            major = labels.of_larger_share(searched.at.draw)
            mixture = Mixture(
                loss, _like(given_y, major.y), y_pred, _like(given_weight, major.weight)
            )
            loss = self.overrides.training_loss(model, x, mixture)
            scaled = model.optimizer.scale_loss(loss)
            with recorder.stop_recording():
                each = self._loss_of_each_output(upper, searched, weights)
            return scaled, (loss, each, y_pred, report_of(searched), tuple(major))

        found, gradients = backend.loss_and_gradients(run, model.trainable_weights)
        return Result(gradients, *found)

    def _weights(self, searched: Searched) -> Tensor | None:
        """The weights that the policy gives the examples, if any."""
        weight = self.model.policy.example_weights(
            searched.loss, searched.adversarial_loss, self.policy_state
        )
        return None if weight is None else ops.stop_gradient(weight)

    def _loss_of_each_output(
        self, upper: Upper, searched: Searched, weights: Tensor | None
    ) -> list[Tensor]:
        """The losses of the reported predictions by output, where there are several."""
        container = keras_compat.loss_container(self.model)
        if not container.metrics:
            return []
        losses = upper.losses(searched.trained.y_pred, searched.at.draw)
        return upper.losses_of.reduce_each([_weighted(each, weights) for each in losses])

    def _update(self, gradients: list[Tensor | None], x: Structure) -> None:
        """Updates the weights.

        The optimizer must know all of them, also those without a gradient, or its state
        could not be loaded.
        """
        model = self.model
        if not model.trainable_weights:
            warnings.warn("The model does not have any trainable weights.", stacklevel=2)
            return
        self.compilation.apply(
            model.optimizer, gradients, model.trainable_weights, backend.is_fixed(x)
        )

    def _report(
        self,
        result: Result,
        batch: tuple[Structure, Structure, Structure],
        batch_size: Size,
    ) -> dict[str, Any]:
        """Gathers what is reported, and returns it."""
        model, (x, y, sample_weight) = self.model, batch
        loss = result.loss * backend.replicas()
        keras_compat.loss_tracker(model).update_state(loss, sample_weight=batch_size)
        # As Keras does: a size that is not static is left out.
        size = tree.flatten(result.y_pred)[0].shape[0]
        trackers = keras_compat.loss_container(model).metrics
        for tracker, value in zip(trackers, result.losses, strict=True):
            tracker.update_state(value * backend.replicas(), sample_weight=size)
        self.reports.update_state(result.report)
        y_major, weight_major = result.label
        y_major = _like(in_structure_of(self._outputs, y), y_major)
        weight_major = _like(sample_weight, weight_major)
        compiled = keras_compat.metrics_container(model)
        if compiled is not None and not compiled.built:
            with backend.outside_the_step():
                compiled.build(y_major, result.y_pred)
        return model.compute_metrics(x, y_major, result.y_pred, weight_major)


def _weighted(losses: Tensor, weights: Tensor | None) -> Tensor:
    """The losses of examples, times the weights that a policy gives these, if any."""
    return losses if weights is None else losses * ops.cast(weights, losses.dtype)


def _like(structure: Structure, leaves: list[Tensor]) -> Structure:
    """Puts leaves into the places of a structure's, of which some may be None."""
    values = iter(leaves)
    return tree.map_structure(
        lambda leaf: None if leaf is None else next(values), structure
    )
