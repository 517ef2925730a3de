"""How a step grows with the batch, the length of the texts and the vocabulary.

The CNN's WordAMP and SentAMP steps at doubled sizes, interleaved. The exponent is that of
the growth from one size to the next: 1 is linear, more would be worse.

    python benchmarks/growth.py
"""

import dataclasses
import math
from pathlib import Path

from cases import CASES
from cyclopts import App
from rich.console import Console
from rich.table import Table
from timing import fitted, interleave, machine, write_csv

app = App(help=__doc__, version_flags=())
SIZES = {
    "batch_size": (25, 50, 100, 200, 400, 800),
    "sequence_length": (16, 32, 64, 128, 256),
    "vocabulary_size": (1_000, 10_000, 100_000),
}


@app.default
def measure(
    *,
    rounds: int = 5,
    steps: int = 5,
    out: Path | None = None,
):
    """Measures and prints a table for each size.

    Args:
        rounds: Rounds to count.
        steps: Steps of a variant in a round.
        out: CSV file for the figures.
    """
    rows = []
    for name, sizes in SIZES.items():
        for method in ("none", "WordAMP", "SentAMP"):
            rows += _grow(name, sizes, method, rounds, steps)
        _show(name, [row for row in rows if row["size"] == name])
    if out:
        write_csv(out, rows)


def _grow(name, sizes, method, rounds, steps):
    variants = {}
    for size in sizes:
        case = dataclasses.replace(CASES["cnn"], **{name: size})
        model, batches = case.model(method, "auto"), case.batches(steps)
        one = batches.take(1)
        variants[size] = (
            lambda model=model, one=one: model.fit(one, verbose=0, shuffle=False),
            lambda model=model, b=batches: fitted(model, b),
            steps,
        )
    times = interleave(variants, rounds)
    rows, last = [], None
    for size in sizes:
        median = times[size].median
        exponent = None
        if last:
            exponent = math.log(median / last[1]) / math.log(size / last[0])
        rows.append(
            {
                "size": name,
                "value": size,
                "method": method,
                "median_ms": 1000 * median,
                "exponent": exponent,
            }
        )
        last = size, median
    return rows


def _show(name, rows):
    table = Table("method", name, title=machine(), title_justify="left")
    table.add_column("ms", justify="right")
    table.add_column("exponent", justify="right")
    for row in rows:
        exponent = "" if row["exponent"] is None else f"{row['exponent']:.2f}"
        table.add_row(
            row["method"], f"{row['value']:,}", f"{row['median_ms']:.1f}", exponent
        )
    Console().print(table)


if __name__ == "__main__":
    app()
