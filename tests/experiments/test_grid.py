"""Grids: their configurations, their cells, and what is kept of them."""

import functools
import json
import runpy
import signal
import sys
import time
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import tiny_preset

pytest.importorskip("joblib", reason='pip install "keras-amp[experiments]"')

from rich.console import Console

import keras_amp
from keras_amp import cli
from keras_amp.cli.grid import grid as grid_command
from keras_amp.cli.grid import run as run_command
from keras_amp.experiments import (
    Cell,
    GridRun,
    Method,
    Settings,
    load_grid,
    parse_grid,
    read_records,
    run_grid,
    shipped,
    worker,
)
from keras_amp.experiments.cells import flat_values, key_of
from keras_amp.experiments.pages import make_table
from keras_amp.experiments.runner import share_cores
from keras_amp.experiments.summary import means

ROOT = Path(__file__).parents[2]
QUANTITIES = [field for field, *_ in means.QUANTITIES]
SMALL = """
title = "Small"
seeds = {seeds}
[settings]
data = "questions"
filters = 3
kernel_sizes = [2]
embedding_dim = 4
train_fraction = 0.1
steps = {steps}
jit_compile = false
mix = ["none", "word"]
policy = ["mixup"]
"""


def small(seeds=1, steps=2, more=""):
    return parse_grid(SMALL.format(seeds=seeds, steps=steps) + more, "small")


# A grid of many cells takes a second to be read.
loaded = functools.cache(load_grid)


def said(console):
    return console.file.getvalue()


# The configuration.


def test_a_list_is_an_axis_and_methods_are_combined_as_in_the_paper():
    grid = parse_grid(
        """
        seeds = 2
        first_seed = 5
        [settings]
        vectors = ["random", "glove.6B.50d"]
        mix = ["none", "word"]
        policy = ["mixup", "maxop", "amp"]
        """,
        "mine",
    )
    assert [(c.method, c.settings.vectors) for c in grid.cells[:8]] == [
        (method, vectors)
        for vectors in (None, "glove.6B.50d")
        for method in ("none", "WordMixup", "WordMaxOp", "WordAMP")
    ]
    # Seed by seed, so that a part of the grid is paired already.
    assert [c.seed for c in grid.cells] == [5] * 8 + [6] * 8


def test_settings_that_a_policy_does_not_have_make_no_cells():
    grid = parse_grid(
        "[settings]\nmix = ['none', 'word']\nstep_size = [0.1, 0.2, 0.3]\n"
        "alpha = [0.5, 1.0]\nstep_schedule = ['constant', 'rising']",
        "mine",
    )
    methods = [cell.method for cell in grid.cells]
    # none knows none of them, mixup alpha alone.
    counts = {m: methods.count(m) for m in methods}
    assert counts == {"none": 1, "WordMixup": 2, "WordAMP": 12}


def test_blocks_have_settings_of_their_own_and_begin_with_the_recipes():
    grid = parse_grid(
        """
        [settings]
        mix = "none"
        [[cells]]
        backbone = "cnn"
        kernel_sizes = [2, 3]
        dropout = [0.1, 0.5]
        [[cells]]
        backbone = "bilstm"
        units = 8
        """,
        "mine",
    )
    values = [cell.values for cell in grid.cells]
    assert [v["backbone"] for v in values] == ["cnn", "cnn", "bilstm"]
    assert [v["dropout"] for v in values] == [0.1, 0.5, 0.5]
    assert values[0]["kernel_sizes"] == [2, 3]
    assert values[0]["filters"] == 100  # the recipe's
    assert values[2]["units"] == 8


def test_the_paper_s_words_for_policies():
    text = "[settings]\nmix = 'word'\npolicy = ['maxop', 'program']\nstep_size = 0.5"
    maxop, program = parse_grid(text, "mine").cells
    assert isinstance(maxop.policy, keras_amp.AdversarialMixing)
    assert not maxop.policy.min_op
    assert maxop.policy.step_size == program.policy.step_size == 0.5
    assert isinstance(program.policy, keras_amp.paper.AuthorsProgram)


def test_sets_to_be_cross_validated_have_a_cell_for_each_fold():
    ten = parse_grid("[settings]\ndata = 'subj'\nmix = 'none'", "mine")
    assert [cell.fold for cell in ten.cells] == list(range(10))
    one = parse_grid("[settings]\ndata = 'subj'\nmix = 'none'\nfold = [3]", "mine")
    assert [cell.fold for cell in one.cells] == [3]
    trec = parse_grid("[settings]\ndata = 'trec'\nmix = 'none'", "mine")
    assert [cell.fold for cell in trec.cells] == [None]


@pytest.mark.parametrize("name", shipped())
def test_shipped_configurations(name):
    grid = loaded(name)
    assert grid.name == name
    assert len({cell.key for cell in grid.cells}) == len(grid.cells)
    seeds = {cell.seed for cell in grid.cells}
    assert seeds == set(range(2 if name == "quick" else 10))


def test_the_paper_s_tables_have_the_paper_s_cells():
    table2 = [c for c in loaded("table2").cells if c.seed == 0 and c.fold in (None, 0)]
    assert len(table2) == 5 * 5 * 5  # backbones, methods, data sets
    assert len(loaded("table3").cells) == 9 * 2 * 10
    assert len(loaded("table4").cells) == 2 * 7 * 10
    alphas = {c.values["alpha"] for c in loaded("table5").cells}
    assert alphas == {0.2, 0.5, 1.0, 1.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[settings]\nstepsize = 1", "stepsize. Did you mean step_size"),
        ("seed = 3", "name of a part. Received: seed. Did you mean seeds"),
        ("[table]\nrow = ['data']", "part of `table`. Received: row"),
        ("[table]\nrows = ['dta']", "Received: dta. Did you mean data"),
        ("[table]\nrows = 'data'", "list of settings"),
        ("seeds = 0", "`seeds`"),
        ("seeds = true", "`seeds`"),
        ("[settings]\nmix = 'words'", "`mix` among none, word, sentence, random"),
        ("[settings]\npolicy = 'adv'", "`policy` among mixup, maxop, amp, program"),
        ("[settings]\nbackbone = 'rnn'", "`backbone` to be one of cnn, bilstm, bert"),
        ("[settings]\nbackbone = 'cnn'\nunits = 3", "which 'bilstm' has"),
        ("[settings]\nalpha = 0", "`alpha`.*> 0"),
        ("[settings]\nepochs = []", "at least one value of `epochs`"),
        ("[settings]\nepochs = {a = 1}", "a value or a list"),
        ("[settings]\nepochs = 0.5", "`epochs`"),
        ("[settings]\nloss = 'mse'", "`loss`"),
        ("[settings]\ndata = 'subj'\nfold = 10", "fold=10 with 10 folds"),
        ("[settings]\nfold = 0", "fold=0 with no cross-validation"),
        ("settings = 3", "settings to be a table"),
        ("cells = 3", "as blocks"),
        ("[settings\n", "Expected TOML.*line 1"),
    ],
)
def test_what_is_wrong_with_a_configuration_is_said(text, message):
    with pytest.raises(ValueError, match=message):
        parse_grid(text, "mine")


def test_an_unknown_configuration(tmp_path):
    with pytest.raises(FileNotFoundError, match="Did you mean table2"):
        load_grid("tabel2")
    with pytest.raises(FileNotFoundError, match="folder of a grid"):
        load_grid(tmp_path)


# Cells.


def test_a_key_names_all_that_a_result_depends_on():
    def key(**changes):
        arguments = {
            "settings": Settings(),
            "how": Method("word", "amp"),
            "policy": keras_amp.AdversarialMixing(),
            "seed": 0,
        }
        return Cell(**{**arguments, **changes}).key

    other = [
        key(settings=Settings(data="trec")),
        key(settings=Settings(backbone_arguments={"filters": 3})),
        key(settings=Settings(batch_size=3)),
        key(settings=Settings(step_schedule="rising")),
        key(how=Method("sentence", "amp")),
        key(policy=keras_amp.AdversarialMixing(step_size=0.5)),
        key(policy=keras_amp.AdversarialMixing(noise="independent")),
        key(seed=1),
        key(fold=0),
    ]
    assert len({key(), *other}) == 1 + len(other)
    # Where the data lie and what else is written is nothing to the result.
    assert key(settings=Settings(data_dir=Path("x"), save_curve=False)) == key()
    assert key(settings=Settings(test_perturbed=True)) == key()


# Keys of before these settings: the cells' places in their grids and their keys.
KEYS_OF_BEFORE = {
    "table4": {
        0: "e8b8b88fcb4d9923",
        1: "c8a48820dac0b934",
        70: "2e9c0fb3add1c2c3",
        139: "a689f97894a5b417",
    },
    str(ROOT / "results" / "trec_cnn"): {
        0: "8735d0e922e979a5",
        1: "7759ee42ac710d83",
        16: "8b2088a18716f16d",
        120: "43f684d338c84d30",
        239: "ffe53a7519ba579b",
    },
    str(ROOT / "results" / "trec10_search"): {
        0: "0c67a68e14632b81",
        1: "ce4d31923bb88765",
        81: "72cdf0c131b820bc",
        161: "60df6e716825a57a",
    },
}


def test_settings_that_came_later_leave_the_keys_as_they_were():
    for name, keys in KEYS_OF_BEFORE.items():
        found = [cell.key for cell in loaded(name).cells]
        assert {place: found[place] for place in keys} == keys


def test_settings_that_came_later_are_part_of_the_key_where_they_are_set():
    def key(how="amp", policy=None, **changes):
        policy = policy or keras_amp.AdversarialMixing()
        return Cell(Settings(**changes), Method("word", how), policy, 0).key

    program = keras_amp.paper.AuthorsProgram
    keys = [
        key(),
        key(test_every=10),
        key(dev_fraction=0),
        key(label_smoothing=0.1),
        key(loss="program"),
        key(backbone_arguments={"convolution_gain": 2.0}),
        key("program", program()),
        key("program", program(reading="earlier")),
        key("program", program(reweigh=False)),
    ]
    assert len(set(keys)) == len(keys)


def test_records_of_the_earlier_reading_are_no_results_of_the_published_one(tmp_path):
    text = "[settings]\nmix = 'word'\npolicy = 'program'\n"
    (published,) = parse_grid(text, "mine").cells
    (earlier,) = parse_grid(f"{text}reading = 'earlier'", "mine").cells
    assert "reading" not in earlier.config["policy_arguments"]  # as in those of before
    (tmp_path / "cells").mkdir()
    for cell in (published, earlier):
        record = {"config": cell.config, "status": "finished", "result": {}}
        record["key"] = key_of(cell.config)
        path = tmp_path / "cells" / f"{cell.key}.json"
        path.write_text(json.dumps(record))
        assert list(read_records([tmp_path])) == [cell.key]
        path.unlink()


def test_what_the_program_has_besides_is_an_axis():
    text = "[settings]\nmix = ['none', 'word']\npolicy = ['mixup', 'program']\n"
    text += "reweigh = [true, false]\nloss = 'program'\ndev_fraction = 0\n"
    cells = parse_grid(text + "dropout = 0.0\ntrainable_vectors = false", "mine").cells
    assert [(c.method, c.values.get("reweigh")) for c in cells] == [
        ("none", None),
        ("WordMixup", None),
        ("WordProgram", True),
        ("WordProgram", False),
    ]
    assert {c.settings.dev_fraction for c in cells} == {0}
    assert {c.values["dropout"] for c in cells} == {0.0}


def test_methods_of_a_seed_share_their_examples_and_no_other():
    grid = small(seeds=2)
    keys = [cell.examples_key for cell in grid.cells]
    assert keys[0] == keys[1] != keys[2] == keys[3]


def test_a_record_of_before_a_setting_existed_is_still_the_cell_s(tmp_path):
    cell = small().cells[1]
    config = cell.config
    for name in ("loss", "clip_norm"):  # as if they were new
        del config[name]
    del config["policy_arguments"]["probability"]
    record = {"key": key_of(config), "config": config, "status": "finished", "result": {}}
    assert record["key"] != cell.key
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / f"{record['key']}.json").write_text(json.dumps(record))
    assert list(read_records([tmp_path])) == [cell.key]


# Running.


def test_quick_runs_every_kind_of_cell(tmp_path, console, in_this_process, eagerly):
    """Eagerly; test_training.py has a cell that is compiled."""
    text = load_grid("quick").text
    for more, fewer in (("seeds = 2", "seeds = 1"), ("epochs = 1", "steps = 1")):
        assert text.count(more) == 1  # of which less will do here
        text = text.replace(more, fewer)
    text = text.replace("filters = 10", "filters = 2\nkernel_sizes = [2]")
    grid = parse_grid(text, "quick")
    # In place of the encoder that a user's machine fetches.
    words = ["what", "is", "the", "who", "how", "many", "of", "in", "?"]
    preset = tmp_path / "data" / "presets" / "bert_tiny_en_uncased"
    preset.mkdir(parents=True)
    tiny_preset(preset, words)
    records = run_grid(
        grid, tmp_path / "out", data_dir=tmp_path / "data", console=console
    )
    failed = [r["error"] for r in records.values() if r["status"] == "failed"]
    assert not failed
    values = [flat_values(record["config"]) for record in records.values()]
    names = ("backbone", "mix", "policy", "train_fraction", "seed", "jit_compile")
    kinds = {name: {v[name] for v in values} for name in names}
    assert kinds["backbone"] == {"cnn", "bilstm", "bert"}
    assert kinds["mix"] == {"none", "word", "sentence", "random"}
    assert kinds["policy"] == {None, "mixup", "maxop", "amp", "program"}
    assert {1.0, 0.2} <= {v.get("alpha") for v in values}
    assert {0.002, 0.5} <= {v.get("step_size") for v in values}
    assert {None, "shared", "independent"} == {v.get("noise") for v in values}
    assert kinds["train_fraction"] == {None, 0.2}
    assert kinds["seed"] == {0}
    assert kinds["jit_compile"] == {False, True}
    table = make_table(grid, records)
    assert "Cells finished: 8 of 8" in table.markdown


def test_a_cell_keeps_its_curve_and_is_tested_on_changed_texts_where_told_to(untrained):
    (cell,) = parse_grid(
        SMALL.format(seeds=1, steps=1).replace('["none", "word"]', '"none"')
        + "save_curve = true\ntest_perturbed = true",
        "mine",
    ).cells
    record = worker.run_cell(cell)
    assert set(record["perturbed"]) == {"typos", "dropped words"}
    along = record["along_lambda"]
    assert set(along) == {"lam", "word", "sentence"}
    assert along["lam"][0] == 0
    assert along["lam"][-1] == 1
    # At the ends nothing is mixed: the mean loss of the same test texts.
    ends = [along[place][i] for place in ("word", "sentence") for i in (0, -1)]
    np.testing.assert_allclose(ends, ends[0], rtol=1e-4)


@pytest.mark.usefixtures("eagerly")
def test_cells_run_in_this_process_where_that_is_asked_for(tmp_path, untrained, console):
    grid = small(more='[study]\nprimary = { method = "WordMixup", against = "none" }')
    here = {"in_this_process": True, "console": console}
    records = run_grid(grid, tmp_path / "out", **here)
    assert [r["status"] for r in records.values()] == ["finished"] * 2  # by `untrained`
    assert read_records([tmp_path / "out"]).keys() == records.keys()
    assert {r["study"]["seeds"] for r in records.values()} == {1}
    assert not GridRun(grid, tmp_path / "out", **here).todo
    with pytest.raises(ValueError, match="`in_this_process` alone.*jobs=2, devices=1"):
        GridRun(grid, tmp_path / "other", jobs=2, devices=1, **here)


def test_a_terminal_sees_what_is_done_what_runs_and_what_failed(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    grid, states = small(seeds=3), []
    console = Console(file=StringIO(), width=100, force_terminal=True)
    run = GridRun(grid, tmp_path / "out", jobs=2, console=console)

    def records():
        for cell, error in zip(grid.cells[:3], (10.0, None, 30.0), strict=True):
            yield {
                "key": cell.key,
                "status": "failed" if error is None else "finished",
                "error": {"type": "E", "message": "bad"},
                "result": dict.fromkeys(QUANTITIES, 1.0) | {"test_error": error},
                "seconds": 1.0,
            }
        with console.capture() as shown:
            console.print(run.display.live.get_renderable())
        states.append(shown.get())
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "execute", records)
    with pytest.raises(KeyboardInterrupt):
        run.run()
    lines = [" ".join(line.split()) for line in states[0].splitlines()]
    assert "none 2 of 3 1.00 ± 0.00 20.00 ± 14.14 1.0 ± 0.0" in lines
    assert "WordMixup 0 of 3" in lines
    assert "2 done, 2 running, 1 failed" in lines
    assert any("3 of 6 cells" in line for line in lines)
    assert "Failed: WordMixup, seed 0: E: bad" in said(console)
    assert "Interrupted: 2 of 6 cells are finished, 1 failed" in said(console)
    assert "the same command goes on." in said(console)


def test_workers_take_turns_with_the_gpus(monkeypatch):
    chosen = {}
    config = SimpleNamespace(
        threading=SimpleNamespace(
            set_intra_op_parallelism_threads=lambda n: chosen.update(intra=n),
            set_inter_op_parallelism_threads=lambda n: chosen.update(inter=n),
        ),
        list_physical_devices=lambda kind: ["first", "second"],
        set_visible_devices=lambda gpu, kind: chosen.update(gpu=gpu, kind=kind),
        experimental=SimpleNamespace(
            set_memory_growth=lambda gpu, on: chosen.update(grows=(gpu, on))
        ),
    )
    monkeypatch.setattr(worker.tf, "config", config)
    logger = SimpleNamespace(setLevel=lambda level: chosen.update(logged=level))
    monkeypatch.setattr(worker.tf, "get_logger", lambda: logger)
    monkeypatch.setattr(worker.signal, "signal", lambda *_: None)
    monkeypatch.setattr(worker, "_end_with_parent", lambda: chosen.update(watch=True))
    for name, gpu in (("LokyProcess-4", "first"), ("LokyProcess-7", "second")):
        monkeypatch.setattr(worker, "_prepared", [])
        process = SimpleNamespace(name=name)
        monkeypatch.setattr(
            worker.multiprocessing, "current_process", lambda p=process: p
        )
        worker.prepare_process(3, shares_gpu=True, watch=True)
        assert chosen == {
            "intra": 3, "inter": 3, "gpu": gpu, "kind": "GPU", "grows": (gpu, True),
            "logged": "ERROR", "watch": True,
        }  # fmt: skip
    # Without a GPU there are as many CPUs as cells are trained on.
    config.list_physical_devices = lambda kind: []
    monkeypatch.setattr(worker, "_prepared", [])
    monkeypatch.setattr(worker, "make_cpus", lambda number: chosen.update(cpus=number))
    worker.prepare_process(3, devices=2)
    assert chosen["cpus"] == 2


class _Fails(keras_amp.Mixup):
    def draw(self, batch_size, seed_generator):
        raise ArithmeticError("no lambda today")


def test_failed_cells_are_kept_and_retried_on_request(
    tmp_path, console, in_this_process, eagerly
):
    """Those whose process died, too; test_executors.py has how they die."""
    grid = small(steps=1)
    plain, mixup = grid.cells
    broken = Cell(mixup.settings, mixup.how, _Fails(), 0)
    grid.cells[:] = [broken, plain]
    run_grid(grid, tmp_path / "out", console=console)
    records = read_records([tmp_path / "out"])
    assert records[plain.key]["status"] == "finished"
    failed = records[broken.key]
    assert failed["status"] == "failed"
    assert failed["error"]["type"] == "ArithmeticError"
    assert "no lambda today" in failed["error"]["message"]
    assert "draw" in failed["error"]["traceback"]
    assert "result" not in failed
    assert "1 of 2 cells are finished, 1 failed" in said(console)
    # Not again by itself; on request, and then it may work.
    assert broken.key == mixup.key  # by its settings it is the same cell
    grid.cells[:] = [mixup, plain]
    again = run_grid(grid, tmp_path / "out", console=console)
    assert again[broken.key]["status"] == "failed"
    again = run_grid(grid, tmp_path / "out", retry=True, console=console)
    assert again[broken.key]["status"] == "finished"


def test_a_cell_whose_process_died_has_failed(tmp_path, console, monkeypatch):
    grid = small(steps=1)

    def execute(cells, *_):
        return (worker.died(cell, "by SIGKILL") for cell in cells)

    monkeypatch.setattr("keras_amp.experiments.grid_run.on_this_machine", execute)
    run_grid(grid, tmp_path / "out", console=console)
    records = read_records([tmp_path / "out"])
    assert [r["error"]["type"] for r in records.values()] == ["WorkerDied"] * 2
    assert "0 of 2 cells are finished, 2 failed" in said(console)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="holds something else"):
        run_grid(small(), tmp_path)
    with pytest.raises(FileExistsError, match="which is a file"):
        run_grid(small(), tmp_path / "mine.txt")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.txt"]


def test_what_seeds_at_once_cannot_do_is_refused_by_name(tmp_path, monkeypatch):
    pytest.importorskip("jax")
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    with pytest.raises(ValueError, match="Received: KERAS_BACKEND=tensorflow"):
        run_grid(small(), tmp_path, seeds_at_once=True)
    monkeypatch.delenv("KERAS_BACKEND")
    for wrong, name in ((0, "seeds_at_once"), (True, "cluster")):
        with pytest.raises(ValueError, match=name):
            run_grid(small(), tmp_path, seeds_at_once=wrong, cluster="local")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_trained_is_found_before_anything_is(tmp_path):
    grid = parse_grid("[settings]\ndata = 'missing.csv'", "mine")
    with pytest.raises(FileNotFoundError, match="missing.csv"):
        run_grid(grid, tmp_path / "out")
    grid = parse_grid("[settings]\nvectors = 'glove.6B.51d'", "mine")
    with pytest.raises((ValueError, FileNotFoundError), match="glove.6B.51d"):
        run_grid(grid, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs `keras-amp grid`; returns status, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, call=lambda a: cli.main(["grid", *a])):
        status = 0
        try:
            call([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = stop.code or 0
        return status, *capsys.readouterr()

    return run


def test_the_command_runs_a_file_and_goes_on_with_its_folder(
    command, tmp_path, in_this_process, untrained
):
    (tmp_path / "mine.toml").write_text(
        SMALL.format(seeds=1, steps=1).replace('["none", "word"]', '"none"')
    )
    status, shown, errors = command("mine.toml", "--jobs", 1, "--threads", 1)
    assert (status, errors) == (0, "")
    assert "1 of 1: none, seed 0: dev error" in shown
    assert "1 of 1 cells are finished" in shown
    assert len(list((tmp_path / "runs" / "mine" / "cells").iterdir())) == 1
    # Its folder is a grid, too; and a cell that has failed is not passed over in silence.
    (path,) = (tmp_path / "runs" / "mine" / "cells").iterdir()
    record = json.loads(path.read_text())
    record["status"], record["error"] = "failed", {"type": "E", "message": "bad"}
    path.write_text(json.dumps(record))
    status, shown, _ = command("runs/mine")
    assert status == 1
    assert "0 cells to run, 1 have run before (1 failed)" in shown
    assert "--retry runs them again" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tabel2"], "Did you mean table2"),
        (["quick", "--jobs", "0"], "`jobs`"),
        (["quick", "--gpus-per-cell", "-1"], "`gpus_per_cell`"),
        (["quick", "--seeds-at-once", "2", "3"], "at most one number"),
        (["quick", "--seeds-at-once", "--verify", "2"], "--verify or --seeds-at-once"),
        (["quick", "--seeds-at-once", "--devices", "2"], "seeds_at_once=True"),
        (["quick", "--devices", "2", "--verify", "2"], "--verify or --devices"),
        (["quick", "--devices", "0"], "`devices`"),
        (["quick", "--devices", "3"], "at most 2, which is how many CPUs TensorFlow"),
        (["quick", "--devices", "2"], "jit_compile=True with devices=2"),
        (["quick", "--reuse", "nowhere"], "nowhere, which is no folder"),
        (["quick", "--out", "there.txt"], "which is a file"),
        (["wrong.toml"], "In wrong.toml: expected the name of a setting"),
    ],
)
def test_mistakes_on_the_command_line(command, tmp_path, arguments, message):
    (tmp_path / "there.txt").write_text("mine")
    (tmp_path / "wrong.toml").write_text("[settings]\nstep = 0.1")
    status, shown, errors = command(*arguments)
    assert (status, shown) == (2, "")
    assert message in " ".join(errors.split())
    assert not (tmp_path / "runs").exists()


def test_the_recipe_is_the_command(command, monkeypatch):
    recipe = runpy.run_path(str(ROOT / "recipes" / "grid.py"))
    assert recipe["run"] is run_command
    assert command("tabel2", call=run_command)[0] == 2
    for name in shipped():
        assert name in " ".join(grid_command.__doc__.split())


def test_damaged_records_are_named(tmp_path):
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "ab.json").write_text('{"status": "finished"}')
    with pytest.raises(ValueError, match="ab.json.*damaged"):
        read_records([tmp_path])


def test_cores_are_divided_among_jobs(monkeypatch):
    monkeypatch.setattr("keras_amp.experiments.runner.cores", lambda: 8)
    assert share_cores() == (8, 1)
    assert share_cores(jobs=3) == (3, 2)
    assert share_cores(threads=4) == (2, 4)
    assert share_cores(jobs=16) == (16, 1)
    monkeypatch.setattr("keras_amp.experiments.runner._gpus", lambda: 2)
    assert share_cores(gpus_per_cell=0.25) == (8, 1)
    assert share_cores(gpus_per_cell=1) == (2, 4)
    for wrong in ({"jobs": 0}, {"threads": 1.5}, {"gpus_per_cell": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            share_cores(**wrong)


# The processes import no TensorFlow: they watch the grid's, and cells are no trainings.
KILLED = """
import json, os, signal, sys, threading, time
from pathlib import Path
from types import SimpleNamespace
root, tests, config, out = sys.argv[1:]
sys.path[:0] = [root, tests]
from fresh import children
import cloudpickle
from keras_amp.experiments import Cell, executors, load_grid, run_grid, worker
from keras_amp.experiments.summary.means import QUANTITIES

RESULT = {"dev_error": 1.0} | {quantity: 1.0 for quantity, *_ in QUANTITIES}

def as_plain(cell):
    return SimpleNamespace, (), {"key": cell.key, "config": cell.config}

def prepare(threads, shares_gpu, watch, *_, begin=worker._end_with_parent):
    if watch:
        begin()

def run_cell(cell, *_):
    time.sleep(0.5)
    record = {"key": cell.key, "config": cell.config, "status": "finished"}
    return record | {"result": RESULT, "curves": {}, "seconds": 0.5}

def kill():
    while len([*Path(out).glob("cells/*.json")]) < 2:
        time.sleep(0.05)
    Path(out, "processes").write_text(json.dumps(children(os.getpid())))
    os.kill(os.getpid(), signal.SIGKILL)

cloudpickle.register_pickle_by_value(worker)
Cell.__reduce__, executors._prepare, worker.run_cell = as_plain, prepare, run_cell
threading.Thread(target=kill).start()
run_grid(load_grid(config), out, jobs=1, threads=1)
"""


def test_a_killed_grid_loses_the_cells_in_flight_alone(
    tmp_path, console, in_this_process, untrained, fresh
):
    config, out = tmp_path / "small.toml", tmp_path / "out"
    config.write_text(
        SMALL.format(seeds=8, steps=5).replace('["none", "word"]', '"none"')
    )
    keys = {cell.key for cell in load_grid(config).cells}
    arguments = ROOT, ROOT / "tests", config, out
    fresh.run(KILLED, *arguments, folder=tmp_path, status=signal.SIGKILL)
    kept = cells_in(out)
    for content in kept.values():
        assert json.loads(content)["status"] == "finished"  # whole
    # Nobody trains on for a grid that is gone.
    workers = json.loads((out / "processes").read_text())
    assert len(workers) >= 2
    wait_for(lambda: not any(map(alive, workers)))
    assert cells_in(out) == kept
    assert 2 <= len(kept) < len(keys)
    # It goes on with the others, which need no training to be counted.
    run_grid(load_grid(config), out, console=console)
    assert f"{len(keys) - len(kept)} cells to run" in said(console)
    assert cells_in(out).items() >= kept.items()  # not one of them was run again
    assert set(cells_in(out)) == {f"{key}.json" for key in keys}


def test_a_cluster_gets_what_there_is_to_run(tmp_path, console, untrained, monkeypatch):
    """test_finished_grid.py has a cluster in earnest."""
    pytest.importorskip("ray", reason='pip install "keras-amp[cluster]"')
    seen = []

    def on_cluster(cells, *how):
        seen.append(how)
        return map(worker.run_cell, cells)

    monkeypatch.setattr("keras_amp.experiments.grid_run.on_cluster", on_cluster)
    grid = small()
    broken = Cell(Settings(data="missing.csv"), Method("none"), None, 0)
    grid.cells[1:] = [broken]
    out = tmp_path / "out"
    records = run_grid(grid, out, cluster="c", jobs=3, threads=2, console=console)
    assert seen == [("c", 2, None, None, 3)]
    assert [r["status"] for r in records.values()] == ["finished", "failed"]
    assert records[broken.key]["error"]["type"] == "FileNotFoundError"
    assert read_records([out]).keys() == records.keys()


def cells_in(out):
    return {path.name: path.read_text() for path in (out / "cells").glob("*.json")}


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for(condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_a_cluster_without_ray_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"keras-amp\[cluster\]"):
        run_grid(small(), tmp_path / "out", cluster="local")


TUNED = """
[settings]
data = "trec"
[[cells]]
mix = "none"
learning_rate = 0.003
[[cells]]
mix = "word"
policy = "amp"
[[cells]]
mix = "word"
policy = "amp"
alpha = 0.01
called = "WordStep"
[table]
tuned = ["learning_rate", "alpha"]
"""


def test_tables_compare_methods_by_the_names_and_settings_that_a_grid_says():
    grid = parse_grid(TUNED, "mine")
    shown = [grid.values[cell.key] for cell in grid.cells]
    assert [values["method"] for values in shown] == ["none", "WordAMP", "WordStep"]
    assert not any({"learning_rate", "alpha"} & values.keys() for values in shown)
    plain = parse_grid(TUNED[: TUNED.index("[table]")].replace("called", "# "), "mine")
    assert [c.key for c in plain.cells] == [c.key for c in grid.cells]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("WordStep", "WordAMP"), "of each setting in `tuned`.*alpha 1.0 and 0.01"),
        (("alpha = 0.01", ""), "one name, `called`.*WordAMP and WordStep for the same"),
        (('"WordStep"', "3"), "`called` to be a name. Received: 3"),
        (('["learning_rate", "alpha"]', '["rate"]'), "setting in `tuned`.*rate"),
        (('["learning_rate", "alpha"]', '"alpha"'), "`tuned` to be a list"),
    ],
)
def test_wrong_names_and_tuned_settings_are_explained(change, message):
    with pytest.raises(ValueError, match=message):
        parse_grid(TUNED.replace(*change), "mine")
