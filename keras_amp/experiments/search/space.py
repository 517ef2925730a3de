"""What a search tries: the ranges of all arguments, and the methods in their order."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from keras_amp.experiments.settings import Method

DIGITS = 3  # significant ones of a value that is tried


class Range(NamedTuple):
    """Numbers from ``low`` to ``high``, by their logarithms where ``log``.

    Example:
    >>> from keras_amp.experiments.search.space import Range
    >>> Range(0.1, 0.7)
    Range(low=0.1, high=0.7, log=False)
    """

    low: float
    high: float
    log: bool = False


# A tuple, in the place of a range, lists the values themselves.
Space = Mapping[str, Range | tuple[Any, ...]]

# What every method is tried with, no mixing included.
TRAINING: Mapping[str, Space] = MappingProxyType(
    {
        "cnn": {"learning_rate": Range(2e-4, 1e-2, True), "dropout": Range(0.1, 0.7)},
        "bilstm": {"learning_rate": Range(2e-4, 5e-3, True), "dropout": Range(0.1, 0.7)},
        "bert": {"learning_rate": Range(5e-6, 1e-4, True), "dropout": Range(0.0, 0.4)},
    }
)
ALPHA = Range(0.1, 4.0, True)
STEP = {"alpha": ALPHA, "step_size": Range(0.002, 1.0, True)}
HIDDEN = {"radius": Range(0.1, 10.0, True), "weight": Range(0.2, 3.0, True)}
# What each policy is tried with besides: its own two or three arguments, by the names
# that command lines and grids have for them. The policies stand in the order in which
# they are tried where the budget does not hold all: ablations and controls last.
POLICIES: Mapping[str, Space] = MappingProxyType(
    {
        "mixup": {"alpha": ALPHA, "probability": Range(0.3, 1.0)},
        "amp": {**STEP, "step_per": ("example", "dimension")},
        "rdrop": {"weight": Range(0.1, 5.0, True)},
        "regmixup": {
            "regmixup_alpha": Range(0.5, 20.0, True),
            "weight": Range(0.2, 3.0, True),
        },
        "adversarial": HIDDEN,
        "vat": HIDDEN,
        "cutmix": {"alpha": ALPHA, "probability": Range(0.3, 1.0)},
        "maxop": STEP,
        "random": HIDDEN,
        "program": STEP,
    }
)
# The time of a step, in those without mixing, until it is measured.
COST: Mapping[str | None, float] = MappingProxyType(
    {
        None: 1.0,
        "mixup": 1.1,
        "amp": 1.7,
        "rdrop": 2.0,
        "regmixup": 1.8,
        "adversarial": 2.0,
        "vat": 2.2,
        "cutmix": 1.2,
        "maxop": 1.5,
        "random": 1.8,
        "program": 1.7,
    }
)
# Policies that are the same wherever they are, or need words to take a span of.
WORDS_ALONE = ("rdrop", "cutmix")


def methods_to_try(mix=("word", "sentence"), policy=tuple(POLICIES)):
    """Returns no mixing, and each policy at each place, in the order of ``POLICIES``.

    Args:
        mix: Sequence of places: ``"word"``, ``"sentence"``, ``"random"``. ``"none"``
            may be among them; no mixing is tried in any case.
        policy: Sequence of names of policies.

    Returns:
        A list of ``Method``s.

    Raises:
        ValueError: If there is none besides no mixing.

    Example:
    >>> from keras_amp.experiments.search.space import methods_to_try
    >>> [method.name for method in methods_to_try(policy=("mixup", "cutmix"))]
    ['none', 'WordMixup', 'SentMixup', 'WordCutMix']
    """
    found = [
        Method(place, name)
        for name in POLICIES
        if name in policy
        for place in dict.fromkeys(mix)
        if place == "word" or (place != "none" and name not in WORDS_ALONE)
    ]
    if not found:
        raise ValueError(
            "Expected a place and a policy to be tried there; rdrop and cutmix are tried "
            f"at the words alone. Received: mix={' '.join(mix)}, "
            f"policy={' '.join(policy)}"
        )
    return [Method("none"), *found]


def space_of(policy, training):
    """Returns what a method is tried with.

    Args:
        policy: Name of its policy, or None.
        training: ``Space`` that all methods share.

    Example:
    >>> from keras_amp.experiments.search.space import TRAINING, space_of
    >>> list(space_of("rdrop", TRAINING["cnn"]))
    ['learning_rate', 'dropout', 'weight']
    """
    own = {} if policy is None else POLICIES[policy]
    clash = [name for name in training if name in own]
    if clash:
        raise ValueError(
            "Expected names in `space` that no policy has for an argument of its own. "
            f"Received: {', '.join(clash)}, which {policy} has."
        )
    return {**training, **own}


def within(space, values):
    """Returns values moved into their ranges, and with ``DIGITS`` digits.

    Example:
    >>> from keras_amp.experiments.search.space import Range, within
    >>> within({"dropout": Range(0.1, 0.7)}, {"dropout": 0.0512345})
    {'dropout': 0.1}
    """
    return {name: _within(space[name], values[name]) for name in space}


def _within(bounds, value):
    if not isinstance(bounds, Range):
        return value if value in bounds else bounds[0]
    value = min(max(value, bounds.low), bounds.high)
    if isinstance(bounds.low, int) and isinstance(bounds.high, int):
        return round(value)
    rounded = float(f"{value:.{DIGITS}g}")
    return rounded if bounds.low <= rounded <= bounds.high else float(value)


def middle(bounds):
    """Returns the middle of a range, or the first of several values.

    Example:
    >>> from keras_amp.experiments.search.space import Range, middle
    >>> round(middle(Range(0.01, 1.0, log=True)), 3), middle((16, 32))
    (0.1, 16)
    """
    if not isinstance(bounds, Range):
        return bounds[0]
    if bounds.log:
        return math.sqrt(bounds.low * bounds.high)
    return (bounds.low + bounds.high) / 2
