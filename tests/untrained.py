"""Runs as a comparison leaves them, without the training: what costs are the steps."""

import keras
import numpy as np

from keras_amp.experiments.environment import environment
from keras_amp.experiments.results import Result
from keras_amp.experiments.scores import readings_of, scores_of
from keras_amp.experiments.training import Trained, build_classifier


def fit_and_test(
    settings, method, policy, seed, examples, fold=None, callbacks=(), times=None
):
    """Stands in for the training: a classifier of random weights, tested in earnest."""
    del policy, times
    classifier = build_classifier(settings, examples, seed)
    rng = np.random.default_rng([seed, len(method.name)])
    for weight in classifier.weights:
        weight.assign(rng.normal(size=weight.shape))
    probabilities = classifier.predict(examples.test[0], verbose=0)
    scores = scores_of(probabilities, examples.test[1])
    if len(examples.dev[1]):
        scores |= {"dev_error": 25.0, "temperature": 1.25}
        scores |= {"scaled_nll": scores["nll"], "scaled_ece": scores["ece"]}
    _, epochs, steps = settings.length(len(examples.train[1]))
    accuracy = 1 - scores["test_error"] / 100
    logs = {"loss": 1.5, "accuracy": 0.5, "test_accuracy": accuracy}
    if len(examples.dev[1]):
        logs |= {"val_loss": 1.0, "val_accuracy": 0.75}
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.LambdaCallback):
            for epoch in range(epochs):
                callback.on_epoch_end(epoch, logs)
    result = Result(
        method=method.name,
        seed=seed,
        fold=fold,
        best_test_error=scores["test_error"],
        epoch=1,
        epochs=epochs,
        steps=steps,
        seconds=0.5,
        **scores,
        **readings_of([scores["test_error"]]),
    )
    rows = [{"epoch": epoch, **logs} for epoch in range(epochs)]
    return Trained(result, classifier, probabilities, rows, {}, environment(False))
