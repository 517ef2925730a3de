"""What a search has decided, once for all processes that work on it."""

import json
import os
import uuid
from pathlib import Path

from keras_amp.runs import intact, read_json


class Decisions:
    """Values that are decided once: whoever comes first decides, the others read it.

    Args:
        folder: Path of the folder that holds a file for each, made with the first one.

    Example:
    >>> from keras_amp.experiments.search.decisions import Decisions
    >>> first, second = Decisions("decided"), Decisions("decided")
    >>> first.once("seeds", lambda: 8), second.once("seeds", lambda: 5)
    (8, 8)
    """

    def __init__(self, folder):
        self.folder, self._known = Path(folder), {}

    def once(self, name, decide):
        """Returns what has been decided under a name.

        Args:
            name: The name.
            decide: Callable that returns what is decided now, where nothing is yet.
        """
        if self.get(name) is None:
            self._write(name, decide())
        return self.get(name)

    def get(self, name):
        """Returns what has been decided under a name; None where nothing is."""
        path = self.folder / f"{name}.json"
        if name not in self._known and path.is_file():
            self._known[name] = intact(path, read_json)
        return self._known.get(name)

    def _write(self, name, value):
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f".{name}.{uuid.uuid4().hex}.partial"
        try:
            partial.write_text(json.dumps(value, indent=2) + "\n", "utf-8")
            os.link(partial, self.folder / f"{name}.json")  # whole, or somebody else's
        except FileExistsError:
            pass
        finally:
            partial.unlink(missing_ok=True)
