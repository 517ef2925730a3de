"""What a comparison shows while it runs: a progress bar, or plain lines."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from keras_amp.experiments.results import HEADER, NOTE, cells, summarize


class Display:
    """Shows a comparison's progress on a terminal, one line a run elsewhere.

    Args:
        comparison: A ``Comparison``.
        console: A ``rich.console.Console``; None for standard output.
    """

    def __init__(self, comparison, console=None):
        self.console = console or Console()
        self.comparison = comparison
        self.epochs = comparison.settings.epochs
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} epochs"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.runs = len(comparison.cells) * len(comparison.seeds)
        self.task = self.progress.add_task("", total=self.runs * self.epochs)

    def __enter__(self):
        """Says what is to be done, and starts the bar."""
        self.console.print(
            f"{self.comparison.dataset!r}\n{self.runs} runs of {self.epochs} epochs; "
            f"results in {self.comparison.out}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        self.progress.start()
        return self

    def __exit__(self, *error):
        """Takes the bar away."""
        self.progress.stop()

    def begin(self, method, seed):
        """A run begins."""
        self.run = f"{method.name}, seed {seed}"
        self.progress.update(self.task, description=self.run)

    def epoch(self, epoch, logs):
        """An epoch of the run has ended."""
        error = 100 * (1 - logs["val_accuracy"])
        self.progress.update(
            self.task, advance=1, description=f"{self.run}: dev error {error:.1f}%"
        )

    def end(self, result):
        """A run has ended."""
        self.console.print(
            f"{self.run}: dev error {result.dev_error:.2f}%, test error "
            f"{result.test_error:.2f}% (epoch {result.epoch} of {self.epochs}, "
            f"{result.seconds:.1f} s)",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )

    def table(self, results):
        """Shows the methods' means and standard deviations."""
        table = Table(caption=NOTE, caption_justify="left")
        for i, title in enumerate(HEADER):
            table.add_column(title, justify="right" if i else "left")
        for row in summarize(results):
            table.add_row(*cells(row))
        self.console.print(table)
