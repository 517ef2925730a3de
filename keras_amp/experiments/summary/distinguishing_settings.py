"""The settings by which dictionaries of settings can be distinguished."""

ABSENT = type("Absent", (), {"__repr__": lambda _: "absent"})()  # no such setting


def distinguishing_settings(settings, names=None):
    """Return the names of the settings that distinguish the given dictionaries.

    The names are tried in order. A name is kept if the kept names distinguish more of
    the dictionaries with it than without it.

    Args:
        settings: List of dicts.
        names: Names to choose among, in order; None for all.

    Returns:
        A list of names.

    Example:
    >>> from keras_amp.experiments.summary.distinguishing_settings import (
    ...     distinguishing_settings,
    ... )
    >>> settings = [{"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 2, "c": 2}, {"a": 1, "b": 2}]
    >>> distinguishing_settings(settings)
    ['b', 'c']
    """
    if names is None:
        names = dict.fromkeys(name for values in settings for name in values)
    chosen, most = [], 1
    for name in names:
        different = len({values_at(values, [*chosen, name]) for values in settings})
        if different > most:
            chosen.append(name)
            most = different
    return chosen


def values_at(values, names):
    """Return some values of a dict as a tuple of texts that can be compared.

    Example:
    >>> from keras_amp.experiments.summary.distinguishing_settings import values_at
    >>> values_at({"a": 1, "b": "x"}, ["b", "c"])
    ("'x'", 'absent')
    """
    return tuple(repr(values.get(name, ABSENT)) for name in names)
