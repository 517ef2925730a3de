"""The adversarial step beside a straightforward one in PyTorch, on the same cores.

Both take the same batches of random texts, all variants in turn in one process. The
PyTorch step is that of `pytorch_models.py`, in eager mode.

    pip install ".[benchmarks]"
    python benchmarks/against_pytorch.py
"""

import os
from pathlib import Path
from typing import Literal

import torch
from cases import CASES, NUM_CLASSES
from cyclopts import App
from pytorch_models import MODELS, adversarial_step, plain_step
from rich.console import Console
from rich.table import Table
from timing import interleave, machine, write_csv

from keras_amp.cli.flags import SEVERAL

app = App(help=__doc__, version_flags=(), default_parameter=SEVERAL)
STEPS = {"cnn": 20, "bilstm": 3}
NAMES = {"none": "none", "WordAMP": "word", "SentAMP": "sentence"}


@app.default
def measure(
    *,
    backbone: tuple[Literal["cnn", "bilstm"], ...] = ("cnn", "bilstm"),
    mode: Literal["graph", "xla"] = "graph",
    rounds: int = 10,
    out: Path | None = None,
):
    """Measures and prints the table.

    Args:
        backbone: The backbones.
        mode: How the Keras steps run.
        rounds: Rounds to count.
        out: CSV file for the figures.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    rows = []
    for name in backbone:
        rows += _measure(name, mode, rounds)
    table = Table("backbone", "method", "PyTorch ms", "keras_amp ms", "faster by")
    for row in rows:
        figures = f"{row['pytorch_ms']:.1f}", f"{row['keras_amp_ms']:.1f}"
        table.add_row(row["backbone"], row["method"], *figures, f"{row['ratio']:.2f}")
    Console().print(f"{mode}; {machine()}", table)
    if out:
        write_csv(out, rows)


def _measure(backbone, mode, rounds):
    case, steps = CASES[backbone], STEPS[backbone]
    batches = case.batches(steps)
    examples = [
        (
            torch.from_numpy(x.numpy()).long(),
            torch.nn.functional.one_hot(
                torch.from_numpy(y.numpy()).long(), NUM_CLASSES
            ).float(),
        )
        for x, y in batches
    ]
    variants = {}
    for method, level in NAMES.items():
        model = case.model(method, mode == "xla")
        variants[method, "keras_amp"] = _keras(model, batches, steps)
        variants[method, "pytorch"] = _pytorch(case, level, examples)
    numbered = dict(enumerate(variants.values()))
    times = dict(zip(variants, interleave(numbered, rounds).values(), strict=True))
    return [
        {
            "backbone": backbone,
            "mode": mode,
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
        lambda: model.fit(batches, verbose=0, shuffle=False),
        steps,
    )


def _pytorch(case, level, examples):
    model = MODELS[case.backbone](case.vocabulary_size, NUM_CLASSES)
    optimizer = torch.optim.Adam(model.parameters(), 2e-4, weight_decay=1e-8)

    def step(ids, targets):
        if level == "none":
            plain_step(model, optimizer, ids, targets)
        else:
            adversarial_step(model, optimizer, ids, targets, level)

    def run():
        for ids, targets in examples:
            step(ids, targets)

    return lambda: step(*examples[0]), run, len(examples)


if __name__ == "__main__":
    app()
