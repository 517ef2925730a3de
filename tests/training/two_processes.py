"""A program that trains in two processes, the second of which kills itself."""

import os
import signal
import sys
import time
import traceback
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import keras_amp

X = np.random.default_rng(0).normal(size=(24, 6)).astype("float32")
Y = np.arange(24) % 3
EPOCHS, NOTED, KILLED_IN = 4, 1, 2


def made():
    """A network with batch statistics and dropout, which draws as it is seeded."""
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(8, "relu", name="hidden"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3, seed=5),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    policy = keras_amp.AdversarialMixing(step_size=0.3)
    model = keras_amp.MixupAMPModel(network, "hidden", policy, seed=1)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    return model


class Noted(keras.callbacks.Callback):
    """Keeps the weights after an epoch, and when the last epoch ended."""

    def on_epoch_end(self, epoch, logs=None):
        self.time = time.monotonic()
        if epoch == NOTED:
            self.weights = self.model.get_weights()


class Killed(keras.callbacks.Callback):
    """Ends this process in the middle of an epoch, as its machine's failure would."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == KILLED_IN:
            os.kill(os.getpid(), 9)


def trained(model, callbacks=()):
    """Train on batches of twelve; return what was reported, and ``Noted``."""
    batches = tf.data.Dataset.from_tensor_slices((X, Y)).batch(12)
    noted = Noted()
    callbacks = [noted, *callbacks]
    history = model.fit(batches, epochs=EPOCHS, verbose=0, callbacks=callbacks)
    return history.history, noted


def main(folder):
    """Be two processes, and train on what both have."""
    folder, process = Path(folder), "0" if os.fork() else "1"
    os.environ["KERAS_DISTRIBUTION_PROCESS_ID"] = process
    signal.alarm(200)  # ends one that waits forever
    keras.distribution.initialize()
    keras.distribution.set_distribution(keras.distribution.DataParallel())

    class Written(Noted):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            if epoch == NOTED:
                np.savez(folder / f"{process}.npz", *self.weights)

    written = Written()
    backup = keras.callbacks.BackupAndRestore(
        folder / f"backup-{process}", double_checkpoint=True
    )
    callbacks = [written, *[Killed()] * (process == "1"), backup]
    try:
        trained(made(), callbacks)
    except RuntimeError:
        traceback.print_exc(file=sys.stdout)
        print("noticed after", time.monotonic() - written.time, flush=True)
    sys.stdout.flush()
    os._exit(0)  # JAX would wait for the other process for a while
