"""The command ``keras-amp``, and the command lines of the recipes.

Each file is a command; ``flags`` and ``errors`` are what they share. It imports anything
of the package; only the recipes import it.
"""

# First, as it says what to install where a package is missing.
import keras_amp.experiments  # noqa: F401  isort: skip

import sys

from keras_amp.cli.curve import curve
from keras_amp.cli.data import data
from keras_amp.cli.flags import command_line, start
from keras_amp.cli.grid import grid
from keras_amp.cli.predict import predict
from keras_amp.cli.report import report
from keras_amp.cli.search import search
from keras_amp.cli.table import table
from keras_amp.cli.train import PROGRAM, train, train_command
from keras_amp.version import __version__

__all__ = ["application", "main", "train"]

DESCRIPTION = """Mixup for text classifiers, with the Adversarial Mixing Policy.

`train` compares methods of mixing, `search` finds out which helps on your data, `grid`
runs whole tables of settings, `report`, `table` and `curve` show what came out, `predict`
uses a trained run on new texts, `data` describes the data sets.
"""


def application(arguments=()):
    """Makes the application that reads the command line of ``keras-amp``.

    Args:
        arguments: List of the arguments, which a run notes in its configuration.

    Returns:
        A ``cyclopts.App``.
    """
    app = command_line(PROGRAM, DESCRIPTION, version=__version__)
    app.command(train_command(arguments))
    for place, function in enumerate(
        (search, grid, table, report, curve, predict, data), 1
    ):
        app.command(function, sort_key=place)
    return app


def main(arguments=None):
    """Runs ``keras-amp``.

    Args:
        arguments: List of command-line arguments; None for the program's own.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    start(application(arguments), arguments)
