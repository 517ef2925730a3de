"""What has to stand in the environment before TensorFlow is imported.

TensorFlow reads some variables once, while it is imported. ``keras_amp`` calls ``begin``
before that: in a program of its own the variables are set and TensorFlow's notes are
withheld, in one that merely uses the package nothing is done.
"""

import contextlib
import os
import sys
import time
from pathlib import Path

from keras_amp.runtime import notes

STARTED = time.perf_counter()  # when the package began to be imported
# What the package's own programs set where the user has not.
VARIABLES = {
    # oneDNN's kernels are on by default where a processor has AVX-512 and off where it
    # has not: the same run then has another result on another machine.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # Also of level "error" is what it says where there is no GPU. What fails is raised.
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
WORKER = "KERAS_AMP_WORKER"  # is set for the processes that a program starts
COMMAND = "keras-amp"
RECIPES = ("bert", "bilstm", "cnn", "grid")  # the scripts of the folder recipes/


def begin():
    """Sets ``VARIABLES`` if this is a program of the package, but none that is set.

    TensorFlow is then imported, without its notes unless the user has asked for them.
    """
    if WORKER in os.environ or is_program(sys.argv, sys.orig_argv):
        for name, value in VARIABLES.items():
            os.environ.setdefault(name, value)
        notes.no_news_of_tracing()
        if os.environ["TF_CPP_MIN_LOG_LEVEL"] == VARIABLES["TF_CPP_MIN_LOG_LEVEL"]:
            notes.import_tensorflow()


def is_program(arguments, original):
    """Whether a process runs ``keras-amp``, ``python -m keras_amp`` or a recipe.

    Args:
        arguments: List of strings, its ``sys.argv``.
        original: List of strings, its ``sys.orig_argv``.

    Example:
    >>> from keras_amp.runtime.process import is_program
    >>> is_program(["recipes/cnn.py", "--data", "trec"], []), is_program(["mine.py"], [])
    (True, False)
    """
    if arguments[:1] == ["-m"]:  # Python still looks for the module, named before them
        return original[-len(arguments)] == "keras_amp"
    script = Path(arguments[0] if arguments else "").absolute()
    if script.parent.name == "recipes" and script.suffix == ".py":
        return script.stem in RECIPES
    return script.stem == COMMAND  # on Windows keras-amp.exe


@contextlib.contextmanager
def variables(given=None):
    """Sets variables for the processes that are started in the block.

    They concern this process no more: its TensorFlow is there already.

    Args:
        given: Dict of strings, which take precedence over ``VARIABLES``; neither over
            what the user has set.

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
