"""How flags behave on all command lines."""

from cyclopts import App, Parameter

from keras_amp.cli.errors import error_text

# `--mix word sentence`, and no `--empty-mix`.
SEVERAL = Parameter(consume_multiple=True, negative_iterable=())


def command_line(name, description, **arguments):
    """Makes the application that reads a command line.

    Args:
        name: The command's name, as it is called; None for the running script's.
        description: What it is for, for ``--help``.
        **arguments: Arguments of ``cyclopts.App``.

    Returns:
        A ``cyclopts.App``, which ends with status 2 and one paragraph where a flag or its
        value is wrong.
    """
    return App(
        name,
        help=description,
        default_parameter=SEVERAL,
        error_formatter=error_text,
        suppress_keyboard_interrupt=True,  # ends with status 130, without a traceback
        **arguments,
    )


def flattened(title):
    """The fields of a class as flags of their own, in a panel of the help page."""
    return Parameter(name="*", group=title)
