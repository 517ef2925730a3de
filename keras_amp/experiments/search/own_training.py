"""How a user's model is trained by a cell of a search, and tested."""

import time
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_amp import data
from keras_amp.callbacks.steps import steps_taken
from keras_amp.experiments.choosing import choosing
from keras_amp.experiments.environment import deterministic_operations, environment
from keras_amp.experiments.evaluation import EVALUATION_BATCH
from keras_amp.experiments.predictions import packed
from keras_amp.experiments.results import Result
from keras_amp.experiments.scores import scores_of
from keras_amp.experiments.store import FINISHED
from keras_amp.models import MixupAMPModel

LEARNING_RATE = 1e-3  # where neither the model nor the space has one


@dataclass(frozen=True)
class HowCompiled:
    """How a user's models are compiled.

    Attributes:
        loss: A Keras loss, or its name.
        compiled: Whether they come compiled, with an optimizer of their own.
        run_eagerly: Whether their steps run eagerly.
        jit_compile: Whether they are compiled by XLA, or ``"auto"``.
    """

    loss: Any
    compiled: bool
    run_eagerly: bool
    jit_compile: bool | str

    def __str__(self):
        loss = self.loss
        if isinstance(loss, keras.losses.Loss):
            loss = (type(loss).__name__, sorted(loss.get_config().items(), key=str))
        return repr(loss)


def recipe_of(classifier, loss=None):
    """Returns how a user's model is compiled.

    Args:
        classifier: What the user's function has built.
        loss: A Keras loss or its name, in place of the model's own.

    Raises:
        ValueError: If there is no model of one output, or no loss.
    """
    if not isinstance(classifier, keras.Model):
        raise ValueError(
            "Expected `build_classifier` to return a keras.Model. Received: "
            f"{type(classifier).__name__}"
        )
    if len(keras.tree.flatten(classifier.outputs)) > 1:
        raise ValueError(
            "Expected `build_classifier` to return a model of one output. Received: "
            f"{classifier.name!r}, which has several."
        )
    compiled = classifier.compiled and classifier.optimizer is not None
    if loss is None:
        loss = classifier.loss if compiled else None
    if loss is None:
        raise ValueError(
            "Expected `build_classifier` to compile the model, or `loss`. Received: "
            "neither."
        )
    eagerly = bool(classifier.run_eagerly) if compiled else False
    return HowCompiled(loss, compiled, eagerly, "auto" if not eagerly else False)


def fit_and_test(problem, cell, classifier, policy, callbacks=()):
    """Trains a model, chooses its epoch on the development set and tests it.

    Args:
        problem: ``OwnModel``.
        cell: ``OwnCell``.
        classifier: The user's model, new.
        policy: The policy, or None.
        callbacks: Keras callbacks that follow the training.

    Returns:
        A dict, a finished cell's part of its record.
    """
    splits, seed = problem.splits, cell.seed
    if cell.fold is None:
        (train, dev), test = splits.of_confirmation(seed), splits.test
    else:
        train, dev = splits.of_trial(cell.fold)
        test = dev
    model = _compiled(problem, cell, classifier, policy)
    choice = choosing(len(dev), problem.patience or problem.epochs)
    start = time.perf_counter()
    with deterministic_operations():
        log = model.fit(
            data.batches(train.x, train.y, problem.batch_size, seed=seed),
            validation_data=data.batches(dev.x, dev.y, EVALUATION_BATCH),
            epochs=problem.epochs,
            verbose=0,
            shuffle=False,
            callbacks=[*choice, *callbacks],
        )
        seconds = time.perf_counter() - start
        from_logits = getattr(problem.recipe.loss, "from_logits", False)
        on_dev = _probabilities(classifier, dev, from_logits)
        on_test = on_dev
        if test is not dev:
            on_test = _probabilities(classifier, test, from_logits)
        about = environment(bool(model.jit_compile))
    scores = scores_of(on_test, test.classes, on_dev, dev.classes)
    result = Result(
        method=cell.method,
        seed=seed,
        fold=cell.fold,
        best_test_error=scores["test_error"],
        epoch=choice[-1].best_epoch + 1,
        epochs=len(log.epoch),
        steps=steps_taken(model.optimizer),
        seconds=seconds,
        **scores,
    )
    curves = {"loss": log.history["loss"], "dev_loss": log.history["val_loss"]}
    return {
        "status": FINISHED,
        "result": result.as_dict(),
        "curves": curves,
        "predictions": packed(test.classes, on_test),
        **about,
    }


def _compiled(problem, cell, classifier, policy):
    recipe, rate = problem.recipe, cell.values.get("learning_rate")
    if recipe.compiled:
        optimizer = classifier.optimizer
        if rate is not None:
            optimizer.learning_rate = rate
    else:
        optimizer = keras.optimizers.Adam(rate or LEARNING_RATE)
    loss = classifier.loss if problem.loss is None else problem.loss
    model = classifier
    if policy is not None:
        model = MixupAMPModel(classifier, cell.how.mix, policy, seed=cell.seed)
    model.compile(
        optimizer,
        loss,
        metrics=["accuracy"],
        run_eagerly=recipe.run_eagerly,
        jit_compile=recipe.jit_compile,
    )
    return model


def _probabilities(classifier, split, from_logits):
    predicted = classifier.predict(split.x, batch_size=EVALUATION_BATCH, verbose=0)
    return probabilities_of(predicted, from_logits)


def probabilities_of(predicted, from_logits=False):
    """Returns class probabilities of what a classifier predicts.

    Args:
        predicted: Float array ``(num_examples, num_classes)``, or
            ``(num_examples, 1)`` of two classes, the probability of the second.
        from_logits: Whether these are logits.

    Returns:
        A float64 array ``(num_examples, num_classes)``.

    Example:
    >>> from keras_amp.experiments.search.own_training import probabilities_of
    >>> probabilities_of(np.array([[0.25]])).tolist()
    [[0.75, 0.25]]
    """
    predicted = np.asarray(predicted, "float64").reshape(len(predicted), -1)
    if from_logits:
        if predicted.shape[1] == 1:
            predicted = np.concatenate([np.zeros_like(predicted), predicted], axis=1)
        powers = np.exp(predicted - predicted.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    if predicted.shape[1] == 1:
        predicted = np.concatenate([1 - predicted, predicted], axis=1)
    return predicted
