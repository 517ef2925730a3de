"""How much of an epoch passes outside of the training step.

Profiles one epoch of `fit` on the WordAMP step of each backbone: the share of the time in
which Python does not wait for the traced function, which takes the batch and the step:
Keras' loop, its callbacks, what `fit` does once. Beside it the time that the input
pipeline takes by itself, which runs ahead in threads of its own; and what a call of `fit`
takes beyond its steps, without mixing and with it, the median of nine.

    python benchmarks/outside.py
"""

import cProfile
import pstats
import statistics
import time
from typing import Literal

from cases import CASES
from cyclopts import App
from rich.console import Console
from rich.table import Table
from timing import Clock, machine

from keras_amp.cli.flags import SEVERAL

app = App(help=__doc__, version_flags=(), default_parameter=SEVERAL)
# Of TREC: 5,452 questions, of which a tenth is set aside.
STEPS = {"cnn": 99, "bilstm": 99, "bert": 205}
STEP = "TFE_Py_Execute"  # runs a traced function


@app.default
def measure(
    *, backbone: tuple[Literal["cnn", "bilstm", "bert"], ...] = ("cnn", "bilstm", "bert")
):
    """Measures and prints the table.

    Args:
        backbone: The backbones.
    """
    headings = ("seconds", "outside %", "pipeline alone %", "a call ms", "without ms")
    table = Table("backbone", "steps", *headings)
    for name in backbone:
        case, steps = CASES[name], STEPS[name]
        model, batches = case.model("WordAMP", "auto"), case.batches(steps)
        model.fit(batches.take(2), verbose=0, shuffle=False)
        profile = cProfile.Profile()
        start = time.perf_counter()
        profile.runcall(model.fit, batches, verbose=0, shuffle=False)
        seconds = time.perf_counter() - start
        start = time.perf_counter()
        for _ in batches:
            pass
        alone = time.perf_counter() - start
        shares = (seconds - _seconds(pstats.Stats(profile), STEP), alone)
        table.add_row(
            name,
            f"{steps}",
            f"{seconds:.1f}",
            *(f"{100 * share / seconds:.2f}" for share in shares),
            f"{_call(model, batches):.1f}",
            f"{_call(case.model('none', 'auto'), batches):.1f}",
        )
    Console().print(machine(), table)


def _call(model, batches):
    """What a call of `fit` takes beyond its steps, in ms: the median of nine."""
    batches, clock, taken = batches.take(3), Clock(), []
    for _ in range(10):
        start = time.perf_counter()
        model.fit(batches, verbose=0, shuffle=False, callbacks=[clock])
        taken.append(time.perf_counter() - start - 3 * clock.seconds)
    return 1000 * statistics.median(taken[1:])


def _seconds(stats, name):
    """The time spent in functions whose name holds the given one, and below them."""
    return sum(
        cumulative
        for (_, _, function), (_, _, _, cumulative, _) in stats.stats.items()
        if name in function
    )


if __name__ == "__main__":
    app()
