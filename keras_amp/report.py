"""The former name of ``keras_amp.experiments.pages``, where ``write_report`` is."""

import warnings

from keras_amp.experiments.pages import write_report

__all__ = ["write_report"]

warnings.warn(
    "`keras_amp.report` is now `keras_amp.experiments.pages`.",
    DeprecationWarning,
    stacklevel=2,
)
