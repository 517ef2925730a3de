"""A trained run, to be used: texts in, classes out."""

import json
from pathlib import Path

import keras

from keras_amp.backbones import BertPreprocessor
from keras_amp.data import WordPreprocessor

CLASSIFIER = "classifier.keras"
CONFIG = "config.json"


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

    def __init__(self, classifier, preprocess, class_names, config):
        self.classifier, self.preprocess = classifier, preprocess
        self.class_names, self.config = tuple(class_names), config

    def predict(self, texts, batch_size=250):
        """Returns the class probabilities of texts.

        Args:
            texts: Sequence of strings, as they are: the run prepares them as it did its
                own. Longer ones than it was trained on are cut, with a warning.
            batch_size: Integer, texts at a time.

        Returns:
            A float32 array ``(len(texts), num_classes)``.
        """
        inputs = self.preprocess(texts)
        return self.classifier.predict(inputs, batch_size=batch_size, verbose=0)

    def classify(self, texts, batch_size=250):
        """Returns the name of the most probable class of each text, as a list."""
        best = self.predict(texts, batch_size).argmax(axis=1)
        return [self.class_names[i] for i in best]


def load_run(folder):
    """Loads a trained run from its folder.

    Args:
        folder: Folder of one run, ``<comparison>/<method>/seed-<seed>``.

    Returns:
        A ``Run``.

    Raises:
        FileNotFoundError: If there is no such folder, or it lacks the files of a run.
        ImportError: If the run's encoder needs KerasHub and it is not installed.

    Example:
    >>> keras_amp.load_run("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: Expected `folder` to be a run's folder. Received: ...
    """
    folder = Path(folder)
    readers = [
        reader
        for reader in (WordPreprocessor, BertPreprocessor)
        if (folder / reader.FILE).is_file()
    ]
    missing = [n for n in (CONFIG, CLASSIFIER) if not (folder / n).is_file()]
    if missing or not readers:
        raise FileNotFoundError(
            f"Expected `folder` to be a run's folder. Received: {folder}, "
            f"{_what_is_there(folder, missing)}"
        )
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    preprocess = readers[0].load(folder)  # first: it imports what the classifier needs
    classifier = keras.saving.load_model(folder / CLASSIFIER)
    return Run(classifier, preprocess, config["class_names"], config)


def save_run(folder, classifier, preprocess):
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


def _what_is_there(folder, missing):
    """What a folder is instead of a run's."""
    if not folder.is_dir():
        return "which is no folder."
    runs = sorted(
        str(path.parent.relative_to(folder)) for path in folder.rglob(CLASSIFIER)
    )
    if runs:
        return f"which holds runs in folders of their own: {', '.join(runs[:20])}."
    if missing == [CLASSIFIER]:
        return "a run that was told not to keep its classifier."
    return "a folder without."
