"""TensorBoard's HParams view: a run's settings beside its final errors."""

import tensorflow as tf

from keras_amp.runtime.extras import require


def write_hparams(log_dir, settings, scores, name):
    """Writes what TensorBoard's table and parallel coordinates compare runs by.

    Args:
        log_dir: The run's folder of event files; those of its splits lie below it.
        settings: Dict of the settings; what is no number, string or boolean is written
            as text.
        scores: Dict from names to final figures, written as scalars at step 0.
        name: The run's name, the same however often it is written.

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
