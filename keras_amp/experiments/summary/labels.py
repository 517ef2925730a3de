"""Short names: the method, and the few settings that distinguish it."""

from dataclasses import replace

from keras_amp.experiments.summary.distinguishing_settings import distinguishing_settings
from keras_amp.experiments.summary.texts import setting_text

# What a method's name says, and what may differ between the trials of one name.
NOT_IN_LABELS = ("method", "mix", "policy", "seed", "fold")


def label(settings, equals=" "):
    """Name settings by their method and by the few settings that distinguish them.

    Args:
        settings: List of dicts, settings by their own names, ``"method"`` among them.
        equals: What stands between the name and the value of a setting.

    Returns:
        A list of strings; settings that differ by seed and fold alone have one name.

    Example:
    >>> from keras_amp.experiments.summary.labels import label
    >>> label([{"method": "WordAMP", "step_size": size} for size in (0.002, 0.5)])
    ['WordAMP, step_size 0.002', 'WordAMP, step_size 0.5']
    """
    of_method = {}
    for values in settings:
        known = {n: v for n, v in values.items() if n not in NOT_IN_LABELS}
        of_method.setdefault(values["method"], []).append(known)
    names = {m: distinguishing_settings(several) for m, several in of_method.items()}
    return [
        ", ".join(
            [
                values["method"],
                *(
                    f"{name}{equals}{setting_text(values, name)}"
                    for name in names[values["method"]]
                    if name in values
                ),
            ]
        )
        for values in settings
    ]


def label_cells(cells):
    r"""Return short names of a grid's cells, a dict from their keys.

    Args:
        cells: List of ``Cell``s.

    Example:
    >>> from keras_amp.experiments.config import parse_grid
    >>> from keras_amp.experiments.summary.labels import label_cells
    >>> text = "[settings]\nmix = 'word'\npolicy = 'amp'\nstep_size = [0.002, 0.5]"
    >>> list(label_cells(parse_grid(text, "mine").cells).values())
    ['WordAMP, step_size 0.002', 'WordAMP, step_size 0.5']
    """
    names = label([cell.values for cell in cells])
    return {cell.key: name for cell, name in zip(cells, names, strict=True)}


def label_groups(groups, equals=" "):
    """Return the groups with their labels.

    Args:
        groups: List of ``Group``s.
        equals: As of ``label``.
    """
    names = label([group.values for group in groups], equals)
    return [replace(g, label=name) for g, name in zip(groups, names, strict=True)]
