"""The choice of the epoch on the development set, by Keras callbacks."""

import math

import keras


def choosing(num_dev, patience):
    """Makes the callbacks that choose the epoch, the last one Keras' ``EarlyStopping``.

    The epoch with the least development error is chosen, of several the one with the
    least development loss.

    Args:
        num_dev: Integer, the development examples.
        patience: Integer, epochs without a better result after which training stops.

    Returns:
        A list of callbacks; empty without development examples.

    Example:
    >>> from keras_amp.experiments.choosing import choosing
    >>> [type(callback).__name__ for callback in choosing(10, 2)], choosing(0, 2)
    (['Choice', 'EarlyStopping'], [])
    """
    if not num_dev:
        return []
    return [
        Choice(num_dev),
        keras.callbacks.EarlyStopping(
            Choice.NAME, mode="max", patience=patience, restore_best_weights=True
        ),
    ]


class Choice(keras.callbacks.Callback):
    """Logs the quantity that the epoch is chosen by: the greater, the better.

    It is the development accuracy, less a part that is smaller than one example's share
    and grows with the development loss: the loss decides between equal errors.

    Args:
        num_dev: Integer, the development examples.
    """

    NAME = "val_choice"

    def __init__(self, num_dev):
        super().__init__()
        self.num_dev = num_dev

    def on_epoch_end(self, epoch, logs):
        """Combines the two."""
        loss = logs["val_loss"]
        part = loss / (1 + loss) if math.isfinite(loss) else 1.0  # in [0, 1]
        logs[self.NAME] = logs["val_accuracy"] - part / (2 * self.num_dev)


class Chosen:
    """The epoch of a seed that is trained beside others, chosen by the same callbacks.

    It stands for the model that these follow: it has no weights to keep or to restore.

    Args:
        num_dev: As ``choosing``.
        patience: As ``choosing``.

    Attributes:
        epochs: List of dicts, what the epochs before the end of the training logged.
        stop_training: Whether the seed's training has ended.

    Example:
    >>> from keras_amp.experiments.choosing import Chosen
    >>> chosen = Chosen(10, patience=1)
    >>> for accuracy in 0.5, 0.7, 0.6, 0.9:  # the last comes too late
    ...     better = chosen.ends(val_accuracy=accuracy, val_loss=1.0)
    >>> chosen.best, len(chosen.epochs), better
    (1, 3, False)
    """

    def __init__(self, num_dev, patience):
        self.epochs, self.stop_training = [], False
        self._callbacks = choosing(num_dev, patience)
        for callback in self._callbacks:
            callback.set_model(self)
            callback.on_train_begin()

    @property
    def best(self):
        """The chosen epoch, from 0; the last one without development examples."""
        return self._callbacks[-1].best_epoch if self._callbacks else self._last

    def ends(self, **logs):
        """Takes what an epoch logs; returns whether it is the best one so far."""
        if self.stop_training:
            return False
        self.epochs.append({"epoch": len(self.epochs), **logs})
        for callback in self._callbacks:
            callback.on_epoch_end(self._last, self.epochs[-1])
        return self.best == self._last

    def get_weights(self):
        """Returns what the callbacks keep of the weights: nothing."""
        return []

    @property
    def _last(self):
        return len(self.epochs) - 1
