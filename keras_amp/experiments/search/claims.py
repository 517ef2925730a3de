"""Claims: which process runs a cell, where several work on one search."""

import contextlib
import json
import os
import socket
import threading
import time
from pathlib import Path

BEAT = 15.0  # seconds after which a process says anew that it is alive
STALE = 8 * BEAT  # seconds after which one that does not is given up


class Claims:
    """Files that say who runs a cell, each made by one process alone.

    A claim is left by a process of this machine that has ended, or by one of another
    machine that has not been heard of for ``STALE`` seconds: then it is taken over.
    Should two take it over at once, both run the cell, whose record is the same.

    As a context manager it gives back at the end what it holds.

    Args:
        folder: Path of the folder of claims, made with the first one.

    Example:
    >>> from keras_amp.experiments.search.claims import Claims
    >>> with Claims("one") as one, Claims("one") as other:
    ...     one.take("cell"), other.take("cell"), one.give_back("cell")
    (True, False, None)
    """

    def __init__(self, folder):
        self.folder, self.held = Path(folder), set()
        self._ended = threading.Event()
        self._alive = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._ended.set()
        for key in list(self.held):
            self.give_back(key)

    def take(self, key):
        """Claims a cell; returns whether it is this process's now.

        Args:
            key: The cell's key.
        """
        path = self._path(key)
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._made(path) and not (self._take_over(path) and self._made(path)):
            return False
        self.held.add(key)
        if self._alive is None:
            self._alive = threading.Thread(target=self._beat, daemon=True)
            self._alive.start()
        return True

    def give_back(self, key):
        """Ends a claim of this process, if it has one."""
        if key in self.held:
            self.held.discard(key)
            self._path(key).unlink(missing_ok=True)

    def _path(self, key):
        return self.folder / f"{key}.json"

    def _made(self, path):
        try:
            with open(path, "x", encoding="utf-8") as file:
                json.dump({"host": socket.gethostname(), "process": os.getpid()}, file)
        except FileExistsError:
            return False
        return True

    def _take_over(self, path):
        """Removes a claim that is left; returns whether it was."""
        try:
            seen = path.stat().st_mtime
            owner = json.loads(path.read_text("utf-8"))
            left = _is_left(owner, seen)
        except FileNotFoundError:
            return True
        except ValueError:  # it is just being written
            left = time.time() - seen > STALE
        if not left:
            return False
        aside = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")
        with contextlib.suppress(FileNotFoundError):
            os.replace(path, aside)  # of several processes one finds it there
            aside.unlink()
        return True

    def _beat(self):
        while not self._ended.wait(BEAT):
            for key in list(self.held):
                with contextlib.suppress(FileNotFoundError):
                    os.utime(self._path(key))


def _is_left(owner, seen):
    if owner["host"] != socket.gethostname():
        return time.time() - seen > STALE
    try:
        os.kill(owner["process"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # somebody else's, which is there
        return False
    return False
