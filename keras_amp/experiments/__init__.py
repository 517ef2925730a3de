"""Comparing mixing methods: settings, one training path, results.

It imports everything but the command line, which imports it. It needs the extra
``keras-amp[experiments]``.
"""

from keras_amp.runtime.extras import require

require("experiments", "cyclopts", "pandas", "rich", "tensorboard")

from keras_amp.experiments.comparison import Comparison
from keras_amp.experiments.examples import Examples, prepare
from keras_amp.experiments.recipes import RECIPES, Recipe
from keras_amp.experiments.results import Result
from keras_amp.experiments.settings import Method, Settings, methods
from keras_amp.experiments.summary.frames import as_frame
from keras_amp.experiments.summary.means import summarize
from keras_amp.experiments.summary.methods import Results, markdown
from keras_amp.experiments.training import build_classifier, train

__all__ = [
    "RECIPES",
    "Comparison",
    "Examples",
    "Method",
    "Recipe",
    "Result",
    "Results",
    "Settings",
    "as_frame",
    "build_classifier",
    "markdown",
    "methods",
    "prepare",
    "summarize",
    "train",
]
