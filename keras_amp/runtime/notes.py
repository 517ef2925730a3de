"""Hides the notes that TensorFlow writes on standard error while it is imported.

They say which kernels TensorFlow chose and which drivers it did not find, whatever
``TF_CPP_MIN_LOG_LEVEL`` is. Native libraries write them while they are loaded, so that
nothing in Python can stop them. So standard error is sent through another process, which
runs this file as a script and passes on every line that is not such a note. It passes on
all lines if the import fails, even if it ends the program.
"""

import contextlib
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator

# "I0000 00:00:1795782788.378745    5444 port.cc:153] oneDNN custom ..."; in earlier
# versions "2024-05-01 12:00:00.123456: I tensorflow/core/..."; and a line of Abseil about
# its log. A line of level F, after which the process dies, is not a note.
LOGGED = re.compile(
    rb"[IWE]\d{4} \d\d:\d\d:[\d.]+ |\d{4}-\d\d-\d\d [\d:.]+: [IWE] |"
    rb"WARNING: All log messages before absl::InitializeLog"
)
DONE = b"keras_amp: all is well\n"


def import_tensorflow() -> None:
    """Import TensorFlow, and hide its notes if that succeeds."""
    with hidden_notes():
        import tensorflow  # noqa: F401


def hide_tracing_warning() -> None:
    """Hide TensorFlow's warning that functions are traced again, which each run does.

    Its other warnings are shown.
    """
    logging.getLogger("tensorflow").addFilter(_is_not_about_tracing)


@contextlib.contextmanager
def hidden_notes() -> Iterator[None]:
    """Hide what libraries log on standard error within the block, unless it fails.

    Example:
    >>> from keras_amp.runtime.notes import hidden_notes
    >>> with hidden_notes():
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
                start_new_session=True,  # so that Ctrl-C does not end it
            )
        except OSError:  # no standard error, or no further process: nothing is hidden
            yield
            return
        stack.callback(reader.wait)
        assert reader.stdin is not None
        stack.callback(os.dup2, screen, 2)  # which ends the reader's input
        assert reader.stdin is not None  # a pipe was asked for
        os.dup2(reader.stdin.fileno(), 2)
        reader.stdin.close()
        yield
        os.write(2, DONE)


def without_notes(lines: Iterable[bytes]) -> Iterator[bytes]:
    r"""Yield the lines that are shown, as soon as they are known to be.

    Args:
        lines: Iterable of bytes, the lines that were written on standard error.

    Example:
    >>> from keras_amp.runtime.notes import DONE, without_notes
    >>> lines = [b"E0000 00:00:17.5 1 cuda.cc:52] failed call to cuInit\n", b"Ours\n"]
    >>> list(without_notes([*lines, DONE])), list(without_notes(lines)) == lines[::-1]
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


def _is_not_about_tracing(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()


if __name__ == "__main__":
    for shown in without_notes(sys.stdin.buffer):
        sys.stderr.buffer.write(shown)
        sys.stderr.buffer.flush()
