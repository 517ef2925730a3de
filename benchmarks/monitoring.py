"""What watching costs: the WordAMP step of the CNN with and without MixingTensorBoard.

An epoch of TREC at a time, with the callback's default frequencies, and with every batch
written.

    python benchmarks/monitoring.py
"""

import tempfile

from cases import CASES
from cyclopts import App
from rich.console import Console
from rich.table import Table
from timing import interleave, machine

from keras_amp.callbacks import MixingTensorBoard

app = App(help=__doc__, version_flags=())
STEPS = 99


@app.default
def measure(*, rounds: int = 12):
    """Measures and prints the table.

    Args:
        rounds: Rounds to count.
    """
    case = CASES["cnn"]
    batches = case.batches(STEPS)
    one = batches.take(1)
    variants = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, update_freq in (("none", None), ("epoch", "epoch"), ("batch", "batch")):
            model = case.model("WordAMP", "auto")
            callbacks = []
            if update_freq:
                log_dir = f"{folder}/{name}"
                callbacks = [MixingTensorBoard(log_dir, update_freq=update_freq)]

            def run(data, model=model, callbacks=callbacks):
                model.fit(data, verbose=0, shuffle=False, callbacks=callbacks)

            variants[name] = (
                lambda run=run: run(one),
                lambda run=run: run(batches),
                STEPS,
            )
        times = interleave(variants, rounds)
    table = Table("written every", "ms a step", "least ms", "/ none", "least / none")
    base = times["none"]
    for name, value in times.items():
        figures = (1000 * value.median, 1000 * value.least)
        ratios = (value.median / base.median, value.least / base.least)
        table.add_row(name, *(f"{x:.1f}" for x in figures), *(f"{x:.3f}" for x in ratios))
    Console().print(machine(), table)


if __name__ == "__main__":
    app()
