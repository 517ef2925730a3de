"""The one training path: every recipe and every cell of a comparison runs through it."""

import functools
import time
from dataclasses import dataclass

import keras
import numpy as np

from keras_amp import data
from keras_amp.analysis.curve import write_curve
from keras_amp.callbacks import MixingSchedule, MixingTensorBoard
from keras_amp.callbacks.hparams import write_hparams
from keras_amp.callbacks.steps import steps_taken
from keras_amp.data.unlabeled import with_unlabeled_of
from keras_amp.experiments.cells import flat_values, policy_arguments
from keras_amp.experiments.choosing import choosing
from keras_amp.experiments.devices import check_first_batch, evaluation_batch, sharing
from keras_amp.experiments.environment import (
    ENVIRONMENT,
    deterministic_operations,
    environment,
)
from keras_amp.experiments.evaluation import EVALUATION_BATCH
from keras_amp.experiments.results import (
    Result,
    write_epochs,
    write_json,
    write_predictions,
    write_test_curve,
)
from keras_amp.experiments.scores import readings_of, scores_of
from keras_amp.experiments.settings import BACKBONES
from keras_amp.experiments.smoothing import SmoothedCrossentropy
from keras_amp.experiments.times import EVALUATION, TRACING, WRITING, FitTimes, Times
from keras_amp.models import MixupAMPModel
from keras_amp.paper import DoubleSoftmaxCrossentropy, SummedBinaryCrossentropy
from keras_amp.runs import RESULT, save_run

BACKEND = keras.backend.backend()
TENSORBOARD = "tensorboard"
MEASURED = ("macro_f1", "nll", "ece", "dev_error", "test_error")  # beside the settings


def build_classifier(settings, examples, seed):
    """Builds the settings' backbone for the given examples."""
    return BACKBONES[settings.backbone](
        num_classes=len(examples.class_names),
        seed=seed,
        **{**settings.all_backbone_arguments(), **examples.encoding.arguments},
    )


@dataclass(frozen=True, eq=False)
class Trained:
    """A classifier that was trained and tested, and how that went.

    Attributes:
        result: ``Result``.
        classifier: The ``keras.Model`` with the weights of the chosen epoch.
        probabilities: Float array ``(num_test, num_classes)``, its predictions.
        epochs: List of dicts, the losses and metrics of every epoch.
        by_step: Dict from steps to the test error after them, with ``test_every``.
        environment: Dict, what the result depends on besides its settings.
    """

    result: Result
    classifier: keras.Model
    probabilities: np.ndarray
    epochs: list
    by_step: dict
    environment: dict


def train(
    settings,
    method,
    policy,
    seed,
    examples,
    folder,
    fold=None,
    callbacks=(),
    times=None,
):
    """Trains one classifier, tests it, and keeps all of it in a folder.

    Args:
        settings: ``Settings``.
        method: ``Method``.
        policy: The method's policy (ignored without mixing).
        seed: Integer >= 0.
        examples: ``Examples`` of that seed.
        folder: Existing folder for ``epochs.csv`` (losses and accuracies of every epoch),
            ``tensorboard/``, ``predictions.csv`` and ``confusion.csv`` (of the test set),
            ``curve.csv`` (the test loss along lambda), ``test_curve.csv`` (the test error
            over the steps, with ``test_every``), ``environment.json`` (commit, versions,
            machine, whether the step was compiled), ``result.json`` and the classifier
            with what it needs to read texts.
        fold: Integer, the part of a cross-validation that is tested on, or None.
        callbacks: Keras callbacks that follow the training.
        times: ``Times``, to which the time that it takes is added; None for none.

    Returns:
        A ``Result``.
    """
    times = times or Times()
    keras.utils.clear_session()
    callbacks = [MixingTensorBoard(folder / TENSORBOARD), *callbacks]
    trained = fit_and_test(
        settings, method, policy, seed, examples, fold, callbacks, times
    )
    with times.part(WRITING):
        save_artefacts(folder, trained, settings, method, policy, examples)
    return trained.result


def fit_and_test(
    settings, method, policy, seed, examples, fold=None, callbacks=(), times=None
):
    """Trains one classifier, chooses its epoch on the development set and tests it.

    For one seed all methods share the development set, the initial weights, the order of
    the batches and the dropout layers' seeds; but where texts without labels add to the
    vocabulary, the words' vectors are other ones. Without mixing the classifier is
    trained by its own ``fit``.

    The epoch with the least development error is chosen, of several the one with the
    least development loss, and its weights are restored. Without development examples
    the last epoch's weights stay.

    Args:
        settings: ``Settings``.
        method: ``Method``.
        policy: The method's policy (ignored without mixing).
        seed: Integer >= 0.
        examples: ``Examples`` of that seed.
        fold: Integer, the part of a cross-validation that is tested on, or None.
        callbacks: Keras callbacks that follow the training.
        times: ``Times``, to which the time that it takes is added; None for none.

    Returns:
        ``Trained``. Nothing is written.
    """
    times = times or Times()
    _, epochs, steps = settings.length(len(examples.train[1]))
    with times.part(TRACING):
        classifier, model, schedules = compiled(
            settings, method, policy, seed, examples, steps
        )
    check_first_batch(len(examples.train[1]), settings.batch_size)
    train_batches = data.batches(*examples.train, settings.batch_size, seed=seed)
    if examples.unlabeled is not None and settings.learns_unlabeled(method, policy):
        size = len(keras.tree.flatten(examples.unlabeled)[0])
        # Nothing is read before the training: the order stays that of other methods.
        train_batches = with_unlabeled_of(
            train_batches,
            data.batches(
                examples.unlabeled, np.zeros(size), settings.batch_size, seed=seed
            ),
            ratio=1.0,
            size=min(settings.batch_size, len(examples.train[1])),
        )
    num_dev = len(examples.dev[1])
    test, dev = _to_evaluate(examples.test), None
    if num_dev:
        dev = _to_evaluate(examples.dev)
    choice = choosing(num_dev, settings.patience or epochs)
    test_curve = _TestCurve(test, examples.test[1], settings.test_every, times)
    log = _EpochsLog()
    with deterministic_operations():
        start = time.perf_counter()
        model.fit(
            train_batches,
            validation_data=dev,
            epochs=epochs,
            verbose=0,
            shuffle=False,  # the batches are shuffled already
            callbacks=[
                FitTimes(times),
                *schedules,
                _StopAfter(steps),
                *choice[:1],
                test_curve,
                *choice[1:],
                log,
                *callbacks,
            ],
        )
        seconds = time.perf_counter() - start
        steps = steps_taken(model.optimizer)
        with times.part(EVALUATION):
            probabilities = model.predict(test, verbose=0)
            dev_predicted = None if dev is None else model.predict(dev, verbose=0)
        about = environment(bool(model.jit_compile))
    result = Result(
        method=method.name,
        seed=seed,
        fold=fold,
        best_test_error=min(test_curve.errors + list(test_curve.by_step.values())),
        epoch=choice[-1].best_epoch + 1 if choice else len(test_curve.errors),
        epochs=len(test_curve.errors),
        steps=steps,
        seconds=seconds,
        **scores_of(probabilities, examples.test[1], dev_predicted, examples.dev[1]),
        **readings_of(test_curve.errors),
    )
    return Trained(
        result, classifier, probabilities, log.epochs, test_curve.by_step, about
    )


def save_artefacts(folder, trained, settings, method, policy, examples):
    """Writes into a run's folder what ``train`` lists, ``result.json`` last.

    Args:
        folder: Existing folder.
        trained: ``Trained``.
        settings: ``Settings`` of the run.
        method: ``Method`` of the run.
        policy: Policy of the run.
        examples: ``Examples`` of the run.

    Returns:
        Dict, the columns of ``curve.csv``; None with ``save_curve=False``.
    """
    classifier, result = trained.classifier, trained.result
    write_epochs(folder, trained.epochs)
    write_predictions(
        folder,
        examples.test_texts,
        examples.test[1],
        trained.probabilities,
        examples.class_names,
    )
    if settings.test_every is not None:
        write_test_curve(folder, trained.by_step)
    along = (
        write_curve(folder, classifier, *examples.test) if settings.save_curve else None
    )
    measured = result.as_dict()
    write_hparams(
        folder / TENSORBOARD,
        _hparams(settings, method, policy, result),
        {n: measured[n] for n in MEASURED if measured[n] is not None},
        name=f"{method.name}, seed {result.seed}, fold {result.fold}",
    )
    if settings.save_classifier:
        save_run(folder, classifier, examples.encoding.preprocess)
    write_json(folder / ENVIRONMENT, trained.environment)
    write_json(folder / RESULT, measured)
    return along


def compiled(settings, method, policy, seed, examples, steps):
    """Builds a seed's classifier and compiles the model that trains it.

    Args:
        settings: ``Settings``.
        method: ``Method``.
        policy: The method's policy (ignored without mixing).
        seed: Integer >= 0.
        examples: ``Examples`` of that seed.
        steps: Integer, the steps of the training.

    Returns:
        A tuple of the classifier, the model, which is the classifier without mixing, and
        the list of callbacks that move the policy's settings.
    """
    keras.utils.set_random_seed(seed)
    classifier = build_classifier(settings, examples, seed)
    model, schedules = classifier, []
    if method.mix != "none":
        own, schedules = _scheduled(settings, policy, steps)
        model = MixupAMPModel(classifier, method.mix_at(classifier), own, seed=seed)
    # Texts without labels have weight 0, and no label to be right about.
    unlabeled = settings.learns_unlabeled(method, policy)
    counted = "weighted_metrics" if unlabeled else "metrics"
    model.compile(
        keras.optimizers.Adam(
            _learning_rate(settings), global_clipnorm=settings.clip_norm
        ),
        _loss(settings.loss_of(method), settings.label_smoothing, unlabeled),
        # A step that makes variables is traced twice: they are made here. By its name a
        # metric would be made in the step.
        **{counted: [keras.metrics.SparseCategoricalAccuracy("accuracy")]},
        jit_compile=_jit_compile(settings),
    )
    model.optimizer.build(model.trainable_variables)
    return classifier, model, schedules


def _hparams(settings, method, policy, result):
    """The settings by which a user compares runs."""
    names = ("data", "backbone", "vectors", "train_fraction", "train_per_class")
    names += ("batch_size", "loss", "label_smoothing", "learning_rate", "clip_norm")
    names += ("warmup_steps", "step_schedule")
    given = {} if method.mix == "none" else policy_arguments(policy)
    how = {"mix": method.mix, "policy": method.policy}
    arguments = flat_values({**how, "policy_arguments": given})
    return {
        "method": method.name,
        **{name: getattr(settings, name) for name in names},
        **{name: value for name, value in arguments.items() if name not in how},
        "unlabeled": settings.learns_unlabeled(method, policy) or None,
        "seed": result.seed,
        "fold": result.fold,
    }


def _loss(name, smoothing, unlabeled):
    """A loss by its name, averaged over the texts with labels."""
    kinds = {
        "binary": SummedBinaryCrossentropy,
        "double-softmax": DoubleSoftmaxCrossentropy,
    }
    if smoothing:
        kind = functools.partial(SmoothedCrossentropy, smoothing)
    elif name in kinds:
        kind = kinds[name]
    elif not unlabeled:
        return "sparse_categorical_crossentropy"
    else:
        kind = keras.losses.SparseCategoricalCrossentropy
    # Over all texts of a batch, the labels would count less the more have none.
    return kind(reduction="mean_with_sample_weight") if unlabeled else kind()


def error_of(accuracy, size):
    """Returns the error in percent by an accuracy of float32, which Keras computes in."""
    return float(100 * (1 - round(size * accuracy) / size))


def _to_evaluate(split):
    """The batches of an evaluation."""
    return data.batches(*split, evaluation_batch(len(split[1]), EVALUATION_BATCH))


def _jit_compile(settings):
    """What ``compile`` is told of XLA."""
    if BACKEND == "jax":  # without graphs: one operation would run after the other
        return "auto"
    several = sharing() > 1  # replicas, of which XLA compiles no step
    return False if several and settings.jit_compile == "auto" else settings.jit_compile


def _learning_rate(settings):
    """Adam's learning rate: constant, or rising to it in equal steps."""
    if not settings.warmup_steps:
        return settings.learning_rate
    return keras.optimizers.schedules.PolynomialDecay(
        settings.learning_rate / settings.warmup_steps,
        settings.warmup_steps,
        end_learning_rate=settings.learning_rate,
    )


def _scheduled(settings, policy, steps):
    """The policy to train with, and the callbacks that move its settings."""
    if settings.step_schedule == "constant" or not hasattr(policy, "step_size"):
        return policy, []
    ends = {"rising": (0.0, policy.step_size), "falling": (policy.step_size, 0.0)}
    first, last = ends[settings.step_schedule]
    line = keras.optimizers.schedules.PolynomialDecay(first, max(steps - 1, 1), last)
    # A copy: the next run begins with the policy as it was.
    copy = policy.from_config(policy.get_config())
    return copy, [MixingSchedule(step_size=line, per="step")]


class _EpochsLog(keras.callbacks.Callback):
    """Keeps what is logged of every epoch."""

    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_end(self, epoch, logs=None):
        """Keeps a copy: the callbacks that follow may add to it."""
        self.epochs.append({"epoch": epoch, **(logs or {})})


class _StopAfter(keras.callbacks.Callback):
    """Ends the training after a number of steps, within an epoch, too."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        """Counts the step."""
        self.left -= 1
        if self.left == 0:
            self.model.stop_training = True


class _TestCurve(keras.callbacks.Callback):
    """Logs the test accuracy of every epoch, and takes the test error between.

    Nothing is chosen by it.

    Args:
        batches: The test set.
        labels: Integer array, its labels.
        every: Steps after which the test error is taken; None for epochs alone.
        times: ``Times``, to which its own is added.

    Attributes:
        errors: List of floats, the test error of each epoch in percent.
        by_step: Dict from steps, from 1, to the test error after them.
    """

    def __init__(self, batches, labels, every, times):
        super().__init__()
        self.batches, self.labels, self.every = batches, labels, every
        self.times = times
        self.errors, self.by_step, self.step = [], {}, 0

    def on_train_batch_end(self, batch, logs=None):
        """Predicts the test set after so many steps."""
        self.step += 1
        if self.every is not None and self.step % self.every == 0:
            # Not `evaluate`, which would begin the epoch's own means anew.
            with self.times.part(EVALUATION):
                predicted = self.model.predict(self.batches, verbose=0).argmax(axis=1)
            self.by_step[self.step] = self._error((predicted == self.labels).sum())

    def on_epoch_end(self, epoch, logs):
        """Evaluates the test set."""
        with self.times.part(EVALUATION):
            scores = self.model.evaluate(self.batches, verbose=0, return_dict=True)
        logs["test_accuracy"] = scores["accuracy"]
        self.errors.append(error_of(scores["accuracy"], len(self.labels)))

    def _error(self, right):
        return float(100 * (1 - right / len(self.labels)))
