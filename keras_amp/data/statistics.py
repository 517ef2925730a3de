"""The figures of a data set: its classes, texts and words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keras_amp.data.examples import Dataset, Split
from keras_amp.data.text import split_words


@dataclass(frozen=True)
class Statistics:
    """Figures of a data set.

    Attributes:
        num_classes: Number of classes.
        mean_length: Mean number of words in a text, over all splits.
        vocabulary_size: Number of distinct words in all splits.
        train_vocabulary_size: Number of distinct words in the training texts.
        num_train: Number of training texts.
        num_dev: Number of development texts, or None without such a split.
        num_test: Number of test texts, or None without such a split.
        num_repeated: Number of training texts that are identical to an earlier one.
        num_overlapping: Number of test texts that are identical to a training text, or
            None without a test split.

    Example:
    >>> from keras_amp.data.statistics import dataset_statistics
    >>> dataset_statistics(keras_amp.data.load("questions")).size
    1500
    """

    num_classes: int
    mean_length: float
    vocabulary_size: int
    train_vocabulary_size: int
    num_train: int
    num_dev: int | None
    num_test: int | None
    num_repeated: int
    num_overlapping: int | None

    @property
    def size(self) -> int:
        """Number of texts in all splits."""
        return self.num_train + (self.num_dev or 0) + (self.num_test or 0)


def dataset_statistics(
    dataset: Dataset,
    words: Callable[[Sequence[str]], list[list[str]]] = split_words,
) -> Statistics:
    """Count the classes, texts and words of a data set.

    Labelled phrases are not a split, and are not counted.

    Args:
        dataset: A ``Dataset``.
        words: Callable that takes a list of texts and returns a list of words for each;
            by default they are the words of ``keras_amp.data.fit_vectorizer``.

    Returns:
        ``Statistics``.

    Raises:
        ValueError: If a split holds no texts.

    Example:
    >>> from keras_amp.data.statistics import dataset_statistics
    >>> statistics = dataset_statistics(keras_amp.data.load("questions"))
    >>> statistics.num_classes, statistics.num_train, statistics.num_test
    (6, 1200, 300)
    """
    splits = [
        split for split in (dataset.train, dataset.dev, dataset.test) if split is not None
    ]
    if not all(map(len, splits)):
        raise ValueError(f"Expected texts in every split. Received: {dataset!r}")
    texts = [text for split in splits for text in split.texts]
    words_of_texts = words(texts)
    train = dataset.train.texts
    return Statistics(
        num_classes=dataset.num_classes,
        mean_length=sum(map(len, words_of_texts)) / len(texts),
        vocabulary_size=_distinct(words_of_texts),
        train_vocabulary_size=_distinct(words_of_texts[: len(train)]),
        num_train=len(train),
        num_dev=None if dataset.dev is None else len(dataset.dev),
        num_test=None if dataset.test is None else len(dataset.test),
        num_repeated=len(train) - len(set(train)),
        num_overlapping=None if dataset.test is None else len(overlap(dataset)),
    )


def _distinct(words_of_texts: list[list[str]]) -> int:
    return len({word for words in words_of_texts for word in words})


def overlap(dataset: Dataset) -> Split:
    """Return the test examples whose texts are identical to a training text.

    Args:
        dataset: A ``Dataset``.

    Returns:
        A ``Split``, in the order of the test split.

    Raises:
        ValueError: If the data set has no test split.

    Example:
    >>> from keras_amp.data.statistics import overlap
    >>> len(overlap(keras_amp.data.load("questions")))
    0
    """
    if dataset.test is None:
        raise ValueError(f"Expected a test split. Received: {dataset!r}")
    seen = set(dataset.train.texts)
    return dataset.test.take(
        [i for i, text in enumerate(dataset.test.texts) if text in seen]
    )
