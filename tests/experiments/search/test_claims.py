"""Claims on cells: who has one, and which are given up."""

import json
import os
import socket
import time

import pytest

pytest.importorskip("optuna", reason='pip install "keras-amp[search]"')

from keras_amp.experiments.search.claims import STALE, Claims

NO_PROCESS = 2**22 + 1  # above what Linux numbers processes by


def left(folder, host, process, age=0.0):
    folder.mkdir()
    path = folder / "cell.json"
    path.write_text(json.dumps({"host": host, "process": process}))
    then = time.time() - age
    os.utime(path, (then, then))


@pytest.mark.parametrize(
    ("host", "process", "age", "taken"),
    [
        (None, NO_PROCESS, 0, True),
        (None, None, 10 * STALE, False),
        ("another", NO_PROCESS, 0, False),
        ("another", NO_PROCESS, 2 * STALE, True),
    ],
)
def test_claims_of_those_who_are_gone_are_taken_over(tmp_path, host, process, age, taken):
    process = process or os.getpid()
    left(tmp_path / "claims", host or socket.gethostname(), process, age)
    with Claims(tmp_path / "claims") as claims:
        assert claims.take("cell") is taken
        owner = json.loads((tmp_path / "claims" / "cell.json").read_text())
        assert (owner["process"] == os.getpid()) == (taken or process == os.getpid())
    assert (tmp_path / "claims" / "cell.json").exists() is not taken


def test_a_claim_that_is_being_written_is_not_taken(tmp_path):
    (tmp_path / "cell.json").write_text("")
    with Claims(tmp_path) as claims:
        assert not claims.take("cell")
