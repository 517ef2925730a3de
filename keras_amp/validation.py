"""Checks of single values: each returns the value, or raises what was expected."""

import difflib
import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

Option = TypeVar("Option")

MEANINGS = ("keep", "hide", "select")  # what True means in a mask


def check_count(name: str, value: Any, least: int = 1) -> int:
    """Return the value of an argument as an integer, which it must be.

    Raises:
        ValueError: If it is no integer, or below ``least``.

    Example:
    >>> keras_amp.validation.check_count("every", 2)
    2
    """
    integral = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not integral or value < least:
        raise ValueError(
            f"Expected `{name}` to be an integer >= {least}. Received: {name}={value!r}"
        )
    return int(value)


def check_number(
    name: str,
    value: Any,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> float:
    """Return the value of an argument as a float, which must be finite.

    Args:
        name: The argument's name.
        value: The argument's value.
        above: It must be greater than this; None for no such bound.
        at_least: It must be this or more.
        at_most: It must be this or less.

    Raises:
        ValueError: If it is no number, or out of bounds.

    Example:
    >>> keras_amp.validation.check_number("probability", 1, at_least=0, at_most=1)
    1.0
    """
    bounds = {"> ": above, ">= ": at_least, "<= ": at_most}
    expected = " and ".join(f"{k}{v}" for k, v in bounds.items() if v is not None)
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    number = float(value) if is_number else math.nan
    inside = (
        math.isfinite(number)
        and (above is None or number > above)
        and (at_least is None or number >= at_least)
        and (at_most is None or number <= at_most)
    )
    if not inside:
        raise ValueError(
            f"Expected `{name}` to be a finite number {expected}. "
            f"Received: {name}={value!r}"
        )
    return number


def check_one_of(name: str, value: Option, options: Sequence[Any]) -> Option:
    """Return the value of an argument, which must be one of the options.

    Raises:
        ValueError: If it is no option, or of another type than the first one.

    Example:
    >>> keras_amp.validation.check_one_of("noise", "shared", ("shared", "independent"))
    'shared'
    """
    if not isinstance(value, type(options[0])) or value not in options:
        raise ValueError(
            f"Expected `{name}` to be one of {', '.join(map(repr, options))}. "
            f"Received: {name}={value!r}"
        )
    return value


def about_integers(dtype: str, rank: int) -> str:
    """Advise on integers that were to be mixed: images, token ids or flags.

    Args:
        dtype: Their dtype, as Keras names it.
        rank: Integer, the number of their axes, that of the batch included.

    Example:
    >>> keras_amp.validation.about_integers("bool", 2)
    'A weighted mean of two flags means nothing.'
    """
    if dtype == "bool":
        return "A weighted mean of two flags means nothing."
    if dtype in ("uint8", "uint16") or rank >= 4:
        return (
            "Images of whole numbers cannot hold their weighted mean. Mix behind the "
            "layer that scales them or casts them to floats, such as a Rescaling."
        )
    if rank == 3:
        return (
            "Whole numbers cannot hold their weighted mean. Mix images behind the layer "
            "that scales them or casts them to floats, token ids behind the layer that "
            "turns them into vectors (the embedding)."
        )
    return (
        "A weighted mean of two token ids means nothing. Mix behind the layer that turns "
        "ids into vectors (the embedding)."
    )


def foreign_library(model: object) -> str | None:
    """Return the name of the library, other than Keras 3, whose model this is.

    The modules of its class's ancestors tell, so that no library is imported.

    Args:
        model: Any object.

    Returns:
        A name such as ``"tf_keras (Keras 2)"``, or None.
    """
    libraries = {
        "tf_keras": "tf_keras (Keras 2, which `tf.keras` is with TF_USE_LEGACY_KERAS=1)",
        "tensorflow": "TensorFlow",
        "torch": "PyTorch",
        "flax": "Flax",
        "sklearn": "scikit-learn",
        "xgboost": "XGBoost",
        "lightgbm": "LightGBM",
        "transformers": "transformers",
    }
    modules = [ancestor.__module__.split(".")[0] for ancestor in type(model).__mro__]
    if "keras" in modules:
        return None
    return next((name for root, name in libraries.items() if root in modules), None)


def check_meanings(masks: Any) -> dict[str, str] | None:
    """Return ``masks`` as a dict from names to ``MEANINGS``, or None.

    Raises:
        TypeError: If it is neither a dict from strings nor None.
        ValueError: If a meaning is unknown.

    Example:
    >>> keras_amp.validation.check_meanings({"key_padding_mask": "hide"})
    {'key_padding_mask': 'hide'}
    """
    if masks is None:
        return None
    if not isinstance(masks, dict) or not all(isinstance(name, str) for name in masks):
        raise TypeError(
            "Expected `masks` to be a dict from names of layers or inputs to 'keep', "
            f"'hide' or 'select'. Received: masks={masks!r}"
        )
    return {
        name: check_one_of(f"masks[{name!r}]", meaning, MEANINGS)
        for name, meaning in masks.items()
    }


def did_you_mean(
    name: object,
    known: Iterable[str],
    most: int = 3,
    shown: Callable[[str], str] = repr,
) -> str:
    """Return a question whether a known name was meant, to be put behind an error.

    Args:
        name: The name that is unknown.
        known: Iterable of the names that there are.
        most: Integer, how many of them are named at most.
        shown: Callable from a name to how the question writes it.

    Returns:
        A string that begins with a space; an empty one if no known name is like it.

    Example:
    >>> keras_amp.validation.did_you_mean("trek", ["trec", "subj"])
    " Did you mean 'trec'?"
    """
    near = difflib.get_close_matches(str(name), list(known), n=most)
    return f" Did you mean {' or '.join(map(shown, near))}?" if near else ""
