"""What is proposed, what goes on, and that neither depends on the order of results."""

import random
from types import SimpleNamespace

import pytest

pytest.importorskip("optuna", reason='pip install "keras-amp[search]"')

from keras_amp.experiments import Method
from keras_amp.experiments.search.sampler import proposed
from keras_amp.experiments.search.space import (
    POLICIES,
    TRAINING,
    Range,
    methods_to_try,
    space_of,
)
from keras_amp.experiments.search.texts import policy_of
from keras_amp.experiments.search.trials import (
    Outcome,
    Trial,
    Trials,
    cells_of_generation,
)

SPACE = {"rate": Range(1e-4, 1e-1, True), "units": (8, 16), "depth": Range(1, 5)}
NONE, AMP = Method("none"), Method("word", "amp")


class Problem:
    """Two methods of the same settings; a cell is its settings and its place."""

    methods = (NONE, AMP)

    def space(self, method):
        return SPACE

    def defaults(self, method):
        return {"rate": 1e-3, "units": 16, "depth": 2}

    def cell(self, method, values, place, seed):
        return SimpleNamespace(key=f"{method.name} {sorted(values.items())} {place}")


def outcome(number, loss, state="complete", **values):
    values = {"rate": 1e-3, "units": 8, "depth": 1, **values}
    return Outcome(Trial("none", number, values), state, (loss,), (loss,))


def record(loss):
    if loss is None:
        return {"status": "failed", "seconds": 1.0}
    return {"status": "finished", "result": {"nll": loss}, "seconds": 1.0}


def run(trials, loss, pick=lambda wanted: wanted[0]):
    """Runs all that is wanted, one cell at a time; returns the keys in their order."""
    ran = []
    while wanted := trials.wanted():
        cell, trial = pick(wanted)
        ran.append(cell.key)
        trials.records[cell.key] = record(loss(cell, trial))
    return ran


def test_proposals_are_a_function_of_seed_method_number_and_results():
    tried = [outcome(n, 0.5 + n / 10, rate=10.0**-n) for n in range(1, 4)]
    tried += [outcome(4, 0.9, "pruned"), outcome(5, 0.4)]
    one = proposed(SPACE, 3, "WordAMP", 7, tried)
    assert one == proposed(SPACE, 3, "WordAMP", 7, tried)
    others = [(4, "WordAMP", 7, tried), (3, "none", 7, tried), (3, "WordAMP", 8, tried)]
    better = [*tried[:-1], outcome(5, 0.4, rate=0.05)]
    for arguments in (*others, (3, "WordAMP", 7, better)):
        assert proposed(SPACE, *arguments) != one


def test_the_first_proposals_are_alike_for_all_methods_where_they_share_a_setting():
    own = {**SPACE, "alpha": Range(0.1, 4.0)}
    drawn = proposed(own, 0, "WordMixup", 2, [])
    assert proposed(SPACE, 0, "none", 2, []) == {n: drawn[n] for n in SPACE}
    assert isinstance(drawn["depth"], int)


@pytest.mark.parametrize("policy", [None, *POLICIES])
def test_every_proposal_is_a_policy_within_its_ranges(policy):
    space = space_of(policy, TRAINING["cnn"])
    method = Method("word", policy) if policy else NONE
    for number in (1, 2, 3):
        values = proposed(space, 0, method.name, number, [])
        for name, bounds in space.items():
            if isinstance(bounds, Range):
                assert bounds.low <= values[name] <= bounds.high
        made = policy_of(method, values)
        assert (made is None) == (policy is None)
        for name in {"alpha", "radius", "weight", "step_size"} & space.keys():
            assert getattr(made, name) == values[name]


def test_all_methods_are_tried_and_rdrop_once():
    names = [method.name for method in methods_to_try()]
    assert names[0] == "none"
    assert len(names) == 1 + 2 * (len(POLICIES) - 2) + 2
    assert [name for name in names if "RDrop" in name] == ["WordRDrop"]
    with pytest.raises(ValueError, match="at the words alone"):
        methods_to_try(("sentence",), ("cutmix",))


def test_the_better_half_goes_on():
    """Losses 1 to 4 by the trial's number: of 4 one and two go on, then one; by hand."""
    trials = Trials(Problem(), 0, (1, 2, 3), [4], {})
    ran = run(trials, lambda cell, trial: 1.0 + trial.number)
    assert len(ran) == 2 * cells_of_generation(4, (1, 2, 3)) == 14
    for method in Problem.methods:
        ended = [(o.trial.number, o.state, o.losses) for o in trials.outcomes(method)]
        assert ended == [
            (0, "complete", (1.0, 1.0, 1.0)),
            (1, "pruned", (2.0, 2.0)),
            (2, "pruned", (3.0,)),
            (3, "pruned", (4.0,)),
        ]
        assert trials.best(method).trial.values == Problem().defaults(method)


def test_a_later_trial_is_compared_with_the_earlier_ones():
    """Of 0, 1, 2, 3 and a fifth: it goes on if it is among the better three of five."""
    for loss, state in ((1.5, "complete"), (5.0, "pruned")):
        trials = Trials(Problem(), 0, (1, 2), [4, 1], {})
        run(trials, lambda cell, t, fifth=loss: fifth if t.number == 4 else t.number + 1)
        assert trials.outcomes(NONE)[4].state == state


def test_a_trial_that_fails_ends_there():
    trials = Trials(Problem(), 0, (1, 2), [2], {})
    run(trials, lambda cell, trial: None if trial.number == 0 else float("nan"))
    assert [o.state for o in trials.outcomes(NONE)] == ["failed", "failed"]
    assert trials.best(NONE) is None
    trials = Trials(Problem(), 0, (1, 2), [3], {})
    run(trials, lambda cell, trial: None if trial.number == 0 else 1.0)
    assert trials.outcomes(NONE)[0].state == "failed"
    assert trials.best(NONE).trial.number == 1


def test_what_is_run_does_not_depend_on_the_order_of_results():
    def loss(cell, trial):
        return trial.values["rate"] * 10 + trial.number % 3 + hash_of(cell.key)

    def hash_of(key):
        return sum(map(ord, key)) % 97 / 97

    found = []
    for seed in range(3):
        trials = Trials(Problem(), 5, (1, 2, 3), [4, 4, 2], {})
        pick = random.Random(seed).choice
        ran = run(trials, loss, pick if seed else lambda wanted: wanted[0])
        assert len(set(ran)) == len(ran)
        found.append((set(ran), trials.outcomes(AMP), trials.best(NONE)))
    assert found[0] == found[1] == found[2]


def test_trials_that_are_noted_in_records_are_not_proposed_anew():
    noted = {"method": "none", "number": 1, "seed": 0}
    values = {"rate": 0.01, "units": 16, "depth": 4}
    records = {"a": {**record(1.0), "trial": {**noted, "values": values}}}
    other = {"method": "none", "number": 2, "seed": 9, "values": values}
    records["b"] = {**record(1.0), "trial": other}
    trials = Trials(Problem(), 0, (1,), [3], records)
    tried = {t.number: t.values for _, t in trials.wanted() if t.method == "none"}
    assert tried[1] == values
    assert tried[2] == proposed(SPACE, 0, "none", 2, [])
