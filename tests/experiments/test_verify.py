"""Cells run again: the same machine comes to the same, what was changed is found."""

import json
import re
import shutil
from io import StringIO
from pathlib import Path

import pytest

pytest.importorskip("joblib", reason='pip install "keras-amp[experiments]"')

from rich.console import Console

from keras_amp import cli
from keras_amp.cli.grid import _is_off
from keras_amp.experiments import load_grid, verify, verifying
from keras_amp.experiments.verifying import Repeated, choose


@pytest.fixture(scope="module")
def folder(by_command, tmp_path_factory):
    """A grid of two cells that has been run."""
    return shutil.copytree(by_command[0], tmp_path_factory.mktemp("copy") / "small")


def cells_of(folder):
    return sorted((folder / "cells").iterdir())


def said(console):
    return console.file.getvalue()


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
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*.*")}
    console = Console(file=StringIO(), width=200)
    grid = load_grid(folder)
    repeated = verify(grid, folder, 5, jobs=1, console=console)
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
    def failing(cells, *_):
        error = {"type": "E", "message": "bad", "traceback": ""}
        for cell in cells:
            yield {"key": cell.key, "status": "failed", "error": error}

    monkeypatch.setattr(verifying, "on_this_machine", failing)
    with pytest.raises(SystemExit) as stop:
        cli.main(["grid", str(folder), "--verify", "1"])
    assert stop.value.code == 1
    assert ": failed: E: bad" in capsys.readouterr().out


def test_cells_run_again_as_their_records_say(folder, monkeypatch):
    seen = []

    def noting(cells, jobs, threads, data_dir, gpus, variables):
        seen.append((len(cells), jobs, threads, variables))
        yield from ()

    monkeypatch.setattr(verifying, "on_this_machine", noting)
    grid, console = load_grid(folder), Console(file=StringIO())
    kept = json.loads(cells_of(folder)[0].read_text())["machine"]["variables"]
    verify(grid, folder, 2, jobs=2, console=console)
    assert seen == [(2, 2, 1, kept)]
    # One of before it was recorded had no deterministic operations.
    path = cells_of(folder)[1]
    original = path.read_text()
    record = json.loads(original)
    record["machine"] = {"threads": 3}
    path.write_text(json.dumps(record))
    try:
        verify(grid, folder, 2, jobs=2, console=console)
        verify(grid, folder, [path.stem], jobs=2, threads=4, console=console)
    finally:
        path.write_text(original)
    assert sorted(seen[1:3], key=lambda s: s[2]) == [
        (1, 2, 1, kept),
        (1, 2, 3, {"TF_DETERMINISTIC_OPS": "0"}),
    ]
    assert seen[3] == (1, 2, 4, {"TF_DETERMINISTIC_OPS": "0"})


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
    folder = Path(__file__).parents[2] / "results" / "trec_cnn"
    files = verifying.keys_of_files(folder)
    keys = {cell.key for cell in load_grid(folder).cells}
    assert set(files.values()) == keys
    assert any(name != key for name, key in files.items())
