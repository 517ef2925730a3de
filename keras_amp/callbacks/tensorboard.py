"""MixingTensorBoard: the mixing and the adversarial step, in TensorBoard."""

import os
import time
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from keras_amp.callbacks import projector
from keras_amp.callbacks.steps import steps_taken
from keras_amp.graph import keras_compat
from keras_amp.runtime.extras import require
from keras_amp.training.metrics import EDGES, silent
from keras_amp.validation import check_count

# The tags of the values that the steps and the schedules report. All others have those
# of Keras.
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
    "radius": "mixing/radius",
    "weight": "mixing/weight",
}
Logs = dict[str, Any] | None
HISTOGRAM_TAGS = {name: f"{TAGS[name]}_histogram" for name in EDGES}


class MixingTensorBoard(keras_compat.TensorBoard):
    """Keras' TensorBoard callback that also shows the mixing.

    After each epoch it writes, below ``<log_dir>/train`` and at the epoch's number:

    - ``mixing/lam`` (mean coefficient), ``mixing/lam_delta`` and
      ``mixing/lam_gradient`` (mean absolute step and gradient), of policies that mix;
    - ``mixing/mask_rate`` (fraction of examples trained at lambda', or made harder by
      what the policy adds), of those that mix or take a step;
    - what the policy measures (``policy.measures``): ``mixing/delta_norm``, the norm of
      the step on the hidden states, and ``mixing/divergence`` of the predictions;
    - ``loss/mixup`` and ``loss/adversarial`` (mean losses at lambda and at lambda', or
      without and with what the policy adds; of ``RDrop`` those of its two passes), and
      ``loss/gap``, their difference;
    - ``mixing/alpha``, ``mixing/step_size``, ``mixing/probability``, ``mixing/radius``
      and ``mixing/weight``, as far as a ``MixingSchedule`` changes them;
    - ``training/learning_rate``, ``training/step_seconds`` and
      ``training/examples_per_second``, without the time of the validation;
    - histograms over all examples of the epoch: ``mixing/lam_histogram``,
      ``mixing/lam_gradient_histogram`` (signed), ``loss/gap_histogram``,
      ``mixing/delta_norm_histogram`` and ``mixing/divergence_histogram``, which has 0 in
      a bin of its own.

    A policy has only the tags that say something of it: one that mixes nothing has none
    of lambda, which is 1 in all of its examples. The training step, compiled or not,
    counts the histograms itself and returns only the counts. The model also reports
    ``lam_gradient``, ``mixup_loss`` and ``adversarial_loss`` (``MixupAMPModel.monitor``).
    Models of other classes are shown as Keras shows them, with the three ``training/``
    tags.

    Args:
        log_dir: Folder for the event files.
        histogram_freq: Integer, number of epochs from one histogram of the mixing to the
            next; 0 for none.
        update_freq: ``"epoch"``, ``"batch"`` or an integer ``n``. With ``"batch"`` the
            scalars of each batch, with ``n`` those of each ``n``-th batch are written,
            too, at the number of the batch and with ``batch_`` before the tag. The number
            continues when the training is continued (``keras_amp.callbacks.steps``); for
            its own tags Keras counts from 0 in every ``fit``.
        weight_histogram_freq: Integer, number of epochs from one histogram of the weights
            to the next, Keras' ``histogram_freq``; 0 for none.
        write_graph: Whether to write the classifier's graph.
        **kwargs: Keras' other arguments, such as ``profile_batch``. With
            ``embeddings_freq`` the embeddings of nested models are shown, too
            (``keras_amp.callbacks.projector``).

    Raises:
        ValueError: If a frequency is not such a number.
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
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 1,
        update_freq: Literal["epoch", "batch"] | int = "epoch",
        weight_histogram_freq: int = 0,
        write_graph: bool = False,
        **kwargs: Any,
    ) -> None:
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
        self._tags: dict[str, str] = {}  # those that the model's values may have
        self._silent: set[str] = set()  # what has a tag, and is not written
        self._batches_before: Any = None  # of earlier epochs; set in the first one

    def set_model(self, model: keras.Model) -> None:
        """Let a ``MixupAMPModel`` report the values and count the histograms."""
        super().set_model(model)
        self._mixes = hasattr(model, "monitor")
        self._tags, self._silent = {}, set()
        if self._mixes:
            model.monitor()
            measured = {name: f"mixing/{name}" for name in model.policy.measures}
            self._tags = {**measured, **TAGS}
            self._silent = silent(model.policy)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Open the writer."""
        super().on_train_begin(logs)
        self._batches_before = None

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Begin to count."""
        super().on_epoch_begin(epoch, logs)
        if self._batches_before is None:
            # Not in `on_train_begin`: another callback may restore the optimizer there.
            self._batches_before = steps_taken(self.model.optimizer)
        self._batches, self._seconds = 0, 0.0
        self._examples: Any = None
        if self._mixes:
            self.model.reset_histograms()

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Start the clock."""
        super().on_train_batch_begin(batch, logs)
        self._begun = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Stop the clock, and write the scalars if it is the turn of this batch."""
        self._seconds += time.perf_counter() - self._begun
        before, self._batches = self._batches, batch + 1
        keras_logs, ours = self._divided(logs)
        super().on_train_batch_end(batch, keras_logs)
        if self.update_freq == "epoch":
            return
        done = self._batches_before + self._batches
        # One execution may take several steps.
        if done // self.update_freq > (self._batches_before + before) // self.update_freq:
            with self.train_writer.as_default(), tf.summary.record_if(True):
                for tag, value in ours.items():
                    tf.summary.scalar(f"batch_{tag}", value, step=done)

    def on_test_begin(self, logs: Logs = None) -> None:
        """Keep the number of examples, which a validation in the epoch resets."""
        self._end_training()
        super().on_test_begin(logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write the epoch's scalars and histograms."""
        self._end_training()
        if self._mixes:
            logs = {**(logs or {}), **self.model.policy.scheduled()}
        keras_logs, ours = self._divided(logs)
        super().on_epoch_end(epoch, keras_logs)
        self._batches_before += self._batches
        # Keras lets the writer record at each `update_freq`-th batch only.
        with self.train_writer.as_default(), tf.summary.record_if(True):
            for tag, value in {**ours, **self._training()}.items():
                tf.summary.scalar(tag, value, step=epoch)
            if self._mixes and _is_due(epoch, self.mixing_histogram_freq):
                for name, (edges, counts) in self.model.histograms.items():
                    tag = f"{self._tags[name]}_histogram"
                    _write_histogram(tag, edges, counts, epoch)

    def configure_embeddings(self) -> None:
        """Writes which embeddings there are, at any depth, with ``embeddings_freq``."""
        layers = projector.embedding_layers(self.model)
        Path(self.log_dir).mkdir(parents=True, exist_ok=True)
        projector.write_config(self.log_dir, layers, self.embeddings_metadata)

    def log_embeddings(self, epoch: int) -> None:
        """Writes the embeddings as the projector finds them, too."""
        super().log_embeddings(epoch)
        layers = projector.embedding_layers(self.model)
        projector.write_checkpoint(self.log_dir, layers, epoch)

    def _divided(self, logs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Split logs into those with Keras' tags, by names, and ours, by our tags."""
        logs = logs if isinstance(logs, dict) else {}
        shown = {n: tag for n, tag in self._tags.items() if n not in self._silent}
        return (
            {name: value for name, value in logs.items() if name not in self._tags},
            {tag: logs[name] for name, tag in shown.items() if name in logs},
        )

    def _end_training(self) -> None:
        """Keep the number of examples of the epoch, at the first call in an epoch."""
        if getattr(self, "_examples", 0) is None:
            loss = next(m for m in self.model.metrics if m.name == "loss")
            self._examples = float(keras.ops.convert_to_numpy(loss.count))

    def _training(self) -> dict[str, float]:
        """Return the learning rate and the speed, by their tags."""
        rate = self.model.optimizer.learning_rate
        scalars = {"training/learning_rate": float(keras.ops.convert_to_numpy(rate))}
        if self._batches and self._seconds:
            scalars["training/step_seconds"] = self._seconds / self._batches
            scalars["training/examples_per_second"] = self._examples / self._seconds
        return scalars


def _is_due(epoch: int, frequency: int) -> bool:
    return frequency > 0 and epoch % frequency == 0


def _write_histogram(tag: str, edges: Any, counts: Any, step: int) -> None:
    """Write bins that are counted already; ``tf.summary.histogram`` would count them."""
    from tensorboard.plugins.histogram import metadata

    edges = np.asarray(edges, "float64")
    # The outer bins are open. They are drawn with the width of their neighbours.
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
