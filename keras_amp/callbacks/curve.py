"""LossAlongLambda: the loss between examples, drawn during the training."""

import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from keras_amp.analysis.curve import LambdaCurve
from keras_amp.analysis.examples import read_examples
from keras_amp.analysis.pair_evaluator import Mixtures, checked_lambdas, checked_pairs
from keras_amp.runtime.extras import require
from keras_amp.runtime.files import whole_file, write_columns
from keras_amp.validation import check_count

TAG = "loss_along_lambda"
Logs = dict[str, Any] | None


class LossAlongLambda(keras.callbacks.Callback):
    """Draws the mixup loss along lambda during the training (the paper's Figure 2).

    After an epoch it evaluates ``keras_amp.loss_along_lambda`` on all examples, at each
    mix point of the model, and draws the curves of single pairs (Figure 2a and b) and the
    mean of all (Figure 2c). The training, with its random numbers, is not changed.

    The files ``epoch-<n>.png``, ``.svg`` and ``.csv`` (the numbers that are drawn, one
    column for each curve) are written to ``<log_dir>/loss_along_lambda/``. So is the
    image for TensorBoard, which shows it as the run ``loss_along_lambda``, after
    ``train`` and ``validation``. Epochs are counted from 0, as in TensorBoard's other
    tags.

    Args:
        data: Examples to mix, such as a validation set: ``(x, y)`` arrays or a
            ``tf.data.Dataset`` of batches.
        lambdas: Integer >= 2, the number of values from 0 to 1, or a sequence of values.
        pairs: Indices of examples. The curve of each of them and its partner is drawn by
            itself. An integer ``n`` stands for the first ``n`` examples, an empty
            sequence for none.
        every: Integer, number of epochs from one drawing to the next; the last epoch is
            always drawn.
        log_dir: Folder for the files; None writes none and keeps ``curves`` only.
        mix_at: Name of the layer, or a tuple of names, after which to mix; or a list of
            both. None for the model's own mix points.
        partner: As ``keras_amp.loss_along_lambda``: ``"reversed"``, ``"seeded"`` or an
            integer array.
        batch_size: Integer, number of examples or mixtures that are evaluated at once.
        seed: Integer, for ``partner="seeded"``.

    Attributes:
        curves: Dict from epochs to dicts from the layers' names to ``LambdaCurve``s.

    Raises:
        ValueError: If an argument is not in its range; when the training begins, as
            ``keras_amp.loss_along_lambda``.
        OSError: When the training begins, if the folder cannot be written to.
        ImportError: If ``log_dir`` is given and Matplotlib or TensorBoard is not
            installed.

    Example:
    >>> x, y = np.zeros((8, 3)), np.arange(8) % 2
    >>> callback = keras_amp.callbacks.LossAlongLambda((x, y), lambdas=5)
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="hidden"),
    ...                           keras.layers.Dense(2, activation="softmax")])
    >>> model = keras_amp.MixupAMPModel(model, mix_at="hidden")
    >>> model.compile("adam", "sparse_categorical_crossentropy")
    >>> history = model.fit(x, y, callbacks=[callback], verbose=0)
    >>> callback.curves[0]["hidden"].losses.shape
    (8, 5)

    Reference:
        Liu et al., EMNLP 2021, Section 4.7.
    """

    def __init__(
        self,
        data: Any,
        lambdas: int | Sequence[float] = 21,
        pairs: int | Sequence[int] = (0,),
        every: int = 1,
        log_dir: str | os.PathLike[str] | None = None,
        mix_at: str | tuple[str, ...] | list[str | tuple[str, ...]] | None = None,
        partner: str | Sequence[int] | NDArray[np.integer] = "reversed",
        batch_size: int = 256,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        if log_dir is not None:
            require("experiments", "matplotlib", "tensorboard")
        self.data = read_examples(data)
        self.lambdas = checked_lambdas(lambdas)
        # Without pairs, which is allowed here, only the mean is drawn.
        drawn, number = np.size(pairs) > 0, len(keras.tree.flatten(self.data[1])[0])
        self.pairs = checked_pairs(pairs, number) if drawn else ()
        self.every = check_count("every", every)
        self.folder = None if log_dir is None else Path(log_dir) / TAG
        self.mix_at = mix_at
        self.how: dict[str, Any] = {
            "partner": partner,
            "batch_size": batch_size,
            "seed": seed,
        }
        self.curves: dict[int, dict[str, LambdaCurve]] = {}
        self._last_epoch: int | None = None
        self._writer: Any = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Cut the model at its mix points, and open the folder."""
        places: Any = self.mix_at
        if places is None:
            places = getattr(self.model, "mix_points", None)
        if places is None or isinstance(places, (str, tuple)):
            places = [places]
        self._mixtures = [
            Mixtures(self.model, self.data, place, self.lambdas, **self.how)
            for place in places
        ]
        self.curves, self._last_epoch = {}, None
        self._writer = None
        if self.folder is not None:
            _check_folder(self.folder)
            self._writer = tf.summary.create_file_writer(str(self.folder))

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Draw the epoch if it is one of those to draw."""
        self._last_epoch = epoch
        if epoch % self.every == 0:
            self._draw(epoch)

    def on_train_end(self, logs: Logs = None) -> None:
        """Draw the last epoch if it was not drawn."""
        if self._last_epoch is not None and self._last_epoch not in self.curves:
            self._draw(self._last_epoch)
        if self._writer is not None:
            self._writer.close()

    def _draw(self, epoch: int) -> None:
        self.curves[epoch] = {
            mixtures.place: LambdaCurve(self.lambdas, mixtures.losses(), mixtures.place)
            for mixtures in self._mixtures
        }
        if self._writer is None or self.folder is None:
            return
        from keras_amp.analysis.figures import loss_along_lambda

        drawn = self._named(self.curves[epoch])
        figure = loss_along_lambda(
            {name: (self.lambdas, losses) for name, losses in drawn.items()},
            title=f"Mixup loss along lambda, epoch {epoch}",
        )
        images = {kind: _rendered(figure, kind) for kind in ("png", "svg")}
        for kind, image in images.items():
            with whole_file(self.folder / f"epoch-{epoch}.{kind}", binary=True) as file:
                file.write(image)
        with whole_file(self.folder / f"epoch-{epoch}.csv") as file:
            write_columns(file, {"lam": self.lambdas, **drawn})
        with self._writer.as_default():
            pixels = tf.io.decode_png(images["png"], channels=4)
            tf.summary.image(TAG, pixels[None], step=epoch)
        self._writer.flush()

    def _named(self, curves: dict[str, LambdaCurve]) -> dict[str, NDArray[Any]]:
        """Return the curves to draw, by their names in the legend."""
        drawn = {}
        for place, curve in curves.items():
            at = f", {place}" if len(curves) > 1 else ""
            drawn[f"mean of {len(curve.losses)}{at}"] = curve.mean
            for pair in self.pairs:
                drawn[f"pair {pair}{at}"] = curve.losses[pair]
        return drawn


def _check_folder(folder: Path) -> None:
    """Make a folder; raise OSError if it cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OSError(
            "Expected `log_dir` to be a folder that can be written to. Received: "
            f"{folder.parent} ({error}). Name another one, or None to write nothing."
        ) from error


def _rendered(figure: Any, kind: str) -> bytes:
    """Return the bytes of an image file of a figure."""
    file = io.BytesIO()
    figure.savefig(file, format=kind)
    return file.getvalue()
