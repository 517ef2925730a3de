"""The former name of ``keras_amp.policies.random``."""

import warnings

from keras_amp.policies.random import *  # noqa: F403

warnings.warn(
    "`keras_amp.sampling` is now `keras_amp.policies.random`.",
    DeprecationWarning,
    stacklevel=2,
)
