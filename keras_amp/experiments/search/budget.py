"""How many trials and seeds a time holds."""

import math
import re
from dataclasses import dataclass
from statistics import fmean

from keras_amp.experiments.search.space import COST
from keras_amp.experiments.search.trials import SIZE, cells_of_generation, sizes_of
from keras_amp.validation import check_count

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LEVEL = 0.05
LEAST_SEEDS, MOST_SEEDS, USUAL_SEEDS = 5, 20, 10  # of the confirmation
LEAST_TRIALS, MOST_TRIALS = 3, 40  # of a method, where there is a choice
CONFIRMING = 0.35  # share of a long budget that the confirmation has
KEPT_BACK = 0.04  # of what is left, for processes that wait for each other at the end


def seconds_of(text):
    """Returns the seconds of a time such as ``"30m"``, ``"1h30m"`` or ``"90s"``.

    Args:
        text: String; or a number of seconds.

    Raises:
        ValueError: If it is no time, or none at all.

    Example:
    >>> from keras_amp.experiments.search.budget import seconds_of
    >>> seconds_of("30m"), seconds_of("1h30m"), seconds_of(90)
    (1800.0, 5400.0, 90.0)
    """
    found = re.fullmatch(r"(?:(\d+(?:\.\d+)?)([smhd]))+", str(text).strip())
    if found:
        parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", str(text))
        seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
    else:
        seconds = text if isinstance(text, int | float) else math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(
            "Expected `budget` to be a time, such as 30m, 1h30m or 90s. Received: "
            f"budget={text!r}"
        )
    return float(seconds)


def length_of(budget, trials, methods):
    """Returns the seconds of a search, and the trials of each method; one is None.

    Args:
        budget: A time, as of ``seconds_of``; None with ``trials``.
        trials: Integer, the trials of all methods together; None with ``budget``.
        methods: Integer, how many there are.

    Raises:
        ValueError: If both are given or none, or one lies outside its range.

    Example:
    >>> from keras_amp.experiments.search.budget import length_of
    >>> length_of("2m", None, 5), length_of(None, 17, 5)
    ((120.0, None), (None, 3))
    """
    if (budget is None) == (trials is None):
        raise ValueError(
            f"Expected one of `budget` and `trials`. Received: budget={budget!r}, "
            f"trials={trials!r}"
        )
    if budget is not None:
        return seconds_of(budget), None
    if check_count("trials", trials) < methods:
        raise ValueError(
            f"Expected `trials` to be at least {methods}, one for each method: all have "
            f"as many. Received: trials={trials}"
        )
    return None, trials // methods


def time_text(seconds):
    """Returns a time as ``--budget`` takes it, rounded.

    Example:
    >>> from keras_amp.experiments.search.budget import time_text
    >>> time_text(75), time_text(604), time_text(5400), time_text(1500)
    ('75s', '10m4s', '1h30m', '25m')
    """
    if seconds < 100:
        return f"{math.ceil(seconds)}s"
    if seconds < 1200:
        minutes, rest = divmod(math.ceil(seconds), 60)
        return f"{minutes}m" + (f"{rest}s" if rest else "")
    minutes = math.ceil(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "")


def least_seeds(methods):
    """Returns the seeds with which a method can be shown to differ from no mixing.

    Of n seeds the exact test's p-value is at least 2 ** (1 - n), which Holm's method
    multiplies by the number of comparisons.

    Args:
        methods: Integer, the methods that are compared, no mixing included.

    Example:
    >>> from keras_amp.experiments.search.budget import least_seeds
    >>> least_seeds(2), least_seeds(9)
    (6, 9)
    """
    seeds = LEAST_SEEDS
    while 2 ** (1 - seeds) * max(methods - 1, 1) >= LEVEL:
        seeds += 1
    return seeds


class TooShortError(ValueError):
    """A budget does not hold the least that a search takes."""


class Costs:
    """The seconds of a cell of each method: measured, or by ``COST`` until they are.

    Args:
        records: Dict from keys of cells to records, which grows.
        of_method: Callable from a record to the name of its method, or None.
        jobs: Integer, cells at a time.
    """

    def __init__(self, records, of_method, jobs):
        self.records, self.of_method, self.jobs = records, of_method, jobs

    def all(self, methods):
        """Returns a dict from names of methods to the seconds that a cell adds."""
        measured = {}
        for record in list(self.records.values()):
            measured.setdefault(self.of_method(record), []).append(record["seconds"])
        means = {name: fmean(values) for name, values in measured.items()}
        known = [(m, means[m.name]) for m in methods if m.name in means]
        unit = fmean(seconds / COST[m.policy] for m, seconds in known)
        return {
            m.name: means.get(m.name, unit * COST[m.policy]) / self.jobs for m in methods
        }


@dataclass(frozen=True)
class Plan:
    """What is to be done with what is left of a budget.

    Attributes:
        methods: List of ``Method``s, as many of the first as are tried.
        rungs: Tuple of integers, after how many cells trials are compared.
        size: Integer, the trials of the first generation.
        missed: Integer, the seconds that all methods would have taken; 0 if all are
            tried.
    """

    methods: list
    rungs: tuple
    size: int
    missed: float = 0.0


def needed(costs, trials, rungs, seeds):
    """Returns the seconds of so many trials and seeds of each method.

    Args:
        costs: Dict from names of methods to the seconds of a cell.
        trials: Integer, of each method.
        rungs: Tuple of integers.
        seeds: Integer, of the confirmation.
    """
    cells = sum(cells_of_generation(size, rungs) for size in sizes_of(trials)) + seeds
    return cells * sum(costs.values())


def first_plan(methods, costs, left, rungs, short_rungs, narrow, fixed=None):
    """Decides by the first cells how many methods and trials a budget holds.

    Args:
        methods: List of ``Method``s, no mixing first.
        costs: Dict from their names to the seconds of a cell.
        left: Float, the seconds that are left.
        rungs: Tuple of integers, after how many cells trials are compared.
        short_rungs: The same where time is short.
        narrow: Whether the last methods may be left out.
        fixed: Integer, the seeds of the confirmation, where they are given.

    Returns:
        A ``Plan``.

    Raises:
        TooShortError: If it does not hold the least; the message says what would.
    """
    left *= 1 - KEPT_BACK

    def seconds(number, trials, rungs, seeds=None):
        chosen = {m.name: costs[m.name] for m in methods[:number]}
        return needed(chosen, trials, rungs, fixed or seeds or least_seeds(number))

    every = len(methods)
    numbers = range(every, 1, -1) if narrow else [every]
    number = next(
        (n for n in numbers if seconds(n, LEAST_TRIALS, short_rungs) <= left), numbers[-1]
    )
    least_of = fixed or LEAST_SEEDS
    least = seconds(number, 1, short_rungs, least_of)
    if least > left:
        raise TooShortError(
            f"Expected a longer `budget`: a trial and {least_of} seeds of each of "
            f"{number} methods take {time_text(least * 1.1)} more. Received: "
            f"{time_text(max(left, 1))} left. Fewer epochs, methods or a part of the "
            "data take less."
        )
    enough = seconds(number, SIZE, rungs) <= left
    chosen = rungs if enough else short_rungs
    sizes = range(SIZE, 0, -1)
    size = next((s for s in sizes if seconds(number, s, chosen) <= left), 1)
    missed = seconds(every, LEAST_TRIALS, short_rungs) if number < every else 0.0
    return Plan(methods[:number], chosen, size, missed)


def next_size(costs, left, budget, rungs, trials, fixed=None):
    """Returns how many more trials of each method are proposed; 0 to confirm.

    Args:
        costs: Dict from names of methods to the seconds of a cell.
        left: Float, the seconds that are left.
        budget: Float, the seconds of all.
        rungs: Tuple of integers.
        trials: Integer, the trials of each method until now.
        fixed: As ``first_plan``.
    """
    one = sum(costs.values())
    share = min(CONFIRMING * budget, MOST_SEEDS * one)
    seeds = fixed or max(least_seeds(len(costs)), int(share / one))
    left *= 1 - KEPT_BACK
    for size in range(min(SIZE, MOST_TRIALS - trials), 0, -1):
        if needed(costs, size, rungs, seeds) <= left:
            return size
    return 0


def seeds_of_confirmation(costs, left):
    """Returns how many fresh seeds the rest of a budget holds.

    Args:
        costs: Dict from names of methods to the seconds of a cell.
        left: Float, the seconds that are left.
    """
    held = int(left * (1 - KEPT_BACK) / sum(costs.values()))
    return min(max(held, LEAST_SEEDS), MOST_SEEDS)
