"""How much a time holds: the plan, and that simulated searches keep to it."""

import numpy as np
import pytest

pytest.importorskip("optuna", reason='pip install "keras-amp[search]"')

import searching

from keras_amp.analysis.permutation import sign_flip_test
from keras_amp.experiments.search import budget
from keras_amp.experiments.search.run import SearchRun
from keras_amp.experiments.search.space import COST, methods_to_try


@pytest.mark.parametrize("text", ["", "30", "m", "-5m", "0s", "five", "5 m", None])
def test_what_is_no_time_is_an_error(text):
    with pytest.raises(ValueError, match="such as 30m"):
        budget.seconds_of(text)


@pytest.mark.parametrize("methods", [2, 3, 5, 11, 18])
def test_the_least_seeds_are_those_that_can_show_a_difference(methods):
    seeds = budget.least_seeds(methods)
    assert seeds >= budget.LEAST_SEEDS

    def least_p(seeds):
        return sign_flip_test(np.full(seeds, -1.0)) * (methods - 1)

    assert least_p(seeds) < 0.05
    assert seeds == budget.LEAST_SEEDS or least_p(seeds - 1) >= 0.05


def plan(left, narrow=True, cell=2.0):
    methods = methods_to_try()
    costs = {m.name: cell * COST[m.policy] for m in methods}
    return budget.first_plan(methods, costs, left, (1, 2, 3), (1, 2), narrow)


def test_a_short_budget_holds_the_first_methods_alone_and_a_long_one_all():
    every = len(methods_to_try())
    sizes = [len(plan(left).methods) for left in (60, 200, 600, 5000)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[1] < sizes[2] < every
    assert sizes[3] == every
    assert [m.name for m in plan(200).methods][:2] == ["none", "WordMixup"]
    assert plan(200).missed > 600
    assert plan(5000).missed == 0
    assert plan(5000).rungs == (1, 2, 3)


def test_a_budget_that_is_too_short_says_what_would_do():
    with pytest.raises(budget.TooShortError, match=r"take \d+s more"):
        plan(10)
    with pytest.raises(budget.TooShortError, match="19 methods"):
        plan(200, narrow=False)


@pytest.mark.parametrize(
    ("seconds", "varying", "later"),
    [(60, 0.0, 1.0), (240, 0.35, 1.0), (400, 0.35, 0.6), (240, 0.2, 1.4)],
)
def test_a_search_keeps_to_its_budget(
    seconds, varying, later, own_data, tmp_path, monkeypatch
):
    """By a simulated clock; cells take other times than what was measured first."""
    spent, ran = [5.0], []  # of imports

    def make(cell):
        own = np.exp(varying * searching.noise(cell.key, "time"))
        took = 1.5 * COST[cell.how.policy] * own * (later if len(ran) > 3 else 1.0)
        spent[0] += took
        return searching.record(cell, took)

    def search():
        run = searching.search(
            own_data, tmp_path / "out", ("mixup", "amp", "rdrop"), seeds=None,
            budget=seconds, narrow=True,
        )  # fmt: skip
        return run, run.run()

    monkeypatch.setattr(SearchRun, "elapsed", property(lambda _: spent[0]))
    execute = searching.run_here(make, ran)
    monkeypatch.setattr("keras_amp.experiments.search.run.on_this_machine", execute)
    run, found = search()
    assert 0.9 * seconds < spent[0] + 4 < 1.1 * seconds
    assert 5 <= run.confirmation.seeds <= 20
    assert all(row.seeds == run.confirmation.seeds for row in found.rows)
    assert len({len(tried) for tried in found.outcomes.values()}) == 1  # as many of each
    number, spent[0] = len(ran), 5.0
    assert search()[1].recommendation == found.recommendation
    assert len(ran) == number  # what has ended is not gone on with
