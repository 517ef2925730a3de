"""The adversarial step beside a straightforward one in PyTorch, on the same cores.

Both take batches of random texts of the same sizes, all variants in turn. The PyTorch
step is that of `pytorch_models.py`, in eager mode, in a process of its own.

    pip install ".[benchmarks]"
    python benchmarks/against_pytorch.py
"""

import subprocess
import sys
from pathlib import Path
from typing import Literal

from cases import CASES, NUM_CLASSES
from cyclopts import App
from rich.console import Console
from rich.table import Table
from timing import fitted, interleave, machine, write_csv

from keras_amp.cli.flags import SEVERAL

app = App(help=__doc__, version_flags=(), default_parameter=SEVERAL)
STEPS = {"cnn": 99, "bilstm": 12}  # for the CNN an epoch of TREC
NAMES = {"none": "none", "WordAMP": "word", "SentAMP": "sentence"}


@app.default
def measure(
    *,
    backbone: tuple[Literal["cnn", "bilstm"], ...] = ("cnn", "bilstm"),
    rounds: int = 10,
    out: Path | None = None,
):
    """Measures and prints the table.

    Args:
        backbone: The backbones.
        rounds: Rounds to count.
        out: CSV file for the figures.
    """
    rows = []
    for name in backbone:
        rows += _measure(name, rounds)
    table = Table("backbone", "method", "PyTorch ms", "keras_amp ms", "faster by")
    for row in rows:
        figures = f"{row['pytorch_ms']:.1f}", f"{row['keras_amp_ms']:.1f}"
        table.add_row(row["backbone"], row["method"], *figures, f"{row['ratio']:.2f}")
    Console().print(machine(), table)
    if out:
        write_csv(out, rows)


def _measure(backbone, rounds):
    case, steps = CASES[backbone], STEPS[backbone]
    batches = case.batches(steps)
    sizes = case.batch_size, case.sequence_length, case.vocabulary_size, NUM_CLASSES
    worker = subprocess.Popen(
        [
            sys.executable,
            Path(__file__).with_name("pytorch_worker.py"),
            backbone,
            *map(str, (*sizes, steps)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    variants = {}
    for method, level in NAMES.items():
        model = case.model(method, "auto")
        variants[method, "keras_amp"] = _keras(model, batches, steps)
        variants[method, "pytorch"] = _pytorch(worker, level, steps)
    numbered = dict(enumerate(variants.values()))
    times = dict(zip(variants, interleave(numbered, rounds).values(), strict=True))
    worker.communicate()  # ends it
    return [
        {
            "backbone": backbone,
            "method": method,
            "pytorch_ms": 1000 * times[method, "pytorch"].median,
            "keras_amp_ms": 1000 * times[method, "keras_amp"].median,
            "ratio": times[method, "pytorch"].median / times[method, "keras_amp"].median,
        }
        for method in NAMES
    ]


def _keras(model, batches, steps):
    one = batches.take(1)
    return (
        lambda: model.fit(one, verbose=0, shuffle=False),
        lambda: fitted(model, batches),
        steps,
    )


def _pytorch(worker, level, steps):
    def run():
        print(level, file=worker.stdin, flush=True)
        if worker.stdout.readline() != "done\n":
            raise RuntimeError("The PyTorch process has ended; see its message above.")

    return run, run, steps


if __name__ == "__main__":
    app()
