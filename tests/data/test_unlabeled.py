"""Batches with examples that have no labels, and training on them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import bag_of_words

import keras_amp
from keras_amp.data import batches, with_unlabeled
from keras_amp.data.unlabeled import with_unlabeled_of

X = np.arange(10, dtype="float32")[:, None]
OTHERS = 100 + np.arange(4, dtype="float32")[:, None]
LABELS = np.arange(10)


@pytest.mark.parametrize(
    "unlabeled",
    [batches(OTHERS, np.ones(4), 3), tf.data.Dataset.from_tensor_slices(OTHERS).batch(2)],
)
def test_every_batch_has_its_share(unlabeled):
    both = with_unlabeled(batches(X, LABELS, 4), unlabeled, ratio=0.75)
    for _ in range(2):  # epochs
        taken, left = [], []
        for x, y, weight in both:
            size = int(np.sum(weight))
            assert len(x) == len(y) == len(weight) == size + round(0.75 * size)
            np.testing.assert_array_equal(weight, np.arange(len(x)) < size)
            taken += list(y[:size].numpy())
            left += list(x[size:, 0].numpy())
            assert not y[size:].numpy().any()
        assert taken == list(LABELS)
        assert left[:3] == [100, 101, 102]  # the others go on where they were
        assert left[3] == 103


def test_the_order_of_the_batches_is_that_without_them():
    """No batch is read beforehand: that would shuffle anew."""

    def shuffled():
        return batches(X, LABELS, 4, seed=5)

    def full(dataset):
        return dataset.unbatch().batch(4, drop_remainder=True)

    others = batches(OTHERS, np.ones(4), 3)
    for plain, both in (
        (shuffled(), with_unlabeled_of(shuffled(), others, 1.0, size=4)),
        (full(shuffled()), with_unlabeled(full(shuffled()), others)),
    ):
        for _ in range(2):  # epochs
            order = [y.numpy().tolist() for _, y in plain]
            assert [y[w == 1].numpy().tolist() for _, y, w in both] == order


def test_weights_and_structures_are_kept():
    inputs = {"a": X, "b": np.ones((10, 2), "int32")}
    weight = np.linspace(0.5, 2, 10).astype("float32")
    labeled = tf.data.Dataset.from_tensor_slices((inputs, LABELS, weight)).batch(5)
    unlabeled = tf.data.Dataset.from_tensor_slices({"a": OTHERS, "b": OTHERS[:, [0, 0]]})
    (x, y, w), _ = with_unlabeled(labeled, unlabeled.batch(4), 2.0)
    assert set(x) == {"a", "b"}
    assert x["b"].dtype == tf.int32
    np.testing.assert_array_equal(w[:5], weight[:5])
    assert not w[5:].numpy().any()
    assert len(y) == 15


@pytest.mark.parametrize(
    ("labeled", "unlabeled", "ratio", "message"),
    [
        (batches(X, LABELS, 2), batches(OTHERS, np.ones(4), 2), 0, "`ratio`.*> 0"),
        ((X, LABELS), batches(OTHERS, np.ones(4), 2), 1, "`labeled`.*tf.data.Dataset"),
        (tf.data.Dataset.from_tensors(X), batches(OTHERS, np.ones(4), 2), 1, "`labeled`"),
        (batches(X, LABELS, 2), OTHERS, 1, "`unlabeled`.*tf.data.Dataset"),
        (batches(X, LABELS, 2), batches(np.ones((4, 7)), np.ones(4), 2), 1, "same kind"),
        (
            tf.data.Dataset.from_tensor_slices((X, LABELS)),
            batches(OTHERS, np.ones(4), 2),
            1,
            "`labeled`.*batches",
        ),
    ],
)
def test_what_is_wrong_is_said(labeled, unlabeled, ratio, message):
    with pytest.raises(ValueError, match=message):
        with_unlabeled(labeled, unlabeled, ratio)


def test_only_the_consistency_learns_from_them():
    """Gradients of examples of weight 0: none from their labels, some from VAT."""
    ids = np.random.default_rng(1).integers(1, 30, (8, 7))
    weights = {}
    for unlabeled in ("use", "ignore"):
        for filler in (0, 2):  # a label that nobody knows
            keras.utils.set_random_seed(1)
            classifier = bag_of_words()
            policy = keras_amp.AdversarialTraining(
                0.5, against="predictions", unlabeled=unlabeled
            )
            model = keras_amp.MixupAMPModel(classifier, "embedding", policy, seed=2)
            model.compile(
                keras.optimizers.SGD(1.0),
                "sparse_categorical_crossentropy",
                run_eagerly=True,
            )
            y = np.r_[np.arange(4) % 3, np.full(4, filler)]
            model.train_on_batch(ids, y, sample_weight=np.r_[np.ones(4), np.zeros(4)])
            weights[unlabeled, filler] = classifier.get_weights()
    for unlabeled in ("use", "ignore"):
        for a, b in zip(weights[unlabeled, 0], weights[unlabeled, 2], strict=True):
            np.testing.assert_array_equal(a, b)
    used, ignored = weights["use", 0][0], weights["ignore", 0][0]
    alone = [i for i in ids[4:].ravel() if i not in ids[:4]]
    assert np.abs(used - ignored)[alone].max() > 0
