"""Texts as they come from people: with typos, and with words left out."""

from collections.abc import Callable, Iterable

import numpy as np

from keras_amp.validation import check_number

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def typos(texts: Iterable[str], rate: float = 0.1, seed: int = 0) -> tuple[str, ...]:
    """Misspell some words of each text.

    A misspelt word has one letter left out, doubled, replaced by another one, or
    exchanged with what follows, each with the same probability. Words without two letters
    stay as they are.

    Args:
        texts: Iterable of strings.
        rate: Float in [0, 1], the probability that a word is misspelt.
        seed: Integer >= 0; the same seed misspells the same words. What becomes of a text
            depends on its place, not on the texts around it.

    Returns:
        A tuple of strings, their words separated by single spaces.

    Raises:
        ValueError: If ``rate`` is not in its range.

    Example:
    >>> from keras_amp.data import typos
    >>> typos(["who wrote the first novel ?"], rate=0.5, seed=1)
    ('who wrote thee first novvel ?',)
    """
    return _changed(texts, rate, seed, _with_typo)


def drop_words(texts: Iterable[str], rate: float = 0.1, seed: int = 0) -> tuple[str, ...]:
    """Leave some words of each text out, but never all.

    Args:
        texts: Iterable of strings.
        rate: Float in [0, 1], the probability that a word is left out.
        seed: As ``typos``.

    Returns:
        A tuple of strings, their words separated by single spaces.

    Raises:
        ValueError: If ``rate`` is not in its range.

    Example:
    >>> from keras_amp.data import drop_words
    >>> drop_words(["who wrote the first novel ?"], rate=0.5, seed=1)
    ('who wrote first',)
    """
    return _changed(texts, rate, seed, lambda word, rng: "")


def _changed(
    texts: Iterable[str],
    rate: float,
    seed: int,
    change: Callable[[str, np.random.Generator], str],
) -> tuple[str, ...]:
    check_number("rate", rate, at_least=0, at_most=1)
    return tuple(
        _changed_text(text.split(), rate, np.random.default_rng([seed, place]), change)
        for place, text in enumerate(texts)
    )


def _changed_text(
    words: list[str],
    rate: float,
    rng: np.random.Generator,
    change: Callable[[str, np.random.Generator], str],
) -> str:
    chosen = rng.random(len(words)) < rate
    changed = [
        change(word, rng) if is_chosen else word
        for word, is_chosen in zip(words, chosen, strict=True)
    ]
    if words and not any(changed):
        kept = rng.integers(len(words))
        changed[kept] = words[kept]
    return " ".join(word for word in changed if word)


def _with_typo(word: str, rng: np.random.Generator) -> str:
    letters = [place for place, letter in enumerate(word) if letter.isalpha()]
    if len(letters) < 2:
        return word
    kind = rng.integers(4)
    # The last letter is exchanged with none.
    place = letters[rng.integers(len(letters) - (kind == 3))]
    letter, rest = word[place], word[place + 1 :]
    if kind == 0:
        return word[:place] + rest
    if kind == 1:
        return word[:place] + 2 * letter + rest
    if kind == 2:
        others = LETTERS.replace(letter.lower(), "")
        other = others[rng.integers(len(others))]
        return word[:place] + (other.upper() if letter.isupper() else other) + rest
    return word[:place] + rest[:1] + letter + rest[1:]
