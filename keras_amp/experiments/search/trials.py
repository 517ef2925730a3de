"""Trials, and which of their cells are to be run: a function of the cells there are."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, NamedTuple

from keras_amp.experiments.search.space import within
from keras_amp.experiments.store import FINISHED

COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"
KEPT = 2  # of so many trials one goes on
# After how many cells trials are compared: as it should be, and where time is short.
RUNGS, RUNGS_OF_FEW = ((1, 2, 3), (1, 2)), ((1, 2, 5), (1, 3))  # seeds; folds
SIZE = 4  # trials of a method that are proposed together
TRIAL = "trial"  # what a record of a cell says of its trial


class Trial(NamedTuple):
    """Settings that are tried.

    Attributes:
        method: The method's name.
        number: Integer, from 0 for each method.
        values: Dict from names to values.
    """

    method: str
    number: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """A trial of which all is known.

    Attributes:
        trial: ``Trial``.
        state: ``"complete"``; ``"pruned"``, if it was not among the better ones by a
            part of its cells; or ``"failed"``, if one of these had no finite loss.
        losses: Tuple of floats, the development losses of its cells.
        means: Tuple of floats, their means where it was compared.
        seconds: Float, the time of its cells.
    """

    trial: Trial
    state: str
    losses: tuple
    means: tuple
    seconds: float = field(default=0.0, compare=False)

    @property
    def loss(self):
        """The mean development loss of its cells; infinite without any."""
        return fmean(self.losses) if self.losses else math.inf


def sizes_of(number):
    """Returns the sizes of the generations that a number of trials is divided into.

    Example:
    >>> from keras_amp.experiments.search.trials import sizes_of
    >>> sizes_of(10), sizes_of(3)
    ([4, 4, 2], [3])
    """
    whole, rest = divmod(number, SIZE)
    return [SIZE] * whole + [rest] * (rest > 0)


def cells_of_generation(size, rungs):
    """Returns how many cells a generation of a method takes, at most.

    Example:
    >>> from keras_amp.experiments.search.trials import cells_of_generation
    >>> cells_of_generation(4, (1, 2, 3))  # 4, then 2, then 1
    7
    """
    total, before = 0, 0
    for count in rungs:
        total += size * (count - before)
        size, before = -(-size // KEPT), count
    return total


class Trials:
    """What is tried of each method, in generations by successive halving.

    A trial has a cell for each of several seeds, or folds. Those of a generation are
    proposed together; all run their first cells, and of all trials of the method that
    have come as far, the better half goes on to the next ones. So what is proposed and
    what goes on depends on the cells alone, not on the order in which they end, nor on
    which process has run them. (Optuna's own pruner compares a trial with those that
    happen to have ended.)

    Args:
        problem: ``Problem``; its ``methods``, ``space``, ``defaults`` and ``cell`` are
            used.
        seed: Integer, the search's.
        rungs: Tuple of increasing integers: after how many cells trials are compared.
        sizes: List of integers, the sizes of the generations; it may grow.
        records: Dict from keys of cells to records, which grows.

    Reference:
        Jamieson and Talwalkar, *Non-stochastic Best Arm Identification and
        Hyperparameter Optimization*, AISTATS 2016.
    """

    def __init__(self, problem, seed, rungs, sizes, records):
        self.problem, self.seed, self.rungs = problem, seed, tuple(rungs)
        self.sizes, self.records = sizes, records
        self._proposed, self._outcomes, self._cells = {}, {}, {}

    def wanted(self):
        """Returns the cells that are to be run now, those of early trials first.

        Returns:
            A list of tuples of a ``Cell`` and its ``Trial``; empty where all is known.
        """
        found = []
        for method in self.problem.methods:
            generation = self._first_open(method)
            if generation is not None:
                found += [
                    (trial.number, place, cell, trial)
                    for trial, place, cell in self._missing(method, generation)
                ]
        found.sort(key=lambda each: each[:2])  # stable: methods stay in their order
        return [(cell, trial) for _, _, cell, trial in found]

    def outcomes(self, method):
        """Returns the ``Outcome``s of a method's generations that have ended."""
        self._first_open(method)
        return [
            outcome
            for generation in range(len(self.sizes))
            for outcome in self._outcomes.get((method.name, generation), ())
        ]

    def best(self, method):
        """Returns the best complete ``Outcome`` of a method, or None."""
        complete = [o for o in self.outcomes(method) if o.state == COMPLETE]
        return min(complete, key=lambda o: (o.loss, o.trial.number), default=None)

    def cells(self, trial):
        """Returns all cells of a trial, a list; it may not come to run them."""
        key = trial.method, trial.number
        if key not in self._cells:
            method = next(m for m in self.problem.methods if m.name == trial.method)
            self._cells[key] = [
                self.problem.cell(method, trial.values, place, self.seed)
                for place in range(self.rungs[-1])
            ]
        return self._cells[key]

    def _first_open(self, method):
        """The first generation of which not all is known; None where there is none."""
        for generation in range(len(self.sizes)):
            if (method.name, generation) not in self._outcomes:
                if self._missing(method, generation):
                    return generation
                self._outcomes[method.name, generation] = self._ended(method, generation)
        return None

    def _trials(self, method, generation):
        """The trials of a generation; those before must have ended."""
        key = method.name, generation
        if key not in self._proposed:
            first = sum(self.sizes[:generation])
            numbers = range(first, first + self.sizes[generation])
            self._proposed[key] = [self._trial(method, number) for number in numbers]
        return self._proposed[key]

    def _trial(self, method, number):
        noted = _noted(self.records, self.seed).get((method.name, number))
        if noted is not None:  # the same whatever version of Optuna proposed it
            return Trial(method.name, number, noted)
        space = self.problem.space(method)
        if number == 0:
            values = within(space, self.problem.defaults(method))
        else:
            from keras_amp.experiments.search.sampler import proposed

            tried = [
                outcome
                for generation, _ in enumerate(self.sizes)
                for outcome in self._outcomes.get((method.name, generation), ())
            ]
            values = proposed(space, self.seed, method.name, number, tried)
        return Trial(method.name, number, values)

    def _missing(self, method, generation):
        """The cells without a record that come next, with their trials and places."""
        for reached, trials in self._rungs(method, generation):
            missing = [
                (trial, place, cell)
                for trial in trials
                for place, cell in enumerate(self.cells(trial)[:reached])
                if cell.key not in self.records
            ]
            if missing:
                return missing
        return []

    def _rungs(self, method, generation):
        """The trials that reach each rung, as far as that is known."""
        trials = self._trials(method, generation)
        for reached, following in itertools.pairwise((*self.rungs, None)):
            yield reached, trials
            if following is None or any(self._unknown(t, reached) for t in trials):
                return
            trials = self._better(method, generation, trials, reached)

    def _better(self, method, generation, trials, reached):
        """Those among the better half of the method's trials that came as far."""
        rivals = [
            outcome.trial
            for earlier in range(generation)
            for outcome in self._outcomes[method.name, earlier]
            if len(outcome.losses) >= reached
        ]
        means = {t.number: self._mean(t, reached) for t in [*rivals, *trials]}
        ranked = sorted(means, key=lambda number: (means[number], number))
        kept = set(ranked[: -(-len(ranked) // KEPT)])
        return [t for t in trials if t.number in kept and math.isfinite(means[t.number])]

    def _ended(self, method, generation):
        """The outcomes of a generation whose cells are all there."""
        reached = {}
        for count, trials in self._rungs(method, generation):
            reached |= {trial.number: count for trial in trials}
        return [
            self._outcome(trial, reached[trial.number])
            for trial in self._trials(method, generation)
        ]

    def _outcome(self, trial, reached):
        cells = self.cells(trial)[:reached]
        losses = tuple(self._losses(trial, reached))
        state = COMPLETE if reached == self.rungs[-1] else PRUNED
        if not all(map(math.isfinite, losses)):
            state, losses = FAILED, ()
        means = tuple(fmean(losses[:n]) for n in self.rungs if n <= len(losses))
        seconds = sum(self.records[cell.key]["seconds"] for cell in cells)
        return Outcome(trial, state, losses, means, seconds)

    def _unknown(self, trial, reached):
        return any(c.key not in self.records for c in self.cells(trial)[:reached])

    def _mean(self, trial, reached):
        return fmean(self._losses(trial, reached))

    def _losses(self, trial, reached):
        return [
            development_loss(self.records[cell.key])
            for cell in self.cells(trial)[:reached]
        ]


def development_loss(record):
    """Returns the loss that a search is decided by; infinite for a cell that failed.

    A cell of a search is tested on its development set.

    Args:
        record: Dict, the record of a cell.
    """
    if record["status"] != FINISHED:
        return math.inf
    loss = record["result"]["nll"]
    return loss if loss is not None and math.isfinite(loss) else math.inf


def _noted(records, seed):
    """The values of a search's trials by method and number, as records have them."""
    noted = [record[TRIAL] for record in list(records.values()) if TRIAL in record]
    return {(n["method"], n["number"]): n["values"] for n in noted if n["seed"] == seed}
