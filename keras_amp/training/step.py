"""The training step, in the order of its pseudocode (``keras_amp.training``)."""

import warnings
from typing import Any

import keras
from keras import ops, tree

from keras_amp.graph import keras_compat
from keras_amp.graph.lookup import as_function
from keras_amp.graph.split import SplitModel
from keras_amp.policies.passes import Draw, Searched
from keras_amp.training.draw import draw
from keras_amp.training.label_check import LabelCheck, check_batch
from keras_amp.training.labels import Labels
from keras_amp.training.losses import ExampleLoss
from keras_amp.training.metrics import Reports, report_of
from keras_amp.training.mix_points import Result, at_random_point
from keras_amp.training.overrides import Mixture, Overrides
from keras_amp.training.passes import Passes, Upper
from keras_amp.training.tensorflow import backend
from keras_amp.training.tensorflow.compilation import Compilation, is_fixed
from keras_amp.training.tensorflow.side_effects import Examined
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
        self.overrides = Overrides()
        self.compilation = Compilation(model, {"jit_compile": False})
        self._examined = Examined()

    @property
    def label_check(self) -> LabelCheck:
        """The check of labels, by the classifier and the loss as compiled last."""
        return LabelCheck(self.model.classifier, getattr(self.model, "loss", None))

    def __call__(self, data: Any) -> dict[str, Any]:
        """Trains on a batch; returns what it reports."""
        model, policy = self.model, self.model.policy
        batch = x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        y, sample_weight = _single(y, "y"), _single(sample_weight, "sample_weight")
        y, batch_size = check_batch(
            model.classifier, x, y, sample_weight, self.label_check
        )
        drawn = draw(policy, batch_size, model.seed_generator, y)
        partners = drawn.permutation if policy.needs.mixes else None
        labels = Labels(y, sample_weight, partners)
        self._build(y)
        result = at_random_point(
            self.splits,
            lambda split: self._train_at(split, batch, drawn, labels),
            model.seed_generator,
        )
        self._update(result.gradients, x)
        return self._report(result, x, sample_weight, batch_size)

    def _train_at(
        self,
        split: SplitModel,
        batch: tuple[Structure, Structure, Structure],
        drawn: Draw,
        labels: Labels,
    ) -> Result:
        """Mixes at one point, searches, and takes the gradient of the weights."""
        model, policy = self.model, self.model.policy
        x, given_y, given_weight = batch
        loss_of = ExampleLoss(keras_compat.loss_container(model))

        def run(recorder: Any) -> tuple[Tensor, Any]:
            needs = policy.needs
            upper = Upper(split, x, labels, loss_of, drawn if needs.mixes else None)
            start = upper.start(needs.moves == "lam_per_dimension")
            with recorder.stop_recording():
                effects = self._examined.of(
                    split, lambda: upper.evaluate(start), needs, loss_of.loss
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
            loss = loss_of.reduce(self._weighted(losses, searched))
            y_major, weight_major = labels.of_larger_share(searched.at.draw)
            mixture = Mixture(
                loss, _like(given_y, y_major), y_pred, _like(given_weight, weight_major)
            )
            loss = self.overrides.training_loss(model, x, mixture)
            scaled = model.optimizer.scale_loss(loss)
            label = [v for v in (y_major, weight_major) if v is not None]
            told = loss, y_pred, report_of(searched), label
            return scaled, told

        found, gradients = backend.loss_and_gradients(run, model.trainable_weights)
        return Result(gradients, *found)

    def _weighted(self, losses: Tensor, searched: Searched) -> Tensor:
        """The losses, times the weights that the policy gives the examples, if any."""
        model = self.model
        weight = model.policy.example_weights(
            searched.loss, searched.adversarial_loss, self.policy_state
        )
        if weight is None:
            return losses
        return losses * ops.stop_gradient(ops.cast(weight, losses.dtype))

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
            model.optimizer, gradients, model.trainable_weights, is_fixed(x)
        )

    def _report(
        self,
        result: Result,
        x: Structure,
        sample_weight: Tensor | None,
        batch_size: Size,
    ) -> dict[str, Any]:
        """Gathers what is reported, and returns it."""
        model = self.model
        loss = result.loss * backend.replicas()
        keras_compat.loss_tracker(model).update_state(loss, sample_weight=batch_size)
        self.reports.update_state(result.report)
        y_major, weight_major = (*result.label, None)[:2]
        y_major = tree.pack_sequence_as(result.y_pred, [y_major])
        compiled = keras_compat.metrics_container(model)
        if compiled is not None and not compiled.built:
            with backend.outside_the_step():
                compiled.build(y_major, result.y_pred)
        return model.compute_metrics(x, y_major, result.y_pred, weight_major)

    def _build(self, y: Tensor) -> None:
        """Makes what a first step needs.

        That is the compiled loss, in the structure of the output as evaluation builds it,
        and the optimizer, which decides how a loss is scaled.
        """
        model = self.model
        losses = keras_compat.loss_container(model)
        if losses is not None and not losses.built:
            output = as_function(model.classifier, "classifier").output
            if isinstance(output, (list, tuple)):
                (output,) = output  # as a call returns it
            losses.build(tree.pack_sequence_as(output, [y]), output)
        if model.trainable_weights and not model.optimizer.built:
            with backend.outside_the_step():
                model.optimizer.build(model.trainable_weights)


def _single(value: Structure, name: str) -> Tensor | None:
    """Unwraps a structure of one tensor."""
    leaves = [leaf for leaf in tree.flatten(value) if leaf is not None]
    if len(leaves) > 1:
        raise ValueError(
            f"Expected `{name}` to be one tensor, as the classifier has one output. "
            f"Received: a structure of {len(leaves)}."
        )
    return leaves[0] if leaves else None


def _like(structure: Structure, value: Tensor | None) -> Structure:
    """Wraps a tensor as ``_single`` unwraps it."""
    return tree.map_structure(lambda leaf: leaf if leaf is None else value, structure)
