"""MixingTensorBoard: what the adversary does, in TensorBoard."""

import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_amp.callbacks import projector
from keras_amp.callbacks.steps import steps_taken
from keras_amp.graph import keras_compat
from keras_amp.runtime.extras import require
from keras_amp.training.metrics import EDGES
from keras_amp.validation import check_count

# The tags of what the steps and the schedules report; other names keep Keras' tags.
TAGS = {
    "lam": "mixing/lam",
    "lam_delta": "mixing/lam_delta",
    "lam_gradient": "mixing/lam_gradient",
    "mask_rate": "mixing/mask_rate",
    "mixup_loss": "loss/mixup",
    "adversarial_loss": "loss/adversarial",
    "loss_gap": "loss/gap",
    "alpha": "mixing/alpha",
    "step_size": "mixing/step_size",
    "probability": "mixing/probability",
}
HISTOGRAM_TAGS = {name: f"{TAGS[name]}_histogram" for name in EDGES}


class MixingTensorBoard(keras_compat.TensorBoard):
    """Keras' TensorBoard callback that also shows the mixing.

    Every epoch it writes, below ``<log_dir>/train`` at the epoch's number,

    - ``mixing/lam`` (mean coefficient), ``mixing/lam_delta`` and
      ``mixing/lam_gradient`` (mean absolute step and gradient), ``mixing/mask_rate``
      (share of examples trained at lambda');
    - ``loss/mixup`` and ``loss/adversarial`` (mean losses at lambda and at lambda'), and
      ``loss/gap``, their difference;
    - ``mixing/alpha``, ``mixing/step_size`` and ``mixing/probability``, those that a
      ``MixingSchedule`` moves;
    - ``training/learning_rate``, ``training/step_seconds`` and
      ``training/examples_per_second``, of the training alone;
    - histograms over all examples of the epoch: ``mixing/lam_histogram``,
      ``mixing/lam_gradient_histogram`` (signed), ``loss/gap_histogram``.

    The histograms are counted inside of the training step, compiled or not, so that
    nothing but a few numbers leaves it. The model then reports ``lam_gradient``,
    ``mixup_loss`` and ``adversarial_loss``, too (``MixupAMPModel.monitor``). Other models
    are shown as Keras shows them, with the three ``training/`` tags.

    Args:
        log_dir: Folder for the event files.
        histogram_freq: Integer, epochs between two histograms of the mixing; 0 for none.
        update_freq: ``"epoch"``; or ``"batch"`` or an integer, to write the scalars of
            every, or every so many, batches, too, at the number of the batch and with
            ``batch_`` before the tag. For what is added to Keras' tags that number goes
            on where a training goes on (``keras_amp.callbacks.steps``); Keras counts its
            own from 0 in every ``fit``.
        weight_histogram_freq: Integer, epochs between two histograms of the weights,
            Keras' ``histogram_freq``; 0 for none.
        write_graph: Whether to write the classifier's graph.
        **kwargs: Keras' other arguments, such as ``profile_batch``. With
            ``embeddings_freq`` the embeddings of nested models are shown, too
            (``keras_amp.callbacks.projector``).

    Raises:
        ValueError: If a frequency is no such number.
        ImportError: If TensorBoard is not installed.

    Example:
    >>> import tempfile
    >>> callback = keras_amp.callbacks.MixingTensorBoard(tempfile.mkdtemp())
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="hidden"),
    ...                           keras.layers.Dense(2, activation="softmax")])
    >>> model = keras_amp.MixupAMPModel(model, mix_at="hidden")
    >>> model.compile("adam", "sparse_categorical_crossentropy")
    >>> x, y = np.zeros((8, 3)), np.arange(8) % 2
    >>> history = model.fit(x, y, callbacks=[callback], verbose=0)
    """

    def __init__(
        self,
        log_dir="logs",
        histogram_freq=1,
        update_freq="epoch",
        weight_histogram_freq=0,
        write_graph=False,
        **kwargs,
    ):
        require("experiments", "tensorboard")
        if update_freq not in ("epoch", "batch"):
            update_freq = check_count("update_freq", update_freq)
        super().__init__(
            log_dir,
            histogram_freq=check_count("weight_histogram_freq", weight_histogram_freq, 0),
            update_freq=update_freq,
            write_graph=write_graph,
            **kwargs,
        )
        self.mixing_histogram_freq = check_count("histogram_freq", histogram_freq, 0)
        self._batches_before = None  # of earlier epochs

    def set_model(self, model):
        """Has a ``MixupAMPModel`` report and count what is shown."""
        super().set_model(model)
        self._mixes = hasattr(model, "monitor")
        if self._mixes:
            model.monitor()

    def on_train_begin(self, logs=None):
        """Opens the writer."""
        super().on_train_begin(logs)
        self._batches_before = None

    def on_epoch_begin(self, epoch, logs=None):
        """Starts counting."""
        super().on_epoch_begin(epoch, logs)
        if self._batches_before is None:
            # Not as the training begins: another callback may restore the optimizer then.
            self._batches_before = steps_taken(self.model.optimizer)
        self._batches, self._seconds, self._examples = 0, 0.0, None
        if self._mixes:
            self.model.reset_histograms()

    def on_train_batch_begin(self, batch, logs=None):
        """Starts the clock."""
        super().on_train_batch_begin(batch, logs)
        self._begun = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        """Stops it, and writes the scalars where it is time."""
        self._seconds += time.perf_counter() - self._begun
        before, self._batches = self._batches, batch + 1
        keras_logs, ours = _divided(logs)
        super().on_train_batch_end(batch, keras_logs)
        if self.update_freq == "epoch":
            return
        done = self._batches_before + self._batches
        # An execution may take several steps at once.
        if done // self.update_freq > (self._batches_before + before) // self.update_freq:
            with self.train_writer.as_default(), tf.summary.record_if(True):
                for name, value in ours.items():
                    tf.summary.scalar(f"batch_{TAGS[name]}", value, step=done)

    def on_test_begin(self, logs=None):
        """Keeps what a validation within the epoch is about to reset."""
        self._end_training()
        super().on_test_begin(logs)

    def on_epoch_end(self, epoch, logs=None):
        """Writes the epoch's scalars and histograms."""
        self._end_training()
        keras_logs, ours = _divided(logs)
        super().on_epoch_end(epoch, keras_logs)
        if self._mixes:
            ours.update(self.model.policy.scheduled())
        self._batches_before += self._batches
        # Keras has it record at every so many batches only.
        with self.train_writer.as_default(), tf.summary.record_if(True):
            for name, value in {**_tagged(ours), **self._training()}.items():
                tf.summary.scalar(name, value, step=epoch)
            if self._mixes and _is_due(epoch, self.mixing_histogram_freq):
                for name, (edges, counts) in self.model.histograms.items():
                    _write_histogram(HISTOGRAM_TAGS[name], edges, counts, epoch)

    def configure_embeddings(self):
        """Writes which embeddings there are, at any depth, with ``embeddings_freq``."""
        layers = projector.embedding_layers(self.model)
        Path(self.log_dir).mkdir(parents=True, exist_ok=True)
        projector.write_config(self.log_dir, layers, self.embeddings_metadata)

    def log_embeddings(self, epoch):
        """Writes the embeddings as the projector finds them, too."""
        super().log_embeddings(epoch)
        layers = projector.embedding_layers(self.model)
        projector.write_checkpoint(self.log_dir, layers, epoch)

    def _end_training(self):
        """Notes the examples of the epoch, the first time it is called in it."""
        if getattr(self, "_examples", 0) is None:
            loss = next(m for m in self.model.metrics if m.name == "loss")
            self._examples = float(keras.ops.convert_to_numpy(loss.count))

    def _training(self):
        """The learning rate and the speed."""
        rate = self.model.optimizer.learning_rate
        scalars = {"training/learning_rate": float(keras.ops.convert_to_numpy(rate))}
        if self._batches and self._seconds:
            scalars["training/step_seconds"] = self._seconds / self._batches
            scalars["training/examples_per_second"] = self._examples / self._seconds
        return scalars


def _divided(logs):
    """Splits logs into those with Keras' tags and those with ours."""
    logs = logs if isinstance(logs, dict) else {}
    ours = {name: value for name, value in logs.items() if name in TAGS}
    return {name: value for name, value in logs.items() if name not in TAGS}, ours


def _tagged(logs):
    return {TAGS[name]: value for name, value in logs.items()}


def _is_due(epoch, frequency):
    return frequency and epoch % frequency == 0


def _write_histogram(tag, edges, counts, step):
    """Writes counted bins, which ``tf.summary.histogram`` would count itself."""
    from tensorboard.plugins.histogram import metadata

    edges = np.asarray(edges, "float64")
    # The outer bins are open; they are drawn as wide as their neighbours.
    left = np.concatenate([[2 * edges[0] - edges[1]], edges])
    right = np.concatenate([edges, [2 * edges[-1] - edges[-2]]])
    used = np.flatnonzero(counts)
    if not len(used):
        return
    shown = slice(used[0], used[-1] + 1)
    buckets = np.stack([left, right, counts], axis=1)[shown]
    tf.summary.write(
        tag,
        tf.constant(buckets, "float64"),
        step=step,
        metadata=metadata.create_summary_metadata(display_name=tag, description=""),
    )
