"""Texts with typos, and with words left out."""

import pytest
from scipy import stats

from keras_amp.data import drop_words, typos

TEXTS = [f"Who wrote the {i}th novel about don't-know-what , a x ?" for i in range(300)]


def one_edit_apart(word, other):
    """Whether a letter was left out, added, replaced or exchanged with the next."""
    for i in range(len(word) + 1):
        before, after = word[:i], word[i:]
        exchanged = before + after[1:2] + after[:1] + after[2:]
        added = before + word[i - 1 : i] + after
        if other in (before + after[1:], added, exchanged):
            return True
    differ = [a != b for a, b in zip(word, other, strict=False)]
    return len(word) == len(other) and sum(differ) <= 1


def test_a_typo_is_one_edit_of_a_word():
    pairs = [
        pair
        for text, changed in zip(TEXTS, typos(TEXTS, 0.3, seed=1), strict=True)
        for pair in zip(text.split(), changed.split(), strict=True)
    ]
    assert all(one_edit_apart(*pair) for pair in pairs)
    assert all(a == b for a, b in pairs if sum(c.isalpha() for c in a) < 2)
    kinds = {len(b) - len(a) for a, b in pairs}
    assert kinds == {-1, 0, 1}


def test_words_are_chosen_with_the_given_probability():
    words = ["novel"] * 50
    texts = [" ".join(words)] * 100
    left_out = sum(len(words) - len(t.split()) for t in drop_words(texts, 0.2, seed=3))
    assert stats.binomtest(left_out, 5000, 0.2).pvalue > 0.001
    misspelt = sum(w != "novel" for t in typos(texts, 0.2, seed=3) for w in t.split())
    assert stats.binomtest(misspelt, 5000, 0.2).pvalue > 0.001


@pytest.mark.parametrize("change", [typos, drop_words])
def test_a_text_is_changed_the_same_whatever_stands_around_it(change):
    all_of_them = change(TEXTS, 0.5, seed=2)
    assert change(TEXTS, 0.5, seed=2) == all_of_them
    assert change([TEXTS[0], "another", TEXTS[2]], 0.5, seed=2)[2] == all_of_them[2]
    assert change(TEXTS, 0.5, seed=4) != all_of_them
    assert change(TEXTS, 0) == tuple(TEXTS)


def test_a_text_keeps_one_word_at_least():
    assert all(len(text.split()) == 1 for text in drop_words(TEXTS, 1))
    assert drop_words(["", "a"], 1) == ("", "a")


@pytest.mark.parametrize("rate", [-0.1, 1.5, "much"])
def test_a_wrong_rate_is_explained(rate):
    with pytest.raises(ValueError, match="`rate`.*>= 0"):
        typos(TEXTS, rate)
