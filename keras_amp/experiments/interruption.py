"""A handler of Ctrl-C that no finalizer can swallow."""

import signal
import threading

import keras


class Interruption(keras.callbacks.Callback):
    """Ends a training on Ctrl-C, whenever it is pressed.

    Python reports what a finalizer raises and goes on. A process that trains one model
    after the other spends much of its time in finalizers, as ``clear_session`` collects
    what the last model left, and a KeyboardInterrupt that is raised there is ignored. As
    a context manager this remembers it; as a callback it raises it again before the next
    batch.

    Only the main thread receives signals; elsewhere, and where the program has a handler
    of its own, this does nothing.

    Example:
    >>> from keras_amp.experiments.interruption import Interruption
    >>> with Interruption() as interruption:
    ...     interruption.check()
    """

    def __init__(self):
        super().__init__()
        self.came = False

    def __enter__(self):
        default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if default and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._remember)
        return self

    def __exit__(self, *error):
        if signal.getsignal(signal.SIGINT) == self._remember:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def check(self):
        """Raises KeyboardInterrupt if there was one."""
        if self.came:
            raise KeyboardInterrupt

    def on_train_batch_begin(self, batch, logs=None):
        """Raises KeyboardInterrupt if there was one."""
        self.check()

    on_test_batch_begin = on_train_batch_begin

    def _remember(self, *received):
        self.came = True
        signal.default_int_handler(*received)
