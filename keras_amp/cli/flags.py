"""How flags behave on all command lines."""

import sys

from cyclopts import App, Group, Parameter

from keras_amp.cli.errors import error_text, user_errors

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
        **arguments,
    )


def start(app, arguments):
    """Runs an application, and ends the program.

    What is wrong with the arguments is said in one paragraph, with status 2; so is what
    the classes that they make find wrong with a value. Ctrl-C ends with status 130.
    Other errors keep their traceback.

    Args:
        app: ``cyclopts.App``.
        arguments: List of command-line arguments; None for the program's own.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        with user_errors():
            command, bound, _ = app.parse_args(arguments)
        command(*bound.args, **bound.kwargs)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def flattened(title, about=""):
    """The fields of a class as flags of their own, in a panel of the help page.

    Args:
        title: The panel's title.
        about: What it says above the flags.
    """
    return Parameter(name="*", group=Group(title, about))
