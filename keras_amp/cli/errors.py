"""Prints mistakes of the user in one paragraph, without a traceback."""

import contextlib
import sys

from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from keras_amp.experiments.checked import expectation


@contextlib.contextmanager
def user_errors():
    """Guards what depends on the user's arguments and files.

    A ``ValueError``, ``OSError`` or ``ImportError`` is printed on standard error and ends
    the program with status 2. Keep code that can fail for other reasons outside: its
    traceback is needed.

    Example:
    >>> from keras_amp.cli.errors import user_errors
    >>> with user_errors():
    ...     keras_amp.data.load("trek")
    Traceback (most recent call last):
    SystemExit: 2
    """
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        say_error(error)
        sys.exit(2)


def say_error(error):
    """Prints what went wrong on standard error.

    Args:
        error: An exception, or a string.
    """
    # The terminal wraps the lines, so that paths and commands can be copied whole.
    Console(stderr=True).print(error_text(error), soft_wrap=True)


def error_text(error):
    """Returns what went wrong as a ``rich.text.Text``.

    Args:
        error: An exception, or a string.
    """
    cause = getattr(error, "__cause__", None)
    if isinstance(cause, ValidationError):  # a flag's value is outside its bounds
        name = error.argument.name.removeprefix("--").replace("-", "_")
        expected = expectation(error.argument.field_info.annotation)
        received = cause.errors()[0]["input"]
        error = f"Expected `{name}` {expected}. Received: {name}={received!r}"
    # Text, not markup: a message may hold square brackets.
    return Text.assemble(("Error:", "red"), f" {error}")
