"""Cells an hour of a grid: one process with all cores, or one with one core each.

    python benchmarks/cells_per_hour.py --cells 6 --rounds 2

A cell is a run of the CNN on TREC, as long as those of results/trec_cnn by default. The
ways to divide the cores take turns; each starts its processes anew, as a grid does.
"""

import argparse
import statistics
import tempfile
import time
from io import StringIO
from pathlib import Path

from rich.console import Console
from timing import write_csv

from keras_amp.experiments import parse_grid, run_grid
from keras_amp.experiments.environment import cores

CONFIG = """
seeds = {cells}
[settings]
data = "{data}"
sequence_length = 24
learning_rate = 0.001
epochs = {epochs}
mix = "word"
policy = "amp"
"""


def main():
    """Times the ways, and writes what they came to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=6, help="cells a turn")
    parser.add_argument("--epochs", type=int, default=12, help="epochs of a cell")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each way")
    parser.add_argument("--data", default="trec", help="data set")
    parser.add_argument("--out", default="benchmarks/results/cells_per_hour.csv")
    arguments = parser.parse_args()
    text = CONFIG.format(**vars(arguments))
    ways = {"one process": 1, "a process a core": cores()}
    seconds = {way: [] for way in ways}
    for _ in range(arguments.rounds):
        for way, jobs in ways.items():
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                records = run_grid(
                    parse_grid(text, "cells"),
                    Path(folder) / "grid",
                    jobs=jobs,
                    console=Console(file=StringIO()),
                )
                seconds[way].append(time.perf_counter() - start)
            assert all(record["status"] == "finished" for record in records.values())
    rows = [
        {
            "way": way,
            "jobs": ways[way],
            "threads": cores() // ways[way],
            "cells": arguments.cells,
            "epochs": arguments.epochs,
            "rounds": arguments.rounds,
            "seconds": round(statistics.median(times), 1),
            "cells_per_hour": round(3600 * arguments.cells / statistics.median(times), 1),
        }
        for way, times in seconds.items()
    ]
    write_csv(arguments.out, rows)
    for row in rows:
        print(f"{row['way']}: {row['cells_per_hour']} cells an hour")


if __name__ == "__main__":
    main()
