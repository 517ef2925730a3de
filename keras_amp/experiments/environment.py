"""What a result was made with: versions and machine."""

import os
import platform
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_amp.version import __version__


def versions():
    """Returns the versions of what a result depends on, by name.

    Example:
    >>> from keras_amp.experiments.environment import versions
    >>> list(versions())
    ['keras_amp', 'keras', 'tensorflow', 'numpy', 'python']
    """
    return {
        "keras_amp": __version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def machine():
    """Returns what this process computes with: processor, cores, threads, GPU, system.

    ``threads`` is None where TensorFlow uses as many as there are cores.

    Example:
    >>> from keras_amp.experiments.environment import machine
    >>> list(machine())
    ['processor', 'cores', 'threads', 'gpu', 'system']
    """
    gpus = tf.config.get_visible_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return {
        "processor": _processor(),
        "cores": cores(),
        "threads": tf.config.threading.get_intra_op_parallelism_threads() or None,
        "gpu": details[0].get("device_name") if details else None,
        "system": f"{platform.system()} {platform.machine()}",
    }


def cores():
    """Returns how many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor()
