"""The most memory that a piece of work takes."""

import os
import threading
from pathlib import Path

_STATUS = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Peak:
    """Watches how much the process grows while a block runs.

    A thread looks every two milliseconds, as the kernel's own high-water mark also counts
    what came before.

    Attributes:
        mib: MiB, the largest size seen less that at the beginning.
    """

    def __enter__(self):
        """Begins to watch."""
        self.mib, self._start = 0.0, _resident()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error):
        """Ends."""
        self._done.set()
        self._thread.join()

    def _watch(self):
        while not self._done.wait(0.002):
            self.mib = max(self.mib, (_resident() - self._start) / 2**20)


def _resident():
    """Bytes of the process in memory."""
    return int(_STATUS.read_text().split()[1]) * _PAGE
