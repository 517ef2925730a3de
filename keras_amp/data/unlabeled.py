"""Batches that hold examples without labels, too."""

import math
from typing import Any

import keras
import tensorflow as tf

from keras_amp.validation import check_number


def with_unlabeled(
    labeled: tf.data.Dataset, unlabeled: tf.data.Dataset, ratio: float = 1.0
) -> tf.data.Dataset:
    """Add examples without labels to each batch, with sample weight 0.

    ``AdversarialTraining(against="predictions")`` learns from them; no loss of labels
    counts them. Batches of labelled examples come as before and as many; the others are
    repeated without end. Shuffle both beforehand. Compile what counts examples in
    ``weighted_metrics``: ``metrics`` would compare the others with a label that they do
    not have. The compiled loss is averaged over all examples of a batch: with
    ``keras.losses``' ``reduction="mean_with_sample_weight"`` over those with labels.

    The size of the batches is read off ``labeled`` where it is fixed
    (``drop_remainder=True``). Elsewhere the first batch is taken to learn it: what
    shuffles anew each time has then been shuffled once.

    **Traps.** Learn a vocabulary from both kinds of texts. Where words that only the
    others have are one unknown word, a network can learn to predict always the same where
    it stands: that satisfies the consistency and costs nothing where there are labels,
    but it is what the network then does with new texts, too. Of a tenth of TREC, 94% of
    the other texts have such a word, and the CNN made 60% errors (plain training 35%), in
    one of three seeds 84%; with their words in the vocabulary, as recipes have it, that
    seed made 34%.

    The consistency slows the training: give it a higher learning rate or more steps. With
    200 steps at a rate of 0.001 it is 24.5 +- 2.0% errors against 25.6 +- 1.6% without,
    which three seeds do not decide (``keras-amp train cnn --data trec --train-fraction
    0.1 --unlabeled --mix none word --policy vat --learning-rate 1e-3 --epochs 20``). Too
    wide a radius costs most: 3 made 32% errors where 1 made 27% and 0.3 made 25% (two
    seeds, a third of the filters).

    Args:
        labeled: ``tf.data.Dataset`` of batches ``(inputs, labels)`` or ``(inputs, labels,
            sample_weight)``.
        unlabeled: ``tf.data.Dataset`` of batches of inputs, or of tuples that begin with
            them, whose labels are left out.
        ratio: Float > 0, examples without a label for each one with a label, rounded.

    Returns:
        A ``tf.data.Dataset`` of batches ``(inputs, labels, sample_weight)``. The labels
        of the others are 0, and so are their weights.

    Raises:
        ValueError: If one is no data set of batches, their inputs differ, or ``ratio``
            is out of range.

    Example:
    >>> labeled = keras_amp.data.batches(np.zeros((4, 3)), np.arange(4), 2)
    >>> unlabeled = keras_amp.data.batches(np.ones((9, 3)), np.zeros(9), 5)
    >>> both = keras_amp.data.with_unlabeled(labeled, unlabeled, ratio=1.5)
    >>> [(x.shape[0], w.numpy().tolist()) for x, y, w in both][0]
    (5, [1.0, 1.0, 0.0, 0.0, 0.0])
    """
    first = keras.tree.flatten(_spec(labeled, "labeled", 2))[0]
    size = first.shape[0]
    if size is None:
        sizes = (len(keras.tree.flatten(x)[0]) for x, *_ in labeled.take(1))
        size = max(sizes, default=1)
    return with_unlabeled_of(labeled, unlabeled, ratio, size)


def with_unlabeled_of(
    labeled: tf.data.Dataset, unlabeled: tf.data.Dataset, ratio: float, size: int
) -> tf.data.Dataset:
    """Add examples without labels to batches of a known size, none of which is read.

    Args:
        labeled: As ``with_unlabeled``.
        unlabeled: As ``with_unlabeled``.
        ratio: As ``with_unlabeled``.
        size: Integer, the examples of the largest batch of ``labeled``.

    Returns:
        As ``with_unlabeled``.

    Raises:
        ValueError: As ``with_unlabeled``.

    Example:
    >>> from keras_amp.data.unlabeled import with_unlabeled_of
    >>> labeled = keras_amp.data.batches(np.zeros((4, 3)), np.arange(4), 2)
    >>> both = with_unlabeled_of(labeled, labeled, ratio=1.0, size=2)
    >>> [len(y) for x, y, w in both]
    [4, 4]
    """
    ratio = check_number("ratio", ratio, above=0)
    spec = _spec(labeled, "labeled", 2)
    others = _spec(unlabeled, "unlabeled", 1)
    inputs = others if _alike(spec[0], others) else others[0]
    if not _alike(spec[0], inputs):
        raise ValueError(
            "Expected `unlabeled` to hold the same kind of inputs as `labeled`. "
            f"Received: {inputs} beside {spec[0]}"
        )
    if inputs is not others:
        unlabeled = unlabeled.map(lambda x, *labels: x)
    number = max(1, math.ceil(ratio * size))
    added = unlabeled.unbatch().repeat().batch(number, drop_remainder=True)
    joined = tf.data.Dataset.zip(labeled, added).map(
        lambda batch, x: _joined(batch, x, ratio), num_parallel_calls=tf.data.AUTOTUNE
    )
    return joined.prefetch(tf.data.AUTOTUNE)


def _joined(batch: Any, others: Any, ratio: float) -> tuple[Any, Any, Any]:
    """A batch of labelled examples, and the others that go with it."""
    x, y, weight = keras.utils.unpack_x_y_sample_weight(batch)
    size = tf.shape(keras.tree.flatten(y)[0])[0]
    number = tf.cast(tf.round(ratio * tf.cast(size, "float32")), "int32")

    def add(own: Any, more: Any) -> Any:
        return tf.concat([own, tf.cast(more[:number], own.dtype)], axis=0)

    def add_zeros(own: Any) -> Any:
        shape = tf.concat([[number], tf.shape(own)[1:]], axis=0)
        return tf.concat([own, tf.zeros(shape, own.dtype)], axis=0)

    weight = tf.ones((size,)) if weight is None else weight
    joined = keras.tree.map_structure(add, x, others)
    return joined, *(keras.tree.map_structure(add_zeros, each) for each in (y, weight))


def _spec(dataset: Any, name: str, least: int) -> Any:
    """What a data set holds; raises if that is no batches of at least so many parts."""
    spec = getattr(dataset, "element_spec", None)
    tensors = [] if spec is None else keras.tree.flatten(spec)
    parts = len(spec) if isinstance(spec, tuple) else 1
    if (
        not tensors
        or parts < least
        or not all(getattr(t.shape, "rank", 0) for t in tensors)
    ):
        expected = "(inputs, labels)" if least == 2 else "inputs"
        raise ValueError(
            f"Expected `{name}` to be a tf.data.Dataset of batches of {expected}, such "
            "as `keras_amp.data.batches` makes it. Received: "
            f"{dataset if spec is None else spec}"
        )
    return spec


def _alike(first: Any, second: Any) -> bool:
    """Whether two specifications are of inputs of one kind, whatever the batch's size."""
    try:
        keras.tree.assert_same_structure(first, second)
    except (ValueError, TypeError):
        return False
    pairs = zip(keras.tree.flatten(first), keras.tree.flatten(second), strict=True)
    return all(a.shape[1:].is_compatible_with(b.shape[1:]) for a, b in pairs)
