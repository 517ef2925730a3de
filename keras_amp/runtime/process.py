"""Environment variables that must be set before TensorFlow is imported.

TensorFlow reads some variables once, while it is imported. ``keras_amp`` calls ``begin``
before that. In a program of the package it sets the variables and hides TensorFlow's
notes; in a program that only uses the package it does nothing.
"""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from keras_amp.runtime import notes

STARTED = time.perf_counter()  # when the import of the package began
# The package's own programs set these, unless the user has set them.
VARIABLES = {
    # By default oneDNN's kernels are used if the processor has AVX-512, so that the same
    # run has another result on another machine.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # That there is no GPU is logged with level "error", too. Failures raise exceptions.
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
WORKER = "KERAS_AMP_WORKER"  # set for the processes that a program starts
COMMAND = "keras-amp"
RECIPES = ("bert", "bilstm", "cnn", "grid")  # the scripts of the folder recipes/


def begin() -> None:
    """Set ``VARIABLES``, except those that are set, if this is a program of the package.

    TensorFlow is imported then. Its notes are hidden unless the user has asked for them.
    """
    if WORKER in os.environ or is_program(sys.argv, sys.orig_argv):
        for name, value in VARIABLES.items():
            os.environ.setdefault(name, value)
        notes.hide_tracing_warning()
        if os.environ["TF_CPP_MIN_LOG_LEVEL"] == VARIABLES["TF_CPP_MIN_LOG_LEVEL"]:
            notes.import_tensorflow()


def is_program(arguments: list[str], original: list[str]) -> bool:
    """Return whether a process runs ``keras-amp``, ``python -m keras_amp`` or a recipe.

    Args:
        arguments: List of strings, its ``sys.argv``.
        original: List of strings, its ``sys.orig_argv``.

    Example:
    >>> from keras_amp.runtime.process import is_program
    >>> is_program(["recipes/cnn.py", "--data", "trec"], []), is_program(["mine.py"], [])
    (True, False)
    """
    if arguments[:1] == ["-m"]:  # Python has not yet put the module's path there
        return original[-len(arguments)] == "keras_amp"
    script = Path(arguments[0] if arguments else "").absolute()
    if script.parent.name == "recipes" and script.suffix == ".py":
        return script.stem in RECIPES
    return script.stem == COMMAND  # on Windows keras-amp.exe


@contextlib.contextmanager
def variables(given: dict[str, str] | None = None) -> Iterator[None]:
    """Set variables for the processes that are started in the block.

    They have no effect on this process, which has imported TensorFlow already.

    Args:
        given: Dict of strings, which take precedence over ``VARIABLES``. Variables that
            the user has set are not changed.

    Example:
    >>> import os
    >>> from keras_amp.runtime.process import variables
    >>> with variables({"TF_CPP_MAX_VLOG_LEVEL": "0"}):
    ...     os.environ["TF_CPP_MAX_VLOG_LEVEL"]
    '0'
    >>> "TF_CPP_MAX_VLOG_LEVEL" in os.environ
    False
    """
    wanted = {WORKER: "1", **VARIABLES, **(given or {})}
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
