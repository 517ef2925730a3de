"""Fixtures and helpers that the tests share."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import pytest
import tensorflow as tf
from mirror import Mirror

from keras_amp.training.tensorflow import compilation

# Two logical CPUs, so that distributed training can be tested; must precede any use.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)

# The files that take longest; what the paper's equations, the layers and the grid must do
# is tested in the others.
SLOW = """
    bad_input bert bilstm browser cli cnn compilation curve_command curves distribution
    experiments guides noise notebook program recipes recurrence report runs saving
    schedule sinking tensorboard
""".split()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Has slow tests come last: a run ends when the last of several workers does."""
    for item in items:
        if item.module.__name__.removeprefix("test_") in SLOW:
            item.add_marker("slow")
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


MODES = {
    "eager": {"run_eagerly": True},
    "graph": {"jit_compile": False},
    "xla": {"jit_compile": True},
}


@pytest.fixture(autouse=True, scope="module")
def uncompiled(request):
    """Has "auto" compile nothing: it takes seconds a test; MODES say what is compiled."""
    with pytest.MonkeyPatch.context() as patch:
        if request.module.__name__ != "test_compilation":
            for rule in ("step_pays", "update_pays"):
                patch.setattr(compilation, rule, lambda _: False)
        yield


@pytest.fixture(autouse=True)
def fresh_seed():
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(20)


@pytest.fixture(params=list(MODES))
def mode(request):
    """Keyword arguments of `compile`, one per way of running a step."""
    return MODES[request.param]


@pytest.fixture(scope="session")
def strategy():
    """Two replicas. A second strategy of the same devices would get in its way."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture
def untrained(monkeypatch):
    """Has cells of this process run without their training; see ``untrained.py``."""
    from untrained import fit_and_test

    monkeypatch.setattr("keras_amp.experiments.worker.fit_and_test", fit_and_test)


@pytest.fixture
def text_batch():
    """Word ids with padding (0), and labels: (20, 7) and (20,)."""
    rng = np.random.default_rng(5)
    ids = rng.integers(1, 30, (20, 7))
    ids[::2, 4:] = 0
    return ids, rng.integers(0, 3, 20)


@pytest.fixture
def serve(monkeypatch):
    """Starts a `Mirror` with the given arguments, from which downloads then come."""
    mirrors = []

    def start(*args, **kwargs):
        mirrors.append(Mirror(*args, **kwargs))
        monkeypatch.setenv("KERAS_AMP_MIRROR", mirrors[-1].address)
        return mirrors[-1]

    yield start
    for mirror in mirrors:
        mirror.close()
