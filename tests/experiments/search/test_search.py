"""Searches from their first cell to the recommendation, and what stops them."""

import csv
import itertools
import json
import threading
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("optuna", reason='pip install "keras-amp[search]"')

import searching
from comparing import settings
from helpers import traced_nothing

from keras_amp import data
from keras_amp.analysis.permutation import sign_flip_test
from keras_amp.analysis.significance import holm
from keras_amp.experiments import Cell, Method, Settings, read_records
from keras_amp.experiments.examples import divide, prepare
from keras_amp.experiments.search import run as runs
from keras_amp.experiments.search.texts import LONGEST, Texts
from keras_amp.experiments.worker import died

CELLS = 3 * (4 * 1 + 2 * 1 + 1 * 3)  # 3 methods: 4 trials on a fold, 2 on two, 1 on five
CELLS += 3 * 7  # on fresh seeds


@pytest.fixture
def here(monkeypatch):
    """Has cells run in this process, by known functions; returns a way to change it."""

    def use(**how):
        monkeypatch.setattr(runs, "on_this_machine", searching.run_here(**how))

    monkeypatch.setattr(runs, "POLL", 0.001)
    use()
    return use


def kept(out):
    return {
        key: {n: v for n, v in record.items() if n != "folder"}
        for key, record in searching.cells_in(out).items()
    }


@pytest.fixture
def uninterrupted(own_data, tmp_path, here):
    run = searching.search(own_data, tmp_path / "whole", trials=12)
    return run, run.run()


def test_all_methods_have_as_many_trials_and_fresh_seeds(uninterrupted, own_data):
    run, found = uninterrupted
    records = kept(run.out)
    assert len(records) == CELLS
    assert {name: len(tried) for name, tried in found.outcomes.items()} == dict.fromkeys(
        ("none", "WordMixup", "WordRDrop"), 4
    )
    trials = [r for r in records.values() if "trial" in r]
    confirmed = [r for r in records.values() if "trial" not in r]
    seeds = {r["config"]["seed"] for r in trials}
    assert seeds == {0, 1, 2, 3, 4}
    assert {r["config"]["seed"] for r in confirmed} == {500 + n for n in range(7)}
    # Each seed is shared by all methods; trials alone read a fold.
    assert all(r["config"]["dev_folds"] == 5 for r in trials)
    assert all("dev_folds" not in r["config"] for r in confirmed)
    assert read_records([run.out]).keys() == records.keys()  # cells of the store
    said = run.display.console.file.getvalue()
    assert "4 trials of each" in said
    assert "12 trials (4 of each of 3 methods; 3 complete, 9 pruned)" in said
    assert "confirmation on 7 seeds" in said


def test_the_table_is_what_the_cells_say(uninterrupted):
    """Differences, p-values and Holm's method, from the files, by hand."""
    run, found = uninterrupted
    by_method = {}
    for record in kept(run.out).values():
        if "trial" not in record:
            result = record["result"]
            of_method = by_method.setdefault(result["method"], {})
            of_method[result["seed"]] = result["test_error"]
    apart = {
        name: [errors[seed] - by_method["none"][seed] for seed in sorted(errors)]
        for name, errors in by_method.items()
        if name != "none"
    }
    p_values = holm([sign_flip_test(values) for values in apart.values()])
    for (name, values), p in zip(apart.items(), p_values, strict=True):
        row = next(row for row in found.rows if row.method.name == name)
        np.testing.assert_allclose(row.difference, np.mean(values), atol=1e-9)
        assert row.interval[0] < row.difference < row.interval[1]
        assert row.spreads["test_error"][0] == pytest.approx(
            np.mean(list(by_method[name].values()))
        )
        assert row.verdict.p == pytest.approx(p)


def test_the_development_loss_decides_and_the_best_is_confirmed(uninterrupted):
    run, found = uninterrupted
    for row in found.rows:
        complete = [o for o in found.outcomes[row.method.name] if o.state == "complete"]
        assert row.outcome.loss == min(o.loss for o in complete)
        rate = row.outcome.trial.values["learning_rate"]
        confirmed = [
            r["config"]["learning_rate"]
            for r in kept(run.out).values()
            if "trial" not in r and r["result"]["method"] == row.method.name
        ]
        assert confirmed == [rate] * 7


@pytest.mark.parametrize("after", [0, 1, 10, CELLS - 20, CELLS - 1])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_search_that_is_killed_goes_on(
    uninterrupted, own_data, here, tmp_path, after, error
):
    whole, found = uninterrupted
    log = []

    def dying(cell):
        if len(log) > after:
            raise error
        return searching.record(cell)

    here(make=dying, log=log)
    run = searching.search(own_data, tmp_path / "killed", trials=12)
    with pytest.raises(error):
        run.run()
    assert len(searching.cells_in(run.out)) == after
    assert "the same command goes on" in run.display.console.file.getvalue()
    assert not list((run.out / "claims").glob("*"))
    again = []
    here(log=again)
    second = searching.search(own_data, tmp_path / "killed", trials=12)
    assert second.run().recommendation == found.recommendation
    assert len(again) == CELLS - after
    assert kept(run.out) == kept(whole.out)
    assert found.values == second.found.values


def test_the_order_in_which_cells_end_changes_nothing(
    uninterrupted, own_data, here, tmp_path
):
    whole, found = uninterrupted
    for name, order in (("last", lambda n: n - 1), ("middle", lambda n: n // 2)):
        here(order=order)
        run = searching.search(own_data, tmp_path / name, trials=12)
        assert run.run().recommendation == found.recommendation
        assert kept(run.out) == kept(whole.out)


def test_two_workers_share_one_search(uninterrupted, own_data, here, tmp_path):
    whole, found = uninterrupted
    logs, ended = ([], []), []
    meeting = threading.Barrier(2, timeout=30)

    def work(log):
        def make(cell):
            if len(log) == 1:
                meeting.wait()  # each has a cell that the other one must leave
            return searching.record(cell)

        run = searching.search(own_data, tmp_path / "shared", trials=12)
        cells = searching.run_here(make=make, log=log)
        run.execute = lambda: cells(runs._Cells(run))
        ended.append(run.run())

    workers = [threading.Thread(target=work, args=(log,)) for log in logs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    ran = logs[0] + logs[1]
    assert len(ran) == len(set(ran)) == CELLS  # each cell by one of them
    assert min(map(len, logs)) > 1
    assert [each.recommendation for each in ended] == [found.recommendation] * 2
    assert kept(tmp_path / "shared") == kept(whole.out)


def test_another_seed_tries_other_settings_on_other_seeds(
    uninterrupted, own_data, tmp_path
):
    run, _ = uninterrupted
    other = searching.search(own_data, tmp_path / "other", trials=12, seed=1)
    other.run()
    assert not kept(run.out).keys() & kept(other.out).keys()


def test_a_folder_holds_one_search(uninterrupted, own_data, tmp_path):
    run, _ = uninterrupted
    with pytest.raises(ValueError, match="with trials=4. Received: trials=5. Name"):
        searching.search(own_data, run.out, trials=15)
    with open(own_data, newline="") as file:
        changed = list(csv.reader(file))
    changed[1][0] = "something else"
    own = tmp_path / "mine.csv"
    with open(own, "w", newline="") as file:
        csv.writer(file).writerows(changed)
    with pytest.raises(ValueError, match="Name another folder"):
        searching.search(own, run.out, trials=12)
    late = searching.search(own_data, tmp_path / "late", trials=15)
    (tmp_path / "late" / "decisions").mkdir(parents=True)  # another is just beginning
    searching.search(own_data, tmp_path / "late", trials=12).run()
    with pytest.raises(ValueError, match="Name another folder"):
        late.run()
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(FileExistsError, match="something else"):
        searching.search(own_data, tmp_path, trials=12)


@pytest.mark.parametrize(
    ("better", "word"), [(3.0, "Recommended: Word"), (-3.0, "no mixing. WordMixup is w")]
)
def test_what_is_recommended(own_data, here, tmp_path, better, word):
    here(make=lambda cell: searching.record(cell, better=better))
    run = searching.search(own_data, tmp_path / "out", trials=3, seeds=9)
    found = run.run()
    assert word in found.recommendation
    assert (found.method == "none") == (better < 0)
    assert ("MixupAMPModel" in found.program) == (better > 0)


def test_what_is_not_decided_says_what_would_decide(own_data, here, tmp_path):
    run = searching.search(own_data, tmp_path / "out", trials=3, seeds=5)
    found = run.run()
    assert found.method == "none"
    assert "Undecided, so: no mixing" in found.recommendation
    assert "that takes 7" in found.recommendation
    assert "seeds would decide" in found.recommendation


def test_failed_cells_end_their_trials_and_leave_the_others(own_data, here, tmp_path):
    def failing(cell):
        if cell.method == "WordMixup":
            return died(cell, "no memory") | {"seconds": 1.0}
        return searching.record(cell)

    here(make=failing)
    run = searching.search(own_data, tmp_path / "out", trials=6)
    found = run.run()
    assert [row.method.name for row in found.rows] == ["none", "WordRDrop"]
    said = run.display.console.file.getvalue()
    assert "Failed: WordMixup: WorkerDied: no memory" in said
    assert "2 failed" in found.spent


# The data.


def write(path, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return path


def rows_of(*counts, words=3):
    return [
        (f"{' '.join(['word'] * (words - 1))} {label}x{number}", f"class {label:02}")
        for label, count in enumerate(counts)
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("counts", "words", "said"),
    [
        ((150, 150), 3, ["60 of 300 texts are set aside", "few: a trial is 5 folds"]),
        ((570, 30), 3, ["95.0% of the training texts are 'class 00'", "about 5.0%"]),
        ((20,) * 20, 3, ["80 of 400 texts"]),
        ((60, 1), 3, ["Fewer than 3 training texts are 'class 01'"]),
        ((30, 30), 5000, [f"5,000 words; 60 of 60 are cut after {LONGEST}"]),
        ((1000, 1000), 3, ["400 of 2000 texts are set aside"]),
    ],
)
def test_data_of_any_kind_is_divided_or_said_to_be_difficult(
    tmp_path, counts, words, said
):
    path = write(tmp_path / "mine.csv", rows_of(*counts, words=words))
    problem = Texts(settings(path), ("word",), ("mixup",))
    for text in said:
        assert any(text in notice for notice in problem.notices), problem.notices
    dataset, (none, _) = problem.dataset, problem.methods
    values = problem.defaults(none)
    confirmed = problem.confirming(none, values, 0, seed=0)
    _, _, test = divide(dataset, confirmed.settings, confirmed.seed)
    developed = []
    for place in range(problem.rungs[-1]):
        cell = problem.cell(none, values, place, seed=0)
        train, dev, tested = divide(dataset, cell.settings, cell.seed, cell.fold)
        assert tested is dev  # the test split is not read
        assert not {*train.texts, *dev.texts} & {*test.texts}
        assert not {*train.texts} & {*dev.texts}
        assert len(train) + len(dev) + len(test) == len(dataset.train)
        developed += dev.texts
    assert len(developed) == len(set(developed))
    if sum(counts) < 1000:  # each text is developed on once
        assert len(developed) + len(test) == len(dataset.train)
    if words > LONGEST:
        cell = problem.cell(none, values, 0, seed=0)
        made = prepare(dataset, cell.settings, cell.seed, cell.fold)
        assert made.train[0].shape[1] == LONGEST


@pytest.mark.parametrize(
    ("lengths", "cut"),
    [
        ([30] * 99 + [60], 30),
        ([30] * 99 + [37], None),  # hardly longer
        ([30] * 97 + [60] * 3, None),  # too many
        ([3] * 99 + [60], 10),  # what a filter of several words needs
        ([3] * 99 + [9], None),
        ([390] * 99 + [450], 400),
        ([500] * 100, 400),
    ],
)
def test_few_long_texts_do_not_make_all_steps_long(tmp_path, lengths, cut):
    texts = ["word " * (length - 1) + f"x{i}" for i, length in enumerate(lengths)]
    rows = [(text, f"class {i % 2}") for i, text in enumerate(texts)]
    path = write(tmp_path / "mine.csv", rows)
    problem = Texts(settings(path), ("word",), ("mixup",))
    assert problem.settings.sequence_length == cut
    said = [notice for notice in problem.notices if "are cut after" in notice]
    longer = sum(length > cut for length in lengths) if cut else 0
    assert len(said) == (cut is not None)
    assert all(f"{longer} of 100 are cut after {cut}" in notice for notice in said)
    own = Texts(settings(path, sequence_length=50), ("word",), ("mixup",))
    assert own.settings.sequence_length == 50


def test_a_development_split_of_the_data_serves_all_trials(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    for name, first in (("train", 0), ("dev", 40), ("test", 60)):
        rows = [(f"text {n}", f"class {n % 2}") for n in range(first, first + 20)]
        write(folder / f"{name}.csv", rows)
    problem = Texts(settings(folder), ("word",), ("mixup",))
    none = problem.methods[0]
    cell = problem.cell(none, problem.defaults(none), 3, seed=0)
    train, dev, tested = divide(problem.dataset, cell.settings, cell.seed, cell.fold)
    assert train.texts == problem.dataset.train.texts
    assert dev.texts == tested.texts == problem.dataset.dev.texts


def test_folds_to_develop_on_are_cells_of_a_grid_too():
    given = {"dev_folds": 4, "data": "subj"}
    assert Settings(**given).folds_of(has_test=True, folds=10) == 4
    with pytest.raises(ValueError, match="`dev_folds` to be an integer >= 2"):
        Settings(dev_folds=1)
    cell = Cell(Settings(), Method("none"), None, 0)
    assert "dev_folds" not in cell.config  # keys of former cells stay


def test_the_lines_to_paste_train_the_method(own_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = replace(settings(own_data), epochs=1, batch_size=64)
    problem = Texts(small, ("word",), ("amp",))
    _, amp = problem.methods
    values = {**problem.defaults(amp), "learning_rate": 0.02, "step_per": "dimension"}
    program = problem.program(amp, values, seed=3)
    assert max(map(len, program.splitlines())) <= 90 + len(str(own_data))
    names = {}
    with traced_nothing():
        exec(compile(program, "recommended.py", "exec"), names)
    model = names["model"]
    assert model.mix_points == ["embedding"]
    assert (
        model.policy.get_config()
        == problem.confirming(amp, values, 0, 3).policy.get_config()
    )
    assert model.policy.step_per == "dimension"
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
    train, *_ = divide(data.load(own_data), small, 3)
    assert len(names["examples"].train[1]) == len(train)
    assert int(model.optimizer.iterations) == -(-len(train) // 64)


def test_arguments_that_say_nothing_or_two_things(own_data, tmp_path):
    for given in ({"trials": None, "budget": None}, {"trials": 9, "budget": "1m"}):
        with pytest.raises(ValueError, match="Expected one of `budget` and `trials`"):
            searching.search(own_data, tmp_path / "out", **given)
    with pytest.raises(ValueError, match="at least 3, one for each method"):
        searching.search(own_data, tmp_path / "out", trials=2)


def test_decisions_are_whole(uninterrupted):
    run, _ = uninterrupted
    names = {path.name for path in (run.out / "decisions").iterdir()}
    assert names == {"search.json", "plan.json", "generation-1.json", "confirmation.json"}
    plan = json.loads((run.out / "decisions" / "plan.json").read_text())
    assert plan["methods"] == ["none", "WordMixup", "WordRDrop"]
    assert list(itertools.accumulate(plan["sizes"])) == [4]
