"""The former name of ``keras_amp.paper``, where the authors' program is."""

import warnings

from keras_amp.paper import *  # noqa: F403

warnings.warn(
    "`keras_amp.experimental` is now `keras_amp.paper`.", DeprecationWarning, stacklevel=2
)
