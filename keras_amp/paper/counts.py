"""The figures of the paper's data sets (Tables 1 and 3), and how to count them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from keras_amp.data.examples import Split
from keras_amp.data.splits import subset


def kim_words(
    texts: Sequence[str], split_contractions: bool = True, lower_case: bool = True
) -> list[list[str]]:
    """Split texts into words as the program for Kim's CNN does.

    The letters and digits of ASCII, the marks ``(),!?'`` and the backtick are kept; every
    other character is replaced by a space.

    Args:
        texts: Sequence of strings.
        split_contractions: Whether ``'s``, ``n't`` and similar endings, and the marks,
            become words of their own. Kim's program does not split those of the sentiment
            treebank, which are split already.
        lower_case: Whether to lower the case. Kim's program does, except for TREC.

    Returns:
        A list with a list of strings for each text.

    Reference:
        Kim, Convolutional Neural Networks for Sentence Classification, EMNLP 2014.

    Example:
    >>> from keras_amp.paper.counts import kim_words
    >>> kim_words(["Who's on 9th-floor?"], lower_case=False)
    [['Who', "'s", 'on', '9th', 'floor', '?']]
    """
    words_of_texts = []
    for text in texts:
        text = re.sub(r"[^A-Za-z0-9(),!?'`]", " ", text)
        if split_contractions:
            text = re.sub(r"('s|'ve|n't|'re|'d|'ll)", r" \1", text)
            text = re.sub(r"([(),!?])", r" \1 ", text)
        words_of_texts.append((text.lower() if lower_case else text).split())
    return words_of_texts


@dataclass(frozen=True)
class PaperStatistics:
    """A row of the paper's Table 1, and how to count to obtain its figures.

    Attributes:
        num_classes: The paper's ``c``.
        mean_length: ``l``, the mean number of words over all splits, rounded.
        vocabulary_size: ``V``, the number of distinct words in all splits.
        size: ``N``. The paper calls it the size of the training set; it is the number of
            texts in all splits.
        num_test: ``T``, or None for 10-fold cross-validation.
        split_contractions: Argument of ``kim_words``.
        lower_case: Argument of ``kim_words``.

    Example:
    >>> from keras_amp.paper.counts import TABLE_1
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

    def words(self, texts: Sequence[str]) -> list[list[str]]:
        """Split texts into the words that the row counts."""
        return kim_words(texts, self.split_contractions, self.lower_case)


# Table 1 (Section 4.1). The README of the data's source, data/README.md below
# `sources.ADDRESS`, has the same figures. If `words` are counted over all splits, V is
# exact for TREC, SST-1 and MR, 1 too low for SUBJ and 3 too high for SST-2. No other way
# of counting gives those two: with or without case, by white space alone, in train alone,
# or with the other treatment of contractions.
TABLE_1 = {
    "trec": PaperStatistics(6, 10, 9592, 5952, 500, lower_case=False),
    "sst1": PaperStatistics(5, 18, 17836, 11855, 2210, split_contractions=False),
    "sst2": PaperStatistics(2, 19, 16185, 9613, 1821, split_contractions=False),
    "subj": PaperStatistics(2, 23, 21323, 10000, None),
    "mr": PaperStatistics(2, 20, 18765, 10662, None),
}

# Table 3 (Section 4.4): fractions of TREC's training questions, and their numbers.
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


def low_resource_sizes(
    split: Split, fractions: Sequence[float] = tuple(TABLE_3)
) -> dict[float, int]:
    """Return how many examples ``keras_amp.data.subset`` draws at each fraction.

    Args:
        split: A ``Split``.
        fractions: Floats in (0, 1], by default those of the paper's Table 3.

    Returns:
        A dictionary from the fractions to integers.

    Raises:
        ValueError: If a fraction is not in its range.

    Example:
    >>> from keras_amp.paper.counts import low_resource_sizes
    >>> low_resource_sizes(keras_amp.data.load("questions").train, [0.03, 1.0])
    {0.03: 33, 1.0: 1200}
    """
    # The seed decides which examples are drawn, not how many.
    return {f: len(subset(split, seed=0, fraction=f)) for f in fractions}
