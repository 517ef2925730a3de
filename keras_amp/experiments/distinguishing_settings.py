"""By what few settings things can be told apart."""

ABSENT = type("Absent", (), {"__repr__": lambda _: "absent"})()  # no such setting


def telling(settings, names=None):
    """Returns names of settings, the first ones first, each of which tells more apart.

    Args:
        settings: List of dicts.
        names: Names to choose among, in order; None for all.

    Returns:
        A list of names: as few as it takes when they are chosen one after the other.

    Example:
    >>> from keras_amp.experiments.distinguishing_settings import telling
    >>> telling([{"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 2, "c": 2}, {"a": 1, "b": 2}])
    ['b', 'c']
    """
    if names is None:
        names = dict.fromkeys(name for values in settings for name in values)
    chosen, told = [], 1
    for name in names:
        different = len({values_at(values, [*chosen, name]) for values in settings})
        if different > told:
            chosen.append(name)
            told = different
    return chosen


def values_at(values, names):
    """Returns some of a dict's values as a tuple of texts, to be compared.

    Example:
    >>> from keras_amp.experiments.distinguishing_settings import values_at
    >>> values_at({"a": 1, "b": "x"}, ["b", "c"])
    ("'x'", 'absent')
    """
    return tuple(repr(values.get(name, ABSENT)) for name in names)
