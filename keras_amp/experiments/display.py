"""What a comparison shows while it runs: a progress bar, or plain lines."""

import contextlib

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from keras_amp.experiments.results import HEADER, NOTE, cells, summarize

WIDE = 125  # columns of a terminal that holds the whole table
SPLIT_NAMES = {"train": "training", "dev": "development", "test": "test"}


class Display:
    """Shows a comparison's progress on a terminal, one line a run elsewhere.

    Args:
        comparison: A ``Comparison``.
        console: A ``rich.console.Console``; None for standard output.
    """

    def __init__(self, comparison, console=None):
        self.console = console or Console()
        self.comparison = comparison
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.1f} of {task.total:.0f} runs"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.runs = len(comparison.cells) * len(comparison.parts)
        self.task = self.progress.add_task("", total=self.runs)
        self.done = 0
        self.said = set()

    def __enter__(self):
        """Says what is to be done, and starts the bar."""
        settings = self.comparison.settings
        length = (
            f"{settings.steps} steps" if settings.steps else f"{settings.epochs} epochs"
        )
        self._line(
            f"{self.comparison.dataset!r}\n{self.runs} runs of {length}; results in "
            f"{self.comparison.out}"
        )
        self.progress.start()
        return self

    def __exit__(self, *error):
        """Takes the bar away."""
        self.progress.stop()

    @contextlib.contextmanager
    def reading(self):
        """Shows that texts and word vectors are being read."""
        text = "Reading texts"
        if self.progress.live.is_started:
            self.progress.update(self.task, description=text)
            yield
        elif self.console.is_terminal:
            with self.console.status(text):
                yield
        else:
            yield

    def examples(self, seed, examples):
        """Says what there is to say about a seed's examples, each thing once."""
        about = examples.encoding.about
        lines = [f"Word vectors: {about['vectors']}"] if "vectors" in about else []
        for split, cut in examples.truncated.items():
            if cut:
                lines.append(
                    f"{cut} of {len(getattr(examples, split)[1])} {SPLIT_NAMES[split]} "
                    f"texts are longer than {about['sequence_length']} and were cut"
                )
        for line in lines:
            if line not in self.said:
                self._line(f"Seed {seed}: {line}")
        self.said.update(lines)

    def begin(self, name, epochs):
        """A run begins."""
        self.name, self.epochs = name, epochs
        self.progress.update(self.task, description=name)

    def epoch(self, epoch, logs):
        """An epoch of the run has ended."""
        error = 100 * (1 - logs["val_accuracy"])
        self.progress.update(
            self.task,
            completed=self.done + (epoch + 1) / self.epochs,
            description=f"{self.name}: dev error {error:.1f}%",
        )

    def end(self, result):
        """A run has ended."""
        self.done += 1
        self.progress.update(self.task, completed=self.done)
        self._line(
            f"{self.name}: dev error {result.dev_error:.2f}%, test error "
            f"{result.test_error:.2f}% (epoch {result.epoch} of {result.epochs}, "
            f"{result.seconds:.1f} s)"
        )

    def table(self, results):
        """Shows the methods' means and standard deviations."""
        table = Table(caption=NOTE, caption_justify="left")
        shown = [i for i, title in enumerate(HEADER) if self._fits(title)]
        for i in shown:
            table.add_column(HEADER[i], justify="right" if i else "left", no_wrap=not i)
        for row in map(cells, summarize(results)):
            table.add_row(*(row[i] for i in shown))
        self.console.print(table)
        self._line(f"All results: {self.comparison.out}")

    def _fits(self, title):
        """Whether a column is shown: on a narrow terminal only the errors and times."""
        narrow = ("method", "runs", "dev error %", "test error %", "best test error %")
        return self.console.width >= WIDE or title in narrow

    def _line(self, text):
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)
