"""Keeps TensorFlow's notes about the machine from who asked for something else.

While it is imported, TensorFlow logs on standard error which kernels it chose and which
drivers it did not find, whatever ``TF_CPP_MIN_LOG_LEVEL`` says. No Python can take that
back: the lines come from libraries as they are loaded. So they go through a process of
their own, this file run as a script, which passes on what is no such line; and all of it
where the import fails, even where it ends the program.
"""

import contextlib
import logging
import os
import re
import subprocess
import sys

# "I0000 00:00:1795782788.378745    5444 port.cc:153] oneDNN custom ...", the form of
# former versions, "2024-05-01 12:00:00.123456: I tensorflow/core/...", and what Abseil
# says of itself. A line of level F, after which the process dies, is none of them.
LOGGED = re.compile(
    rb"[IWE]\d{4} \d\d:\d\d:[\d.]+ |\d{4}-\d\d-\d\d [\d:.]+: [IWE] |"
    rb"WARNING: All log messages before absl::InitializeLog"
)
DONE = b"keras_amp: all is well\n"


def import_tensorflow():
    """Imports TensorFlow, whose notes are not shown if that succeeds."""
    with withheld():
        import tensorflow  # noqa: F401


def no_news_of_tracing():
    """Has TensorFlow not say that functions are traced anew: every run has its own.

    Its other warnings are shown.
    """
    logging.getLogger("tensorflow").addFilter(_is_news)


@contextlib.contextmanager
def withheld():
    """Withholds what libraries log on standard error within the block, unless it fails.

    Example:
    >>> from keras_amp.runtime.notes import withheld
    >>> with withheld():
    ...     import json
    """
    with contextlib.ExitStack() as stack:
        try:
            screen = os.dup(2)
            stack.callback(os.close, screen)
            reader = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=screen,
                start_new_session=True,  # Ctrl-C is not for it
            )
        except OSError:  # no standard error, or no process to be had: nothing is hidden
            yield
            return
        stack.callback(reader.wait)
        stack.callback(os.dup2, screen, 2)  # which closes the reader's input
        os.dup2(reader.stdin.fileno(), 2)
        reader.stdin.close()
        yield
        os.write(2, DONE)


def passed_on(lines):
    r"""Yields those of the lines that are to be shown, as they come.

    Args:
        lines: Iterable of bytes, what was written on standard error.

    Example:
    >>> from keras_amp.runtime.notes import DONE, passed_on
    >>> lines = [b"E0000 00:00:17.5 1 cuda.cc:52] failed call to cuInit\n", b"Ours\n"]
    >>> list(passed_on([*lines, DONE])), list(passed_on(lines)) == lines[::-1]
    ([b'Ours\n'], True)
    """
    notes = []
    for line in lines:
        if line == DONE:
            return
        if LOGGED.match(line):
            notes.append(line)
        else:
            yield line
    yield from notes


def _is_news(record):
    return "triggered tf.function retracing" not in record.getMessage()


if __name__ == "__main__":
    for shown in passed_on(sys.stdin.buffer):
        sys.stderr.buffer.write(shown)
        sys.stderr.buffer.flush()
