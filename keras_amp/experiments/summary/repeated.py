"""Cells that were run twice, and how far the two results are apart."""

import math
from dataclasses import dataclass

from keras_amp.experiments.store import FAILED

ERRORS = ("test_error", "dev_error")
# Where a record holds the conditions that a cell was run under, by their names.
CONDITIONS = {
    "backend": ("backend",),
    "devices": ("devices",),
    "commit": ("source", "commit"),
    "changed files": ("source", "changed"),
    "processor": ("machine", "processor"),
    "extensions": ("machine", "extensions"),
    "GPU": ("machine", "gpu"),
    "oneDNN": ("machine", "onednn"),
    "deterministic": ("machine", "deterministic"),
    "threads": ("machine", "threads"),
    "variables": ("machine", "variables"),
    "compiled": ("jit_compile",),
}
UNKNOWN = "not recorded"


def root_mean_square(values):
    """Return the root of the mean of the squares of numbers; None of none.

    Example:
    >>> from keras_amp.experiments.summary.repeated import root_mean_square
    >>> root_mean_square([3.0, -3.0]), root_mean_square([])
    (3.0, None)
    """
    if not values:
        return None
    return math.sqrt(math.fsum(value * value for value in values) / len(values))


@dataclass(frozen=True)
class Repeated:
    """A cell that was run again.

    Attributes:
        name: What it is called, such as ``"WordMixup, seed 3"``.
        kept: Dict, the record that is kept.
        again: Dict, the new one.
    """

    name: str
    kept: dict
    again: dict

    @property
    def failed(self):
        """Whether it failed this time."""
        return self.again["status"] == FAILED

    def apart(self, error):
        """Returns how much greater an error is this time, in points; NaN without one.

        Args:
            error: ``"test_error"`` or ``"dev_error"``.
        """
        if self.failed:
            return math.nan
        values = [record["result"][error] for record in (self.again, self.kept)]
        return math.nan if None in values else values[0] - values[1]

    @property
    def same(self):
        """Whether everything is the same to the last digit, except the time it took."""
        if self.failed:
            return False
        kept, again = (record["result"] for record in self._records)
        # What the package did not record then, nobody knows.
        known = [name for name, v in kept.items() if v is not None and name != "seconds"]
        curves = [record["curves"] for record in self._records]
        return curves[0] == curves[1] and all(kept[n] == again[n] for n in known)

    @property
    def alike(self):
        """How many epochs, from the first, have the same loss and errors."""
        if self.failed:
            return 0
        kept, again = (r["curves"] for r in (self.kept, self.again))
        rows = [
            list(zip(*(curves[n] for n in sorted(curves) if n != "by_step"), strict=True))
            for curves in (kept, again)
        ]
        number = 0
        for one, other in zip(*rows, strict=False):
            if one != other:
                break
            number += 1
        return number

    @property
    def conditions(self):
        """What differs between the two environments: a dict from names to two texts."""
        found = {
            n: tuple(_at(r, p) for r in self._records) for n, p in CONDITIONS.items()
        }
        versions = [record.get("versions", {}) for record in self._records]
        for name in dict.fromkeys([*versions[0], *versions[1]]):
            found[name] = tuple(of_one.get(name, UNKNOWN) for of_one in versions)
        return {name: pair for name, pair in found.items() if pair[0] != pair[1]}

    @property
    def _records(self):
        return self.kept, self.again

    def __str__(self):
        if self.failed:
            error = self.again["error"]
            return f"{self.name}: failed: {error['type']}: {error['message']}"
        parts = [
            f"{error.replace('_', ' ')} {self.again['result'][error]:.2f}%, kept "
            f"{self.kept['result'][error]:.2f}%: {self.apart(error):+.2f}"
            for error in ERRORS
            if not math.isnan(self.apart(error))
        ]
        epochs = len(self.kept["curves"]["loss"])
        same = (
            "all the same" if self.same else f"alike in {self.alike} of {epochs} epochs"
        )
        return f"{self.name}: {'; '.join(parts)}; {same}"


def _at(record, path):
    """A record's value as a text."""
    for name in path:
        if name not in record:
            return UNKNOWN
        record = record[name]
    if isinstance(record, list):
        return " ".join(map(str, record))
    if isinstance(record, dict):
        return " ".join(f"{name}={value}" for name, value in record.items()) or "none"
    return {True: "yes", False: "no", None: "none"}.get(record, str(record))
