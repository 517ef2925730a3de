"""What a data set holds, counted as the package counts and as the paper does."""

import re
from dataclasses import dataclass

from keras_amp.data.splits import subset
from keras_amp.data.text import split_words


@dataclass(frozen=True)
class Statistics:
    """Figures of a data set.

    Attributes:
        num_classes: The number of classes.
        mean_length: Mean number of words of a text, over all splits.
        vocabulary_size: Number of distinct words of all splits.
        train_vocabulary_size: Number of distinct words of the training texts.
        num_train: Number of training texts.
        num_dev: Number of development texts, or None without such a split.
        num_test: Number of test texts, or None without such a split.
        num_repeated: How many training texts repeat an earlier one, letter by letter.
        num_overlapping: How many test texts also stand in train, letter by letter; None
            without a test split.

    Example:
    >>> from keras_amp.data.statistics import describe
    >>> describe(keras_amp.data.load("questions")).size
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
    def size(self):
        """The number of texts of all splits."""
        return self.num_train + (self.num_dev or 0) + (self.num_test or 0)


def describe(dataset, words=split_words):
    """Counts what a data set holds.

    Labelled phrases are no split of their own and are left out.

    Args:
        dataset: A ``Dataset``.
        words: Callable from a list of texts to a list with a list of words for each; by
            default the words of ``keras_amp.data.fit_vectorizer``.

    Returns:
        ``Statistics``.

    Raises:
        ValueError: If a split holds no texts.

    Example:
    >>> from keras_amp.data.statistics import describe
    >>> statistics = describe(keras_amp.data.load("questions"))
    >>> statistics.num_classes, statistics.num_train, statistics.num_test
    (6, 1200, 300)
    """
    splits = [dataset.train, dataset.dev, dataset.test]
    splits = [split for split in splits if split is not None]
    if not all(map(len, splits)):
        raise ValueError(f"Expected texts in every split. Received: {dataset!r}")
    texts = [text for split in splits for text in split.texts]
    listed = words(texts)
    train = dataset.train.texts
    return Statistics(
        num_classes=dataset.num_classes,
        mean_length=sum(map(len, listed)) / len(texts),
        vocabulary_size=_distinct(listed),
        train_vocabulary_size=_distinct(listed[: len(train)]),
        num_train=len(train),
        num_dev=None if dataset.dev is None else len(dataset.dev),
        num_test=None if dataset.test is None else len(dataset.test),
        num_repeated=len(train) - len(set(train)),
        num_overlapping=None if dataset.test is None else len(overlap(dataset)),
    )


def _distinct(listed):
    return len({word for words in listed for word in words})


def overlap(dataset):
    """Returns the test examples whose texts also stand in train, letter by letter.

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


def kim_words(texts, split_contractions=True, lower_case=True):
    """Splits texts into words as Kim's program for his CNN does.

    Letters and digits of ASCII, and the marks ``(),!?'`` and the backtick, are kept; all
    else is as good as a space.

    Args:
        texts: Sequence of strings.
        split_contractions: Whether ``'s``, ``n't`` and their like, and the marks, become
            words of their own. Kim's program leaves those of the sentiment treebank as
            they are, since the treebank has set them apart.
        lower_case: Whether to lower the case, which Kim's program does but for TREC.

    Returns:
        A list with a list of strings for each text.

    Reference:
        Kim, Convolutional Neural Networks for Sentence Classification, EMNLP 2014.

    Example:
    >>> from keras_amp.data.statistics import kim_words
    >>> kim_words(["Who's on 9th-floor?"], lower_case=False)
    [['Who', "'s", 'on', '9th', 'floor', '?']]
    """
    listed = []
    for text in texts:
        text = re.sub(r"[^A-Za-z0-9(),!?'`]", " ", text)
        if split_contractions:
            text = re.sub(r"('s|'ve|n't|'re|'d|'ll)", r" \1", text)
            text = re.sub(r"([(),!?])", r" \1 ", text)
        listed.append((text.lower() if lower_case else text).split())
    return listed


@dataclass(frozen=True)
class PaperStatistics:
    """A row of the paper's Table 1, and how to count so as to come to its figures.

    Attributes:
        num_classes: The paper's ``c``.
        mean_length: ``l``, a mean over all splits, rounded.
        vocabulary_size: ``V``, the distinct words of all splits.
        size: ``N``. The paper calls it the size of the training set; it is the number of
            texts of all splits.
        num_test: ``T``, or None for 10-fold cross-validation.
        split_contractions: Of ``kim_words``.
        lower_case: Of ``kim_words``.

    Example:
    >>> from keras_amp.data.statistics import TABLE_1
    >>> TABLE_1["trec"].vocabulary_size, TABLE_1["trec"].words(["What's up ?"])
    (9592, [['What', "'s", 'up', '?']])
    """

    num_classes: int
    mean_length: int
    vocabulary_size: int
    size: int
    num_test: int | None
    split_contractions: bool = True
    lower_case: bool = True

    def words(self, texts):
        """Splits texts into the words that the row counts."""
        return kim_words(texts, self.split_contractions, self.lower_case)


# Table 1 (Section 4.1). The README of the data's source, data/README.md below
# `sources.ADDRESS`, has the same figures. Counted by `words` over all splits, V comes out
# exact for TREC, SST-1 and MR, 1 lower for SUBJ and 3 higher for SST-2. Neither of those
# two is met by counting with or without case, by white space alone, in train alone, or
# with Kim's other treatment of contractions.
TABLE_1 = {
    "trec": PaperStatistics(6, 10, 9592, 5952, 500, lower_case=False),
    "sst1": PaperStatistics(5, 18, 17836, 11855, 2210, split_contractions=False),
    "sst2": PaperStatistics(2, 19, 16185, 9613, 1821, split_contractions=False),
    "subj": PaperStatistics(2, 23, 21323, 10000, None),
    "mr": PaperStatistics(2, 20, 18765, 10662, None),
}

# Table 3 (Section 4.4): the share of TREC's training questions, and their number.
TABLE_3 = {
    0.03: 160,
    0.04: 215,
    0.05: 270,
    0.1: 543,
    0.15: 815,
    0.2: 1089,
    0.4: 2179,
    0.8: 4359,
    1.0: 5452,
}


def low_resource_sizes(split, fractions=tuple(TABLE_3)):
    """Returns how many examples ``keras_amp.data.subset`` draws at each fraction.

    Args:
        split: A ``Split``.
        fractions: Floats in (0, 1], by default those of the paper's Table 3.

    Returns:
        A dictionary from the fractions to integers.

    Raises:
        ValueError: If a fraction lies outside its range.

    Example:
    >>> from keras_amp.data.statistics import low_resource_sizes
    >>> low_resource_sizes(keras_amp.data.load("questions").train, [0.03, 1.0])
    {0.03: 33, 1.0: 1200}
    """
    # The number does not depend on the seed, which says only who is drawn.
    return {f: len(subset(split, seed=0, fraction=f)) for f in fractions}
