"""Numbers and settings as the texts that tables show."""

import math
from pathlib import Path

from keras_amp.experiments.settings import ON_WORDS

SPACE, DASH, MINUS = "\N{NO-BREAK SPACE}", "\N{EN DASH}", "\N{MINUS SIGN}"


def number(value, digits=2, signed=False):
    """Return a number as a text, a dash where there is none.

    Example:
    >>> from keras_amp.experiments.summary.texts import number
    >>> number(1.234), number(0.5, 1, signed=True)
    ('1.23', '+0.5')
    """
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def spread_text(mean, deviation, digits=2):
    """Return a mean with its standard deviation; either may be None.

    Example:
    >>> from keras_amp.experiments.summary.texts import spread_text
    >>> spread_text(9.0, None)
    '9.00'
    """
    text = number(mean, digits)
    if text == DASH or deviation is None:
        return text
    # A space that does not break: a table that is too wide wraps its headings instead.
    return f"{text}{SPACE}±{SPACE}{number(deviation, digits)}"


def interval(bounds, digits=2):
    """Return the bounds of an interval as a text, a dash for None."""
    if bounds is None:
        return DASH
    return f"{SPACE}to{SPACE}".join(number(b, digits, signed=True) for b in bounds)


def with_interval(difference, bounds, digits=2):
    """Return a difference with the bounds of its interval, as far as there are any.

    Example:
    >>> from keras_amp.experiments.summary.texts import with_interval
    >>> with_interval(0.5, None), with_interval(float("nan"), None) == DASH
    ('+0.50', True)
    """
    text = number(difference, digits, signed=True)
    if bounds is None:
        return text
    return f"{text} ({interval(bounds, digits)})"


def p_value(p):
    """Return a p-value as a text, a dash for None."""
    if p is None:
        return DASH
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def value_text(value):
    """Return the value of a setting as on a command line.

    Example:
    >>> from keras_amp.experiments.summary.texts import value_text
    >>> value_text([3, 4]), value_text(None), value_text(True), value_text(2e-4)
    ('3 4', 'none', 'yes', '0.0002')
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(map(value_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def setting_text(values, name):
    """Return one setting of several as a text, a dash where it is absent.

    Args:
        values: Dict, settings by their own names.
        name: Name of the setting.

    Example:
    >>> from keras_amp.experiments.summary.texts import setting_text
    >>> setting_text({"backbone": "cnn", "vectors": None}, "vectors")
    'random'
    """
    if name not in values:
        return DASH
    value = values[name]
    if name == "vectors" and value is None:
        return "random" if values.get("backbone") in ON_WORDS else DASH
    if isinstance(value, str) and Path(value).is_absolute():
        return Path(value).name  # a table shows no path of a machine
    return value_text(value)
