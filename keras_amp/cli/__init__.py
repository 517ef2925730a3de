"""The command lines of the recipes and of ``keras-amp``."""

# First, as it says what to install where a package is missing.
import keras_amp.experiments  # noqa: F401  isort: skip

from cyclopts import App

from keras_amp.cli.compare import compare
from keras_amp.cli.data import data
from keras_amp.cli.flags import SEVERAL
from keras_amp.cli.predict import predict
from keras_amp.version import __version__

__all__ = ["compare", "main"]


def main(arguments=None):
    """Runs ``keras-amp``.

    Args:
        arguments: List of command-line arguments; None for the program's own.
    """
    app = App(
        "keras-amp",
        help="Data sets and trained runs of keras_amp. The recipes train.",
        version=__version__,
        default_parameter=SEVERAL,
    )
    app.command(data)
    app.command(predict)
    app(arguments)
