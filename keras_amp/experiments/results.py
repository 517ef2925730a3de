"""Results as values and files."""

import contextlib
import csv
import json
import shutil
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from keras_amp.experiments.cells import policy_arguments
from keras_amp.experiments.environment import versions
from keras_amp.experiments.evaluation import confusion
from keras_amp.experiments.settings import Settings
from keras_amp.runtime.files import whole_file


@dataclass(frozen=True)
class Result:
    """The result of one training run; errors, F1 and calibration in percent.

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
        temperature: By which the logarithms of the probabilities are divided to fit the
            development set best; None without one. This and what follows is None of runs
            of before it was recorded.
        scaled_nll: ``nll`` at that temperature.
        scaled_ece: ``ece`` at that temperature.
        plateau_error: Mean test error of the last third of the epochs, rounded up.
        last_error: Test error after the last epoch.
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
    temperature: float | None = None
    scaled_nll: float | None = None
    scaled_ece: float | None = None
    plateau_error: float | None = None
    last_error: float | None = None

    def as_dict(self):
        """Returns the fields, for a file."""
        return asdict(self)


EPOCHS, TEST_CURVE = "epochs.csv", "test_curve.csv"


def errors_text(dev_error, test_error):
    """Returns a run's errors in words.

    Example:
    >>> from keras_amp.experiments.results import errors_text
    >>> errors_text(3.0, 4.5), errors_text(None, 4.5)
    ('dev error 3.00%, test error 4.50%', 'test error 4.50%')
    """
    dev = "" if dev_error is None else f"dev error {dev_error:.2f}%, "
    return f"{dev}test error {test_error:.2f}%"


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


def write_epochs(folder, epochs):
    """Writes ``epochs.csv``, a line an epoch, the columns of the first in their order.

    Args:
        folder: Existing folder.
        epochs: List of dicts, with the same names each, ``"epoch"`` among them.
    """
    columns = ["epoch", *sorted(epochs[0].keys() - {"epoch"})]
    with whole_file(Path(folder) / EPOCHS) as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(epochs)


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


def resolved(settings, class_names, encoding=None):
    """Returns all settings with their defaults filled in, and what they ran on.

    Args:
        settings: ``Settings``.
        class_names: Sequence of strings.
        encoding: ``Encoding`` of a run, whose vectors bring their width; None for none.
    """
    arguments = settings.all_backbone_arguments()
    if encoding is not None:
        arguments = {n: encoding.arguments.get(n, v) for n, v in arguments.items()}
    return {
        **{f.name: getattr(settings, f.name) for f in fields(Settings)},
        "backbone_arguments": arguments,
        "data_dir": settings.data_dir and str(settings.data_dir),
        "class_names": list(class_names),
        "versions": versions(),
    }


def about_run(cell, settings, examples, command=None):
    """Returns a run's ``config.json``: its settings, and what there is to know of it.

    Args:
        cell: ``Cell``.
        settings: Its ``Settings``, with the folder of the data.
        examples: ``Examples``.
        command: The command line that asked for it, or None.
    """
    per_epoch, epochs, steps = settings.length(examples.sizes["train"])
    about = {
        **resolved(settings, examples.class_names, examples.encoding),
        "mix": cell.how.mix,
        "policy": cell.how.policy,
        "policy_arguments": policy_arguments(cell.policy),
        "seed": cell.seed,
        "fold": cell.fold,
        "command": command,
        "encoding": examples.encoding.about,
        "examples": examples.sizes,
        "truncated": examples.truncated,
        "steps_per_epoch": per_epoch,
        "most_epochs": epochs,
        "most_steps": steps,
    }
    return json.loads(json.dumps(about, default=str))  # as a file has it


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
