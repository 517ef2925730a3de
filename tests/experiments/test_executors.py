"""Processes that cells run in: how many there are, and what the death of one costs.

The cells are no trainings here, and the processes import no TensorFlow: it takes seconds.
"""

import os
import signal
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("joblib", reason='pip install "keras-amp[experiments]"')

from keras_amp.experiments.executors import Together, on_this_machine


@pytest.fixture
def started(tmp_path, monkeypatch):
    """The folder where every process that is started leaves a file; what it runs.

    Functions that are defined inside of others travel to a process as they are.
    """
    folder = tmp_path / "started"
    folder.mkdir()
    here = os.getpid()

    def prepare(*_):
        (folder / str(os.getpid())).write_text("")

    def run_cell(cell, data_dir, devices):
        assert os.getpid() != here
        if cell.lasts == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(cell.lasts)
        record = {"key": cell.key, "status": "finished", "devices": devices}
        return {**record, "process": os.getpid()}

    monkeypatch.setattr("keras_amp.experiments.executors._prepare", prepare)
    monkeypatch.setattr("keras_amp.experiments.worker.run_cell", run_cell)
    return folder


def cells(*lasts):
    return [
        SimpleNamespace(key=str(i), config={}, lasts=seconds)
        for i, seconds in enumerate(lasts)
    ]


def processes(folder):
    return {int(path.name) for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("number", "jobs", "expected"), [(1, 3, 1), (2, 3, 2), (4, 2, 2)]
)
def test_there_are_no_more_processes_than_cells(started, number, jobs, expected):
    """And no cell runs in this one, not even where there is but one."""
    records = list(on_this_machine(cells(*[0.1] * number), jobs, threads=1, devices=2))
    assert {record["devices"] for record in records} == {2}
    assert sorted(record["key"] for record in records) == list(map(str, range(number)))
    assert len(processes(started)) == expected
    assert {record["process"] for record in records} <= processes(started)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_process_that_dies_takes_no_other_cell_with_it(started, jobs):
    records = {
        record["key"]: record
        for record in on_this_machine(cells(0.1, "deadly", 0.1, 0), jobs, threads=1)
    }
    failed = records.pop("1")
    assert failed["status"] == "failed"
    assert failed["error"]["type"] == "WorkerDied"
    assert "SIGKILL" in failed["error"]["message"]
    assert {key: r["status"] for key, r in records.items()} == dict.fromkeys(
        "023", "finished"
    )


def test_processes_end_where_the_others_cells_are_not_wanted(started):
    records = on_this_machine(cells(0, 60, 60), 2, threads=1)
    assert next(records)["key"] == "0"
    records.close()
    for process in processes(started):
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_seeds_are_trained_at_once_in_a_process_on_jax(started, monkeypatch):
    def run(cells, data_dir, most):
        backend = os.environ["KERAS_BACKEND"]
        return [{"key": c.key, "with": len(cells), "on": (backend, most)} for c in cells]

    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.setattr("keras_amp.experiments.worker.run_cells_together", run)
    together = Together(most=2)
    records = list(on_this_machine(cells(0, 0, 0), 1, threads=1, together=together))
    assert [record["key"] for record in records] == ["0", "1", "2"]
    assert [record["with"] for record in records] == [2, 2, 1]
    assert {record["on"] for record in records} == {("jax", 2)}


def test_cells_may_come_once_others_have_ended(started):
    """As those of a search do: the iterator ends, and has more when it is asked again."""
    ended = []

    first, *others = cells(0.01, 0.01, 0.01)
    left = [[first], others]

    class Later:
        def __iter__(self):
            return self

        def __next__(self):
            known = left if ended else left[:1]
            for some in known:
                if some:
                    return some.pop(0)
            raise StopIteration

    for record in on_this_machine(Later(), 2, threads=1):
        ended.append(record["key"])
    assert sorted(ended) == ["0", "1", "2"]
    assert len(processes(started)) <= 2
