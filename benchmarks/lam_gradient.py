"""Lambda's gradient by reverse and by forward mode, in the whole WordAMP step.

An example's loss depends on its own lambda alone, so one pass with tangents of one yields
all gradients: forward mode needs no way back, but two passes' work on the way up. The
package takes reverse mode.

    python benchmarks/lam_gradient.py
"""

from typing import Literal
from unittest import mock

import tensorflow as tf
from cases import CASES
from cyclopts import App
from rich.console import Console
from rich.table import Table
from timing import fitted, interleave, machine

from keras_amp.cli.flags import SEVERAL

app = App(help=__doc__, version_flags=(), default_parameter=SEVERAL)
STEPS = {"cnn": 60, "bert": 6}


def forward_mode(function, lam):
    """As ``keras_amp.models._value_and_gradient``, which it replaces."""
    with tf.autodiff.ForwardAccumulator(lam, tf.ones_like(lam)) as accumulator:
        value = function(lam)
    return value, accumulator.jvp(value)


@app.default
def measure(
    *,
    backbone: tuple[Literal["cnn", "bert"], ...] = ("cnn", "bert"),
    rounds: int = 10,
):
    """Measures and prints the table.

    Args:
        backbone: The backbones; TensorFlow has no forward mode for an LSTM's loop.
        rounds: Rounds to count.
    """
    table = Table("backbone", "mode", "reverse ms", "forward ms", "forward / reverse")
    for name in backbone:
        for mode, jit_compile in (("graph", False), ("xla", True)):
            reverse, forward = _measure(name, jit_compile, rounds)
            ratio = f"{forward.median / reverse.median:.2f}"
            figures = (f"{1000 * times.median:.1f}" for times in (reverse, forward))
            table.add_row(name, mode, *figures, ratio)
    Console().print(machine(), table)


def _measure(backbone, jit_compile, rounds):
    case, steps = CASES[backbone], STEPS[backbone]
    batches = case.batches(steps)
    one = batches.take(1)
    variants = {}
    for forward in (False, True):
        model = case.model("WordAMP", jit_compile)

        def first(model=model, forward=forward):
            if not forward:
                return model.fit(one, verbose=0, shuffle=False)
            with mock.patch("keras_amp.models._value_and_gradient", forward_mode):
                return model.fit(one, verbose=0, shuffle=False)

        def run(model=model):
            return fitted(model, batches)

        variants[forward] = first, run, steps
    times = interleave(variants, rounds)
    return times[False], times[True]


if __name__ == "__main__":
    app()
