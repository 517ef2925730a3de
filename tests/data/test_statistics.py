"""The figures of data sets, counted independently."""

import collections
import re

import numpy as np
import pytest
from real_data import REAL, needs_real, raw

import keras_amp
from keras_amp.data import Dataset, Split
from keras_amp.data.sources import SOURCES
from keras_amp.data.statistics import dataset_statistics, overlap


def test_figures_of_a_small_set_by_hand():
    train = Split(("Who is it?", "Who is it?", "It's me", "who is it?"), np.zeros(4, int))
    dev, test = (
        Split(("New",), np.ones(1, int)),
        Split(("It's me", "no"), np.ones(2, int)),
    )
    figures = dataset_statistics(Dataset("mine", ("a", "b"), train, dev, test))
    # who is it ? | it's me | new | no: 4 + 4 + 2 + 4 + 1 + 2 + 1 words in seven texts.
    assert figures.mean_length == 18 / 7
    assert (figures.vocabulary_size, figures.train_vocabulary_size) == (8, 6)
    assert (figures.num_train, figures.num_dev, figures.num_test) == (4, 1, 2)
    assert figures.size == 7
    assert (figures.num_classes, figures.num_repeated) == (2, 1)
    assert figures.num_overlapping == 1


def test_phrases_are_not_counted():
    train, phrases = (
        Split(("a b", "c"), np.arange(2)),
        Split(("d",) * 9, np.zeros(9, int)),
    )
    figures = dataset_statistics(Dataset("mine", ("x", "y"), train, phrases=phrases))
    assert (figures.size, figures.vocabulary_size) == (2, 3)


def test_without_a_test_split_nothing_overlaps():
    data = Dataset("mine", ("a", "b"), Split(("x", "y"), np.arange(2)))
    figures = dataset_statistics(data)
    assert figures.num_dev is figures.num_test is figures.num_overlapping is None
    assert figures.size == 2
    with pytest.raises(ValueError, match=r"Expected a test split\. Received: .*'mine'"):
        overlap(data)


def test_empty_splits_are_refused():
    train, empty = Split(("x", "y"), np.arange(2)), Split((), np.zeros(0, int))
    with pytest.raises(ValueError, match="Expected texts in every split.*test=0"):
        dataset_statistics(Dataset("mine", ("a", "b"), train, test=empty))


def test_the_vocabulary_is_that_of_the_vectorizer():
    """The words counted are the ids that a model gets, but for padding and unknown."""
    data = keras_amp.data.load("questions")
    vectorizer = keras_amp.data.fit_vectorizer(data.train.texts)
    figures = dataset_statistics(data)
    assert figures.train_vocabulary_size == vectorizer.vocabulary_size() - 2
    ids = keras_amp.data.word_ids(vectorizer, data.train.texts)
    train = dataset_statistics(Dataset("train", data.class_names, data.train))
    assert train.mean_length == pytest.approx((ids > 0).sum() / len(ids))


def without_the_underscore(texts):
    """The package's words by Python's own classes, in which `_` is a letter."""
    counts = collections.Counter()
    for text in texts:
        counts.update(re.sub(r"([^\w\s']|_)", r" \1 ", text.lower()).split())
    return counts


@needs_real(*SOURCES)
@pytest.mark.parametrize("name", list(SOURCES))
def test_the_packages_own_figures_on_real_data(name):
    lines = raw(name)
    figures = dataset_statistics(keras_amp.data.load(name, REAL))
    texts = [text for rows in lines.values() for _, text in rows]
    counts = without_the_underscore(texts)
    assert figures.vocabulary_size == len(counts)
    assert figures.mean_length == pytest.approx(counts.total() / len(texts))
    train = [text for _, text in lines["train"]]
    assert figures.train_vocabulary_size == len(without_the_underscore(train))
    repeats = sum(n - 1 for n in collections.Counter(train).values())
    assert figures.num_repeated == repeats
    seen = [text for _, text in lines.get("test", ()) if text in set(train)]
    assert (figures.num_overlapping or 0) == len(seen)
    expected = {"trec": (71, 10), "sst1": (10, 2), "sst2": (9, 2)}.get(name, (0, 0))
    assert (repeats, len(seen)) == expected
