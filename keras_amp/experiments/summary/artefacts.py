"""Readers of the files that a run leaves in its folder."""

import pandas as pd


def read_numbers(path, *needed):
    """Return a CSV file of numbers as a data frame.

    Args:
        path: Path of the file.
        *needed: Columns that it must have.

    Raises:
        ValueError: If a column is missing, there is no row, or a value is no number.
    """
    frame = pd.read_csv(path)
    _check_columns(frame, needed)
    if frame.empty:
        raise ValueError("no rows")
    return frame.astype("float64")


def read_confusion(path, class_names):
    """Return the counts of ``confusion.csv``, an integer array ``(classes, classes)``.

    Args:
        path: Path of the file.
        class_names: List of strings, in the order of the array.

    Raises:
        ValueError: If the classes are other ones, or a count is no integer.
    """
    frame = _read_words(path)
    if list(frame.columns[1:]) != class_names or list(frame.iloc[:, 0]) != class_names:
        raise ValueError("its classes are not those of the configuration")
    return frame.iloc[:, 1:].to_numpy().astype("int64")


def read_predictions(path, class_names):
    """Return the labels and the probabilities of ``predictions.csv``.

    Args:
        path: Path of the file.
        class_names: List of strings, in the order of the probabilities.

    Returns:
        A tuple of an integer array ``(examples,)`` and a float64 array
        ``(examples, classes)``.

    Raises:
        ValueError: If a column or a class is missing, there is no row, or a probability
            is no number.
    """
    frame = _read_words(path)
    columns = [f"p({name})" for name in class_names]
    _check_columns(frame, ("label", *columns))
    labels = pd.Index(class_names).get_indexer(frame["label"])
    if len(labels) == 0 or (labels < 0).any():
        raise ValueError("no rows, or a label that is not one of the classes")
    return labels, frame[columns].to_numpy().astype("float64")


def _read_words(path):
    # A class or a text may be called "NA", and is no missing value.
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _check_columns(frame, needed):
    missing = [name for name in needed if name not in frame]
    if missing:
        raise ValueError(f"no column {', '.join(missing)}")
