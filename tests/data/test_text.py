"""From texts to words, ids and batches: against Unicode's own tables and plain loops."""

import functools
import json
import os
import sys
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from helpers import warned_at

import keras_amp
from keras_amp.data import (
    WordPreprocessor,
    batches,
    fit_vectorizer,
    split_words,
    word_ids,
)

REAL = os.environ.get("KERAS_AMP_DATA")
real_data = pytest.mark.skipif(
    not REAL or not (Path(REAL) / "trec").is_dir(),
    reason="set KERAS_AMP_DATA to a folder with trec to run this",
)

VOCABULARY = ["", "[UNK]", "who", "is", "it", "?"]
# A letter that an accent follows, no-break and ideographic spaces, separators of lines,
# skin tones, scripts without spaces, from right to left, and with vowel signs.
TEXTS = [
    "Who's there?!",
    "ÜBER-straße, cafe\u0301s; naïve co-op 3.14 ½ x² Ⅷ",
    "a\u00a0b c\u3000d e\u2028f g\u2029h i\u0085j k\x0bl m\x0cn o\x1cp q\tr\ns",
    "😀👍🏽 “quoted” …—€5 _snake_case_ #tag @home",
    "日本語。テスト Привет, мир! שלום नमस्ते สวัสดี ΟΔΟΣ İstanbul",
    "zero\u200bwidth soft\u00adhyphen \ufeffmark joined\u200dtogether",
    "",
    " \t ",
    "''' 'tis don''t",
]


def words_of(text):
    """Words by the categories of Unicode's tables, letter by letter."""
    spaced = ""
    for letter in text.lower():
        if letter.isspace() or letter == "\0":
            spaced += " "
        elif unicodedata.category(letter)[0] in "LMN" or letter == "'":
            spaced += letter
        else:
            spaced += f" {letter} "
    return [word for word in spaced.split(" ") if word]


def ids_of(texts, vocabulary, length):
    """Ids by looking every word up, cut and padded by hand."""
    index = {word: i for i, word in enumerate(vocabulary)}
    rows = [[index.get(word, 1) for word in words_of(text)] for text in texts]
    return [(row + [0] * length)[:length] for row in rows]


@functools.cache
def questions():
    return keras_amp.data.load("trec", REAL)


# === Words ===


def test_words_are_those_of_unicodes_categories():
    assert split_words(TEXTS) == [words_of(text) for text in TEXTS]
    assert split_words(["Who's ÜBER-ok?", ""]) == [["who's", "über", "-", "ok", "?"], []]
    assert split_words([]) == []


def test_letters_of_many_scripts_are_split_as_their_categories_say():
    rng = np.random.default_rng(8)
    # Latin, Cyrillic, Hebrew, Arabic, Devanagari, Thai, punctuation, kana, Hangul, emoji.
    blocks = [
        (0x20, 0x24F), (0x400, 0x45F), (0x5D0, 0x5EA), (0x620, 0x669), (0x904, 0x96F),
        (0xE01, 0xE3A), (0x2000, 0x206F), (0x3041, 0x3096), (0xAC00, 0xACFF),
        (0x1F600, 0x1F64F),
    ]  # fmt: skip
    letters = [chr(i) for first, last in blocks for i in range(first, last + 1)]
    letters = [c for c in letters if unicodedata.category(c) != "Cn"]
    texts = ["".join(rng.choice(letters, 30)) for _ in range(300)]
    assert split_words(texts) == [words_of(text) for text in texts]


def test_every_white_space_of_python_parts_words_and_is_none():
    spaces = [chr(i) for i in range(sys.maxunicode + 1) if chr(i).isspace()]
    assert len(spaces) > 20
    assert split_words([f"a{space}b" for space in spaces]) == [["a", "b"]] * len(spaces)


def test_a_text_does_not_end_at_nul():
    assert split_words(["who\0is it"]) == [["who", "is", "it"]]


def test_words_are_the_vocabulary_of_the_vectorizer():
    vocabulary = fit_vectorizer(TEXTS).get_vocabulary()
    assert vocabulary[:2] == ["", "[UNK]"]
    assert len(set(vocabulary)) == len(vocabulary)
    assert set(vocabulary[2:]) == {word for row in split_words(TEXTS) for word in row}


@real_data
def test_words_of_real_questions():
    texts = questions().train.texts
    words = split_words(texts)
    assert words == [words_of(text) for text in texts]
    vocabulary = fit_vectorizer(texts).get_vocabulary()
    assert set(vocabulary[2:]) == {word for row in words for word in row}


# === Mistakes ===

NOT_TEXTS = {
    "one text": ("who is it", "Received: one text, 'who is it'. Put it into a list"),
    "bytes": (b"who", "Received: one text, b'who'"),
    "a number": (3, "sequence of texts. Received: 3"),
    "nothing": (None, "sequence of texts. Received: None"),
    "numbers": (["who", 3.5], "Received: 3.5, of type float, at position 1"),
    "a missing value": ([float("nan")], "Received: nan, of type float, at position 0"),
    "encoded": ([b"who"], "Received: b'who', of type bytes, at position 0"),
    "lists of words": ([["who", "is"]], r"Received: \['who', 'is'\], of type list"),
    "a tensor": (tf.constant(["who"]), "Received: <tf.Tensor.*, of type EagerTensor"),
    "half a letter": (["is", "\ud83d"], r"whole characters. Received: '\\ud83d' at pos"),
}


@pytest.mark.parametrize("case", NOT_TEXTS)
def test_what_is_no_list_of_texts_is_explained(case):
    wrong, message = NOT_TEXTS[case]
    vectorizer = fit_vectorizer(["who is it"])
    for read in (
        split_words,
        fit_vectorizer,
        functools.partial(word_ids, vectorizer),
        WordPreprocessor(VOCABULARY, 4),
    ):
        with pytest.raises(ValueError, match=f"^Expected .*{message}"):
            read(wrong)


def test_long_mistakes_are_shortened():
    with pytest.raises(ValueError, match=r"one text, 'xxx.* \.\.\.\. Put") as caught:
        split_words("x" * 10_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("texts", [[], [""], [" ", "\u00a0"]])
def test_a_vocabulary_needs_words(texts):
    message = f"Expected words to learn .* Received: none in {len(texts)} texts"
    for length in (None, 5):
        with pytest.raises(ValueError, match=message):
            fit_vectorizer(texts, length)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_a_vocabulary_needs_room_for_a_word(size):
    with pytest.raises(ValueError, match=f"`vocabulary_size` .*vocabulary_size={size}$"):
        fit_vectorizer(["who is it"], vocabulary_size=size)
    assert fit_vectorizer(["a b b"], vocabulary_size=3).get_vocabulary()[2:] == ["b"]


# === WordPreprocessor ===


@pytest.mark.filterwarnings("ignore:.*were cut")
@pytest.mark.parametrize("length", [3, 40])
def test_the_preprocessors_ids_are_those_of_the_vectorizer(length):
    vectorizer = fit_vectorizer(TEXTS[:5], length)
    vocabulary = vectorizer.get_vocabulary()
    texts = [*TEXTS, "unheard of words"]
    ids = WordPreprocessor(vocabulary, length)(texts)
    assert ids.dtype == np.int32
    assert ids.shape == (len(texts), length)
    np.testing.assert_array_equal(ids, word_ids(vectorizer, texts))
    assert ids.tolist() == ids_of(texts, vocabulary, length)


@real_data
@pytest.mark.parametrize("size", [None, 500])
def test_the_preprocessors_ids_of_real_questions(size):
    train, test = questions().train.texts, questions().test.texts
    vectorizer = fit_vectorizer(train, vocabulary_size=size)
    vocabulary = vectorizer.get_vocabulary()
    length = max(len(words_of(text)) for text in train)
    preprocess = WordPreprocessor(vocabulary, length)
    for texts in (train, test):
        ids = preprocess(texts)
        np.testing.assert_array_equal(ids, word_ids(vectorizer, texts))
        assert ids.tolist() == ids_of(texts, vocabulary, length)
    assert preprocess.truncated == 0
    assert (preprocess(test) == 1).any()  # words that train lacks


def test_words_added_to_a_vocabulary_get_the_next_ids():
    """As those do that only have a pretrained vector."""
    vectorizer = fit_vectorizer(["who is it ?"], 4)
    vocabulary = vectorizer.get_vocabulary()
    more = WordPreprocessor([*vocabulary, "denver", "aspen"], 4)
    known = ["who is it", "is it ?"]
    np.testing.assert_array_equal(more(known), word_ids(vectorizer, known))
    size = len(vocabulary)
    who = vocabulary.index("who")
    assert more(["Aspen who Denver"]).tolist() == [[size + 1, who, size, 0]]


def test_cut_texts_are_counted_and_said_at_the_callers_line():
    preprocess = WordPreprocessor(VOCABULARY, 3)
    texts = ["Who is it?", "who ?", "it is it", "is it, is it?"]
    with pytest.warns(UserWarning, match=r"2 of 4 texts .*=3 words.* longest has 6") as w:
        ids = preprocess(texts)
    assert warned_at(w, "=3 words") == [__file__]
    assert ids.tolist() == [[2, 3, 4], [2, 5, 0], [4, 3, 4], [3, 4, 1]]
    assert preprocess.truncated == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preprocess(texts[1:3])
    assert preprocess.truncated == 2
    with pytest.warns(UserWarning, match="1 of 1 texts"):
        preprocess(texts[:1])
    assert preprocess.truncated == 3


def test_no_texts_and_empty_texts():
    preprocess = WordPreprocessor(VOCABULARY, 4)
    for none in ([], (), iter([])):
        ids = preprocess(none)
        assert (ids.shape, ids.dtype) == ((0, 4), np.int32)
    assert preprocess(["", " \u3000", "?"]).tolist() == [[0] * 4, [0] * 4, [5, 0, 0, 0]]
    assert word_ids(fit_vectorizer(["a b"]), []).shape == (0, 2)


def test_texts_come_in_any_sequence():
    preprocess = WordPreprocessor(VOCABULARY, 3)
    expected = [[2, 3, 4], [5, 0, 0]]
    texts = ["who is it", "?"]
    for given in (tuple(texts), iter(texts), np.array(texts), np.array(texts, object)):
        assert preprocess(given).tolist() == expected


UNUSUAL = [
    *["a\u2028b", "\u2029", "\x85", "\u00a0", "\ufeff", "\u200b", "tab\tbed", "x\ny"],
    *["😀", "👍🏽", "e\u0301t", "\u0301", "नमस्ते", "日本語", "ß", "it's", "'"],
    *['"', "\\", "\\u0041", "{}", "[unk]", "nul\0"],
]


def test_unusual_words_survive_saving(tmp_path):
    vocabulary = ["", "[UNK]", *UNUSUAL]
    preprocess = WordPreprocessor(vocabulary, 7)
    preprocess.save(tmp_path)
    loaded = WordPreprocessor.load(tmp_path)
    assert loaded.vocabulary == vocabulary
    assert loaded.sequence_length == 7
    assert loaded.truncated == 0
    for i, word in enumerate(UNUSUAL, 2):
        ids = loaded([word])
        np.testing.assert_array_equal(ids, preprocess([word]))
        if words_of(word) == [word]:
            assert ids[0].tolist() == [i, *[0] * 6]
    assert sum(words_of(word) == [word] for word in UNUSUAL) >= 11
    # What has been written is plain JSON, for other programs to read.
    state = json.loads((tmp_path / "words.json").read_text(encoding="utf-8"))
    assert state == {"sequence_length": 7, "vocabulary": vocabulary}


@real_data
def test_a_real_vocabulary_survives_saving(tmp_path):
    train, test = questions().train.texts, questions().test.texts
    preprocess = WordPreprocessor(fit_vectorizer(train).get_vocabulary(), 40)
    preprocess.save(tmp_path)
    np.testing.assert_array_equal(WordPreprocessor.load(tmp_path)(test), preprocess(test))


NO_VOCABULARY = {
    "a word twice": (["", "[UNK]", "who", "is", "who"], "holds 'who' twice"),
    "padding twice": (["", "[UNK]", "who", ""], "holds '' twice"),
    "no special words": (["who", "is"], r"begins with \['who', 'is'\]"),
    "no unknown": (["", "who", "is"], r"begins with \['', 'who', 'is'\]"),
    "no words": (["", "[UNK]"], "a list without words"),
    "nothing": ([], r"begins with \[\]"),
    "a string": ("who", "'who'$"),
    "none": (None, "None$"),
    "bytes": (["", "[UNK]", b"who"], "holds b'who'"),
}


@pytest.mark.parametrize("case", NO_VOCABULARY)
def test_what_is_no_vocabulary_is_explained(case):
    words, message = NO_VOCABULARY[case]
    with pytest.raises(
        ValueError, match=f"Expected `vocabulary` .*Received: .*{message}"
    ):
        WordPreprocessor(words, 4)


@pytest.mark.parametrize("length", [0, -1, 2.5, "4", None])
def test_a_length_is_a_whole_number(length):
    message = f"`sequence_length` .*Received: sequence_length={length!r}$"
    with pytest.raises(ValueError, match=message):
        WordPreprocessor(VOCABULARY, length)
    assert WordPreprocessor(VOCABULARY, np.int64(4))(["who"]).shape == (1, 4)


# === Batches ===


def test_batches_of_a_dict_keep_examples_together():
    rng = np.random.default_rng(2)
    inputs = {
        "token_ids": rng.integers(0, 99, (11, 3)).astype("int32"),
        "padding_mask": np.arange(22, dtype="int32").reshape(11, 2),
    }
    labels = np.arange(11)

    def epochs(seed):
        dataset = batches(inputs, labels, 4, seed=seed)
        return [[(x, y.numpy()) for x, y in dataset] for _ in range(2)]

    plain, again = epochs(None)
    assert [y.tolist() for _, y in plain] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    assert [y.tolist() for _, y in again] == [y.tolist() for _, y in plain]
    first, second = epochs(7)
    orders = [np.concatenate([y for _, y in epoch]) for epoch in (first, second)]
    assert not np.array_equal(*orders)
    for epoch in (plain, first, second):
        assert [len(y) for _, y in epoch] == [4, 4, 3]
        assert sorted(label for _, y in epoch for label in y) == list(range(11))
        for x, y in epoch:
            assert set(x) == set(inputs)
            for name, values in x.items():
                assert values.dtype == "int32"
                np.testing.assert_array_equal(values, inputs[name][y])


def test_the_order_of_batches_does_not_depend_on_the_inputs():
    """So that methods of one seed see the same examples, whatever their encoders read."""
    labels = np.arange(20)
    orders = [
        np.concatenate([y for _, y in batches(inputs, labels, 3, seed=5)]).tolist()
        for inputs in (np.zeros((20, 2)), {"a": np.zeros((20, 4)), "b": np.ones(20)})
    ]
    assert orders[0] == orders[1] != labels.tolist()


@pytest.mark.parametrize(
    ("inputs", "count", "message"),
    [
        (np.zeros((4, 2)), 5, "4 examples with 5 labels"),
        (np.zeros((6, 2)), 5, "6 examples with 5 labels"),
        ({"a": np.zeros((5, 2)), "b": np.zeros((4, 2))}, 5, "4 and 5 examples with 5"),
    ],
)
def test_another_number_of_labels_than_examples_is_an_error(inputs, count, message):
    with pytest.raises(ValueError, match=f"one label for each.* Received: {message}"):
        batches(inputs, np.arange(count), 2)


@pytest.mark.parametrize("seed", [None, 3])
def test_no_examples_make_no_batches(seed):
    assert list(batches(np.zeros((0, 3)), np.zeros(0, int), 2, seed=seed)) == []
