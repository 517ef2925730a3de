"""Where the time of a comparison goes, by part."""

import contextlib
import time

import keras

IMPORTS, DATA, TRACING, TRAINING = "imports", "data", "tracing", "training"
EVALUATION, WRITING, REPORT, OTHER = "evaluation", "writing", "report", "other"


class Times:
    """Counts the seconds of parts, of which one may interrupt another.

    A second counts for one part alone, the innermost; all together they are the time
    since the beginning.

    Args:
        begun: When the first part began, by ``time.perf_counter``; None for now.
        first: Name of what has been going on since.

    Attributes:
        seconds: Dict from the names of parts to their seconds.

    Example:
    >>> from keras_amp.experiments.times import Times
    >>> times = Times()
    >>> with times.part("training"), times.part("evaluation"):
    ...     pass
    >>> list(times.seconds)
    ['other', 'training', 'evaluation']
    """

    def __init__(self, begun=None, first=OTHER):
        now = time.perf_counter()
        self.seconds = {} if begun is None else {first: now - begun}
        self._open, self._since = [OTHER], now

    @contextlib.contextmanager
    def part(self, name):
        """Counts what happens in the block for this part."""
        self.begin(name)
        try:
            yield
        finally:
            self.end()

    def begin(self, name):
        """Begins a part; the one that it interrupts goes on after it."""
        self._count()
        self._open.append(name)

    def end(self):
        """Ends the part that began last."""
        self._count()
        self._open.pop()

    def line(self):
        """Returns the parts in a line, the longest first."""
        self._count()
        largest = sorted(self.seconds.items(), key=lambda item: -item[1])
        shown = [f"{name} {value:.0f}" for name, value in largest if value >= 0.5]
        return f"{sum(self.seconds.values()):.0f} s: {', '.join(shown)}"

    def _count(self):
        now = time.perf_counter()
        name = self._open[-1]
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now


class FitTimes(keras.callbacks.Callback):
    """Counts the time that ``fit`` spends on tracing, training and evaluating.

    The first step and the first evaluation of a model are those that are traced, and
    compiled where they are.

    Args:
        times: ``Times``.
    """

    def __init__(self, times):
        super().__init__()
        self.times, self._new = times, {TRAINING, EVALUATION}

    def on_train_batch_begin(self, batch, logs=None):
        """A step begins."""
        self._begin(TRAINING)

    def on_train_batch_end(self, batch, logs=None):
        """A step ends."""
        self.times.end()

    def on_test_begin(self, logs=None):
        """An evaluation begins."""
        self._begin(EVALUATION)

    def on_test_end(self, logs=None):
        """An evaluation ends."""
        self.times.end()

    def _begin(self, name):
        self.times.begin(TRACING if name in self._new else name)
        self._new.discard(name)
