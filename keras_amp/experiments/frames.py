"""Results as pandas data frames and as the tables that a notebook shows."""

from dataclasses import fields

import pandas as pd

from keras_amp.experiments.results import HEADER, Result, cells, summarize


def as_frame(results):
    """Returns results as a data frame: a row a run, the fields of ``Result`` as columns.

    Args:
        results: Iterable of ``Result``s.

    Returns:
        A ``pandas.DataFrame`` of ``len(results)`` rows; ``fold`` is ``<NA>`` without a
        cross-validation.

    Example:
    >>> from keras_amp.experiments import Result, as_frame
    >>> runs = [Result("none", seed, None, 9.0, test, 8.0, 90.0, 0.3, 2.0, 5, 5, 50, 1.0)
    ...         for seed, test in enumerate([10.0, 12.0])]
    >>> as_frame(runs).groupby("method")["test_error"].mean().to_dict()
    {'none': 11.0}
    """
    columns = [field.name for field in fields(Result)]
    frame = pd.DataFrame([result.as_dict() for result in results], columns=columns)
    return frame.astype({"fold": "Int64"})


class Results(list):
    """A list of ``Result``s that a notebook shows as the table of their methods.

    Example:
    >>> from keras_amp.experiments import Results
    >>> Results()
    []
    """

    def _repr_html_(self):
        rows = [cells(row) for row in summarize(self)]
        return pd.DataFrame(rows, columns=list(HEADER)).to_html(index=False)
