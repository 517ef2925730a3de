"""``keras-amp train``, and the recipes' scripts: the same command lines."""

import shlex
import sys

from keras_amp.cli.compare import comparing
from keras_amp.cli.flags import command_line, start
from keras_amp.experiments import RECIPES

PROGRAM = "keras-amp"
DESCRIPTION = """Compares no mixing, mixup and the Adversarial Mixing Policy.

A recipe is a backbone with its settings, all of which flags can change. It goes from the
texts to a table of errors over several seeds, a folder with all that the runs came to,
and a report.

- keras-amp train cnn (the small data set that comes along)
- keras-amp train cnn --data trec --seeds 5
- keras-amp train bilstm --data mine.csv --mix word --policy amp --step-size 0.1
"""


def train(name, description, arguments=None):
    """Runs a recipe: ``keras-amp train <name>``, as a script of its own.

    Args:
        name: Name of one of ``keras_amp.experiments.RECIPES``.
        description: What the recipe reproduces, for ``--help``.
        arguments: List of command-line arguments; None for the program's own.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    app = command_line(None, description, version_flags=())
    app.default(_command(name, ["train", name, *arguments]))
    start(app, arguments)


def train_command(arguments):
    """Makes the command ``train``, with a command for each recipe.

    Args:
        arguments: List of the arguments of ``keras-amp``, for the runs' configuration.

    Returns:
        A ``cyclopts.App``.
    """
    app = command_line("train", DESCRIPTION, version_flags=(), sort_key=0)
    for place, (name, recipe) in enumerate(RECIPES.items()):
        run = _command(name, arguments)
        app.command(run, name=name, help=recipe.title, sort_key=place)
    return app


def _command(name, arguments):
    """The function behind a recipe's command line."""
    return comparing(RECIPES[name], shlex.join([PROGRAM, *arguments]))
