"""What a run's predictions come to: the fields of its result."""

import statistics

import numpy as np

from keras_amp.analysis.temperature import at_temperature, fit_temperature
from keras_amp.experiments.evaluation import evaluate


def scores_of(probabilities, labels, dev=None, dev_labels=None):
    """Returns the fields of a ``Result`` that come from predictions.

    Args:
        probabilities: Float array ``(num_test, num_classes)``.
        labels: Integer array ``(num_test,)``.
        dev: Float array ``(num_dev, num_classes)``, on which the temperature is fitted;
            None without a development set.
        dev_labels: Integer array ``(num_dev,)``.

    Example:
    >>> from keras_amp.experiments.scores import scores_of
    >>> sure = np.array([[0.99, 0.01]] * 4), np.array([0, 0, 0, 1])
    >>> found = scores_of(*sure, *sure)
    >>> found["test_error"], round(found["nll"], 2), round(found["scaled_nll"], 2)
    (25.0, 1.16, 0.56)
    """
    scores = evaluate(probabilities, labels)
    found = {"test_error": scores.pop("error"), "dev_error": None, **scores}
    if dev is not None:
        temperature = fit_temperature(dev, dev_labels)
        scaled = evaluate(at_temperature(probabilities, temperature), labels)
        found |= {
            "dev_error": evaluate(dev, dev_labels)["error"],
            "temperature": temperature,
            "scaled_nll": scaled["nll"],
            "scaled_ece": scaled["ece"],
        }
    return found


def readings_of(errors):
    """Returns the fields of a ``Result`` that come from the test error of every epoch.

    Args:
        errors: List of floats, in percent, at least one.

    Example:
    >>> from keras_amp.experiments.scores import readings_of
    >>> readings_of([9.0, 8.0, 6.0, 7.0])
    {'plateau_error': 6.5, 'last_error': 7.0}
    """
    last_third = errors[-int(np.ceil(len(errors) / 3)) :]
    return {"plateau_error": statistics.fmean(last_third), "last_error": errors[-1]}
