"""A grid that the command ran: what is kept, and its cells run again."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("joblib", reason='pip install "keras-amp[experiments]"')

from rich.console import Console

from keras_amp import cli
from keras_amp.cli.grid import _is_off
from keras_amp.experiments import (
    load_grid,
    parse_grid,
    read_records,
    run_grid,
    verify,
    verifying,
)
from keras_amp.experiments.verifying import Repeated, choose
from keras_amp.runtime import notes, process

ROOT = Path(__file__).parents[2]
# Mixup, and an adversarial step of 0, which is mixup again: two epochs of two steps.
GRID = """
title = "Small"
seeds = 1
[settings]
data = "questions"
filters = 3
kernel_sizes = [2]
embedding_dim = 4
train_fraction = 0.1
steps = 4
batch_size = 53
jit_compile = false
mix = "word"
policy = ["mixup", "amp"]
step_size = 0.0
"""


@pytest.fixture(scope="module")
def by_command(tmp_path_factory):
    """A grid that the command ran: its folder, which nobody changes, and how it ended.

    As a newcomer runs it: no variable is set.
    """
    folder = tmp_path_factory.mktemp("grid")
    (folder / "small.toml").write_text(GRID)
    ours = (*process.VARIABLES, process.WORKER, "COLUMNS")
    command = [sys.executable, "-m", "keras_amp", "grid", "small.toml", "--out", "out"]
    ended = subprocess.run(
        [*command, "--jobs", "1", "--threads", "1"],
        env={
            **{name: value for name, value in os.environ.items() if name not in ours},
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        cwd=folder,
    )
    return folder / "out", ended


@pytest.fixture
def out(by_command, tmp_path):
    """A copy of the folder of a grid of two cells, which ran in another process."""
    return shutil.copytree(by_command[0], tmp_path / "out")


@pytest.fixture(scope="module")
def ran(by_command):
    """The records of that grid."""
    return read_records([by_command[0]])


@pytest.fixture(scope="module")
def folder(by_command, tmp_path_factory):
    """A grid of two cells that has been run."""
    return shutil.copytree(by_command[0], tmp_path_factory.mktemp("copy") / "small")


def cells_of(folder):
    return sorted((folder / "cells").iterdir())


def said(console):
    return console.file.getvalue()


def test_nothing_stands_between_a_grid_and_what_it_says(by_command):
    _, ended = by_command
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "absl" not in ended.stdout
    assert not notes.LOGGED.search(ended.stdout.encode())


def test_a_grid_runs_once_and_goes_on_where_it_was(
    out, ran, tmp_path, console, in_this_process, untrained
):
    records, grid = ran, load_grid(out)  # the folder says what it is
    assert [r["status"] for r in records.values()] == ["finished"] * 2
    for cell in grid.cells:
        kept = json.loads((out / "cells" / f"{cell.key}.json").read_text())
        assert kept["config"] == cell.config
        result, curves = kept["result"], kept["curves"]
        assert result["method"] == cell.method
        assert result["steps"] == 4
        assert len(curves["test_error"]) == len(curves["loss"]) == result["epochs"] == 2
        assert min(curves["test_error"]) == pytest.approx(
            result["best_test_error"], abs=1e-3
        )
        chosen = result["epoch"] - 1
        assert curves["test_error"][chosen] == pytest.approx(
            result["test_error"], abs=1e-3
        )
        assert kept["machine"]["threads"] == 1
        assert set(kept["versions"]) >= {"keras_amp", "keras", "tensorflow"}
    before = {p: p.stat().st_mtime_ns for p in (out / "cells").iterdir()}
    # With one seed more, and one setting that differs: new cells, beside the old ones.
    more = parse_grid(grid.text.replace("seeds = 1", "seeds = 2"), "small")
    again = run_grid(more, out, console=console)
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert len(again) == 4
    assert again.items() >= records.items()
    assert "2 cells to run, 2 have run before" in said(console)
    changed = parse_grid(grid.text.replace("steps = 4", "steps = 3"), "small")
    assert not {c.key for c in changed.cells} & set(again)
    # Another grid takes what it shares.
    reused = run_grid(grid, tmp_path / "other", reuse=[out], console=console)
    assert reused == records == read_records([tmp_path / "other"])
    assert "0 cells to run" in said(console)


def test_the_grid_that_a_folder_held_is_kept_beside_another(out, console):
    grid = load_grid(out)
    for n, title in enumerate(["Another", "A third", "A third"]):
        run_grid(replace_title(grid, title), out, console=console)
        assert load_grid(out).title == title
        assert (f"it is kept as grid-{n + 1}.toml" in said(console)) == (n < 2)
    assert (out / "grid-1.toml").read_text() == grid.text
    assert load_grid(out / "grid-2.toml").title == "Another"
    assert not (out / "grid-3.toml").exists()


def replace_title(grid, title):
    return parse_grid(grid.text.replace('"Small"', f'"{title}"'), "small")


def test_a_seed_s_cells_begin_alike(by_command, ran):
    """A step of 0 is mixup: same examples, weights, batches, dropout, lambda."""
    mixup, unmoved = (ran[cell.key] for cell in load_grid(by_command[0]).cells)
    policies = [record["config"]["policy"] for record in (mixup, unmoved)]
    assert policies == ["mixup", "amp"]
    np.testing.assert_allclose(
        unmoved["result"]["nll"], mixup["result"]["nll"], rtol=1e-5
    )


# Cells run again: the same machine comes to the same, what was changed is found.


def test_a_record_holds_what_it_rests_on(folder):
    for path in cells_of(folder):
        record = json.loads(path.read_text())
        assert set(record["source"]) == {"commit", "changed"}
        assert record["jit_compile"] is False
        machine = record["machine"]
        assert machine["threads"] == 1
        assert machine["deterministic"] is True
        assert "TF_ENABLE_ONEDNN_OPTS" in machine["variables"]
        assert machine["onednn"] is (machine["variables"]["TF_ENABLE_ONEDNN_OPTS"] == "1")


def test_the_same_machine_comes_to_the_same(folder):
    """By a local Ray, where there is one: as by the processes that ran the cells."""
    cluster = "local" if find_spec("ray") else None
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*.*")}
    console = Console(file=StringIO(), width=200)
    grid = load_grid(folder)
    repeated = verify(grid, folder, 5, jobs=1, cluster=cluster, console=console)
    assert {r.kept["key"] for r in repeated} == {cell.key for cell in grid.cells}
    assert all(r.same and r.conditions == {} for r in repeated)
    assert [r.apart("test_error") for r in repeated] == [0, 0]
    after = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*.*")}
    assert after == before
    for text in ("2 of 2 finished cells run again, drawn with the seed 0", "+0.00; all"):
        assert text in said(console)
    assert "Test error: 0.00 points apart (root mean square of 2)" in said(console)
    assert "2 of 2 cells are the same to the last digit" in said(console)


def test_a_changed_cell_is_found_by_the_command(folder, monkeypatch, capsys):
    (path,) = (p for p in cells_of(folder) if '"policy": "mixup"' in p.read_text())
    original = path.read_text()
    record = json.loads(original)
    record["result"]["test_error"] += 5.0
    record["curves"]["loss"][-1] += 0.5
    del record["source"], record["machine"]["extensions"]  # as in one of before
    record["machine"]["processor"] = "another one"
    changed = json.dumps(record)
    path.write_text(changed)
    monkeypatch.setattr(
        verifying, "on_this_machine", lambda *_, **__: iter([json.loads(original)])
    )
    run = ["--verify", path.stem[:9], "--jobs", "1", "--tolerance", "4.9"]
    try:
        with pytest.raises(SystemExit) as stop:
            cli.main(["grid", str(folder), *run])
        assert path.read_text() == changed
    finally:
        path.write_text(original)
    assert stop.value.code == 1
    shown = capsys.readouterr().out
    assert "1 of 2 finished cells run again; what is kept" in shown
    epochs = len(record["curves"]["loss"])
    assert "-5.00; dev error" in shown
    assert f"alike in {epochs - 1} of {epochs} epochs" in shown
    assert "0 of 1 cells are the same" in shown
    assert "processor: kept with another one, now " in shown
    assert "commit: kept with not recorded, now " in shown


def test_a_cell_that_fails_is_an_exit_status(folder, monkeypatch, capsys):
    def failing(cells, *_, **__):
        error = {"type": "E", "message": "bad", "traceback": ""}
        for cell in cells:
            yield {"key": cell.key, "status": "failed", "error": error}

    monkeypatch.setattr(verifying, "on_this_machine", failing)
    with pytest.raises(SystemExit) as stop:
        cli.main(["grid", str(folder), "--verify", "1"])
    assert stop.value.code == 1
    assert ": failed: E: bad" in capsys.readouterr().out


def test_cells_run_again_as_their_records_say(folder, monkeypatch):
    seen, on = [], []

    def noting(cells, jobs, threads, data_dir, gpus, variables, devices):
        seen.append((len(cells), jobs, threads, variables))
        on.append(devices)
        yield from ()

    monkeypatch.setattr(verifying, "on_this_machine", noting)
    monkeypatch.setattr(verifying, "require", lambda *_: None)  # JAX runs nothing here
    grid, console = load_grid(folder), Console(file=StringIO())
    kept = json.loads(cells_of(folder)[0].read_text())["machine"]["variables"]
    verify(grid, folder, 2, jobs=2, console=console)
    assert seen == [(2, 2, 1, kept)]
    # One of before it was recorded had no deterministic operations.
    path = cells_of(folder)[1]
    original = path.read_text()
    record = json.loads(original)
    record["machine"], record["devices"] = {"threads": 3}, 1
    path.write_text(json.dumps(record))
    try:
        verify(grid, folder, 2, jobs=2, console=console)
        verify(grid, folder, [path.stem], jobs=2, threads=4, console=console)
        # One of another backend runs there, unless the user says otherwise.
        path.write_text(json.dumps({**record, "backend": "jax"}))
        with pytest.raises(ValueError, match="unset, or to be jax, on which 1 of the ch"):
            verify(grid, folder, 2, console=console)
        monkeypatch.delenv("KERAS_BACKEND")
        verify(grid, folder, [path.stem], jobs=2, console=console)
    finally:
        path.write_text(original)
    assert sorted(seen[1:3], key=lambda s: s[2]) == [
        (1, 2, 1, kept),
        (1, 2, 3, {"TF_DETERMINISTIC_OPS": "0"}),
    ]
    assert seen[3] == (1, 2, 4, {"TF_DETERMINISTIC_OPS": "0"})
    assert seen[4][3]["KERAS_BACKEND"] == "jax"
    assert sorted(on, key=str) == [1, 1, 1, None, None]


def test_cells_are_drawn_by_a_seed_or_named():
    kept = {f"{i}{'0' * 15}": {} for i in range(9)}
    assert choose(kept, 3, seed=1) == choose(dict(reversed(kept.items())), 3, seed=1)
    assert choose(kept, 3, seed=1) != choose(kept, 3, seed=2)
    assert choose(kept, ["20", "1"], 0) == ["2" + "0" * 15, "1" + "0" * 15]
    assert choose(kept, ["name"], 0, {"name": "3" + "0" * 15}) == ["3" + "0" * 15]
    with pytest.raises(ValueError, match="Received: x, which is that of none"):
        choose(kept, ["x"], 0)
    with pytest.raises(ValueError, match="is that of several"):
        choose(kept, [""], 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--verify", "nokey"], "Received: nokey, which is that of none"),
        (["--verify", "0"], "`verify`.*>= 1"),
        (["--verify", "1", "--out", "nowhere"], "nowhere, which is no folder"),
    ],
)
def test_what_cannot_be_run_again_is_said(folder, capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        cli.main(["grid", str(folder), *arguments])
    assert stop.value.code == 2
    assert re.search(message, capsys.readouterr().err.replace("\n", " "))


def test_a_cell_is_off_by_more_than_the_tolerance():
    again, kept = (
        {"status": "finished", "result": {"test_error": error}} for error in (5.0, 10.0)
    )
    repeated = Repeated("none, seed 0", kept, again)
    assert repeated.apart("test_error") == -5
    assert [_is_off(repeated, size) for size in (None, 4.9, 5.1)] == [False, True, False]


def test_cells_without_a_development_set_are_compared_by_the_test_error():
    record = {"status": "finished", "result": {"dev_error": None, "test_error": 3.0}}
    record["curves"] = {"loss": [1.0, 0.5], "test_error": [4.0, 3.0]}
    text = str(Repeated("none, seed 0", record, record))
    assert text == "none, seed 0: test error 3.00%, kept 3.00%: +0.00; all the same"


def test_committed_cells_can_be_named_by_their_files():
    """Their files were named before some of today's settings."""
    folder = ROOT / "results" / "trec_cnn"
    files = verifying.keys_of_files(folder)
    keys = {cell.key for cell in load_grid(folder).cells}
    assert set(files.values()) == keys
    assert any(name != key for name, key in files.items())
