"""The report: one HTML page about finished runs, with its tables beside it.

Needs the extra ``keras-amp[experiments]``.
"""

# What is missing is said before the modules that need it are imported.
# ruff: noqa: E402

from keras_amp.runtime.extras import require

require("experiments", "jinja2", "matplotlib", "pandas", "scipy")

from keras_amp.report.writing import write_report

__all__ = ["write_report"]
