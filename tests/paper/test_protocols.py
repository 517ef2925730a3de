"""What is trained on, chosen by and tested on: folds, parts, phrases, vocabulary."""

import dataclasses
import os

import numpy as np
import pytest

pytest.importorskip("cyclopts", reason='pip install "keras-amp[experiments]"')

from keras_amp import data
from keras_amp.data import Dataset, Split
from keras_amp.experiments import Settings, prepare
from keras_amp.experiments.examples import divide


def dataset(sizes=(40, 20), dev=0, test=10, **more):
    """Numbered texts, every class with a word of its own."""

    def split(prefix, sizes):
        pairs = [
            (f"{prefix} {k} w{c} .", c) for c, n in enumerate(sizes) for k in range(n)
        ]
        return Split(tuple(t for t, _ in pairs), np.array([c for _, c in pairs], "int32"))

    return Dataset(
        "mine",
        tuple(f"c{i}" for i in range(len(sizes))),
        split("train", sizes),
        split("dev", [dev // len(sizes)] * len(sizes)) if dev else None,
        split("test", [test // len(sizes)] * len(sizes)) if test else None,
        **more,
    )


def texts(splits):
    return [set(split.texts) for split in splits]


def disjoint(splits):
    train, dev, test = texts(splits)
    return not (train & dev or train & test or dev & test)


# === Cross-validation ===


def test_every_example_is_tested_on_once_and_never_trained_on_then():
    own = dataset(test=0)
    settings = Settings(folds=4)
    tested = []
    for fold in range(4):
        splits = divide(own, settings, seed=3, fold=fold)
        assert disjoint(splits)
        assert sum(map(len, splits)) == 60
        tested.extend(splits[2].texts)
    assert sorted(tested) == sorted(own.train.texts)


def test_the_seed_fixes_the_folds():
    own, settings = dataset(test=0), Settings(folds=4)
    first, again, other = (
        texts(divide(own, settings, seed, fold=1)) for seed in (3, 3, 4)
    )
    assert first == again
    assert first[2] != other[2]


def test_data_that_is_cross_validated_by_custom_is_by_default():
    own = dataset(test=0, folds=10)
    assert Settings().number_of_folds(own) == 10
    assert Settings(folds=1).number_of_folds(own) == 1
    assert Settings(folds=5).number_of_folds(own) == 5
    assert Settings(folds=5).number_of_folds(dataset(test=10)) == 1  # has a test split
    assert Settings().number_of_folds(dataset(test=0)) == 1


def test_more_folds_than_examples_of_a_class_are_refused():
    with pytest.raises(ValueError, match="`folds`.*smallest class, 3.*folds=4"):
        divide(dataset((40, 3), test=0), Settings(folds=4), seed=0)


# === Low resource ===


def test_few_labels_are_few_for_training_and_development_together():
    splits = divide(dataset(), Settings(train_fraction=0.5, dev_fraction=0.2), seed=1)
    assert [len(split) for split in splits] == [24, 6, 10]
    assert disjoint(splits)
    assert np.bincount(np.concatenate([s.labels for s in splits[:2]])).tolist() == [
        20,
        10,
    ]
    splits = divide(dataset(), Settings(train_per_class=5), seed=1)
    assert np.bincount(np.concatenate([s.labels for s in splits[:2]])).tolist() == [5, 5]


def test_every_seed_draws_a_part_of_its_own_and_the_same_again():
    settings = Settings(train_fraction=0.3)
    drawn = [
        frozenset().union(*texts(divide(dataset(), settings, seed))[:2])
        for seed in (0, 1, 2, 0)
    ]
    assert len(set(drawn)) == 3
    assert drawn[0] == drawn[3]


def test_a_development_split_of_the_data_is_kept():
    own = dataset(dev=8)
    splits = divide(own, Settings(train_fraction=0.3), seed=0)
    assert splits[1] is own.dev
    assert splits[2] is own.test


# === Phrases ===


def phrased(**more):
    own = dataset(**more)
    # Parts of the first ten texts, whole texts of the other splits, and one of nowhere.
    parts = [f"{k} W{0}" for k in range(10)] + ["nowhere at all"]
    parts += list((own.test or own.train).texts[:3])
    return dataclasses.replace(
        own, phrases=Split(tuple(parts), np.zeros(len(parts), "int32"))
    )


def test_phrases_are_added_to_the_training_texts_alone():
    own = phrased(dev=8)
    train, dev, test = divide(own, Settings(phrases=True), seed=0)
    assert train.texts[:60] == own.train.texts
    # With all training texts there, only whole texts of the other splits are left out.
    assert set(train.texts[60:]) == set(own.phrases.texts) - set(own.test.texts)
    assert (dev, test) == (own.dev, own.test)
    assert len(train.labels) == len(train.texts)


@pytest.mark.parametrize("how", [{"train_fraction": 0.4}, {}])
def test_phrases_of_texts_that_were_set_aside_are_left_out(how):
    own = phrased(dev=8 if how else 0)
    splits = divide(own, Settings(phrases=True, dev_fraction=0.3, **how), seed=2)
    kept = [text for text in splits[0].texts if text in own.train.texts]
    added = [text for text in splits[0].texts if text not in own.train.texts]
    expected = [
        phrase
        for phrase in own.phrases.texts[:10]
        if any(f" {phrase.lower()} " in text for text in kept)
    ]
    assert added == expected
    assert 0 < len(added) < 10


@pytest.mark.parametrize("name", ["sst1", "sst2"])
def test_real_phrases_never_are_a_text_to_choose_or_test_by(name):
    folder = os.environ.get("KERAS_AMP_DATA", "")
    if not os.path.exists(os.path.join(folder, name, "train_phrases.tsv")):
        pytest.skip("KERAS_AMP_DATA names no folder with the phrases")
    own = data.load(name, phrases=True)
    train, dev, test = divide(own, Settings(phrases=True), seed=0)
    held = {" ".join(t.lower().split()) for split in (dev, test) for t in split.texts}
    added = train.texts[len(own.train) :]
    assert len(added) > 0.999 * len(own.phrases)
    assert not held & {" ".join(t.lower().split()) for t in added}


# === Vocabulary ===


@pytest.fixture
def vectors(tmp_path):
    path = tmp_path / "mine.vec"
    words = ["train", "W0", ".", "seen", "new"]
    path.write_text("".join(f"{w} {i}.5 {-i}.25\n" for i, w in enumerate(words)))
    return str(path)


def with_words(own, split, words):
    """The data set with other texts in one split."""
    old = getattr(own, split)
    return dataclasses.replace(
        own, **{split: Split(tuple(f"{words} {i}" for i in range(len(old))), old.labels)}
    )


@pytest.mark.parametrize("split", ["dev", "test"])
def test_nothing_of_training_depends_on_the_other_texts(split, vectors):
    for changes in ({}, {"vectors": vectors}):
        settings = Settings(**changes)
        own = dataset(dev=8)
        first, second = (
            prepare(with_words(own, split, words), settings, seed=0)
            for words in ("train w0", "new seen unknown words that are longer by far")
        )
        np.testing.assert_array_equal(first.train[0], second.train[0])
        words = [e.encoding.preprocess.vocabulary for e in (first, second)]
        shared = min(map(len, words))
        assert words[0][:shared] == words[1][:shared]
        if changes:
            matrices = [e.encoding.arguments["vectors"] for e in (first, second)]
            # All a training text can look up, the drawn vectors included.
            used = first.train[0].max() + 1
            np.testing.assert_array_equal(matrices[0][:used], matrices[1][:used])
        else:
            assert words[0] == words[1]


def test_words_to_predict_join_where_they_have_a_vector(vectors):
    own = with_words(dataset(dev=8), "test", "new unheard")
    plain = prepare(own, Settings(), seed=0)
    joined = prepare(own, Settings(vectors=vectors), seed=0)
    old = plain.encoding.preprocess.vocabulary
    assert joined.encoding.preprocess.vocabulary == [*old, "new"]
    np.testing.assert_array_equal(plain.test[0][:, :2], 1)  # both unknown
    assert set(joined.test[0][:, 0]) == {len(old)}
    assert set(joined.test[0][:, 1]) == {1}
    matrix = joined.encoding.arguments["vectors"]
    np.testing.assert_array_equal(matrix[-1], [4.5, -4.25])
    np.testing.assert_array_equal(matrix[old.index("w0")], [1.5, -1.25])  # case ignored
    assert joined.encoding.arguments["embedding_dim"] == 2
    assert joined.encoding.arguments["vocabulary_size"] == len(old) + 1 == len(matrix)


def test_longer_texts_are_cut_and_counted():
    own = with_words(dataset(dev=8), "test", "one two three four five six seven")
    examples = prepare(own, Settings(), seed=0)
    # The filters are 3, 4 and 5 words wide, the training texts 4.
    assert examples.train[0].shape[1] == 5
    assert examples.truncated == {"train": 0, "dev": 0, "test": 10}
    examples = prepare(own, Settings(sequence_length=3, backbone="bilstm"), seed=0)
    assert examples.train[0].shape[1] == 3
    assert examples.truncated == {"train": 60, "dev": 8, "test": 10}
