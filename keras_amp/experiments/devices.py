"""Several devices for a cell: each batch of its training is divided among them."""

import contextlib
import functools

import keras
import tensorflow as tf

from keras_amp.graph import keras_compat
from keras_amp.training.backend import replicas
from keras_amp.validation import check_count

BACKEND = keras.backend.backend()
NAMES = {"jax": "JAX", "tensorflow": "TensorFlow"}
# What makes several devices of one processor, to try things out.
MORE_CPUS = {
    "jax": "XLA_FLAGS=--xla_force_host_platform_device_count={} in the environment makes "
    "so many.",
    "tensorflow": "In a program, tf.config.set_logical_device_configuration makes more "
    "before TensorFlow computes.",
}

# oneDNN's kernels fail where a last and small batch leaves a replica without an example.
VARIABLES = {"TF_ENABLE_ONEDNN_OPTS": "0"} if BACKEND == "tensorflow" else {}


def check_devices(devices, cells):
    """Raises where cells cannot be trained on so many devices.

    Args:
        devices: Integer, the devices of each cell; None for those of the backend.
        cells: List of ``Cell``s.

    Raises:
        ValueError: If there are not so many, or if a cell has a ``batch_size`` that they
            cannot share evenly or, on TensorFlow, ``jit_compile=True``.

    Example:
    >>> from keras_amp.experiments.devices import check_devices
    >>> check_devices(0, [])
    Traceback (most recent call last):
    ValueError: Expected `devices` to be an integer >= 1. Received: devices=0
    """
    if devices is None:
        return
    first_devices(devices)
    for settings in (cell.settings for cell in cells):
        if settings.batch_size % devices:
            raise ValueError(
                "Expected `batch_size` to be a multiple of `devices`, which share each "
                f"batch. Received: batch_size={settings.batch_size} with "
                f"devices={devices}"
            )
        if BACKEND == "tensorflow" and devices > 1 and settings.jit_compile is True:
            raise ValueError(
                "Expected `jit_compile` to be False or 'auto' with several `devices`: "
                "XLA compiles no step of several replicas of TensorFlow. Received: "
                f"jit_compile=True with devices={devices}"
            )


def check_alone(**others):
    """Raises where devices are asked for beside what does not go together with them.

    Args:
        **others: Other arguments of ``GridRun``; those that were not given are None or
            False.

    Raises:
        ValueError: If any was given.

    Example:
    >>> from keras_amp.experiments.devices import check_alone
    >>> check_alone(cluster=None, seeds_at_once=False)
    """
    given = [
        f"{n}={value!r}" for n, value in others.items() if value not in (None, False)
    ]
    if given:
        raise ValueError(
            "Expected no `cluster`, `gpus_per_cell` or `seeds_at_once` with `devices`, "
            "which are those of this machine, all of them for one cell at a time. "
            f"Received: {', '.join(given)}"
        )


def first_devices(number):
    """Returns the names of the first devices: GPUs where there are some, else CPUs.

    Args:
        number: Integer >= 1.

    Raises:
        ValueError: If ``number`` lies outside its range, or there are not so many.

    Example:
    >>> from keras_amp.experiments.devices import first_devices
    >>> len(first_devices(1))
    1
    """
    check_count("devices", number)
    there = keras.distribution.list_devices()
    if number > len(there):
        kind = there[0].partition(":")[0]
        more = f". {MORE_CPUS[BACKEND].format(number)}" if kind == "cpu" else ""
        raise ValueError(
            f"Expected `devices` to be at most {len(there)}, which is how many "
            f"{kind.upper()}s {NAMES[BACKEND]} sees. Received: devices={number}{more}"
        )
    return there[:number]


@contextlib.contextmanager
def on_devices(number):
    """Has a model that is made and trained in the block share batches among devices.

    On JAX a step sees the whole batch, and comes to what it comes to on one device, up to
    rounding; on TensorFlow each replica mixes the examples of its own part.

    Args:
        number: Integer, the first so many devices; None leaves everything as it is.

    Raises:
        ValueError: As ``first_devices``.

    Example:
    >>> from keras_amp.experiments.devices import on_devices
    >>> with on_devices(1):
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    """
    if number is None:
        yield
        return
    names = first_devices(number)
    with contextlib.ExitStack() as stack:
        if BACKEND == "jax":
            stack.enter_context(keras_compat.each_batch_laid_out())
            stack.enter_context(Divided(devices=names).scope())
        else:
            stack.enter_context(mirrored(*names).scope())
        yield


def sharing():
    """Returns how many devices share a batch here; 1 outside of ``on_devices``."""
    distribution = keras.distribution.distribution()
    return replicas() if distribution is None else distribution.device_mesh.devices.size


def check_first_batch(num_examples, batch_size):
    """Raises where Keras could not begin to train on TensorFlow's replicas.

    It takes the mean of a first batch over them, of which each needs as many examples.

    Args:
        num_examples: Integer, the training examples.
        batch_size: Integer, a multiple of ``sharing()``.

    Raises:
        ValueError: If there are less than a batch of them, and replicas cannot share
            them evenly.
    """
    if BACKEND == "tensorflow" and min(num_examples, batch_size) % sharing():
        raise ValueError(
            f"Expected at least {batch_size} training examples (`batch_size`), or a "
            f"multiple of the {sharing()} devices, which share the first batch. "
            f"Received: {num_examples}"
        )


def evaluation_batch(num_examples, most):
    """Returns the size of an evaluation's batches, of which the first is shared evenly.

    Args:
        num_examples: Integer, the examples to evaluate.
        most: Integer, the size where there is one device.

    Raises:
        ValueError: If there are less examples than replicas of TensorFlow.

    Example:
    >>> from keras_amp.experiments.devices import evaluation_batch
    >>> evaluation_batch(60, 250), evaluation_batch(300, 250)
    (60, 250)
    """
    size = min(num_examples, most)
    even = size - size % sharing()
    if not even and BACKEND == "tensorflow":
        raise ValueError(
            f"Expected at least as many examples to evaluate as devices, {sharing()}. "
            f"Received: {num_examples}"
        )
    return even or size


def make_cpus(number):
    """Divides TensorFlow's CPU into so many, before it computes."""
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * number,
    )


@functools.cache
def mirrored(*names):
    """The strategy of devices, one for all cells: two would disturb each other."""
    return tf.distribute.MirroredStrategy([name.upper() for name in names])


class Divided(keras.distribution.DataParallel):
    """Divides the batches that devices can share evenly; the others each one has whole.

    So there may be any number of examples: the last batch of an epoch is what is left.
    """

    def get_data_layout(self, data_shape):
        """Returns how an array of a batch lies on the devices."""
        if data_shape[0] % self.device_mesh.devices.size:
            return keras.distribution.TensorLayout(
                [None] * len(data_shape), self.device_mesh
            )
        return super().get_data_layout(data_shape)
