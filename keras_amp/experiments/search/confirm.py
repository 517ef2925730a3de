"""The best settings of each method on fresh seeds, and how they differ."""

from dataclasses import dataclass, replace
from statistics import fmean, stdev

import numpy as np

from keras_amp.analysis.intervals import crossed_interval, t_interval
from keras_amp.analysis.verdicts import Verdict, verdicts
from keras_amp.experiments.predictions import unpacked
from keras_amp.experiments.search.trials import Outcome
from keras_amp.experiments.settings import Method
from keras_amp.experiments.store import FINISHED

QUANTITIES = ("test_error", "nll", "ece", "seconds")
PREDICTIONS = "predictions"  # in a record


class Confirmation:
    """The cells that test the settings a search has chosen, each once.

    Args:
        problem: ``Problem``, whose ``confirming`` makes the cells.
        chosen: Dict from ``Method``s to the ``Outcome``s that are best, no mixing first.
        seed: Integer, the search's.
        seeds: Integer, the fresh seeds.
        records: Dict from keys of cells to records, which grows.
    """

    def __init__(self, problem, chosen, seed, seeds, records):
        self.problem, self.chosen = problem, chosen
        self.seed, self.seeds, self.records = seed, seeds, records
        self._cells, self._places = {}, {}

    def wanted(self):
        """Returns the cells without a record, a list, seed by seed."""
        return [
            cell
            for place in range(self.seeds)
            for method in self.chosen
            if (cell := self._cell(method, place)).key not in self.records
        ]

    def place(self, cell):
        """Returns which of the fresh seeds a cell has, from 0."""
        return self._places[cell.key]

    def begins(self, place):
        """Returns whether no cell of a seed has run."""
        return not any(
            self._cell(method, place).key in self.records for method in self.chosen
        )

    def finished(self, method):
        """Returns the records of a method by seed, a dict from places to dicts."""
        found = {}
        for place in range(self.seeds):
            record = self.records.get(self._cell(method, place).key)
            if record is not None and record["status"] == FINISHED:
                found[place] = record
        return found

    @property
    def seconds(self):
        """The time of its cells."""
        keys = [
            self._cell(method, place).key
            for method in self.chosen
            for place in range(self.seeds)
        ]
        return sum(self.records[key]["seconds"] for key in keys if key in self.records)

    def _cell(self, method, place):
        if (method, place) not in self._cells:
            values = self.chosen[method].trial.values
            cell = self.problem.confirming(method, values, place, self.seed)
            self._cells[method, place] = cell
            self._places[cell.key] = place
        return self._cells[method, place]


@dataclass(frozen=True)
class Row:
    """A method as it was confirmed.

    Attributes:
        method: ``Method``.
        outcome: ``Outcome``, its best trial.
        spreads: Dict from ``QUANTITIES`` to tuples of the mean over the seeds and the
            deviation, which is None for one seed.
        seeds: Integer, the seeds that it finished.
        difference: Float, its test error less that of no mixing, in percentage points;
            None for that itself.
        interval: The t-interval of the difference, a tuple; None where there is none.
        wide: The interval over other seeds and other test examples.
        verdict: ``Verdict``, after Holm's method; None for no mixing.
    """

    method: Method
    outcome: Outcome
    spreads: dict
    seeds: int
    difference: float | None = None
    interval: tuple | None = None
    wide: tuple | None = None
    verdict: Verdict | None = None


def compared(confirmation, margin):
    """Compares each method with no mixing, over the seeds that both have finished.

    Args:
        confirmation: ``Confirmation`` that has run.
        margin: Float, percentage points within which two errors count as equal.

    Returns:
        A list of ``Row``s, no mixing first.
    """
    records = {m: confirmation.finished(m) for m in confirmation.chosen}
    baseline, *others = [m for m in records if records[m]]
    apart = {m: _differences(records[m], records[baseline]) for m in others}
    judged = verdicts(list(apart.values()), margin)
    rows = [_row(confirmation, baseline, records[baseline])]
    for method, verdict in zip(others, judged, strict=True):
        known = len(apart[method]) > 0
        row = _row(confirmation, method, records[method])
        rows.append(
            replace(
                row,
                difference=float(apart[method].mean()) if known else None,
                interval=t_interval(apart[method]) if known else None,
                wide=_wide(records[method], records[baseline]),
                verdict=verdict,
            )
        )
    return rows


def _row(confirmation, method, records):
    results = [record["result"] for record in records.values()]
    spreads = {name: _spread([r[name] for r in results]) for name in QUANTITIES}
    return Row(method, confirmation.chosen[method], spreads, len(results))


def _differences(records, others):
    """The differences of the test errors, of the seeds that both have finished."""
    return np.array(
        [
            record["result"]["test_error"] - others[place]["result"]["test_error"]
            for place, record in records.items()
            if place in others
        ]
    )


def _wide(records, others):
    """The interval over seeds and test examples; None without predictions."""
    common = [place for place in records if place in others]
    kept = [r[place] for place in common for r in (records, others)]
    if not kept or any(PREDICTIONS not in record for record in kept):
        return None
    rows = [_wrong(records[p]) - _wrong(others[p]) for p in common]
    return crossed_interval(100 * np.array(rows))


def _wrong(record):
    """1.0 for each test example that was classified wrongly."""
    labels, probabilities = unpacked(record[PREDICTIONS])
    return (probabilities.argmax(axis=1) != labels).astype("float64")


def _spread(values):
    values = [value for value in values if value is not None]
    if not values:
        return None, None
    return fmean(values), stdev(values) if len(values) > 1 else None
