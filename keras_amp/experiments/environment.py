"""What a result was made with: commit, versions, machine; and the kernels it takes."""

import contextlib
import functools
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import config as tf_config  # turns determinism off
from tensorflow.python.util import _pywrap_util_port  # whether oneDNN is on

from keras_amp.validation import check_count
from keras_amp.version import __version__

BACKEND = keras.backend.backend()
ENVIRONMENT = "environment.json"  # in a run's folder
PACKAGE = Path(__file__).parent.parent
DETERMINISTIC = "TF_DETERMINISTIC_OPS"
# How variables begin that a result may depend on. Not all of TF_: there are those of the
# log, and Terraform's, which hold secrets.
CONCERNED = ("XLA_", "ONEDNN_", "DNNL_", "OMP_", "MKL_", "NVIDIA_TF32_")
CONCERNED += tuple(
    f"TF_{name}"
    for name in """
        AUTO_ CPU_ CUDNN_ DETERMINISTIC_ DISABLE_ ENABLE_ FORCE_ FP16_ GPU_ MIN_GPU_ MKL_
        NUM_ ONEDNN_ OVERRIDE_ USE_ XLA_
    """.split()  # noqa: SIM905
)
EXTENSIONS = ("avx", "fma", "amx", "sse4", "asimd", "sve")


def environment(jit_compile=None):
    """Returns all that a result depends on besides its settings, for a file.

    Args:
        jit_compile: Whether the training step was compiled by XLA, which
            ``jit_compile="auto"`` leaves open; None where nothing was trained.

    Example:
    >>> from keras_amp.experiments.environment import environment
    >>> list(environment())
    ['backend', 'versions', 'source', 'machine', 'jit_compile']
    """
    return {
        "backend": BACKEND,
        "versions": versions(),
        "source": source(),
        "machine": machine(),
        "jit_compile": jit_compile,
    }


def versions():
    """Returns the versions of what a result depends on, by name; JAX's where it trains.

    Example:
    >>> from keras_amp.experiments.environment import versions
    >>> list(versions())
    ['keras_amp', 'keras', 'tensorflow', 'numpy', 'python']
    """
    jax = {"jax": metadata.version("jax")} if BACKEND == "jax" else {}
    return {
        "keras_amp": __version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        **jax,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


@functools.cache
def source(folder=PACKAGE):
    """Returns the git commit of the package, and whether its files differ from it.

    It is looked up once a process, as the code is imported once.

    Args:
        folder: Path, the package's.

    Returns:
        A dict of ``commit``, its hash, and ``changed``, a boolean; both None where the
        package is under no version control, as an installed wheel is not.

    Example:
    >>> from keras_amp.experiments.environment import source
    >>> list(source())
    ['commit', 'changed']
    """
    # An environment may lie in somebody's repository, which is not the package's.
    tracked = _git(folder, "ls-files", "--error-unmatch", "__init__.py")
    commit = _git(folder, "rev-parse", "HEAD") if tracked else None
    if commit is None:
        return {"commit": None, "changed": None}
    changes = _git(folder, "status", "--porcelain", "--", ".")
    return {"commit": commit, "changed": bool(changes)}


def machine():
    """Returns what this process computes with: processor, threads, kernels, system.

    ``threads`` is None where as many are used as there are cores. ``onednn`` and
    ``deterministic`` say whether TensorFlow takes oneDNN's and deterministic kernels,
    ``variables`` what the environment holds for it, and ``extensions`` which instructions
    on vectors the processor has.

    Example:
    >>> from keras_amp.experiments.environment import machine
    >>> list(machine())[:5]
    ['processor', 'cores', 'threads', 'gpu', 'system']
    >>> list(machine())[5:]
    ['extensions', 'onednn', 'deterministic', 'variables']
    """
    about = _about_processor()
    return {
        "processor": about.get("model name") or platform.processor(),
        "cores": cores(),
        "threads": tf.config.threading.get_intra_op_parallelism_threads() or None,
        "gpu": _gpu(),
        "system": f"{platform.system()} {platform.machine()}",
        "extensions": _extensions(about),
        "onednn": bool(_pywrap_util_port.IsMklEnabled()),
        "deterministic": tf_config.is_op_determinism_enabled(),
        "variables": variables(),
    }


def variables():
    """Returns the environment's variables that TensorFlow's results may depend on.

    Example:
    >>> from keras_amp.experiments.environment import variables
    >>> "PATH" in variables()
    False
    """
    return {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(CONCERNED)
    }


@contextlib.contextmanager
def deterministic_operations():
    """Has TensorFlow take deterministic kernels in the block, on a CPU.

    Not on a GPU, where some operations have none and others take long; nor where the user
    has decided by ``TF_DETERMINISTIC_OPS``. Enter it with a model that is compiled:
    while it lasts, and under that variable, Keras lets XLA compile nothing, though what
    XLA has compiled for a CPU is deterministic by itself.

    Example:
    >>> from keras_amp.experiments.environment import deterministic_operations, machine
    >>> with deterministic_operations():
    ...     inside = machine()["deterministic"]
    >>> inside, machine()["deterministic"]
    (True, False)
    """
    left = DETERMINISTIC in os.environ or tf_config.is_op_determinism_enabled()
    if left or _gpu():
        yield
        return
    tf.config.experimental.enable_op_determinism()
    try:
        yield
    finally:
        tf_config.disable_op_determinism()


def use_threads(number):
    """Fixes how many threads TensorFlow or JAX computes with, before it begins to.

    What XLA compiles rounds otherwise with another number.

    Args:
        number: Integer >= 1.

    Raises:
        ValueError: If ``number`` lies outside its range, or TensorFlow has begun with
            another one.
    """
    check_count("threads", number)
    if BACKEND == "jax":  # which reads it when it begins to compute
        os.environ["NPROC"] = os.environ["PJRT_NPROC"] = str(number)
    try:
        tf.config.threading.set_intra_op_parallelism_threads(number)
        tf.config.threading.set_inter_op_parallelism_threads(number)
    except RuntimeError as error:
        raise ValueError(
            "Expected the number of threads before TensorFlow computes. Received: "
            f"threads={number}, too late in this process."
        ) from error


def cores():
    """Returns how many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _gpu():
    """The name of the first GPU that trains, or None."""
    if BACKEND == "jax":
        from keras_amp.training.jax.devices import gpu

        return gpu()
    gpus = tf.config.get_visible_devices("GPU")
    details = [tf.config.experimental.get_device_details(each) for each in gpus]
    return details[0].get("device_name") if details else None


@functools.cache
def _about_processor():
    """What Linux says of the first processor; nothing elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in reversed(lines) if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def _extensions(about):
    flags = about.get("flags", about.get("Features", "")).split()
    return [flag for flag in flags if flag.startswith(EXTENSIONS)]


def _git(folder, *arguments):
    """What git says; None where there is no git, or it has nothing to say."""
    try:
        done = subprocess.run(
            ["git", "-C", folder, *arguments],
            capture_output=True,
            text=True,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
