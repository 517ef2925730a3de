"""A search as it runs: its stages, its cells, and what is said of them."""

import time
from pathlib import Path

from keras_amp.experiments.config import Grid
from keras_amp.experiments.executors import on_cluster, on_this_machine
from keras_amp.experiments.interruption import Interruption
from keras_amp.experiments.runner import Runner, share_cores
from keras_amp.experiments.search import budget as budgets
from keras_amp.experiments.search.claims import Claims
from keras_amp.experiments.search.confirm import Confirmation
from keras_amp.experiments.search.decisions import Decisions
from keras_amp.experiments.search.found import Found
from keras_amp.experiments.search.space import within
from keras_amp.experiments.search.trials import (
    PRUNED,
    TRIAL,
    Trial,
    Trials,
    sizes_of,
)
from keras_amp.experiments.store import CELLS, FAILED, read_record, write_record
from keras_amp.runtime.extras import require
from keras_amp.validation import check_count

CLAIMS, DECISIONS = "claims", "decisions"  # below the folder of a search
ABOUT, PLAN, GENERATION = "search", "plan", "generation-{}"
CONFIRMING, SEED, ENDED = "confirmation", "seed-{}", "ended"
POLL = 0.5  # seconds between looks at what other processes have done
WRITING = 4.0  # seconds of a budget that the report takes
LATE = 1.02  # of a budget: no further seed is confirmed that would end after it
CONFIRMED = "{}, confirmed"


class SearchRun(Runner):
    """A search in its folder, ready to run: it goes on where it was.

    Its trials are cells of the store, run by the one runner; what comes next is a
    function of the cells that there are. Several processes may work on one folder.

    Args:
        problem: ``Texts``, or ``OwnModel``.
        out: Path of the folder: a new or empty one, or this search's.
        budget: Time, such as ``"30m"``; or None, with ``trials``. A search goes on with
            another one, as far as it has not decided what a budget decides.
        trials: Integer, the trials of all methods together; or None, with ``budget``.
        seed: Integer >= 0, which decides what is proposed and which seeds train.
        seeds: Integer, fresh seeds of the confirmation; None for what the budget holds,
            or as many as can show a difference.
        margin: Float, percentage points within which two errors count as equal.
        narrow: Whether methods may be left out where the budget does not hold all.
        jobs: Integer, cells at a time; None for as many as there are cores.
        threads: Integer, threads of a cell; None divides the cores among the jobs.
        cluster: Address of a Ray cluster, or None.
        data_dir: Folder with public data sets.
        begun: When the budget began to count, by ``time.perf_counter``; None for now.
        console: A ``rich.console.Console``; None for standard output.

    Attributes:
        found: ``Found``, once it has run.

    Raises:
        ValueError: If an argument lies outside its range, or the folder holds another
            search.
        ImportError: If Optuna is not installed, or Ray where a cluster is named.
    """

    def __init__(
        self,
        problem,
        out,
        budget=None,
        trials=None,
        seed=0,
        seeds=None,
        margin=0.5,
        narrow=False,
        jobs=None,
        threads=None,
        cluster=None,
        data_dir=None,
        begun=None,
        console=None,
    ):
        require("search", "optuna")
        self.begun = time.perf_counter() if begun is None else begun
        self.problem, self.margin, self.narrow = problem, margin, narrow
        self.seed = check_count("seed", seed, least=0)
        self.seeds = None if seeds is None else check_count("seeds", seeds, least=2)
        self.budget, self.number = budgets.length_of(budget, trials, len(problem.methods))
        self.jobs, self.threads = share_cores(jobs, threads)
        self.cluster, self.data_dir = cluster, data_dir
        if cluster is not None:
            require("cluster", "ray")
        out = Path(out)
        self.claims, self.decisions = Claims(out / CLAIMS), Decisions(out / DECISIONS)
        self._check_folder(out)
        grid = Grid(out.name, problem.title, [], {}, "")
        super().__init__(grid, out, {}, [], {}, "cells", console)
        self._read, self._trial_of, self._flying = set(), {}, set()
        self.trials = self.confirmation = self.found = None
        self._here = 0
        self.refresh()
        self.spent_before = sum(r["seconds"] for r in self.records.values()) / self.jobs

    def begin(self):
        """Writes what is searched, and says what there is to do."""
        self.decisions.once(ABOUT, self._about)
        self._check_folder(self.out)  # another process may have come first
        names = ", ".join(method.name for method in self.problem.methods)
        length = (
            f"{self.number} trials of each"
            if self.number
            else f"within {budgets.time_text(self.budget)}"
        )
        self.display.say(f"{self.problem.title}\nMethods: {names}; {length}")
        for notice in self.problem.notices:
            self.display.say(f"Note: {notice}.")
        already = len(self.records)
        here = f", with {already} cells that have run before" if already else ""
        self.display.say(f"Results in {self.out}{here}")

    def run(self):
        """Runs what is left of the search.

        Returns:
            ``Found``.
        """
        with self.claims:
            super().run()
        return self.found

    def execute(self):
        """The records of this process's cells, as they end."""
        cells = _Cells(self)
        if self.problem.in_this_process:
            return self._one_by_one(cells)
        if self.cluster is not None:
            return on_cluster(
                cells, self.cluster, self.threads, self.data_dir, None, self.jobs
            )
        return on_this_machine(cells, self.jobs, self.threads, self.data_dir)

    def _one_by_one(self, cells):
        with Interruption() as interruption:
            for cell in cells:
                yield self.problem.run(cell, [interruption])
                interruption.check()

    def keep(self, record):
        """Writes a record to its place, with the trial that it is of."""
        trial = self._trial_of.get(record["key"])
        if trial is not None:
            method, number, values = trial
            noted = {"method": method, "number": number, "values": values}
            record[TRIAL] = {**noted, "seed": self.seed}
        write_record(self.out, record)
        self._read.add(record["key"])
        self._flying.discard(record["key"])
        self.claims.give_back(record["key"])

    def ended(self, record, cell):
        """Says what a cell came to."""
        self._here += 1
        self._state()
        name = self.display.names[record["key"]]
        if record["status"] == FAILED:
            error = record["error"]
            self.display.say(f"Failed: {name}: {error['type']}: {error['message']}")
        elif not self.display.is_live:
            trial, result = self._trial_of.get(record["key"]), record["result"]
            which = f"seed {cell.seed}" if trial is None else f"trial {trial.number}"
            split = "test" if trial is None else "development"
            self.display.say(
                f"{len(self.records)}: {name}, {which}: {split} loss "
                f"{result['nll']:.4f}, error {result['test_error']:.2f}% "
                f"({record['seconds']:.1f} s)"
            )

    def completed(self, part=0.0):
        """Moves the bar to the cells that have ended, of those that are expected."""
        self.display.expect(self._expected())
        self.display.completed(len(self.records) + part)

    def close(self):
        """Shows the table, the recommendation, and what it took."""
        self.found = Found(self)
        self.found.show(self.display.console)

    def cut_short(self, how):
        """Returns what there is to say of a search that did not come to its end."""
        kept = len(self.records)
        return f"{how}: {kept} cells are kept in {self.out}; the same command goes on."

    @property
    def elapsed(self):
        """The seconds of the budget that are spent, those of former runs included."""
        return self.spent_before + time.perf_counter() - self.begun

    def refresh(self):
        """Reads the records that other processes have written."""
        for path in (self.out / CELLS).glob("*.json"):
            if path.stem not in self._read:
                self._read.add(path.stem)
                record = read_record(path)
                self.records[record["key"]] = record

    def next_cell(self):
        """Returns a cell that is this process's to run now; None if there is none."""
        for cell, trial in self.wanted():
            if cell.key in self._flying or not self.claims.take(cell.key):
                continue
            if (self.out / CELLS / f"{cell.key}.json").is_file():  # just ended elsewhere
                self.claims.give_back(cell.key)
                self.refresh()
                continue
            self._flying.add(cell.key)
            self.cells[cell.key] = cell
            name = cell.method if trial else CONFIRMED.format(cell.method)
            self.display.names[cell.key] = name
            if trial is not None:
                self._trial_of[cell.key] = trial
            return cell
        return None

    def wanted(self):
        """Returns what is to be run now, tuples of a cell and its ``Trial``, or None.

        It decides what is to be decided first. Once nothing is wanted, it is at its end.
        """
        if self.trials is None:
            measuring = self._measuring()
            if measuring:
                return measuring
            self._plan()
        while True:
            cells = self.trials.wanted()
            if cells or (self.confirmation is None and self._confirms_not_yet()):
                return cells
            if self.confirmation is not None:
                return [(cell, None) for cell in self._confirming()]

    def _confirms_not_yet(self):
        """Proposes another generation, or begins the confirmation; False then, too."""
        place = len(self.trials.sizes)
        size = self.decisions.once(GENERATION.format(place), self._next_size)
        if size:
            self.trials.sizes.append(size)
            return False
        best = {m: self.trials.best(m) for m in self.problem.methods}
        chosen = {method: outcome for method, outcome in best.items() if outcome}
        if self.problem.methods[0] not in chosen:
            raise RuntimeError(
                "Every trial without mixing has failed; the records in "
                f"{self.out / CELLS} say why."
            )
        seeds = self.decisions.once(CONFIRMING, lambda: self._seeds(len(chosen)))
        self.confirmation = Confirmation(
            self.problem, chosen, self.seed, seeds, self.records
        )
        self.display.say(self._said_of_the_search(chosen, seeds))
        return False

    def _measuring(self):
        """The cells that a budget is planned by, where that has not been done."""
        if self.budget is None or self.decisions.get(PLAN) is not None:
            return []
        found = []
        for method in self.problem.methods[: max(2, self.jobs)]:
            values = within(self.problem.space(method), self.problem.defaults(method))
            cell = self.problem.cell(method, values, 0, self.seed)
            if cell.key not in self.records:
                found.append((cell, Trial(method.name, 0, values)))
        return found

    def _plan(self):
        plan = self.decisions.once(PLAN, self._planned)
        methods, asked = self.problem.methods, len(self.problem.methods)
        self.problem.methods = [m for m in methods if m.name in plan["methods"]]
        if plan["missed"]:
            left_out = ", ".join(m.name for m in methods[len(plan["methods"]) :])
            self.display.say(
                f"Note: of {asked} methods the budget holds {len(plan['methods'])}; left "
                f"out: {left_out}. All of them would take about "
                f"{budgets.time_text(plan['missed'])}."
            )
        self.trials = Trials(
            self.problem, self.seed, plan["rungs"], plan["sizes"][:], self.records
        )

    def _planned(self):
        names = [method.name for method in self.problem.methods]
        if self.budget is None:
            sizes, rungs = sizes_of(self.number), self.problem.rungs
            return {"methods": names, "rungs": rungs, "sizes": sizes, "missed": 0}
        plan = budgets.first_plan(
            self.problem.methods,
            self._costs(),
            self._left(),
            self.problem.rungs,
            self.problem.short_rungs,
            self.narrow,
            self.seeds,
        )
        return {
            "methods": [method.name for method in plan.methods],
            "rungs": plan.rungs,
            "sizes": [plan.size],
            "missed": plan.missed and plan.missed + self.elapsed,
        }

    def _next_size(self):
        if self.budget is None:
            return 0
        trials, rungs = sum(self.trials.sizes), self.trials.rungs
        return budgets.next_size(
            self._costs(), self._left(), self.budget, rungs, trials, self.seeds
        )

    def _seeds(self, methods):
        if self.seeds is not None:
            return self.seeds
        if self.budget is None:
            return max(budgets.USUAL_SEEDS, budgets.least_seeds(methods))
        return budgets.seeds_of_confirmation(self._costs(), self._left())

    def _confirming(self):
        """The cells of the confirmation: as many seeds as planned, or as time is for.

        A budget may hold fewer or more than it seemed to. The clock alone decides, not
        what has come out.
        """
        confirmation = self.confirmation
        if self.budget is not None and self.seeds is None:
            ended = self.decisions.get(ENDED)
            if ended is None:
                ended = self._more_or_fewer_seeds()
            if ended is not None:
                confirmation.seeds = ended
        return confirmation.wanted()

    def _more_or_fewer_seeds(self):
        """How many seeds there are in the end; None while that is open."""
        confirmation = self.confirmation
        while self.decisions.get(SEED.format(confirmation.seeds)):
            confirmation.seeds += 1
        waiting = [c for c in confirmation.wanted() if c.key not in self._flying]
        place = min(map(confirmation.place, waiting), default=confirmation.seeds)
        if place < budgets.LEAST_SEEDS or not confirmation.begins(place):
            return None
        ends = self.elapsed + sum(self._costs().values()) + WRITING
        if ends > LATE * self.budget or place == budgets.MOST_SEEDS:
            return self.decisions.once(ENDED, lambda: place)
        if not waiting:
            self.decisions.once(SEED.format(place), lambda: True)
            confirmation.seeds = place + 1
        return None

    def _costs(self):
        costs = budgets.Costs(self.records, self.problem.method_of, self.jobs)
        return costs.all(self.problem.methods)

    def _left(self):
        return self.budget - self.elapsed - WRITING

    def _expected(self):
        """How many cells there will be, as far as is known."""
        done = len(self.records)
        if self.trials is None or self.budget is not None:
            share = self.elapsed / self.budget if self.budget else 1.0
            return max(done + 1, round(done / max(share, 0.01)))
        methods, rungs = len(self.problem.methods), self.trials.rungs
        cells = sum(budgets.cells_of_generation(n, rungs) for n in self.trials.sizes)
        seeds = self.confirmation.seeds if self.confirmation else self._seeds(methods)
        return max(done, methods * (cells + seeds))

    def _state(self):
        if self.trials is None:
            self.display.state = "measuring"
            return
        outcomes = [o for m in self.problem.methods for o in self.trials.outcomes(m)]
        pruned = sum(outcome.state == PRUNED for outcome in outcomes)
        self.display.state = f"{len(outcomes)} trials ended, {pruned} of them pruned"
        if self.confirmation is not None:
            self.display.state += f"; confirming on {self.confirmation.seeds} seeds"

    def _said_of_the_search(self, chosen, seeds):
        trials = sum(self.trials.sizes)
        losses = ", ".join(f"{m.name} {o.loss:.4f}" for m, o in chosen.items())
        return (
            f"{trials} trials of each method; least development losses: {losses}\n"
            f"Their settings are confirmed on {seeds} fresh seeds"
        )

    def _about(self):
        return {
            **self.problem.about(),
            "seed": self.seed,
            "seeds": self.seeds,
            # A longer time than before goes on with what there is.
            "trials": "by time" if self.number is None else self.number,
            "margin": self.margin,
        }

    def _check_folder(self, out):
        if out.exists() and not out.is_dir():
            raise FileExistsError(f"Expected a folder. Received: {out}, which is a file.")
        known = self.decisions.get(ABOUT)
        if known is None:
            there = {path.name for path in out.iterdir()} if out.is_dir() else set()
            if there - {DECISIONS, CLAIMS}:  # which another process is just making
                raise FileExistsError(
                    f"Expected a new or empty folder, or a search's. Received: {out}, "
                    "which holds something else. Name another one."
                )
            return
        about = self._about()
        other = [name for name in about if about[name] != known.get(name)]
        if other:
            name = other[0]
            raise ValueError(
                f"Expected the search that {out} holds, with {name}={known.get(name)!r}. "
                f"Received: {name}={about[name]!r}. Name another folder."
            )


class _Cells:
    """The cells of a search for an executor: an iterator that may have more later."""

    def __init__(self, run):
        self.run = run

    def __iter__(self):
        return self

    def __next__(self):
        while True:
            self.run.refresh()
            cell = self.run.next_cell()
            if cell is not None:
                return cell
            if self.run._flying or not self.run.wanted():
                raise StopIteration
            time.sleep(POLL)  # others run what is wanted
