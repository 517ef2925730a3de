"""What a training step costs: mixup and adversarial mixing over the plain step.

Random texts; all methods are trained in turn, a few steps at a time and in random order,
so that whatever else the machine does falls on all alike. What `fit` does once a call
does not count: see `outside.py`. The figures to quote are the ratios of the medians; the
least times tell how much the machine disturbed. Peak memory is that of a process of its
own for each method, with what compiling it took; of a compiled step XLA's own account
stands beside: weights, the optimizer's state and all temporaries.

    python benchmarks/step_time.py
    python benchmarks/step_time.py --backbone bert --mode xla --out results.csv
    KERAS_BACKEND=jax python benchmarks/step_time.py --mode xla
"""

import multiprocessing
import os
import re
import tempfile
from pathlib import Path
from typing import Literal

import keras
from cases import CASES, METHODS
from cyclopts import App
from memory import Peak
from rich.console import Console
from rich.table import Table
from timing import fitted, interleave, machine, write_csv

from keras_amp.cli.flags import SEVERAL

app = App(help=__doc__, version_flags=(), default_parameter=SEVERAL)
# The steps of a round.
STEPS = {"cnn": 60, "bilstm": 6, "bert": 6, "bert-base": 6}
BASES = {"word": "WordMixup", "sentence": "SentMixup"}
PAPER = ("WordMixup", "WordAMP", "SentMixup", "SentAMP")
MODES = {"auto": "auto", "graph": False, "xla": True}  # values of `jit_compile`


@app.default
def measure(
    *,
    backbone: tuple[Literal["cnn", "bilstm", "bert", "bert-base"], ...] = (
        "cnn",
        "bilstm",
        "bert",
    ),
    mode: tuple[Literal["auto", "graph", "xla"], ...] = ("auto", "graph", "xla"),
    method: tuple[str, ...] = PAPER,
    rounds: int = 10,
    memory: bool = True,
    dtype: str = "float32",
    out: Path | None = None,
):
    """Measures and prints a table for each backbone.

    Args:
        backbone: The backbones.
        mode: How the steps run: as they do by default
            (`keras_amp.training.tensorflow.compilation`), as TensorFlow's graph, or
            compiled by XLA.
        method: Names of methods, such as WordAdversarial or SentRDrop; "none", which the
            others are compared with, is measured in any case.
        rounds: Rounds to count.
        memory: Whether to measure the peak memory, too (on TensorFlow).
        dtype: Keras' policy of dtypes, such as "mixed_bfloat16".
        out: CSV file for the figures.
    """
    rows = []
    keras.config.set_dtype_policy(dtype)
    memory = memory and keras.backend.backend() == "tensorflow"
    for name in backbone:
        for way in mode:
            rows += _measure(name, way, _chosen(method), rounds, memory)
            _show(name, way, rows)
            if out:
                write_csv(out, rows)  # what there is, should the rest be broken off


def _chosen(names):
    """The methods to measure, and those that they are compared with."""
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        raise SystemExit(
            f"Expected methods among {', '.join(METHODS)}. Got: {unknown[0]}"
        )
    mixups = [BASES.get(METHODS[name].mix) for name in names]
    return list(dict.fromkeys(["none", *filter(None, mixups), *names]))


def _measure(backbone, mode, methods, rounds, memory):
    case, steps = CASES[backbone], STEPS[backbone]
    batches = case.batches(steps)
    one = batches.take(1)
    variants = {}
    for method in methods:
        model = case.model(method, MODES[mode])
        variants[method] = (
            lambda model=model: model.fit(one, verbose=0, shuffle=False),
            lambda model=model: fitted(model, batches),
            steps,
        )
    times = interleave(variants, rounds)
    rows = []
    for method in methods:
        mixup = BASES.get(METHODS[method].mix, "none")
        row = {
            "backend": keras.backend.backend(),
            "dtype": keras.config.dtype_policy().name,
            "backbone": backbone,
            "mode": mode,
            "method": method,
            "median_ms": 1000 * times[method].median,
            "least_ms": 1000 * times[method].least,
            "to_plain": _ratio(times, method, "none"),
            "to_mixup": _ratio(times, method, mixup),
            "least_to_mixup": times[method].least / times[mixup].least,
            "first_step_s": times[method].first,
            "examples_per_s": case.batch_size / times[method].median,
        }
        if memory:
            row["peak_mib"], row["xla_mib"] = _peak(backbone, method, mode)
        rows.append(row)
    return rows


def _ratio(times, one, other):
    """The ratio of the medians."""
    return times[one].median / times[other].median


def _peak(backbone, method, mode):
    """What training takes, in a process of its own: see ``_peak_here``."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_peak_here, (backbone, method, mode))


def _peak_here(backbone, method, mode):
    """MiB beyond the built model, compiling included; and XLA's own account of a step."""
    case = CASES[backbone]
    model, batches = case.model(method, MODES[mode]), case.batches(3)
    with tempfile.TemporaryDirectory() as folder:
        # The update of the weights, compiled by itself, is no `one_step_on_data`.
        os.environ["XLA_FLAGS"] = (
            f"--xla_dump_to={folder} --xla_dump_hlo_module_re=.*one_step_on_data.*"
        )
        with Peak() as peak:
            model.fit(batches, epochs=4, verbose=0, shuffle=False)
        reports = list(Path(folder).glob("*memory-usage-report.txt"))
        totals = [
            int(re.match(r"Total bytes used: (\d+)", report.read_text())[1])
            for report in reports
        ]
    return peak.mib, max(totals, default=0) / 2**20


def _show(backbone, mode, rows):
    case = CASES[backbone]
    title = (
        f"{backbone}, batch {case.batch_size}, length {case.sequence_length}, "
        f"{case.vocabulary_size:,} words, {mode}, {keras.backend.backend()}; "
        f"{machine()}"
    )
    shown = [r for r in rows if (r["backbone"], r["mode"]) == (backbone, mode)]
    table = Table("method", title=title, title_justify="left")
    headings = {
        "median_ms": ("ms", 1),
        "least_ms": ("least ms", 1),
        "to_plain": ("/ plain", 2),
        "to_mixup": ("/ mixup", 2),
        "least_to_mixup": ("least / mixup", 2),
        "first_step_s": ("first step s", 1),
        "examples_per_s": ("examples/s", 0),
        "peak_mib": ("peak MiB", 0),
        "xla_mib": ("XLA's MiB", 0),
    }
    kept = [key for key in headings if key in shown[0]]
    for key in kept:
        table.add_column(headings[key][0], justify="right")
    for row in shown:
        cells = (f"{row[key]:.{headings[key][1]}f}" for key in kept)
        table.add_row(row["method"], *cells)
    Console(width=120).print(table)


if __name__ == "__main__":
    app()
