"""JAX: several devices, and two processes, train as one device does."""

import socket
from pathlib import Path

import keras
import numpy as np
import pytest

if keras.backend.backend() != "jax":
    pytest.skip("keras.distribution is JAX's", allow_module_level=True)

from two_processes import EPOCHS, made, trained

TESTS = Path(__file__).parent


@pytest.fixture
def four_devices():
    devices = keras.distribution.list_devices("cpu")[:4]
    assert len(devices) == 4
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    yield
    keras.distribution.set_distribution(None)


@pytest.fixture(scope="module")
def alone():
    """What one device reports, and its weights in the middle and at the end."""
    model = made()
    history, noted = trained(model)
    return history, noted.weights, model.get_weights()


def assert_equal(some, others, atol=1e-6):
    for a, b in zip(some, others, strict=True):
        np.testing.assert_allclose(a, b, atol=atol)


def test_four_devices_train_as_one(alone, four_devices):
    """Every example has a lambda of its own, drawn as on one device."""
    model = made()
    history, _ = trained(model)
    assert len(model.trainable_weights[0].value.sharding.device_set) == 4
    for name, values in alone[0].items():
        assert history[name] == pytest.approx(values, rel=1e-4), name
    assert_equal(alone[2], model.get_weights())


def both(fresh, folder):
    """Runs the program in two processes, joined over the loopback; what they print."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    return fresh.run(
        f"import sys; sys.path.insert(0, {str(TESTS)!r}); import two_processes as two\n"
        "two.main(sys.argv[1])",
        folder,
        folder=folder,
        XLA_FLAGS="",
        KERAS_DISTRIBUTION_JOB_ADDRESSES=address,
        KERAS_DISTRIBUTION_NUM_PROCESSES="2",
    )


def test_two_processes_train_as_one_until_one_is_killed(alone, fresh, tmp_path):
    """The other one says so at once, and what it saved goes on in one process."""
    said = both(fresh, tmp_path)
    for process in range(2):
        file = tmp_path / f"{process}.npz"
        assert file.exists(), said
        with np.load(file) as weights:
            assert_equal(alone[1], weights.values())
    assert "RuntimeError: Expected all processes" in said, said
    assert float(said.split("noticed after ")[1].split()[0]) < 20

    resumed = made()
    backup = keras.callbacks.BackupAndRestore(
        tmp_path / "backup-0", double_checkpoint=True
    )
    history, _ = trained(resumed, [backup])
    assert len(history["loss"]) < EPOCHS
    assert_equal(alone[2], resumed.get_weights(), 1e-5)
