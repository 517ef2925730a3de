"""The check of labels: every kind of array, in little memory, and only once."""

import functools
import gc
import tracemalloc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_amp
from keras_amp.training import label_values
from keras_amp.training.label_check import LabelCheck

SPARSE = keras.losses.SparseCategoricalCrossentropy
RNG = np.random.default_rng(5)


def pixels(size=4, classes=3):
    """A classifier of every pixel."""
    x = keras.Input((size, size, 1))
    h = layers.Conv2D(2, 1, name="hidden")(x)
    return keras.Model(x, layers.Conv2D(classes, 1, activation="softmax")(h))


looked_at_only = functools.cache(pixels)


def checking(y, loss=None, size=4, classes=3):
    check = LabelCheck(looked_at_only(size, classes), loss or SPARSE())
    check.check_arrays(None, y)


@pytest.fixture(name="looked_at")
def fixture_looked_at(monkeypatch):
    """Collect the number of values of each check of labels."""
    sizes, first_wrong = [], label_values.first_wrong

    def counted(y, *args):
        sizes.append(y.size)
        return first_wrong(y, *args)

    monkeypatch.setattr(label_values, "first_wrong", counted)
    return sizes


# === Memory ===


@pytest.mark.parametrize("dtype", ["uint8", "bool", "int64", "float32", "float16"])
def test_the_check_takes_no_more_than_a_chunk(dtype):
    y = np.zeros((10, 512, 512), dtype)
    check = LabelCheck(pixels(512), SPARSE())
    tracemalloc.start()
    try:
        check.check_arrays(None, y)
        assert tracemalloc.get_traced_memory()[1] < 3e6
        y[9, 511, 511] = True
        y[3, 200] = True
        kind = "binary_crossentropy"
        LabelCheck(pixels(512, 1), kind).check_arrays(None, y)
        assert tracemalloc.get_traced_memory()[1] < 3e6
    finally:
        tracemalloc.stop()


def test_a_memory_map_is_not_read_as_a_whole(tmp_path):
    y = np.memmap(tmp_path / "y", dtype="int32", mode="w+", shape=(10, 512, 512))
    y[7, 0, 3] = 5
    tracemalloc.start()
    try:
        with pytest.raises(
            ValueError, match=r"Received: 5 \(label 7\), 1 such of 2621440"
        ):
            checking(y, size=512)
        assert tracemalloc.get_traced_memory()[1] < 3e6
    finally:
        tracemalloc.stop()


# === What is wrong, and what is not ===

LAYOUTS = {
    "contiguous": lambda y: y,
    "Fortran's order": np.asfortranarray,
    "reversed": lambda y: np.ascontiguousarray(y[::-1, :, ::-1])[::-1, :, ::-1],
    "every second": lambda y: np.repeat(y, 2, axis=1)[:, ::2],
    "transposed": lambda y: np.ascontiguousarray(y.T).T,
    "read-only": lambda y: np.frombuffer(y.tobytes(), y.dtype).reshape(y.shape),
    "a tensor": tf.constant,
}


@pytest.mark.parametrize("layout", list(LAYOUTS))
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float16", "float64"])
@pytest.mark.parametrize("ignored", [None, 9])
def test_the_first_wrong_label_and_their_number(layout, dtype, ignored, monkeypatch):
    monkeypatch.setattr(label_values, "CHUNK", 32)
    y = RNG.integers(0, 3, (15, 4, 4)).astype(dtype)
    y[[5, 5, 11], [0, 2, 3], [3, 1, 0]] = [7, 8, 7]
    y[2, 3, 3] = 9
    if dtype.startswith("float"):
        y[9, 0, 0], y[8, 1, 1] = np.nan, 0.5
    flat = y.astype("float64").ravel()
    wrong = ~np.isin(flat, [0, 1, 2] if ignored is None else [0, 1, 2, ignored])
    first = int(np.argmax(wrong))
    match = (
        rf"Received: {flat[first]:g} \(label {first // 16}\), {wrong.sum()} such of 240"
    )
    with pytest.raises(ValueError, match=match):
        checking(LAYOUTS[layout](y), SPARSE(ignore_class=ignored))


@pytest.mark.parametrize("layout", list(LAYOUTS))
@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int8", "uint64", "int64", "float16", "float64"]
)
def test_labels_that_are_right(layout, dtype):
    y = RNG.integers(0, 2, (6, 4, 4)).astype(dtype)
    checking(LAYOUTS[layout](y))
    checking(LAYOUTS[layout](y), SPARSE(ignore_class=-1))
    checking(LAYOUTS[layout](y), [SPARSE(ignore_class=255)])


def test_bfloat16():
    y = tf.cast(RNG.integers(0, 3, (6, 4, 4)), "bfloat16")
    checking(y)
    with pytest.raises(ValueError, match=r"Received: .* such of 96"):
        checking(y + 0.5)
    with pytest.raises(ValueError, match=r"Received: nan \(label 0\), 96 such of 96"):
        checking(y * np.nan)


@pytest.mark.parametrize("loss", [SPARSE(ignore_class=255), [SPARSE(ignore_class=255)]])
def test_an_ignored_class_among_unsigned_integers(loss):
    y = np.full((6, 4, 4), 255, "uint8")
    checking(y, loss)
    y[4, 0, 0] = 254
    with pytest.raises(ValueError, match=r"Received: 254 \(label 4\), 1 such of 96"):
        checking(y, loss)


@pytest.mark.parametrize("bad", [np.nan, 1.5, -0.25, np.inf])
def test_shares(bad):
    y = RNG.random((6, 4, 4, 1)).astype("float32")
    checking(y, "binary_crossentropy", classes=1)
    y[3, 2, 1] = bad
    with pytest.raises(
        ValueError, match=rf"0 and 1.*Received: {bad:g} \(label 3\), 1 such"
    ):
        checking(y, "binary_crossentropy", classes=1)


def test_large_integers_are_written_out():
    y = np.full((1, 4, 4), 3_000_017)
    with pytest.raises(ValueError, match=r"Received: 3000017 \(label 0\), 16 such of 16"):
        checking(y)


def test_series_and_frames():
    pandas = pytest.importorskip("pandas")
    x = keras.Input((2,))
    network = keras.Model(x, layers.Dense(3, "softmax")(layers.Dense(2)(x)))
    check = LabelCheck(network, SPARSE())
    for kind in ("int64", "float32", "Int64"):
        y = pandas.Series([0, 1, 2, 0], index=[9, 7, 7, 1], dtype=kind)
        for labels in (y, y.to_frame()):
            check.check_arrays(np.ones((4, 2)), labels)
        with pytest.raises(ValueError, match=r"Received: 3 \(label 2\), 1 such of 4"):
            check.check_arrays(np.ones((4, 2)), y + (y == 2))


@pytest.mark.parametrize("dtype", [object, "U3", "S3", "datetime64[s]"])
def test_what_is_no_number(dtype):
    with pytest.raises(
        ValueError, match=r"Expected `y` to hold numbers.*Received: dtype"
    ):
        checking(np.zeros((2, 4, 4)).astype(dtype))


# === Once ===


def test_several_fits_look_through_an_array_once(looked_at, monkeypatch):
    monkeypatch.setattr(label_values, "CHUNK", 32)
    model = keras_amp.MixupAMPModel(pixels(), "hidden", keras_amp.Mixup(), seed=1)
    model.compile("sgd", SPARSE(), jit_compile=False)
    x, y = RNG.random((64, 4, 4, 1)), RNG.integers(0, 3, (64, 4, 4))
    valid = x[:32], RNG.integers(0, 3, (32, 4, 4))
    model.fit(x, y, validation_data=valid, verbose=0, batch_size=64)
    assert looked_at == [y.size, valid[1].size]
    looked_at.clear()
    for _ in range(2):
        model.fit(x, y, validation_data=valid, verbose=0, batch_size=64)
    assert looked_at == [32] * 8  # the two ends of each
    looked_at.clear()
    model.fit(x, y.copy(), verbose=0, batch_size=64)
    assert looked_at == [y.size]


def test_an_array_that_was_wrong_is_looked_through_again(looked_at):
    y = np.full((6, 4, 4), 3)
    for _ in range(2):
        with pytest.raises(ValueError, match="Received: 3 "):
            checking(y)
    y -= 1
    checking(y)
    assert looked_at == [96] * 3


def test_other_rules_for_the_same_array():
    y = RNG.integers(0, 3, (6, 4, 4))
    y[5] = 2
    checking(y)
    with pytest.raises(ValueError, match="from 0 to 1"):
        checking(y, classes=2)
    y[0] = 9
    checking(y, SPARSE(ignore_class=9))
    with pytest.raises(ValueError, match="Received: 9 "):
        checking(y)


@pytest.mark.parametrize("change", [lambda y: y + 1, lambda y: y - 1, lambda y: 7 - y])
def test_an_array_that_was_changed_as_a_whole(change, monkeypatch):
    monkeypatch.setattr(label_values, "CHUNK", 32)
    y = np.arange(64 * 16).reshape(64, 4, 4) * 3 // (64 * 16)  # in the classes' order
    checking(y)
    y[:] = change(y)
    wrong = int(np.sum((y < 0) | (y > 2)))
    with pytest.raises(ValueError, match=f"Received: .*, {wrong} such of 1024"):
        checking(y)


def test_no_array_is_kept_alive():
    gc.collect()
    known = len(label_values._RIGHT)
    arrays = [np.zeros((6, 4, 4)), tf.zeros((6, 4, 4)), np.zeros((6, 4, 4), "uint8")]
    for y in arrays:
        checking(y)
    assert len(label_values._RIGHT) == known + 3
    references = [weakref.ref(y) for y in arrays]
    del y, arrays
    gc.collect()
    assert [reference() for reference in references] == [None] * 3
    assert len(label_values._RIGHT) == known
