"""Records of the runs that folders hold."""

from dataclasses import dataclass
from pathlib import Path

from keras_amp.experiments.environment import ENVIRONMENT
from keras_amp.experiments.results import Result
from keras_amp.experiments.summary.backends import backend_of
from keras_amp.runs import CONFIG, RESULT, intact, read_json

NEEDED = ("data", "backbone", "class_names", "mix", "policy", "seed", "fold")


@dataclass(frozen=True)
class LeftOut:
    """A run that is not on a page.

    Attributes:
        folder: The run's folder.
        reason: Why it is left out.
    """

    folder: Path
    reason: str


def read_folders(folders):
    """Return the records of the runs in folders.

    Args:
        folders: Paths of runs, or of folders that hold some at any depth.

    Returns:
        A tuple ``(records, left_out)``: a list of dicts with ``config``, ``status``,
        ``result``, ``backend`` and ``folder``, each folder once, in the order given; and
        a list of ``LeftOut`` for the runs that did not end.

    Raises:
        ValueError: If no folder is given, or a file is damaged.
        FileNotFoundError: If a folder is missing, holds no run, or none that has ended.

    Example:
    >>> from keras_amp.experiments.summary.folders import read_folders
    >>> read_folders(["nowhere"])
    Traceback (most recent call last):
    FileNotFoundError: Expected folders of runs. Received: nowhere, which is no folder.
    """
    folders = [Path(folder) for folder in folders]
    if not folders:
        raise ValueError("Expected at least one folder of runs. Received: none.")
    records, left_out, seen = [], [], set()
    for folder in folders:
        found = list(_configurations(folder))
        if not found:
            raise FileNotFoundError(
                f"Expected folders of runs. Received: {folder}, which holds none; a run "
                f"has a file {CONFIG}."
            )
        for place, config in found:
            if place.resolve() in seen:
                continue
            seen.add(place.resolve())
            if (place / RESULT).is_file():
                records.append(
                    {
                        "config": config,
                        "status": "finished",
                        "result": intact(place / RESULT, _read_result),
                        "backend": _backend(place / ENVIRONMENT),
                        "folder": place,
                    }
                )
            else:
                left_out.append(LeftOut(place, "it did not end"))
    if not records:
        names = ", ".join(str(run.folder) for run in left_out[:5])
        raise FileNotFoundError(
            "Expected at least one run that has ended. Received: runs cut short alone: "
            f"{names}. Train them again."
        )
    return records, left_out


def _configurations(folder):
    """The folders of runs at or below one, with their configurations."""
    if not folder.is_dir():
        what = "a file" if folder.exists() else "no folder"
        raise FileNotFoundError(
            f"Expected folders of runs. Received: {folder}, which is {what}."
        )
    for path in sorted(folder.rglob(CONFIG)):
        config = intact(path, read_json)
        # A model's folder may have a file of that name, too.
        if isinstance(config, dict) and {"mix", "seed"} <= set(config):
            intact(path, lambda _, config=config: _check_config(config))
            yield path.parent, config


def _check_config(config):
    missing = [name for name in NEEDED if name not in config]
    if missing:
        raise ValueError(f"no {', '.join(missing)}")


def _backend(path):
    """The backend by a run's environment; those of before it was written have none."""
    return backend_of(intact(path, read_json) if path.is_file() else {})


def _read_result(path):
    return Result(**read_json(path)).as_dict()
