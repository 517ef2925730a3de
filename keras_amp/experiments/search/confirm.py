"""The best settings of each method on fresh seeds, and how they differ."""

from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np

from keras_amp.analysis.intervals import t_interval
from keras_amp.analysis.verdicts import Verdict, verdicts
from keras_amp.experiments.search.trials import Outcome
from keras_amp.experiments.settings import Method
from keras_amp.experiments.store import FINISHED

QUANTITIES = ("test_error", "nll", "ece", "seconds")


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
        return all(
            self._cell(method, place).key not in self.records for method in self.chosen
        )

    def results(self, method):
        """Returns the results of a method by seed, a dict from places to dicts."""
        found = {}
        for place in range(self.seeds):
            record = self.records.get(self._cell(method, place).key)
            if record is not None and record["status"] == FINISHED:
                found[place] = record["result"]
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
        verdict: ``Verdict``, after Holm's method; None for no mixing.
    """

    method: Method
    outcome: Outcome
    spreads: dict
    seeds: int
    difference: float | None = None
    interval: tuple | None = None
    verdict: Verdict | None = None


def compared(confirmation, margin):
    """Compares each method with no mixing, over the seeds that both have finished.

    Args:
        confirmation: ``Confirmation`` that has run.
        margin: Float, percentage points within which two errors count as equal.

    Returns:
        A list of ``Row``s, no mixing first.
    """
    results = {m: confirmation.results(m) for m in confirmation.chosen}
    baseline, *others = [m for m in results if results[m]]
    pairs = {m: _pairs(results[m], results[baseline]) for m in others}
    found = verdicts([p[:, 0] - p[:, 1] for p in pairs.values()], margin)
    judged = dict(zip(pairs, found, strict=True))
    rows = []
    for method in (baseline, *others):
        of_method = list(results[method].values())
        row = Row(
            method,
            confirmation.chosen[method],
            {name: _spread([r[name] for r in of_method]) for name in QUANTITIES},
            len(of_method),
        )
        if method in pairs:
            apart = pairs[method][:, 0] - pairs[method][:, 1]
            row = Row(
                row.method,
                row.outcome,
                row.spreads,
                row.seeds,
                float(apart.mean()) if len(apart) else None,
                t_interval(apart),
                judged[method],
            )
        rows.append(row)
    return rows


def _pairs(results, others):
    common = [place for place in results if place in others]
    errors = [(results[p]["test_error"], others[p]["test_error"]) for p in common]
    return np.array(errors, "float64").reshape(-1, 2)


def _spread(values):
    values = [value for value in values if value is not None]
    if not values:
        return None, None
    return fmean(values), stdev(values) if len(values) > 1 else None
