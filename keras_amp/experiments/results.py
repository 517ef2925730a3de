"""Results as values, files and tables."""

import contextlib
import csv
import json
import os
import shutil
import statistics
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Result:
    """What one training run came to; errors in percent.

    Attributes:
        method: The method's name.
        seed: The run's seed.
        dev_error: Error on the development set at the chosen epoch.
        test_error: Error on the test set at the chosen epoch: the result.
        best_test_error: The least test error of any epoch, which no user can know; for
            comparison with papers that report it.
        epoch: The chosen epoch, from 1.
        seconds: Time of training, evaluations included.
    """

    method: str
    seed: int
    dev_error: float
    test_error: float
    best_test_error: float
    epoch: int
    seconds: float

    def as_dict(self):
        """Returns the fields, for a file."""
        return asdict(self)


@dataclass(frozen=True)
class Row:
    """The runs of one method: means, and standard deviations over the seeds.

    Attributes:
        method: The method's name.
        runs: Number of runs.
        dev_error: Tuple ``(mean, standard deviation)`` of the development errors; the
            deviation is None for a single run.
        test_error: The same of the test errors at the chosen epochs.
        best_test_error: The same of the least test errors.
        seconds: The same of the times.
    """

    method: str
    runs: int
    dev_error: tuple
    test_error: tuple
    best_test_error: tuple
    seconds: tuple


def summarize(results):
    """Returns a ``Row`` for each method, in the order of their first runs.

    Example:
    >>> from keras_amp.experiments import Result, summarize
    >>> runs = [Result("none", seed, 9.0, test, 8.0, 5, 1.0)
    ...         for seed, test in enumerate([10.0, 12.0])]
    >>> summarize(runs)[0].test_error
    (11.0, 1.4142135623730951)
    """
    by_method = {}
    for result in results:
        by_method.setdefault(result.method, []).append(result)

    def spread(values):
        deviation = statistics.stdev(values) if len(values) > 1 else None
        return statistics.fmean(values), deviation

    return [
        Row(
            method,
            len(runs),
            *(
                spread([getattr(run, name) for run in runs])
                for name in ("dev_error", "test_error", "best_test_error", "seconds")
            ),
        )
        for method, runs in by_method.items()
    ]


HEADER = ("method", "runs", "dev error %", "test error %", "best test error %", "seconds")
NOTE = (
    "Mean ± standard deviation over the seeds. The epoch is chosen by the development "
    "set; `test error` is the result. `best test error` is the least of any epoch, "
    "chosen by the test set itself: only for comparison with papers that report it. "
    "AMP: the Adversarial Mixing Policy."
)


def cells(row):
    """Returns a row's cells as text, in the order of ``HEADER``."""

    def text(spread, digits):
        mean, deviation = spread
        # A space that does not break: a table that is too wide wraps its headings.
        tail = (
            ""
            if deviation is None
            else f"\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{deviation:.{digits}f}"
        )
        return f"{mean:.{digits}f}{tail}"

    errors = (row.dev_error, row.test_error, row.best_test_error)
    return (
        row.method,
        str(row.runs),
        *(text(error, 2) for error in errors),
        text(row.seconds, 1),
    )


def markdown(rows):
    """Returns the table in Markdown, with its note."""
    lines = [HEADER, ("---",) + ("---:",) * (len(HEADER) - 1), *map(cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{NOTE}\n"


def write_table(folder, results):
    """Writes ``results.csv``, one line a run, and ``table.md``."""
    folder = Path(folder)
    with _whole_file(folder / "results.csv") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Result)])
        writer.writeheader()
        writer.writerows(result.as_dict() for result in results)
    with _whole_file(folder / "table.md") as file:
        file.write(markdown(summarize(results)))


def write_json(path, value):
    """Writes a value as JSON, whole or not at all."""
    with _whole_file(path) as file:
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


@contextlib.contextmanager
def _whole_file(path):
    """Opens a file that takes its place only once it is complete."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with open(partial, "w", encoding="utf-8", newline="") as file:
            yield file
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
