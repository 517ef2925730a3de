"""The engine on JAX, in a process of its own; see ``jax_lane.py``.

`make test BACKEND=jax` runs all that there are for JAX.
"""

import os
import re
import subprocess
import sys
from pathlib import Path


def test_on_jax():
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
        env={**others, "BACKEND": "jax", "LANE": "each path"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 57
