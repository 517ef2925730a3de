"""The folders in which data sets and word vectors are looked up, and the cache."""

import os
from pathlib import Path

# A folder with public data, each set in a folder of its own.
DATA_VARIABLE = "KERAS_AMP_DATA"
# The folder that keeps what was downloaded, in place of that below KERAS_HOME.
CACHE_VARIABLE = "KERAS_AMP_CACHE"


def data_folders(data_dir: str | os.PathLike[str] | None) -> list[Path]:
    """Return the folders with public data, in the order in which they are searched.

    Args:
        data_dir: Path of a folder, or None. The folder that the environment variable
            ``KERAS_AMP_DATA`` names comes after it.

    Returns:
        A list of ``Path``s.

    Raises:
        FileNotFoundError: If ``data_dir`` is no folder.

    Example:
    >>> from keras_amp.data.folders import data_folders
    >>> data_folders(".")[0]
    PosixPath('.')
    """
    if data_dir is not None and not Path(data_dir).is_dir():
        raise FileNotFoundError(
            f"Expected `data_dir` to be a folder. Received: {os.fspath(data_dir)!r}"
        )
    folders = (data_dir, os.environ.get(DATA_VARIABLE))
    return [Path(folder) for folder in folders if folder]


def cache_folder(name: str) -> Path:
    """Return the folder that keeps the files of a data set; it may not exist yet.

    It lies in the folder that the environment variable ``KERAS_AMP_CACHE`` names, or else
    in Keras' own cache, ``datasets/keras_amp`` below ``KERAS_HOME`` or ``~/.keras``.

    Args:
        name: Name of the data set.

    Returns:
        A ``Path``.
    """
    cache: str | Path | None = os.environ.get(CACHE_VARIABLE)
    if not cache:
        cache = Path(os.environ.get("KERAS_HOME") or "~/.keras", "datasets", "keras_amp")
    return Path(cache).expanduser() / name
