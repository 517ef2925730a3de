"""From a data set to what one seed trains, chooses and tests on."""

from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from keras_amp import data
from keras_amp.data.text import without_cut_warning
from keras_amp.experiments.encoding import Encoding, fit_encoding

# One test split for all seeds, so that their errors are comparable.
TEST_SEED = 0
SPLITS = ("train", "dev", "test")


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs and labels of the three splits.

    Attributes:
        train: Tuple ``(inputs, labels)``: the backbone's inputs, an int32 array
            ``(num_examples, sequence_length)`` or a dict of them, and an int32 array
            ``(num_examples,)``.
        dev: The same, to choose the epoch by; empty where nothing is set aside.
        test: The same, to report the error on.
        test_texts: Tuple of strings, the texts of ``test``.
        encoding: The ``Encoding`` that made the inputs.
        truncated: Dict of integers, how many texts of each split were cut.
        class_names: The classes' names.
        unlabeled: Inputs of further training texts, without labels; None for none.
    """

    train: tuple
    dev: tuple
    test: tuple
    test_texts: tuple[str, ...]
    encoding: Encoding
    truncated: dict
    class_names: tuple[str, ...]
    unlabeled: Any = None

    @property
    def sizes(self):
        """Dict of integers, how many examples each split has.

        ``"unlabeled"`` is among them where there are texts without labels.
        """
        sizes = {name: len(getattr(self, name)[1]) for name in SPLITS}
        if self.unlabeled is None:
            return sizes
        return {**sizes, "unlabeled": len(keras.tree.flatten(self.unlabeled)[0])}

    def __repr__(self):
        sizes = ", ".join(f"{name}={size}" for name, size in self.sizes.items())
        return f"Examples({sizes}, classes={list(self.class_names)})"


def divide(dataset, settings, seed, fold=0):
    """Splits a data set where it has no splits of its own, and draws what to train on.

    A part of the training data (``train_fraction``, ``train_per_class``) is drawn before
    the development set is set aside: few labels are few for both purposes. The
    development set depends on the seed, and so do the folds of a cross-validation; a test
    set that is set aside does not. With ``dev_fraction=0`` data without a development
    split have an empty one.

    With ``dev_folds`` the test set is neither drawn nor read but set aside: the
    development set, a fold of the rest, takes its place.

    Args:
        dataset: A ``keras_amp.data.Dataset``.
        settings: ``Settings``.
        seed: Integer, the run's seed.
        fold: Integer, the part of a cross-validation to test on.

    Returns:
        A tuple of three ``Split``s, to train on, to choose the epoch by and to test on.

    Raises:
        ValueError: If there are too few examples.
    """
    train, dev, test = dataset.train, dataset.dev, dataset.test
    folds = settings.number_of_folds(dataset)
    if settings.dev_folds is not None:
        if test is None:
            train, _ = data.hold_out(train, settings.test_fraction, TEST_SEED)
    elif folds > 1:
        smallest = int(np.bincount(train.labels).min())
        if folds > smallest:
            raise ValueError(
                "Expected `folds` to be at most the examples of the smallest class, "
                f"{smallest}. Received: folds={folds} with {dataset!r}"
            )
        train, test = data.fold(train, fold, folds, seed)
    elif test is None:
        train, test = data.hold_out(train, settings.test_fraction, TEST_SEED)
    if settings.is_subset:
        train = data.subset(
            train, seed, settings.train_fraction, settings.train_per_class
        )
    if settings.dev_folds is not None:
        if dev is None:
            train, dev = data.fold(train, fold, settings.dev_folds, TEST_SEED)
        test = dev
    purposes = {"train on": train, "choose the epoch by": dev, "test on": test}
    if dev is None and not settings.dev_fraction:
        dev = train.take(np.arange(0))
        del purposes["choose the epoch by"]
    elif dev is None:
        train, dev = data.hold_out(train, settings.dev_fraction, seed)
        purposes |= {"train on": train, "choose the epoch by": dev}
    for purpose, split in purposes.items():
        if not len(split):
            raise ValueError(
                f"Expected at least one example to {purpose}. Received: {dataset!r}, too "
                "few examples to set some of each class aside."
            )
    if settings.phrases:
        train = _with_phrases(dataset, train, (dev, test))
    return train, dev, test


def prepare(dataset, settings, seed, fold=0):
    """Divides a data set and encodes its texts.

    The vocabulary and the length come from the training texts alone, those without labels
    included; words of the other texts join only where they have a pretrained vector.

    Args:
        dataset: A ``keras_amp.data.Dataset``.
        settings: ``Settings``.
        seed: Integer, the run's seed.
        fold: Integer, the part of a cross-validation to test on.

    Returns:
        ``Examples``.

    Raises:
        ValueError: If there are too few examples, or word vectors or a preset cannot be
            used.
        FileNotFoundError: If there are no such word vectors.
        ConnectionError: If word vectors or a preset cannot be fetched.
    """
    splits = divide(dataset, settings, seed, fold)
    unlabeled = without_labels(dataset, settings, seed, fold, splits)
    # An unknown word would tell a text without a label from one that has a label.
    texts = splits[0].texts + unlabeled
    encoding = fit_encoding(settings, texts, splits[1:], seed)
    arrays, truncated = [], {}
    with without_cut_warning():
        for name, split in zip(SPLITS, splits, strict=True):
            before = encoding.preprocess.truncated
            arrays.append((encoding.preprocess(split.texts), split.labels))
            truncated[name] = encoding.preprocess.truncated - before
        others = encoding.preprocess(unlabeled) if unlabeled else None
    return Examples(
        *arrays,
        splits[2].texts,
        encoding,
        truncated,
        tuple(dataset.class_names),
        others,
    )


def without_labels(dataset, settings, seed, fold, splits):
    """Returns the training texts that are left out, if ``settings.unlabeled``.

    Args:
        dataset: A ``keras_amp.data.Dataset``.
        settings: ``Settings``.
        seed: Integer, the run's seed.
        fold: Integer, the part of a cross-validation to test on.
        splits: What ``divide`` returns for these.

    Returns:
        A tuple of strings: no text that is trained on with its label, chosen or tested
        by.
    """
    if not settings.unlabeled:
        return ()
    whole = replace(settings, train_fraction=None, train_per_class=None, unlabeled=False)
    train, dev, _ = divide(dataset, whole, seed, fold)
    taken = {text for split in splits for text in split.texts}
    texts = [*train.texts, *dev.texts] if dataset.dev is None else train.texts
    return tuple(text for text in texts if text not in taken)


def _with_phrases(dataset, train, others):
    """Adds the phrases that come from the training texts and from no other.

    Where training texts were set aside, only phrases of those that remain are added;
    a phrase that is one of the other texts as a whole is added in no case.
    """
    phrases = _keys(dataset.phrases.texts)
    whole = {key for split in others for key in _keys(split.texts)}
    kept = np.array([key not in whole for key in phrases])
    if len(train) < len(dataset.train):
        parts = {
            key[i:j]
            for key in _keys(train.texts)
            for i in range(len(key))
            for j in range(i + 1, len(key) + 1)
        }
        kept &= [key in parts for key in phrases]
    added = dataset.phrases.take(np.flatnonzero(kept))
    return data.Split(
        train.texts + added.texts, np.concatenate([train.labels, added.labels])
    )


def _keys(texts):
    """Texts as tuples of words, to be compared."""
    return [tuple(words) for words in data.split_words(texts)]
