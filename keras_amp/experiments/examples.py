"""From a data set to the arrays that one seed trains, chooses and tests on."""

from dataclasses import dataclass

import keras

from keras_amp import data

# One test split for all seeds, so that their errors are comparable.
TEST_SEED = 0


@dataclass(frozen=True, eq=False)
class Examples:
    """Word ids and labels of the three splits.

    Attributes:
        train: Tuple ``(ids, labels)`` of int32 arrays ``(num_examples, sequence_length)``
            and ``(num_examples,)``.
        dev: The same, to choose the epoch by.
        test: The same, to report the error on.
        vectorizer: The ``TextVectorization`` that made the ids.
        class_names: The classes' names.
    """

    train: tuple
    dev: tuple
    test: tuple
    vectorizer: keras.layers.TextVectorization
    class_names: tuple[str, ...]


def divide(dataset, settings, seed):
    """Splits a data set where it has no splits of its own.

    The development set depends on the seed, a test set that is set aside does not.

    Args:
        dataset: A ``keras_amp.data.Dataset``.
        settings: ``Settings``.
        seed: Integer, the run's seed.

    Returns:
        A tuple of three ``Split``s, to train on, to choose the epoch by and to test on.

    Raises:
        ValueError: If there are too few examples.
    """
    train, dev, test = dataset.train, dataset.dev, dataset.test
    if test is None:
        train, test = data.hold_out(train, settings.test_fraction, TEST_SEED)
    if dev is None:
        train, dev = data.hold_out(train, settings.dev_fraction, seed)
    purposes = {"train on": train, "choose the epoch by": dev, "test on": test}
    for purpose, split in purposes.items():
        if not len(split):
            raise ValueError(
                f"Expected at least one example to {purpose}. Received: {dataset!r}, too "
                "few examples to set some of each class aside."
            )
    return train, dev, test


def prepare(dataset, settings, seed, min_length=1):
    """Divides a data set and encodes its texts.

    The vocabulary and the length come from the training texts alone.

    Args:
        dataset: A ``keras_amp.data.Dataset``.
        settings: ``Settings``.
        seed: Integer, the run's seed.
        min_length: Integer, the least length of the padded texts.

    Returns:
        ``Examples``.

    Raises:
        ValueError: If there are too few examples.
    """
    splits = divide(dataset, settings, seed)
    vectorizer = data.fit_vectorizer(splits[0].texts, min_length=min_length)
    arrays = [(data.word_ids(vectorizer, split.texts), split.labels) for split in splits]
    return Examples(*arrays, vectorizer, dataset.class_names)
