"""The settings and final scores of a run, for TensorBoard's HParams view."""

import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from keras_amp.runtime.extras import require


def write_hparams(
    log_dir: str | os.PathLike[str],
    settings: Mapping[str, Any],
    scores: Mapping[str, float],
    name: str,
) -> None:
    """Write what TensorBoard's table and parallel coordinates show of a run.

    Args:
        log_dir: The run's folder of event files, which has a folder for each split.
        settings: Dict of the settings. Numbers, strings and booleans are written as they
            are, other values as text, and None is left out.
        scores: Dict from names to final scores, which are written as scalars at step 0.
        name: The run's name, which must be the same whenever the run is written.

    Example:
    >>> import tempfile
    >>> from keras_amp.callbacks.hparams import write_hparams
    >>> write_hparams(
    ...     tempfile.mkdtemp(), {"method": "WordAMP", "seed": 0}, {"test_error": 8.2}, "a"
    ... )
    """
    require("experiments", "tensorboard")
    from tensorboard.plugins.hparams import api

    values = {
        key: value if isinstance(value, (bool, int, float, str)) else str(value)
        for key, value in settings.items()
        if value is not None
    }
    writer = tf.summary.create_file_writer(str(log_dir))
    with writer.as_default():
        api.hparams(values, trial_id=name)
        for key, value in scores.items():
            tf.summary.scalar(f"final/{key}", value, step=0)
    writer.close()
