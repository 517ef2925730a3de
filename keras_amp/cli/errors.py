"""What the user got wrong is said in one paragraph, without a traceback."""

import contextlib
import sys

from rich.console import Console
from rich.text import Text


@contextlib.contextmanager
def user_errors():
    """Guards what depends on the user's arguments and files.

    A ``ValueError``, ``OSError`` or ``ImportError`` is printed on standard error and ends
    the program with status 2. Keep what else can go wrong outside: its traceback is
    needed.

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
        # Text, not markup: a message may hold square brackets. The terminal wraps the
        # lines, so that paths and commands can be copied whole.
        message = Text.assemble(("Error:", "red"), f" {error}")
        Console(stderr=True).print(message, soft_wrap=True)
        sys.exit(2)
