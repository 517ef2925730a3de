"""The former name of ``keras_amp.policies``."""

import warnings

from keras_amp.policies import *  # noqa: F403

warnings.warn(
    "`keras_amp.policy` is now `keras_amp.policies`.", DeprecationWarning, stacklevel=2
)
