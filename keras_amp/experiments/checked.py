"""Data classes whose values Pydantic checks, with errors in the package's words."""

import dataclasses
import functools
import typing
from typing import Annotated, Literal, dataclass_transform

import pydantic
from pydantic import ConfigDict, Field, ValidationError

from keras_amp.validation import did_you_mean

# A text beside a type's bounds is what an error says was expected.
Count = Annotated[int, Field(ge=1), "to be an integer >= 1"]
Whole = Annotated[int, Field(ge=0), "to be an integer >= 0"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), "to be a finite number > 0"]
NotNegative = Annotated[
    float, Field(ge=0, allow_inf_nan=False), "to be a finite number >= 0"
]
NAMES = {bool: "True or False", int: "an integer", float: "a number", str: "a string"}


@dataclass_transform(kw_only_default=True, frozen_default=True)
def checked(cls):
    """Makes a frozen data class of keyword arguments whose values are checked.

    Types are strict: neither ``"3"`` nor ``True`` is an integer. Every value stays as it
    was given: an integer where a float is expected is not converted, so that the text of
    a configuration, and with it the key of a cell, does not change. ``given`` holds the
    names of the arguments that were passed.

    Args:
        cls: A class with annotated attributes.

    Returns:
        The data class. It raises ``ValueError`` for a value of another type or outside
        its bounds, and for an unknown name.

    Example:
    >>> from keras_amp.experiments.checked import Count, checked
    >>> Size = checked(type("Size", (), {"__annotations__": {"width": Count}}))
    >>> Size(width=0)
    Traceback (most recent call last):
    ValueError: Expected `width` to be an integer >= 1. Received: width=0
    >>> Size(widht=1)
    Traceback (most recent call last):
    ValueError: Expected the name of a setting. Received: widht. Did you mean 'width'?
    """
    own_repr = cls.__repr__ is not object.__repr__
    made = dataclasses.dataclass(frozen=True, kw_only=True, repr=not own_repr)(cls)
    # Pydantic's is a subclass. Cyclopts hands Pydantic's own classes texts, whose types
    # they would have to guess; to others it hands values.
    config = ConfigDict(extra="forbid", strict=True)
    checking = pydantic.dataclasses.dataclass(
        made, frozen=True, kw_only=True, config=config
    )
    construct = made.__init__

    @functools.wraps(construct)
    def __init__(self, **values):  # noqa: N807
        try:
            checking(**values)
        except ValidationError as error:
            raise ValueError(_explained(error, made, values)) from None
        construct(self, **values)
        object.__setattr__(self, "given", frozenset(values))

    made.__init__ = __init__
    return made


def _explained(error, cls, values):
    """The first of the errors that Pydantic found, as one sentence."""
    errors = error.errors(include_url=False)
    unknown = [e for e in errors if e["type"] == "unexpected_keyword_argument"]
    first = (unknown or errors)[0]
    if first["type"] == "value_error":  # raised by a check of the class's own
        return str(first["ctx"]["error"])
    name = first["loc"][0]
    if unknown:
        hint = did_you_mean(name, [field.name for field in dataclasses.fields(cls)])
        return f"Expected the name of a setting. Received: {name}.{hint}"
    if first["type"] == "missing":
        return f"Expected a value of `{name}`. Received: none."
    expected = expectation(typing.get_type_hints(cls, include_extras=True)[name])
    return f"Expected `{name}` {expected}. Received: {name}={values[name]!r}"


def expectation(annotation):
    """Returns in words what an annotation asks for.

    Example:
    >>> from typing import Literal
    >>> from keras_amp.experiments.checked import Count, expectation
    >>> expectation(Count | Literal["auto"] | None)
    "to be an integer >= 1 or 'auto'"
    """
    arguments = typing.get_args(annotation)
    texts = [a for a in arguments if isinstance(a, str)]
    if typing.get_origin(annotation) is Literal:
        several = "one of " if len(arguments) > 1 else ""
        return f"to be {several}{', '.join(map(repr, arguments))}"
    if typing.get_origin(annotation) is Annotated:
        return texts[0] if texts else expectation(arguments[0])
    kinds = [a for a in arguments if a is not type(None)]
    if kinds and typing.get_origin(annotation) is not tuple:
        first, *others = [expectation(kind) for kind in kinds]
        return " or ".join([first, *(o.removeprefix("to be ") for o in others)])
    return f"to be {NAMES.get(annotation, annotation)}"
