"""What a comparison shows while it runs: a live table and a bar, or plain lines."""

import contextlib

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from keras_amp.experiments.results import errors_text
from keras_amp.experiments.summary.means import summarize
from keras_amp.experiments.summary.methods import HEADER, NOTE, cells

WIDE = 125  # columns of a terminal that holds the whole table
NARROW = ("method", "runs", "dev error %", "test error %", "best test error %")
# The live table: headings, and the columns of a terminal from which each is shown.
LIVE = {
    "method": 0,
    "runs": 0,
    "dev error %": 54,
    "test error %": 0,
    "seconds": 68,
}
SPLIT_NAMES = {"train": "training", "dev": "development", "test": "test"}
# Seconds of the past that the remaining time is estimated by: many runs, of any method.
RECENT = 3600


class Display:
    """Shows a comparison's progress: live on a terminal, one line a run elsewhere.

    Args:
        comparison: A ``Comparison``.
        console: A ``rich.console.Console``; None for standard output.
    """

    def __init__(self, comparison, console=None):
        self.console = console or Console()
        self.comparison = comparison
        self.method, self.state = None, ""
        self.is_live = self.console.is_terminal and not self.console.is_dumb_terminal
        self.progress = Progress(
            BarColumn(),
            TextColumn("{task.completed:.1f} of {task.total:.0f} runs"),
            TimeRemainingColumn(),
            console=self.console,
            speed_estimate_period=RECENT,
        )
        self.task = self.progress.add_task("", total=comparison.num_runs)
        self.live = Live(
            console=self.console, get_renderable=self._so_far, transient=True
        )
        self.said = set()

    def __enter__(self):
        """Says what is to be done, and starts the live table."""
        settings = self.comparison.settings
        length = (
            f"{settings.steps} steps" if settings.steps else f"{settings.epochs} epochs"
        )
        self.say(
            f"{self.comparison.dataset!r}\n{self.comparison.num_runs} runs of {length}; "
            f"results in {self.comparison.out}"
        )
        if self.is_live:
            self.live.start()
        return self

    def __exit__(self, kind, *error):
        """Takes the live table away; says what is finished where something went wrong."""
        self.live.stop()
        if kind is not None:
            self.say(
                self._finished("Interrupted" if kind is KeyboardInterrupt else "Ended")
            )

    @contextlib.contextmanager
    def busy(self, text):
        """Shows on a terminal what is being done.

        Args:
            text: What it is, such as ``"Reading texts"``.
        """
        self.method, self.state = None, text
        if self.is_live and not self.live.is_started:
            with self.console.status(text):
                yield
        else:
            yield

    def examples(self, seed, examples):
        """Says what there is to say about a seed's examples, each thing once."""
        about = examples.encoding.about
        lines = [f"Word vectors: {about['vectors']}"] if "vectors" in about else []
        if not len(examples.dev[1]):
            lines.append("No development set: the last epoch is tested")
        for split, cut in examples.truncated.items():
            if cut:
                lines.append(
                    f"{cut} of {len(getattr(examples, split)[1])} {SPLIT_NAMES[split]} "
                    f"texts are longer than {about['sequence_length']} and were cut"
                )
        for line in lines:
            if line not in self.said:
                self.say(f"Seed {seed}: {line}")
        self.said.update(lines)

    def begin(self, method, part, epochs):
        """A run begins.

        Args:
            method: The method's name.
            part: What tells the run from the method's others, such as ``"seed 0"``.
            epochs: Integer, the most epochs it takes.
        """
        self.method, self.name, self.epochs = method, f"{method}, {part}", epochs
        self.state = f"{self.name}: epoch 1 of {epochs}"

    def epoch(self, epoch, logs):
        """An epoch of the run, counted from 0, has ended."""
        self.state = f"{self.name}: epoch {epoch + 1} of {self.epochs}"
        if "val_accuracy" in logs:
            self.state += f", dev error {100 * (1 - logs['val_accuracy']):.1f}%"
        done = len(self.results) + (epoch + 1) / self.epochs
        self.progress.update(self.task, completed=done)

    def end(self):
        """A run has ended: the last of the results."""
        result = self.results[-1]
        self.progress.update(self.task, completed=len(self.results))
        if not self.is_live:
            self.say(
                f"{self.name}: {errors_text(result.dev_error, result.test_error)} "
                f"(epoch {result.epoch} of {result.epochs}, {result.seconds:.1f} s)"
            )

    @property
    def results(self):
        """Those of the runs that have ended."""
        return self.comparison.results

    def table(self):
        """Shows the methods' means and standard deviations, and where the results are."""
        table = Table(caption=NOTE, caption_justify="left")
        wide = self.console.width >= WIDE
        shown = [i for i, title in enumerate(HEADER) if wide or title in NARROW]
        for i in shown:
            table.add_column(HEADER[i], justify="right" if i else "left", no_wrap=not i)
        for row in map(cells, summarize(self.results)):
            table.add_row(*(row[i] for i in shown))
        self.console.print(table)
        self.say(f"All results: {self.comparison.out}")

    def say(self, text):
        """Prints a line, whole and without colours; above the live table."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _so_far(self):
        """The live table: what the finished runs came to, and the run in flight."""
        headings = [title for title, least in LIVE.items() if self.console.width >= least]
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for title in headings:
            justify = "left" if title == "method" else "right"
            table.add_column(title, justify=justify, no_wrap=True)
        finished = {row.method: row for row in summarize(self.results)}
        for method in self.comparison.cells:
            row = finished.get(method.name)
            texts = dict(zip(HEADER, cells(row), strict=True)) if row else {}
            texts["method"] = method.name
            texts["runs"] = f"{row.runs if row else 0} of {len(self.comparison.parts)}"
            table.add_row(
                *(texts.get(title, "") for title in headings),
                style="bold" if method.name == self.method else None,
            )
        return Group(table, Text(self.state), self.progress)

    def _finished(self, how):
        """What there is of a comparison that did not come to its end."""
        if not self.results:
            return f"{how} before a run was finished."
        per_method = ", ".join(
            f"{row.method} {row.runs} of {len(self.comparison.parts)}"
            for row in summarize(self.results)
        )
        return (
            f"{how}: {len(self.results)} of {self.comparison.num_runs} runs are "
            f"finished ({per_method}). Their results: {self.comparison.out}"
        )
