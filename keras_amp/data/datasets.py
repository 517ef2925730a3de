"""``load``: a data set by its name, or the user's own files."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from keras_amp.data.examples import Dataset, Split
from keras_amp.data.folders import data_folders
from keras_amp.data.sources import SOURCES, Source, download
from keras_amp.data.tables import SUFFIXES, read_table
from keras_amp.validation import did_you_mean

SPLITS = ("train", "dev", "test", "all")
PHRASES = "train_phrases"
SHIPPED = {"questions": Path(__file__).parent / "questions"}

# Split -> (where from, (labels, texts)).
Tables = dict[str, tuple[str | Path, tuple[list[str], list[str]]]]


def names() -> list[str]:
    """Return the names of the data sets that ``load`` knows.

    Example:
    >>> keras_amp.data.names()
    ['questions', 'trec', 'sst1', 'sst2', 'subj', 'mr']
    """
    return [*SHIPPED, *SOURCES]


def load(
    name: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    phrases: bool = False,
) -> Dataset:
    """Load a text classification data set.

    ``"questions"`` is a small synthetic set that comes with the package. The public sets
    are ``"trec"``, ``"sst1"`` and ``"sst2"``, and ``"subj"`` and ``"mr"``, which have no
    test split: ``keras_amp.data.fold`` divides them for cross-validation. They are looked
    up as ``<folder>/<name>/<split>.tsv`` in ``data_dir``, then in the folder that the
    environment variable ``KERAS_AMP_DATA`` names, then in the cache. Otherwise they are
    downloaded into the cache and checked by SHA-256. The cache is a folder in the Keras
    cache, or the folder that the environment variable ``KERAS_AMP_CACHE`` names.

    For your own data, pass a path. It is the path of one ``.csv`` or ``.tsv`` file, which
    becomes ``train``; or of a folder with a file ``train`` and, if you have them, files
    ``dev`` and ``test``; or of a folder with one file ``all``. A header names a text and
    a label column (``text`` or ``sentence``, ``label`` or ``class``, ...); a TSV file
    without a header holds ``label<TAB>text``.

    The sentiment treebank labels the phrases of its sentences, too. They cannot be
    downloaded: put the phrases of the training sentences into the folder of ``"sst1"``,
    of ``"sst2"`` or of your own data, as ``train_phrases.tsv``.

    Args:
        name: A name, or a path.
        data_dir: Folder that has a folder for each public data set; None for none.
        phrases: Whether to load labelled phrases of the training texts, too.

    Returns:
        A ``Dataset`` with ``class_names`` and the splits ``train``, ``dev`` and ``test``
        (None if the data has no such split), each with ``texts`` and integer ``labels``.
        The classes of your own data are in alphabetical order, numbers in numerical
        order.

    Raises:
        ValueError: If the name is unknown, a file is empty or damaged, a row lacks a
            column, there is only one class, a split has classes that ``train`` does not
            have, or the data set has no phrases.
        FileNotFoundError: If the path or the file of a split does not exist.
        ConnectionError: If a download fails.

    Example:
    >>> data = keras_amp.data.load("questions")
    >>> len(data.class_names), data.train.texts[0][-1]
    (6, '?')
    """
    name = os.fspath(name)
    if name in SHIPPED:
        if phrases:
            raise ValueError(
                "Expected a data set with labelled phrases, such as 'sst1' or 'sst2'. "
                f"Received: {name!r}, which has none."
            )
        return _read_folder(SHIPPED[name], name)
    if name in SOURCES:
        return _load_public(name, data_dir, phrases)
    path = Path(name)
    if name and path.is_dir():  # "" would be the working directory
        return _read_folder(path, name, phrases)
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        if phrases:
            raise _no_phrases(f"a folder with train.tsv and {PHRASES}.tsv", "one file")
        return _dataset(name, {"train": (path, read_table(path))})
    if path.is_file():
        raise ValueError(
            f"Expected a file that ends in {' or '.join(SUFFIXES)}. Received: {name}"
        )
    if len(path.parts) > 1 or path.suffix:
        raise FileNotFoundError(
            f"Expected `name` to be a data set or a file of yours. Received: {name!r}; "
            "there is no such file."
        )
    hint = did_you_mean(name, names(), most=1)
    raise ValueError(
        f"Expected `name` to be one of {', '.join(map(repr, names()))}, or the path of a "
        f"CSV or TSV file or of a folder of them. Received: {name!r}.{hint}"
    )


def _load_public(
    name: str, data_dir: str | os.PathLike[str] | None, phrases: bool
) -> Dataset:
    source = SOURCES[name]
    for folder in data_folders(data_dir):
        if (folder / name).is_dir():
            return _read_folder(folder / name, name, phrases, source)
    if phrases:
        splits = ", ".join(f"{split}.tsv" for split in source.splits)
        file = f"<data_dir>/{name}/{PHRASES}.tsv beside {splits}"
        raise _no_phrases(file, "no folder of that name")
    tables: Tables = {
        split: (f"{name}/{split}", table) for split, table in download(name).items()
    }
    return _dataset(name, tables, source)


def _no_phrases(file: str | Path, received: str) -> FileNotFoundError:
    return FileNotFoundError(
        f"Expected labelled phrases: {file}, rows of `label<TAB>text`. Received: "
        f"{received}. There is no download of phrases: write those of the training texts "
        "into that file, or train without phrases."
    )


def _table_file(folder: Path, stem: str) -> Path | None:
    """Return the only file of a folder with that stem, or None."""
    found = [folder / (stem + suffix) for suffix in SUFFIXES]
    found = [path for path in found if path.is_file()]
    if len(found) > 1:
        raise ValueError(
            f"Expected one file for the split '{stem}'. Received: "
            f"{' and '.join(map(str, found))}"
        )
    return found[0] if found else None


def _read_folder(
    folder: Path, name: str, phrases: bool = False, source: Source | None = None
) -> Dataset:
    """Read the splits of a folder; a public set must have all its splits."""
    paths = {split: _table_file(folder, split) for split in SPLITS}
    # Where the labels are known beforehand, `_dataset` compares with them.
    learned = () if source else ("train", "all")
    tables: Tables = {
        split: (path, read_table(path, training=split in learned))
        for split, path in paths.items()
        if path
    }
    own = ["all"] if "all" in tables else ["train"]
    missing = [s for s in (source.splits if source else own) if s not in tables]
    if "all" in tables and len(tables) > 1:
        raise ValueError(
            f"Expected {folder} to hold either a file for each split or one with all "
            f"examples. Received: {', '.join(tables)}."
        )
    if missing:
        present = ", ".join(sorted(p.name for p in folder.iterdir())) or "nothing"
        raise FileNotFoundError(
            f"Expected {' and '.join(f'{split}.tsv' for split in missing)} in {folder}. "
            f"Received: a folder that holds {present}."
        )
    if phrases:
        path = _table_file(folder, PHRASES)
        if path is None:
            raise _no_phrases(folder / f"{PHRASES}.tsv", "a folder without that file")
        tables["phrases"] = path, read_table(path, training=False)
    return _dataset(name, tables, source)


def _dataset(name: str, tables: Tables, source: Source | None = None) -> Dataset:
    """Turn labels into indices. ``tables``: split -> (path, (labels, texts))."""
    if "all" in tables and "train" not in tables:
        tables["train"] = tables.pop("all")  # the caller divides it
    where, (train_labels, _) = tables["train"]
    classes: Sequence[str] = source.labels if source else _class_names(train_labels)
    if len(classes) < 2:
        raise ValueError(
            f"Expected at least two classes. Received: {where}, whose only label is "
            f"{classes[0]!r}."
        )
    index = {label: i for i, label in enumerate(classes)}
    splits = {}
    for split, (where, (labels, texts)) in tables.items():
        unknown = sorted(set(labels) - set(index))
        if unknown:
            those = f"of {name!r}" if source else f"in {tables['train'][0]}"
            raise ValueError(
                f"Expected the labels {', '.join(classes)}, which are those {those}. "
                f"Received: {where}, with {', '.join(unknown[:5])}, not among them."
            )
        splits[split] = Split(
            tuple(texts), np.array([index[label] for label in labels], dtype="int32")
        )
    about: tuple[str | None, int | None] = (None, None)
    if source:
        classes, about = source.class_names, (source.citation, source.folds)
    return Dataset(
        name,
        tuple(classes),
        splits["train"],
        splits.get("dev"),
        splits.get("test"),
        *about,
        phrases=splits.get("phrases"),
    )


def _class_names(labels: Iterable[str]) -> list[str]:
    """Return the distinct labels in order, numbers in numerical order."""
    classes = sorted(set(labels))
    if all(label.lstrip("+-").isdigit() for label in classes):
        classes.sort(key=int)
    return classes
