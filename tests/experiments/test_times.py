"""Where the time of a comparison goes, and that nothing is traced in vain."""

import contextlib
import time

import keras
import pytest

from keras_amp import data
from keras_amp.experiments import Settings, methods, prepare
from keras_amp.experiments.times import FitTimes, Times
from keras_amp.experiments.training import fit_and_test
from keras_amp.policies import Mixup


@pytest.fixture(name="clock")
def fixture_clock(monkeypatch):
    """A clock that goes on by what is sent to it."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def wait(seconds):
        now[0] += seconds

    return wait


def test_every_second_counts_for_the_innermost_part_alone(clock):
    times = Times(begun=94.0, first="imports")
    clock(1)
    with times.part("training"):
        clock(20)
        with times.part("evaluation"):
            clock(3)
        clock(0.25)
    with contextlib.suppress(ValueError), times.part("writing"):
        clock(5)
        raise ValueError
    assert times.seconds == {
        "imports": 6,
        "other": 1,
        "training": 20.25,
        "evaluation": 3,
        "writing": 5,
    }
    assert times.line() == (
        "35 s: training 20, imports 6, writing 5, evaluation 3, other 1"
    )


def test_the_first_step_and_evaluation_are_those_that_are_traced(clock):
    times = Times()
    follows = FitTimes(times)
    for step in (7, 2, 1):
        clock(1)
        follows.on_train_batch_begin(0)
        clock(step)
        follows.on_train_batch_end(0)
        follows.on_test_begin()
        clock(10 * step)
        follows.on_test_end()
    expected = {"other": 3, "tracing": 77, "training": 3, "evaluation": 30}
    assert times.seconds == expected


@pytest.mark.parametrize("method", methods(mix=("none", "sentence"), policy=("mixup",)))
def test_a_run_traces_its_step_once_and_counts_its_time(method, monkeypatch):
    """Keras' own step makes the optimizer's variables, and is then traced again."""
    traced = []
    settings = Settings(
        epochs=2,
        backbone_arguments={"embedding_dim": 4, "filters": 2, "kernel_sizes": (2,)},
        jit_compile=False,
        train_per_class=4,
        batch_size=8,  # a last batch of 2 of 18
        save_curve=False,
    )
    original = keras.Model.compute_loss

    def counted(self, x, y, y_pred, sample_weight=None, training=True):
        traced.append(training)
        return original(self, x, y, y_pred, sample_weight, training)

    update = keras.optimizers.Adam.apply

    def counted_update(self, *args):
        traced.append("update")
        return update(self, *args)

    monkeypatch.setattr(keras.Model, "compute_loss", counted)
    monkeypatch.setattr(keras.optimizers.Adam, "apply", counted_update)
    examples, times = prepare(data.load("questions"), settings, 0), Times()
    start = time.perf_counter()
    fit_and_test(settings, method, Mixup(), 0, examples, times=times)
    assert traced.count("update") == 1
    assert traced.count(False) == 1  # one evaluation function for both sets
    assert {"tracing", "training", "evaluation"} <= times.seconds.keys()
    assert sum(times.seconds.values()) <= time.perf_counter() - start
