"""The engine on JAX, in processes of its own; see ``jax_lane.py``.

`make test BACKEND=jax` runs all that there are for JAX.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(("lane", "least"), [("each path", 50), ("jax alone", 7)])
def test_on_jax(lane, least):
    """A test for each path of the code; and those that TensorFlow has no part in."""
    others = {
        name: value
        for name, value in os.environ.items()
        if name != "XLA_FLAGS" and not name.startswith("PYTEST_")
    }
    options = ["-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=Path(__file__).parents[1],
        env={**others, "BACKEND": "jax", "LANE": lane},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= least
