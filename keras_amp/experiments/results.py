"""Results as values, files and tables."""

import contextlib
import csv
import json
import shutil
import statistics
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from keras_amp.experiments.evaluation import confusion
from keras_amp.runtime.files import whole_file


@dataclass(frozen=True)
class Result:
    """What one training run came to; errors, F1 and calibration in percent.

    Attributes:
        method: The method's name.
        seed: The run's seed.
        fold: The part of the cross-validation tested on, from 0; None without one.
        dev_error: Error on the development set at the chosen epoch; None without one.
        test_error: Error on the test set at the chosen epoch: the result.
        best_test_error: The least test error of any epoch (with ``test_every`` of any
            evaluation), which no user can know; for comparison with papers that report
            it.
        macro_f1: Mean F1 score of the classes on the test set, at the chosen epoch.
        nll: Mean negative log-likelihood of the test labels, in nats.
        ece: Expected calibration error on the test set, in 15 bins.
        epoch: The chosen epoch, from 1; without a development set the last.
        epochs: The epochs trained.
        steps: The steps trained.
        seconds: Time of training, evaluations included.
    """

    method: str
    seed: int
    fold: int | None
    dev_error: float | None
    test_error: float
    best_test_error: float
    macro_f1: float
    nll: float
    ece: float
    epoch: int
    epochs: int
    steps: int
    seconds: float

    def as_dict(self):
        """Returns the fields, for a file."""
        return asdict(self)


TEST_CURVE = "test_curve.csv"
# What is summarized: field, heading, decimal places.
QUANTITIES = (
    ("dev_error", "dev error %", 2),
    ("test_error", "test error %", 2),
    ("best_test_error", "best test error %", 2),
    ("macro_f1", "macro-F1 %", 2),
    ("nll", "NLL", 3),
    ("ece", "ECE %", 2),
    ("seconds", "seconds", 1),
)
HEADER = ("method", "runs", *(heading for _, heading, _ in QUANTITIES))
NOTE = (
    "Mean ± standard deviation over the runs. The epoch is chosen by the development "
    "set, and is the last without one; `test error` is the result. `best test error` is "
    "the least of any epoch, chosen by the test set itself: only for comparison with "
    "papers that report it. NLL: negative log-likelihood; ECE: expected calibration "
    "error in 15 bins, both on the test set. AMP: the Adversarial Mixing Policy."
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
    """Returns a ``Row`` for each method, in the order of their first runs.

    Example:
    >>> from keras_amp.experiments import Result, summarize
    >>> runs = [Result("none", seed, None, 9.0, test, 8.0, 90.0, 0.3, 2.0, 5, 5, 50, 1.0)
    ...         for seed, test in enumerate([10.0, 12.0])]
    >>> summarize(runs)[0].spreads["test_error"]
    (11.0, 1.4142135623730951)
    """
    by_method = {}
    for result in results:
        by_method.setdefault(result.method, []).append(result)

    def spread(values):
        values = [value for value in values if value is not None]
        if not values:
            return None, None
        deviation = statistics.stdev(values) if len(values) > 1 else None
        return statistics.fmean(values), deviation

    return [
        Row(
            method,
            len(runs),
            {
                name: spread([getattr(run, name) for run in runs])
                for name, *_ in QUANTITIES
            },
        )
        for method, runs in by_method.items()
    ]


def cells(row):
    """Returns a row's cells as text, in the order of ``HEADER``."""

    def text(spread, digits):
        mean, deviation = spread
        if mean is None:
            return "\N{EN DASH}"
        # A space that does not break: a table that is too wide wraps its headings.
        tail = (
            ""
            if deviation is None
            else f"\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{deviation:.{digits}f}"
        )
        return f"{mean:.{digits}f}{tail}"

    values = (text(row.spreads[name], digits) for name, _, digits in QUANTITIES)
    return row.method, str(row.runs), *values


def errors_text(dev_error, test_error):
    """Returns a run's errors in words.

    Example:
    >>> from keras_amp.experiments.results import errors_text
    >>> errors_text(3.0, 4.5), errors_text(None, 4.5)
    ('dev error 3.00%, test error 4.50%', 'test error 4.50%')
    """
    dev = "" if dev_error is None else f"dev error {dev_error:.2f}%, "
    return f"{dev}test error {test_error:.2f}%"


def markdown(rows):
    """Returns the table in Markdown, with its note."""
    lines = [HEADER, ("---",) + ("---:",) * (len(HEADER) - 1), *map(cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{NOTE}\n"


def write_table(folder, results):
    """Writes ``results.csv``, one line a run, and ``table.md``."""
    folder = Path(folder)
    with whole_file(folder / "results.csv") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Result)])
        writer.writeheader()
        writer.writerows(result.as_dict() for result in results)
    with whole_file(folder / "table.md") as file:
        file.write(markdown(summarize(results)))


def write_predictions(folder, texts, labels, probabilities, class_names):
    """Writes ``predictions.csv``, a line an example, and ``confusion.csv``.

    Args:
        folder: Existing folder.
        texts: Sequence of strings.
        labels: Integer array ``(len(texts),)``, the true classes.
        probabilities: Float array ``(len(texts), num_classes)``.
        class_names: The classes' names.
    """
    folder = Path(folder)
    with whole_file(folder / "predictions.csv") as file:
        names = [class_names[label] for label in labels]
        write_probabilities(file, texts, probabilities, class_names, names)
    with whole_file(folder / "confusion.csv") as file:
        writer = csv.writer(file)
        writer.writerow(["label \\ prediction", *class_names])
        counts = confusion(probabilities, labels)
        writer.writerows(
            [name, *row] for name, row in zip(class_names, counts, strict=True)
        )


def write_test_curve(folder, errors):
    """Writes ``test_curve.csv``: the test error in percent after steps of training.

    Args:
        folder: Existing folder.
        errors: Dict from steps to errors.
    """
    with whole_file(Path(folder) / TEST_CURVE) as file:
        writer = csv.writer(file)
        writer.writerow(["step", "test_error"])
        writer.writerows(errors.items())


def write_probabilities(file, texts, probabilities, class_names, labels=None):
    """Writes texts with their predicted classes as CSV, a line each.

    Args:
        file: File opened for writing.
        texts: Sequence of strings.
        probabilities: Float array ``(len(texts), num_classes)``.
        class_names: The classes' names.
        labels: Sequence of strings, the names of the true classes; None where they are
            not known.
    """
    writer = csv.writer(file)
    columns = [f"p({name})" for name in class_names]
    writer.writerow(["text", *(["label"] if labels else []), "prediction", *columns])
    for i, (text, row) in enumerate(zip(texts, probabilities, strict=True)):
        label = [labels[i]] if labels else []
        prediction = class_names[row.argmax()]
        writer.writerow([text, *label, prediction, *(f"{p:.6g}" for p in row)])


def write_json(path, value):
    """Writes a value as JSON, whole or not at all."""
    with whole_file(path) as file:
        json.dump(value, file, indent=2, default=str)
        file.write("\n")


def check_new_folder(path):
    """Raises FileExistsError if there is something at the path but an empty folder."""
    path = Path(path)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise FileExistsError(
            f"Expected a new or empty folder for the results. Received: {path}, which "
            "exists. Name another one; results are never overwritten."
        )


@contextlib.contextmanager
def new_folder(path):
    """Makes a folder for results; removed again if the block raises.

    Args:
        path: Path that does not exist, or an empty folder.

    Raises:
        FileExistsError: If there is something at the path.
    """
    path = Path(path)
    check_new_folder(path)
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield path
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
