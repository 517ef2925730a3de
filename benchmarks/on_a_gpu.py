"""All that is measured on a GPU, by one command that takes less than ten minutes.

Each part is a command with a limit of its own; what it prints and its figures go into a
folder, and a part that fails or takes too long costs no other part.

    python benchmarks/on_a_gpu.py --out gpu
    python benchmarks/on_a_gpu.py --small --out trial   # a trial, on any machine
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from cyclopts import App
from rich.console import Console
from rich.table import Table
from timing import machine, write_csv

app = App(help=__doc__, version_flags=())
HERE = Path(__file__).parent
ENGINE = ("tests/policies", "tests/training", "tests/graph/test_affine.py")


@dataclass(frozen=True)
class Part:
    """A command.

    Attributes:
        name: What its files are called.
        arguments: Arguments of Python.
        seconds: After how many seconds it is broken off.
        backend: Keras' backend.
    """

    name: str
    arguments: tuple[str, ...]
    seconds: int
    backend: str = "tensorflow"


def parts(folder, small):
    """What is run, the most telling first; a trial takes its time."""
    rounds = ("--rounds", "1", "--method", "WordAMP") if small else ("--rounds", "5")

    def step(name, seconds, *arguments, mode="xla", backend="tensorflow"):
        command = (str(HERE / "step_time.py"), "--mode", mode, "--no-memory")
        out = ("--out", str(folder / f"{name}.csv"))
        return Part(name, (*command, *arguments, *rounds, *out), seconds, backend)

    large = "bert" if small else "bert-base"
    tests = ("-k", "test_policy") if small else ("-n", "8", "--dist", "loadscope")
    return [
        step("cnn", 70, "--backbone", "cnn"),
        step("cnn-jax", 70, "--backbone", "cnn", backend="jax"),
        step("bilstm", 90, "--backbone", "bilstm"),
        step("bert-bfloat16", 150, "--backbone", large, "--dtype", "mixed_bfloat16"),
        step("cnn-graph", 40, "--backbone", "cnn", mode="graph"),
        Part("a-call-of-fit", (str(HERE / "outside.py"), "--backbone", "cnn"), 30),
        Part("engine", ("-m", "pytest", "-q", *tests, *ENGINE), 130),
    ]


@app.default
def measure(*, out: Path = Path("gpu"), small: bool = False):
    """Runs all parts, and prints how each of them ended.

    Args:
        out: Folder for what they print and for their figures.
        small: Whether to run a trial: few rounds, methods and tests, without a hurry.
    """
    out.mkdir(parents=True, exist_ok=True)
    patience = 10 if small else 1
    rows = [_run(part, out, patience * part.seconds) for part in parts(out, small)]
    write_csv(out / "parts.csv", rows)
    table = Table("part", "ended", "seconds", title=machine(), title_justify="left")
    for row in rows:
        table.add_row(row["part"], row["ended"], f"{row['seconds']:.0f}")
    Console().print(table)
    if any(row["ended"] != "well" for row in rows):
        raise SystemExit(1)


def _run(part, out, seconds):
    """Runs a part; returns a row about it."""
    command = [sys.executable, *part.arguments]
    environment = {**os.environ, "KERAS_BACKEND": part.backend}
    begun = time.monotonic()
    with open(out / f"{part.name}.txt", "w") as file:
        try:
            code = subprocess.run(
                command,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment,
                timeout=seconds,
                check=False,
            ).returncode
            ended = "well" if code == 0 else f"with code {code}"
        except subprocess.TimeoutExpired:
            ended = f"broken off after {seconds} s"
    return {"part": part.name, "ended": ended, "seconds": time.monotonic() - begun}


if __name__ == "__main__":
    app()
