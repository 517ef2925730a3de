"""The former name of ``keras_amp.policies``."""

import warnings

from keras_amp.policies import *  # noqa: F403
from keras_amp.policies import adversarial_mask as harder  # noqa: F401

warnings.warn(
    "`keras_amp.policy` is now `keras_amp.policies`.", DeprecationWarning, stacklevel=2
)
