"""A trained run that classifies texts."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_amp.backbones import BertPreprocessor
from keras_amp.data import WordPreprocessor
from keras_amp.data.text import as_texts

CLASSIFIER = "classifier.keras"
CONFIG = "config.json"
RESULT = "result.json"  # the last file that a run writes
SHOWN = ("data", "mix", "policy", "seed", "fold")  # of the configuration, by `repr`
READERS = (WordPreprocessor, BertPreprocessor)


class Run:
    """A classifier with what it needs to read texts.

    Attributes:
        classifier: The ``keras.Model``, with the weights of the chosen epoch.
        preprocess: Callable from texts to the classifier's inputs.
        class_names: Tuple of strings, the classes in the order of the probabilities.
        config: Dict, the settings of the run.

    Example:
    >>> preprocess = keras_amp.data.WordPreprocessor(["", "[UNK]", "who", "?"], 5)
    >>> classifier = keras_amp.backbones.text_cnn(4, 2, 5, embedding_dim=8, filters=4)
    >>> run = keras_amp.runs.Run(classifier, preprocess, ["HUM", "LOC"], {})
    >>> run.predict(["Who wrote it ?"]).shape, len(run.classify(["Who ?", "Where ?"]))
    ((1, 2), 2)
    """

    def __init__(
        self,
        classifier: keras.Model,
        preprocess: Callable[[Sequence[str]], Any],
        class_names: Sequence[str],
        config: dict[str, Any],
    ) -> None:
        self.classifier, self.preprocess = classifier, preprocess
        self.class_names, self.config = tuple(class_names), config

    def __repr__(self) -> str:
        given = {name: self.config.get(name) for name in SHOWN}
        about = "".join(f"{n}={v!r}, " for n, v in given.items() if v is not None)
        return f"Run({self.classifier.name!r}, {about}classes={list(self.class_names)})"

    def predict(self, texts: Sequence[str], batch_size: int = 250) -> np.ndarray:
        """Returns the class probabilities of texts.

        Args:
            texts: Sequence of raw strings; the run prepares them as it did its own. Texts
                that are longer than those it was trained on are cut, with a warning.
            batch_size: Integer, texts at a time.

        Returns:
            A float32 array ``(len(texts), num_classes)``.

        Raises:
            ValueError: If ``texts`` is a single text, or holds something else.
        """
        texts = as_texts(texts)
        if not texts:  # Keras refuses to predict no example
            return np.zeros((0, len(self.class_names)), "float32")
        inputs = self.preprocess(texts)
        return self.classifier.predict(inputs, batch_size=batch_size, verbose=0)

    def classify(self, texts: Sequence[str], batch_size: int = 250) -> list[str]:
        """Returns the name of the most probable class of each text, as a list."""
        best = self.predict(texts, batch_size).argmax(axis=1)
        return [self.class_names[i] for i in best]


def load_run(folder: str | os.PathLike[str]) -> Run:
    """Loads a trained run from its folder.

    Args:
        folder: Folder of one run, ``<comparison>/<method>/seed-<seed>``.

    Returns:
        A ``Run``.

    Raises:
        FileNotFoundError: If there is no such folder, or it lacks the files of a run.
        ValueError: If a file is damaged; the message names it.
        ImportError: If the run's encoder needs KerasHub and it is not installed.

    Example:
    >>> keras_amp.load_run("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: Expected `folder` to be a run's folder. Received: nowhere, which
    is no folder.
    """
    folder = Path(folder)
    readers = [reader for reader in READERS if (folder / reader.FILE).is_file()]
    missing = [n for n in (CONFIG, CLASSIFIER) if not (folder / n).is_file()]
    if not readers:
        missing.append(" or ".join(reader.FILE for reader in READERS))
    if missing:
        raise FileNotFoundError(
            f"Expected `folder` to be a run's folder. Received: {folder}, "
            f"{_what_is_there(folder, missing)}"
        )
    config = intact(folder / CONFIG, _read_config)
    # The preprocessor first: it imports what the classifier needs.
    preprocess = intact(folder / readers[0].FILE, lambda _: readers[0].load(folder))
    classifier = intact(folder / CLASSIFIER, keras.saving.load_model)
    names = config["class_names"]
    if classifier.output_shape != (None, len(names)):
        raise ValueError(
            f"Expected the classifier of {folder} to tell apart the {len(names)} classes "
            f"that its {CONFIG} names. Received: a classifier with the output shape "
            f"{classifier.output_shape}"
        )
    return Run(classifier, preprocess, names, config)


def save_run(
    folder: str | os.PathLike[str],
    classifier: keras.Model,
    preprocess: WordPreprocessor | BertPreprocessor,
) -> None:
    """Writes into a run's folder what ``load_run`` reads, beside its configuration.

    Args:
        folder: Existing folder.
        classifier: The trained functional ``keras.Model``.
        preprocess: What makes its inputs, with ``save``.
    """
    folder = Path(folder)
    preprocess.save(folder)
    # A model of the same layers without the optimizer, which would triple the file.
    plain = keras.Model(classifier.input, classifier.output, name=classifier.name)
    plain.save(folder / CLASSIFIER)


def intact(path: Path, read: Callable[[Path], Any]) -> Any:
    """Reads a file of a run; raises ValueError, naming it, where it cannot be read."""
    try:
        return read(path)
    except ImportError:
        raise  # says what to install
    except Exception as error:  # a damaged one raises what its parser raises
        raise ValueError(
            f"Expected {path} to be as a run writes it. Received: a damaged file "
            f"({type(error).__name__}: {error}). Copy it again, or train the run again."
        ) from error


def read_json(path: Path) -> Any:
    """Returns what a file of JSON holds."""
    return json.loads(path.read_text(encoding="utf-8"))


def _read_config(path: Path) -> dict[str, Any]:
    config = read_json(path)
    names = config.get("class_names") if isinstance(config, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("no list of class_names")
    return config


def _what_is_there(folder: Path, missing: list[str]) -> str:
    """What a folder is instead of a run's."""
    if not folder.is_dir():
        return "which is no folder."
    found = sorted(
        str(path.parent.relative_to(folder)) for path in folder.glob(f"*/**/{CLASSIFIER}")
    )
    if found:
        more = f" and {len(found) - 20} more" if len(found) > 20 else ""
        runs = ", ".join(found[:20]) + more
        return f"which holds runs in folders of their own: {runs}."
    lacking = f"which lacks {', '.join(missing)}"
    if missing[0] != CLASSIFIER:
        return f"{lacking}."
    if (folder / RESULT).is_file():
        return f"{lacking}: a run that was told not to keep its classifier."
    return f"{lacking}: a run that has not ended."
