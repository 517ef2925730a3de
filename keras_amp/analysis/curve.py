"""The mixup loss between two examples, along lambda (the paper's Figure 2)."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_amp.analysis.pair_evaluator import (
    Lambdas,
    Mixtures,
    Pairs,
    Partner,
    checked_lambdas,
)
from keras_amp.backbones.mix_points import MIX_POINTS, mix_point
from keras_amp.runtime.files import whole_file, write_columns

CURVE = "curve.csv"  # of a run


@dataclass(frozen=True, eq=False)
class LambdaCurve:
    """The losses of mixed pairs of examples, at several lambdas.

    Attributes:
        lambdas: Float64 array ``(num_lambdas,)``, the share of each pair's first example.
        losses: Float64 array ``(num_pairs, num_lambdas)``, in the order of the pairs.
        place: Name of the layer behind which the examples are mixed.

    Example:
    >>> curve = keras_amp.analysis.curve.LambdaCurve(
    ...     np.array([0.0, 1.0]), np.array([[0.5, 1.5], [1.5, 2.5]]), "embedding"
    ... )
    >>> curve
    LambdaCurve('embedding', 2 pairs at 2 lambdas from 0 to 1, mean losses from 1 to 2)
    >>> curve.mean
    array([1., 2.])
    """

    lambdas: np.ndarray
    losses: np.ndarray
    place: str

    @property
    def mean(self) -> np.ndarray:
        """The mean loss of the pairs at each lambda, a float64 array ``(n,)``."""
        return self.losses.mean(axis=0)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a line for each lambda: ``lam``, ``mean`` and the losses of the pairs.

        Args:
            path: Path of the file. The columns of the pairs are ``pair-0``, ``pair-1``,
                ..., in the order of ``losses``.
        """
        pairs = {f"pair-{i}": losses for i, losses in enumerate(self.losses)}
        with whole_file(path) as file:
            write_columns(file, {"lam": self.lambdas, "mean": self.mean, **pairs})

    def __repr__(self) -> str:
        mean = self.mean
        return (
            f"LambdaCurve({self.place!r}, {len(self.losses)} pairs at "
            f"{len(self.lambdas)} lambdas from {self.lambdas.min():g} to "
            f"{self.lambdas.max():g}, mean losses from {mean.min():.4g} to "
            f"{mean.max():.4g})"
        )


def loss_along_lambda(
    model: keras.Model,
    data: Any,
    mix_at: str | tuple[str, ...] | None = None,
    lambdas: Lambdas = 21,
    partner: Partner = "reversed",
    pairs: Pairs = None,
    batch_size: int = 256,
    seed: int | None = None,
    loss: Any = None,
    masks: dict[str, str] | None = None,
) -> LambdaCurve:
    """Evaluate the mixup loss of pairs of examples along lambda.

    Example ``i`` is mixed with its partner ``j`` as in training, but without noise: at
    lambda the hidden states are ``lam * h_i + (1 - lam) * h_j``, and the loss of the
    prediction there is (Eq. 17)::

        lam * loss(y_i) + (1 - lam) * loss(y_j)

    Masks are united as in training: a position counts if it counts in either example, and
    at lambda 0 or 1 only if it counts in the one example that remains. If a loss ignores
    labels (``ignore_class``), the mean of a pair is over the positions of this pair that
    count. The layers below the mix point are computed once per example and their outputs
    kept in memory; the layers above it are evaluated in batches of pairs and lambdas. The
    model does not change.

    Args:
        model: A ``MixupAMPModel``, or a functional or built Sequential classifier.
        data: Tuple ``(x, y)`` of arrays, ``x`` in the structure of the model's inputs, or
            a finite ``tf.data.Dataset`` of batches of them. Sample weights are not used.
        mix_at: Name or path of the layer behind which to mix (see ``insert_mix_layer``),
            or a tuple of them, to be mixed together. None for the mix point of the
            model, if it has only one.
        lambdas: Integer >= 2, the number of equally spaced values from 0 to 1; or a
            sequence of values in [0, 1].
        partner: ``"reversed"``: example ``i`` of ``n`` with ``n - 1 - i``, the paper's
            choice, by which the mean over all pairs is symmetric about 1/2;
            ``"seeded"``: by a permutation drawn from ``seed``; or an integer array
            ``(n,)``, the partners' indices.
        pairs: None for all examples with their partners; an integer for this number of
            pairs, from the first on; or an integer array of the indices of the first
            examples.
        batch_size: Integer, examples or mixtures at a time.
        seed: Integer, for ``partner="seeded"``.
        loss: A Keras loss or its name. None for the one that the model was compiled with.
            If it was not compiled, None means the cross-entropy that fits the output and
            the labels (binary, categorical or sparse categorical); the output must come
            from a softmax or a sigmoid.
        masks: As for ``MixupAMPModel``; None for those of the model, if it is one.

    Returns:
        A ``LambdaCurve``.

    Raises:
        ValueError: If an argument is outside its range, there is no example, or labels
            are outside the classes; if the layer is unknown or cannot be mixed at (as
            ``insert_mix_layer``); if there are several mix points and none is named, or
            if no loss is known.
        TypeError: If ``data`` is neither a tuple nor a data set, or ``mix_at`` no name.

    Example:
    >>> classifier = keras.Sequential([
    ...     keras.Input((7,)),
    ...     keras.layers.Embedding(100, 8, name="embedding"),
    ...     keras.layers.GlobalMaxPooling1D(),
    ...     keras.layers.Dense(2, activation="softmax"),
    ... ])
    >>> x, y = np.random.randint(100, size=(32, 7)), np.arange(32) % 2
    >>> curve = keras_amp.loss_along_lambda(classifier, (x, y), "embedding", lambdas=5)
    >>> curve.lambdas.tolist(), curve.losses.shape
    ([0.0, 0.25, 0.5, 0.75, 1.0], (32, 5))

    Reference:
        Liu et al., EMNLP 2021, Section 4.7.
    """
    mixtures = Mixtures(
        model, data, mix_at, lambdas, partner, pairs, batch_size, seed, loss, masks
    )
    return LambdaCurve(mixtures.lambdas, mixtures.losses(), mixtures.place)


def curve_columns(
    classifier: keras.Model,
    test_inputs: Any,
    test_labels: np.ndarray,
    lambdas: Lambdas = 21,
) -> dict[str, np.ndarray]:
    """Return the mean loss of test texts at each lambda, by where they are mixed.

    Args:
        classifier: A classifier of ``keras_amp.backbones``.
        test_inputs: Its inputs, an array or a structure of arrays.
        test_labels: Integer array ``(num_examples,)``.
        lambdas: As ``loss_along_lambda``.

    Returns:
        A dict from ``lam``, ``word`` and ``sentence`` to float arrays ``(num_lambdas,)``;
        a place that the classifier does not have (see ``backbones.mix_point``) holds NaN.

    Example:
    >>> from keras_amp.analysis.curve import curve_columns
    >>> classifier = keras_amp.backbones.text_cnn(9, 2, 5, embedding_dim=4, filters=2)
    >>> list(curve_columns(classifier, np.ones((4, 5)), np.arange(4) % 2, lambdas=3))
    ['lam', 'word', 'sentence']
    """
    columns = {"lam": checked_lambdas(lambdas)}
    for place in MIX_POINTS:
        try:
            layer = mix_point(classifier, place)
        except ValueError:  # an encoder of another architecture
            columns[place] = np.full(len(columns["lam"]), np.nan)
            continue
        data = (test_inputs, test_labels)
        columns[place] = loss_along_lambda(classifier, data, layer, lambdas).mean
    return columns


def write_curve(
    folder: str | os.PathLike[str],
    classifier: keras.Model,
    test_inputs: Any,
    test_labels: np.ndarray,
    lambdas: Lambdas = 21,
) -> dict[str, np.ndarray]:
    """Write ``curve_columns`` as ``curve.csv`` into a run's folder, and return them.

    Args:
        folder: Existing folder.
        classifier: As ``curve_columns``.
        test_inputs: As ``curve_columns``.
        test_labels: As ``curve_columns``.
        lambdas: As ``loss_along_lambda``.

    Example:
    >>> from keras_amp.analysis.curve import write_curve
    >>> classifier = keras_amp.backbones.text_cnn(9, 2, 5, embedding_dim=4, filters=2)
    >>> columns = write_curve(".", classifier, np.ones((4, 5)), np.arange(4) % 2)
    >>> open("curve.csv").readline().strip()
    'lam,word,sentence'
    """
    columns = curve_columns(classifier, test_inputs, test_labels, lambdas)
    with whole_file(Path(folder) / CURVE) as file:
        write_columns(file, columns)
    return columns
