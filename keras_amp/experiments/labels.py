"""Short names of a grid's cells."""

from pathlib import Path

from keras_amp.experiments.config import NOTHING
from keras_amp.experiments.distinguishing_settings import telling

# What a method's name says, or what cells of one name differ by.
UNSAID = ("method", "mix", "policy", "seed", "fold")


def label_cells(cells):
    r"""Names cells by their method and by the few settings that tell them apart.

    Args:
        cells: List of ``Cell``s.

    Returns:
        A dict from keys to names; cells that differ by seed and fold alone share one.

    Example:
    >>> from keras_amp.grid import parse_grid
    >>> from keras_amp.experiments.labels import label_cells
    >>> text = "[settings]\nmix = 'word'\npolicy = 'amp'\nstep_size = [0.002, 0.5]"
    >>> list(label_cells(parse_grid(text, "mine").cells).values())
    ['WordAMP, step_size 0.002', 'WordAMP, step_size 0.5']
    """
    values = {cell.key: cell.values for cell in cells}
    methods = {}
    for of_cell in values.values():
        methods.setdefault(of_cell["method"], []).append(_said(of_cell))
    names = {method: telling(several) for method, several in methods.items()}
    labels = {}
    for key, of_cell in values.items():
        method = of_cell["method"]
        told = [n for n in names[method] if n in of_cell]
        labels[key] = ", ".join([method, *(f"{n} {_word(n, of_cell[n])}" for n in told)])
    return labels


def _said(values):
    return {name: value for name, value in values.items() if name not in UNSAID}


def _word(name, value):
    if value is None:
        return NOTHING.get(name, "none")
    if isinstance(value, str) and Path(value).is_absolute():
        return Path(value).name  # names say no place on a machine
    return f"{value:g}" if isinstance(value, float) else str(value)
