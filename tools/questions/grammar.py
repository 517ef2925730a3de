"""The grammar of ``questions``: it fills templates at random.

The notation of ``templates.py`` and ``words.py``:

- ``{role}`` is a slot. One of the fillers of "role" takes its place. A filler may hold
  slots itself. A question uses no filler twice.
- ``[which|what]`` is a choice between two words. An empty alternative stands for nothing.
- ``{take.past}`` and ``{take.done}`` are the second and the third form of the verb.
- ``a`` becomes "an" before a vowel sound.
- What follows ``//`` is rare: it is seldom drawn in train, and more often in test.
"""

import pathlib
import random
import re

from tools.questions.templates import TEMPLATES
from tools.questions.words import FILLERS

SEED = 2021

# Questions per class.
TRAIN_COUNTS = {
    "person": 218,
    "place": 207,
    "time": 193,
    "number": 204,
    "thing": 231,
    "reason": 147,
}
TEST_COUNTS = {
    "person": 54,
    "place": 51,
    "time": 47,
    "number": 52,
    "thing": 58,
    "reason": 38,
}
CLASS_NAMES = tuple(TRAIN_COUNTS)

# The share of the draws, of a template or a filler, that take a rare one.
RARE_SHARE = {"train": 0.03, "test": 0.08}

# Of a question; commas and the closing mark count as words.
MIN_WORDS = 4
MAX_WORDS = 18

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)(?:\.(\w+))?\}")
_VERB = re.compile(r"(\w+)~(\w+)(?:~(\w+))?")
_VERB_FORMS = {"past": 2, "done": 3}
_AN = re.compile(r"\b([Aa]) (?=[aeio]|u(?!ni)|hour)")


def _common_and_rare(listing, separators):
    """Split a listing into its common and its rare entries."""
    return tuple(
        [entry.strip() for entry in re.split(separators, part) if entry.strip()]
        for part in listing.partition("//")[::2]
    )


_TEMPLATES = {label: _common_and_rare(text, r"\n") for label, text in TEMPLATES.items()}
_FILLERS = {slot: _common_and_rare(text, r"[,\n]") for slot, text in FILLERS.items()}


def _pick(sequence, rng):
    # Only `random` promises the same numbers for a seed in every version of Python.
    return sequence[int(rng.random() * len(sequence))]


def _pick_common_or_rare(common, rare, rng, rare_share):
    return _pick(rare if rare and rng.random() < rare_share else common, rng)


def expand(template, rng, rare_share=0.0):
    """Fill the slots of a template at random.

    Args:
        template: String in the notation of the module's docstring.
        rng: A ``random.Random``.
        rare_share: Float in [0, 1], the probability that a rare filler is drawn.

    Returns:
        The question, with single spaces between its words.

    Example:
    >>> from tools.questions.grammar import expand
    >>> expand("name a [owl|emu] that {take.past} nothing .", random.Random(3))
    'Name an owl that stole nothing .'
    """
    used = set()

    def fill(text):
        while _CHOICE.search(text):
            text = _CHOICE.sub(lambda match: _pick(match[1].split("|"), rng), text)
        return _SLOT.sub(fill_slot, text)

    def fill_slot(match):
        slot, form = match.groups()
        common, rare = (
            [filler for filler in fillers if filler not in used]
            for fillers in _FILLERS[slot]
        )
        filler = _pick_common_or_rare(common, rare, rng, rare_share)
        used.add(filler)
        return conjugate(fill(filler), form) if form else fill(filler)

    text = " ".join(conjugate(fill(template)).split())
    return _AN.sub(r"\1n ", text[0].upper() + text[1:])


def conjugate(text, form=None):
    """Choose one form of each verb that still has all its forms, ``steal~stole``.

    Args:
        text: String.
        form: "past", "done", or None for the first form.

    Returns:
        The text with that form in the verbs' places.
    """
    return _VERB.sub(lambda match: match[_VERB_FORMS.get(form, 1)], text)


def sample(counts, rng, rare_share, exclude=()):
    """Draw distinct questions.

    Args:
        counts: Dict from class name to the number of questions.
        rng: A ``random.Random``.
        rare_share: Float in [0, 1], the probability that a draw, of a template or of a
            filler, takes a rare one.
        exclude: Questions that must not be drawn.

    Returns:
        A list of ``(label, text)`` in random order.
    """
    seen = set(exclude)
    rows = []
    for label, count in counts.items():
        for _ in range(count):
            text = _sample_new(label, rng, rare_share, seen)
            seen.add(text)
            rows.append((label, text))
    return sorted(rows, key=lambda _: rng.random())


def _sample_new(label, rng, rare_share, seen):
    while True:
        template = _pick_common_or_rare(*_TEMPLATES[label], rng, rare_share)
        text = expand(template, rng, rare_share)
        if text not in seen and MIN_WORDS <= len(text.split()) <= MAX_WORDS:
            return text


def generate(seed=SEED):
    """Generate both splits of the data set.

    Args:
        seed: Integer.

    Returns:
        A dict from "train" and "test" to lists of ``(label, text)``.
    """
    rng = random.Random(seed)
    train = sample(TRAIN_COUNTS, rng, RARE_SHARE["train"])
    train_texts = [text for _, text in train]
    test = sample(TEST_COUNTS, rng, RARE_SHARE["test"], exclude=train_texts)
    return {"train": train, "test": test}


def write(folder, seed=SEED):
    """Write ``train.tsv`` and ``test.tsv``; each line is a label, a tab and a question.

    Args:
        folder: Path of an existing folder.
        seed: Integer.
    """
    for split, rows in generate(seed).items():
        lines = "".join(f"{label}\t{text}\n" for label, text in rows)
        (pathlib.Path(folder) / f"{split}.tsv").write_bytes(lines.encode())
