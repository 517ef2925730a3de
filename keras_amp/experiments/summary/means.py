"""Means and standard deviations of results."""

import statistics
from dataclasses import dataclass

# What is summarized: field, heading, decimal places.
QUANTITIES = (
    ("dev_error", "dev error %", 2),
    ("test_error", "test error %", 2),
    ("best_test_error", "best test error %", 2),
    ("plateau_error", "plateau %", 2),
    ("last_error", "last epoch %", 2),
    ("macro_f1", "macro-F1 %", 2),
    ("nll", "NLL", 3),
    ("ece", "ECE %", 2),
    ("scaled_nll", "NLL, scaled", 3),
    ("scaled_ece", "ECE %, scaled", 2),
    ("seconds", "seconds", 1),
)


@dataclass(frozen=True)
class Row:
    """The runs of one method.

    Attributes:
        method: The method's name.
        runs: Number of runs: seeds, times folds where cross-validated.
        spreads: Dict from the fields of ``QUANTITIES`` to tuples ``(mean, standard
            deviation)``; the deviation is None for a single run, and both are where no
            run has the quantity.
    """

    method: str
    runs: int
    spreads: dict


def summarize(results):
    """Return a ``Row`` for each method, in the order of their first runs.

    Args:
        results: Iterable of ``Result``s.

    Example:
    >>> from keras_amp.experiments import Result, summarize
    >>> runs = [Result("none", seed, None, 9.0, test, 8.0, 90.0, 0.3, 2.0, 5, 5, 50, 1.0)
    ...         for seed, test in enumerate([10.0, 12.0])]
    >>> summarize(runs)[0].spreads["test_error"]
    (11.0, 1.4142135623730951)
    """
    by_method = {}
    for result in results:
        by_method.setdefault(result.method, []).append(result.as_dict())
    return [row_of(method, runs) for method, runs in by_method.items()]


def row_of(name, results):
    """Return the ``Row`` of several results.

    Args:
        name: What the row is called.
        results: List of dicts, the fields of ``Result``s.
    """
    spreads = {n: spread([result.get(n) for result in results]) for n, *_ in QUANTITIES}
    return Row(name, len(results), spreads)


def spread(values):
    """Return the mean and the standard deviation, None where there is none.

    Args:
        values: List of floats; None among them is left out.

    Example:
    >>> from keras_amp.experiments.summary.means import spread
    >>> spread([1.0, 3.0]), spread([1.0, None]), spread([])
    ((2.0, 1.4142135623730951), (1.0, None), (None, None))
    """
    values = [value for value in values if value is not None]
    mean = statistics.fmean(values) if values else None
    return mean, statistics.stdev(values) if len(values) > 1 else None
