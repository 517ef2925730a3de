"""The former name of ``keras_amp.analysis.significance``."""

import warnings

from keras_amp.analysis.significance import *  # noqa: F403

warnings.warn(
    "`keras_amp.significance` is now `keras_amp.analysis.significance`.",
    DeprecationWarning,
    stacklevel=2,
)
