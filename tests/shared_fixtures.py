"""Fixtures and helpers that the tests share."""

import gc
import os
from types import SimpleNamespace

# What is imported stays until the end: the garbage collector need not look through it.
gc.disable()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = os.environ.get("BACKEND", "tensorflow")
# Of JAX, whose devices are made as it is first used, some to train on together.
FLAGS = "--xla_force_host_platform_device_count=4"
if os.environ.get("LANE") == "each path":  # of few steps, not worth optimizing for
    FLAGS += (
        " --xla_backend_optimization_level=1 --xla_llvm_disable_expensive_passes=true"
    )
os.environ.setdefault("XLA_FLAGS", FLAGS)

import keras
import numpy as np
import pytest
import tensorflow as tf
from fresh import FreshProcesses

FRESH = FreshProcesses()

from helpers import MODES, traced_nothing
from keras.src.backend.common import global_state
from mirror import Mirror
from tensorflow.python import pywrap_tfe

from keras_amp.training.tensorflow import compilation

# Two logical CPUs, so that distributed training can be tested; must precede any use.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)


def pytest_collection_finish():
    """Free what tests leave, but seldom."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 20)


# The files whose tests rest on what TensorFlow's optimizer of graphs may drop or merge:
# assertions, random operations, side effects, second traces.
OPTIMIZED = "bad_input compilation label_check noise overrides side_effects".split()


@pytest.fixture(autouse=True, scope="session")
def uncollected():
    """Have Keras leave garbage to Python, of which it frees memory before a run.

    And TensorFlow its kernels, which it throws away as seeds are set: to make one takes
    longer than to run it. Keras' random operations have no state in theirs.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(global_state, "gc", SimpleNamespace(collect=lambda: 0))
        patch.setattr(pywrap_tfe, "TFE_ContextClearCaches", lambda context: None)
        yield


@pytest.fixture(autouse=True, scope="module")
def optimized(request):
    """Optimize graphs in some files only: elsewhere a graph runs for a few steps.

    XLA is left as it is: at --xla_backend_optimization_level=0 some losses become NaN.
    """
    off = request.module.__name__.split(".")[-1].removeprefix("test_") not in OPTIMIZED
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": off})


@pytest.fixture(autouse=True, scope="module")
def uncompiled(request):
    """Let "auto" compile nothing, which takes seconds; MODES say what is compiled."""
    with pytest.MonkeyPatch.context() as patch:
        if not request.module.__name__.endswith("test_compilation"):
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
    """Two replicas, shared: two strategies of the same devices disturb each other."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture(scope="session")
def fresh():
    """Runs programs in processes of their own; see ``fresh.py``."""
    yield FRESH
    FRESH.close()


@pytest.fixture
def untrained(monkeypatch):
    """Has cells of this process run without their training; see ``untrained.py``."""
    from untrained import fit_and_test

    monkeypatch.setattr("keras_amp.experiments.worker.fit_and_test", fit_and_test)


@pytest.fixture
def eagerly():
    """Has Keras trace nothing in a test."""
    with traced_nothing():
        yield


@pytest.fixture
def text_batch():
    """Word ids with padding (0), and labels: (20, 7) and (20,)."""
    rng = np.random.default_rng(5)
    ids = rng.integers(1, 30, (20, 7))
    ids[::2, 4:] = 0
    return ids, rng.integers(0, 3, 20)


@pytest.fixture
def serve(monkeypatch):
    """Start a `Mirror` with the given arguments, from which downloads then come."""
    mirrors = []

    def start(*args, **kwargs):
        mirrors.append(Mirror(*args, **kwargs))
        monkeypatch.setenv("KERAS_AMP_MIRROR", mirrors[-1].address)
        return mirrors[-1]

    yield start
    for mirror in mirrors:
        mirror.close()
