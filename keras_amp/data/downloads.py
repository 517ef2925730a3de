"""Downloads, each checked and kept in the cache, by ``pooch``."""

import contextlib
import logging
import os
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from keras_amp.data.folders import cache_folder

# Another server of the same files, for machines that cannot reach the original one.
MIRROR_VARIABLE = "KERAS_AMP_MIRROR"
RETRIES = 1  # after a second, as a transfer may fail by accident
CHUNK = 1 << 20  # bytes


def fetch(
    address: str, path: str, name: str, advice: str, sha256: str | None = None
) -> Path:
    """Return the path of a file in the cache, and download it first if need be.

    A file takes its place in the cache once it is complete and checked, so that neither
    an interrupted download nor one of another process is taken for it.

    Args:
        address: Address of the server; ``KERAS_AMP_MIRROR`` has precedence.
        path: The file's path below the address.
        name: Name of the folder in the cache; the messages call the data by it, too.
        advice: A sentence on what to do without a network.
        sha256: Checksum of the file, which is checked in the cache, too. None if it is
            not known: a new zip is then checked by the checksums (CRC-32) inside it.

    Returns:
        A ``Path``.

    Raises:
        ConnectionError: If the file cannot be downloaded.
        ValueError: If the downloaded file is damaged.
    """
    origin = (os.environ.get(MIRROR_VARIABLE) or address).rstrip("/") + "/" + path
    file = Path(path).name
    pooch = _pooch()
    cache = pooch.create(
        cache_folder(name),
        base_url="",
        registry={file: sha256},
        urls={file: origin},
        retry_if_failed=RETRIES,
    )
    try:
        with _quiet(pooch.get_logger()):
            return Path(cache.fetch(file, downloader=_download))
    except OSError as error:  # those of `requests`, too
        raise ConnectionError(
            f"Expected to download '{name}' from {origin}. Received: {error}. {advice}"
        ) from error
    except ValueError as error:
        checksum = f"the SHA-256 checksum {sha256}" if sha256 else "intact contents"
        raise ValueError(
            f"Expected the file at {origin} to have {checksum}. Received: another file, "
            "which was removed. The source has changed or the transfer was damaged: try "
            f"again. {advice}"
        ) from error


def _pooch() -> Any:
    """Import pooch, once it is needed, without its warning in notebooks.

    It is about ``tqdm``'s progress bar, which is not used here.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "IProgress not found")
        import pooch
    return pooch


@contextlib.contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Show no more than the warnings of a logger: ``_download`` says what happens."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _download(url: str, output: str, cache: Any) -> None:
    """Download a file, as pooch asks for it, and check what pooch cannot check."""
    print(f"Downloading data from {url}")
    download = _pooch().HTTPDownloader(progressbar=_ProgressBar(), chunk_size=CHUNK)
    download(url, output, cache)
    os.chmod(output, 0o644)  # pooch's temporary files are for their owner alone
    if cache.registry[Path(url).name] is None and not _is_intact_zip(output):
        raise ValueError("Expected an intact zip.")


class _ProgressBar:
    """Keras' progress bar with the methods that pooch calls."""

    total = 0  # bytes; pooch sets it, to 0 if the server does not say

    def __init__(self) -> None:
        self._done = 0
        self._bar: Any = None

    def update(self, size: int) -> None:
        if self._bar is None:
            self._bar = keras.utils.Progbar(self.total or None, unit_name="byte")
        self._done += size
        # The last step ends the bar's line: `close` draws it, once.
        self._bar.update(min(self._done, self.total - 1) if self.total else self._done)

    def reset(self) -> None:
        """Do nothing: pooch would count all bytes again, in case it had missed some."""

    def close(self) -> None:
        self._bar.update(self.total or self._done, finalize=True)


def _is_intact_zip(path: str) -> bool:
    """Whether a file is a zip whose contents have the checksums inside it."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return False
