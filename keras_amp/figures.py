"""The former name of ``keras_amp.analysis.figures``."""

import warnings

from keras_amp.analysis.figures import *  # noqa: F403

warnings.warn(
    "`keras_amp.figures` is now `keras_amp.analysis.figures`.",
    DeprecationWarning,
    stacklevel=2,
)
