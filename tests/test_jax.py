"""The engine on JAX: a test for each path of the code, in a process of its own.

`make test BACKEND=jax` runs all that there are for JAX; see ``jax_lane.py``.
"""

import os
import re
import subprocess
import sys
from pathlib import Path


def test_each_path_of_the_engine_on_jax():
    ours = {"BACKEND": "jax", "LANE": "each path"}
    others = {
        name: value
        for name, value in os.environ.items()
        if name != "XLA_FLAGS" and not name.startswith("PYTEST_")
    }
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:xdist",
            "-p",
            "no:cacheprovider",
        ],
        cwd=Path(__file__).parents[1],
        env={**others, **ours},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = int(re.search(r"(\d+) passed", done.stdout)[1])
    assert passed > 50
