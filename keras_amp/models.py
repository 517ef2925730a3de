"""MixupAMPModel: a Keras model whose training step mixes, searches and then trains."""

import inspect
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
from keras import tree

from keras_amp.graph.cuts import cut
from keras_amp.graph.overrides import check_overrides, is_overridden
from keras_amp.policies import AdversarialMixing
from keras_amp.policies.policy import Policy
from keras_amp.saving.exporting import ExportsClassifier
from keras_amp.saving.random_states import SavesRandomStates
from keras_amp.training import backend, input_check, validation
from keras_amp.training.metrics import Reports
from keras_amp.training.overrides import own_metrics
from keras_amp.training.step import TrainingStep
from keras_amp.typing import Structure, Tensor
from keras_amp.validation import check_meanings


@keras.saving.register_keras_serializable(package="keras_amp")
class MixupAMPModel(
    backend.BackendModel, SavesRandomStates, ExportsClassifier, keras.Model
):
    """Trains a classifier by mixup with the Adversarial Mixing Policy.

    Wraps a classifier and trains it in place: ``fit`` mixes, ``predict`` and
    ``evaluate`` are the classifier's own, and ``classifier.save`` saves the user's model
    with nothing of ours inside. One training step:

    1. draws lambda ~ Beta(alpha, alpha) and a partner for every example (Eq. 10);
    2. computes what lies below the mix point, once;
    3. takes the gradient of each example's mixup loss (Eq. 17) with respect to lambda
       and moves the inputs' lambda a step up that gradient (MaxOp, Eq. 14-16);
    4. evaluates the loss there and keeps the lambda of the larger one (MinOp,
       Eq. 18-21);
    5. takes the gradient of the weights at the kept lambda, which counts as a constant.

    With ``Mixup`` as the policy, steps 3 and 4 are left out. With
    ``noise="independent"`` it is the two evaluations of steps 3 and 4, each with dropout
    masks of its own, whose losses are kept and differentiated: step 5 evaluates nothing
    anew, and the metrics see each example's kept predictions. A policy may weigh the kept
    losses; the model then holds what the policy remembers of earlier steps.

    Reported every step: ``loss``; the compiled metrics, **against the label with the
    larger coefficient** (predictions on mixtures have no single right label, so training
    accuracy reads lower than validation accuracy); and ``lam`` (mean drawn lambda),
    ``lam_delta`` (mean absolute step on it), ``mask_rate`` (share of examples trained at
    lambda') and ``loss_gap`` (mean of the adversarial losses minus the losses before).
    A policy may measure more (``policy.measures``); of one that mixes nothing ``lam`` is
    1. ``monitor`` adds to these.

    Each label's loss carries its own example's sample or class weight:
    ``lam * w * loss(y) + (1 - lam) * w_partner * loss(y_partner)``; the compiled loss's
    reduction follows, over the positions that the masks of the predictions and of the
    loss itself (``ignore_class``) let count: ``keras_amp.training.losses`` states the
    rule. A loss that becomes NaN or infinite is warned of at the end of its epoch; add
    ``keras.callbacks.TerminateOnNaN()`` to stop at once (it reads the ``loss`` that every
    step reports).

    Of several outputs, each with a loss of its own, an example's loss is the sum of its
    losses by ``loss_weights``: that is what the search moves up and compares. Labels,
    weights and metrics come in lists or dicts as ``keras.Model`` takes them, and
    ``<output>_loss`` is reported as it does.

    What a class overrides is honoured: a classifier's ``test_step`` and ``predict_step``
    are its evaluation, and ``compute_loss``, of the classifier or of a subclass of this
    model, may add to the loss; see there.

    Distributed by ``tf.distribute``, every replica draws its own coefficients and mixes
    the examples of its own share of the batch.

    Args:
        classifier: A functional ``keras.Model`` or a built ``keras.Sequential``, of one
            output or of several.
        mix_at: Where to mix: a layer's name or path (see ``insert_mix_layer``); a tuple
            of names, such as ``("words", "numbers")``, to mix several inputs of an
            example together, by one lambda and with one partner; a list of names and
            tuples, of which one is picked at random for each batch (manifold mixup,
            Verma et al., ICML 2019); or None when the classifier already holds
            ``MixLayer``s, each a place of its own.
        policy: A ``Mixup`` or ``AdversarialMixing``; None means ``AdversarialMixing()``.
        seed: Integer seed of the coefficients and partners; None for a random one.
        rewrite: Whether a training step may compute the classifier by other operations,
            at the same result up to rounding. LSTMs run faster
            (``keras_amp.graph.lstm``), and the adversarial step mixes as far up as
            affine layers allow: what they compute is then computed once a step, not
            three times (``keras_amp.graph.affine``); ``mixed_behind`` says where that is.
            (Not with ``step_per="dimension"``, where it would be another result.)
        masks: Dict from names of layers, operations or inputs to what True means in
            the mask that they yield, where it reaches the layers above around the mix
            point and is not understood by itself: ``"keep"`` where a position counts,
            ``"hide"`` where it is padding (PyTorch's ``key_padding_mask``), ``"select"``
            where it is picked out (``ids == end``, to pool there). In a mixture a
            position is kept or selected if it is in either example, and hidden if it is
            in both. See ``keras_amp.graph.masks``.
        **kwargs: Keras' own arguments, such as ``name``.

    Raises:
        RuntimeError: If Keras runs on another backend than TensorFlow.
        ValueError: If the classifier has no graph, a name is unknown, ambiguous or
            denotes integers or a tensor whose first axis is not the batch, an output does
            not depend on the mix point, an input bypasses it, or it is not seen what a
            mask means that does; if the classifier's class overrides ``train_step`` or
            ``compute_metrics``.
        TypeError: If ``policy`` is no policy, ``seed`` no integer, ``mix_at`` no name or
            ``masks`` no dict.

    Example:
    >>> classifier = keras.Sequential([
    ...     keras.Input((7,)),
    ...     keras.layers.Embedding(100, 8, name="embedding"),
    ...     keras.layers.GlobalMaxPooling1D(),
    ...     keras.layers.Dense(2, activation="softmax"),
    ... ])
    >>> model = keras_amp.MixupAMPModel(classifier, mix_at="embedding", seed=1)
    >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    >>> x, y = np.random.randint(100, size=(32, 7)), np.arange(32) % 2
    >>> history = model.fit(x, y, verbose=0)
    >>> sorted(history.history)
    ['accuracy', 'lam', 'lam_delta', 'loss', 'loss_gap', 'mask_rate']

    Reference:
        Liu et al., *Adversarial Mixing Policy for Relaxing Locally Linear Constraints in
        Mixup*, EMNLP 2021.
    """

    def __init__(
        self,
        classifier: keras.Model,
        mix_at: validation.MixAt = None,
        policy: Policy | None = None,
        seed: int | None = None,
        rewrite: bool = True,
        masks: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        validation.check_backend()
        validation.check_classifier(classifier)
        check_overrides(classifier)
        policy = AdversarialMixing() if policy is None else policy
        validation.check_policy(policy)
        mix_at, seed = validation.check_mix_at(mix_at), validation.check_seed(seed)
        # The classifier converts its own inputs; its precision decides on loss scaling.
        kwargs.setdefault("dtype", classifier.dtype_policy)
        super().__init__(autocast=False, **kwargs)
        self.classifier = classifier
        self.policy = policy
        self.mix_at = mix_at
        self.seed = seed
        self.rewrite = bool(rewrite)
        self.masks = check_meanings(masks)
        self.seed_generator = backend.SeedGenerator(seed, name="mixing")
        self._policy_state = policy.create_state()
        self._reports = Reports(policy)
        self._means = self._reports.means
        splits = cut(
            classifier, self.mix_at, self.rewrite, policy.needs.commutes, self.masks
        )
        self._training_step = TrainingStep(
            self, splits, self._policy_state, self._reports
        )
        if isinstance(mix_at, tuple):
            self.mix_at = self.mix_points
        self.built = True

    def __repr__(self) -> str:
        if getattr(self, "_training_step", None) is None:  # still being made
            return super().__repr__()
        places = ", ".join(map(repr, self.mix_points))
        return (
            f"<MixupAMPModel of {self.classifier.name!r}, mixed behind {places} by "
            f"{self.policy!r}>"
        )

    def build(self, input_shape: Any = None) -> None:
        """Does nothing: the classifier is built already."""
        self.built = True

    def call(self, inputs: Structure, training: bool | None = None) -> Structure:
        """The classifier's own predictions."""
        return self.classifier(inputs, training=training)

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """The classifier's layers, and what a subclass adds."""
        own = [layer for layer in super().layers if layer is not self.classifier]
        return [*self.classifier.layers, *own]

    @property
    def output_names(self) -> list[str] | None:
        """The classifier's output names, for losses and metrics compiled by name."""
        return getattr(self.classifier, "output_names", None)

    @property
    def mix_points(self) -> list[str | tuple[str, ...]]:
        """Names of the layers behind which examples are mixed; tuples of them, too."""
        return [
            split.names if len(split.names) > 1 else split.place
            for split in self._training_step.splits
        ]

    @property
    def mixed_behind(self) -> list[list[str]]:
        """For each of ``mix_points``, the layers whose outputs are really mixed."""
        return [list(split.mixed_behind) for split in self._training_step.splits]

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Keras' metrics and the classifier's own.

        Those that only a monitored model reports are left out elsewhere.
        """
        hidden = {id(metric) for metric in self._reports.hidden()}
        found = [metric for metric in super().metrics if id(metric) not in hidden]
        return [*found, *own_metrics(self.classifier, found)]

    def monitor(self) -> None:
        """Reports more of what the search does, from the next ``fit`` on.

        Every step then reports ``lam_gradient`` (mean absolute gradient of lambda),
        ``mixup_loss`` and ``adversarial_loss`` (mean losses at lambda and lambda'),
        too, and counts for ``histograms``. ``keras_amp.callbacks.MixingTensorBoard``
        calls it.
        """
        if not self._reports.monitored:
            self._reports.monitored = True
            self.train_function = None  # traced anew

    @property
    def histograms(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """What a monitored model has counted since ``reset_histograms``.

        A dict from ``"lam"`` and ``"lam_gradient"`` (if the policy mixes), ``"loss_gap"``
        and what the policy measures (``policy.measures``) to tuples of float32 edges
        ``(n,)`` and integer counts ``(n + 1,)``: below the first edge, between two, and
        from the last one on.
        """
        return {
            name: (counts.edges, counts.result())
            for name, counts in self._reports.histograms.items()
        }

    def reset_histograms(self) -> None:
        """Begins to count anew; ``reset_metrics`` would do so before a validation."""
        for counts in self._reports.histograms.values():
            counts.reset_state()

    def fit(
        self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any
    ) -> keras.callbacks.History:
        """Trains as ``keras.Model.fit`` does, by mixing; see the class for the step.

        Labels given as arrays are checked before training begins, those of a
        ``tf.data.Dataset`` as they are read; those of ``validation_data`` likewise. An
        array that is passed again is not looked through again, but for its ends.

        Raises:
            ValueError: If ``y`` has another number of examples than ``x``, or labels
                outside the classifier's classes; if there is no example at all.
        """
        given = inspect.signature(super().fit).bind(x, y, *args, **kwargs).arguments
        self._check_distributed()
        given["x"] = self._checked(x, y, "`x`", "`y`")
        input_check.check_weights(given.get("sample_weight"))
        self._training_step.compilation.begin()
        held_out = given.get("validation_data")
        if held_out is not None:
            name = "`validation_data`"
            if isinstance(held_out, (tuple, list)):
                inputs, labels = held_out[:2]
                self._checked(inputs, labels, name, f"the labels of {name}")
            else:
                given["validation_data"] = self._checked(held_out, None, name, name)
        callbacks = given.get("callbacks")
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            given["callbacks"] = [
                *tree.flatten(callbacks or []),
                validation.NonFiniteLoss(),
            ]
        try:
            with input_check.clearer_errors(self.classifier):
                return super().fit(**given)
        except Exception as error:
            clearer = backend.clearer_error(error)
            if clearer is None:
                raise
            raise clearer from None

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Takes one training step, as ``keras.Model.train_on_batch`` does, by mixing.

        Raises:
            ValueError: As ``fit``.
        """
        self._check_distributed()
        self._checked(x, y, "`x`", "`y`")
        input_check.check_weights(sample_weight)
        return super().train_on_batch(x, y, sample_weight, *args, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Evaluates the classifier as ``keras.Model.evaluate`` does.

        Raises:
            ValueError: If the inputs are none that the classifier takes: texts, single
                examples, another shape.
        """
        self._check_inputs(x, "`x`", y)
        input_check.check_no_list(y, "`y`")
        with input_check.clearer_errors(self.classifier):
            return super().evaluate(x, y, *args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Predicts by the classifier as ``keras.Model.predict`` does.

        Raises:
            ValueError: As ``evaluate``.
        """
        self._check_inputs(x, "`x`")
        with input_check.clearer_errors(self.classifier):
            return super().predict(x, *args, **kwargs)

    def test_on_batch(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Evaluates one batch; see ``evaluate``."""
        self._check_inputs(x, "`x`")
        return super().test_on_batch(x, *args, **kwargs)

    def predict_on_batch(self, x: Any) -> Any:
        """Predicts one batch; see ``predict``."""
        self._check_inputs(x, "`x`")
        return super().predict_on_batch(x)

    def _checked(self, x: Any, y: Any, inputs_name: str, labels_name: str) -> Any:
        """Checks labels before training; returns ``x``, checked as it is read."""
        self._check_inputs(x, inputs_name, y)
        label_checks = self._training_step.label_checks
        if isinstance(x, tf.data.Dataset):
            return label_checks.check_dataset(x, inputs_name)
        label_checks.check_arrays(x, y, labels_name)
        return x

    def _check_inputs(self, x: Any, name: str, y: Any = None) -> None:
        """Raises if the inputs, or the elements of a data set, do not fit."""
        if isinstance(x, tf.data.Dataset):
            input_check.check_elements(self.classifier, x, name)
        else:
            input_check.check_inputs(self.classifier, x, name, y=y)

    def train_step(self, *arguments: Any) -> Any:
        """One step of mixing, search and descent; returns what it reports.

        It is given a batch ``(x, y)`` or ``(x, y, sample_weight)``; on JAX the state and
        the batch, and it returns the state after the step as well.
        """
        return self.run_step(*arguments)

    def compute_loss(
        self,
        x: Structure = None,
        y: Structure = None,
        y_pred: Structure = None,
        sample_weight: Structure = None,
        training: bool = True,
    ) -> Tensor:
        """The loss of a batch: in a training step of its mixtures, else the compiled one.

        A subclass may override it, and so may the classifier's class, to add penalties
        or to multiply: ``super().compute_loss(...)`` returns the mixtures' reduced loss,
        regularization losses included, and what is made of it is differentiated. Every
        training step calls it once. The search for lambda' does not: it compares the
        examples' compiled losses. Evaluation calls it as Keras does, on what is not
        mixed.

        Args:
            x: The batch's inputs, not mixed.
            y: In training, for each mixture, the label of the larger share.
            y_pred: In training the mixtures' predictions.
            sample_weight: In training the weight of the larger share; or None.
            training: Whether in training.

        Returns:
            The loss.

        Raises:
            ValueError: In training, if an override does not call
                ``super().compute_loss(...)`` with the ``y``, ``y_pred`` and
                ``sample_weight`` that it has been given.

        Example:
        >>> class Confident(keras_amp.MixupAMPModel):
        ...     def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        ...         loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        ...         entropy = -keras.ops.sum(y_pred * keras.ops.log(y_pred), axis=-1)
        ...         return loss + 0.1 * keras.ops.mean(entropy)
        """
        return self._training_step.overrides.compute_loss(
            self, x, y, y_pred, sample_weight, training
        )

    def test_step(self, *arguments: Any) -> Any:
        """The classifier's evaluation; what only mixing defines is not reported."""
        if is_overridden(self.classifier, "test_step"):
            with self._training_step.overrides.lent(self):
                return self.classifier.test_step(*arguments)
        result = super().test_step(*arguments)
        return self.logs_of(result, lambda name: name not in self._means)

    def predict_step(self, *arguments: Any) -> Structure:
        """The classifier's predictions."""
        if is_overridden(self.classifier, "predict_step"):
            with self._training_step.overrides.lent(self):
                return self.classifier.predict_step(*arguments)
        return super().predict_step(*arguments)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild this model."""
        config = super().get_config()
        return {
            **{k: config[k] for k in ("name", "trainable", "dtype") if k in config},
            "classifier": keras.saving.serialize_keras_object(self.classifier),
            "mix_at": self.mix_at,
            "policy": keras.saving.serialize_keras_object(self.policy),
            "seed": self.seed,
            "rewrite": self.rewrite,
            "masks": None if self.masks is None else dict(self.masks),
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Self:
        """Builds a model from ``get_config()``'s result."""
        config = dict(config)
        if isinstance(config.get("mix_at"), list):
            # JSON knows no tuples: what it holds of them are lists.
            config["mix_at"] = [
                point if isinstance(point, str) else tuple(point)
                for point in config["mix_at"]
            ]
        for key in ("classifier", "policy"):
            config[key] = keras.saving.deserialize_keras_object(
                config[key], custom_objects=custom_objects
            )
        return cls(**config)
