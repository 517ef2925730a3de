"""What a grid shows while it runs: a live table and a bar, or a line a cell."""

import contextlib
import shlex
import statistics

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from keras_amp.experiments.results import errors_text
from keras_amp.experiments.store import FAILED, FINISHED
from keras_amp.experiments.summary.labels import label_cells

RECENT = 3600  # seconds of the past that the remaining time is estimated by
ROWS = 30  # of the live table


class Board:
    """Shows how far a grid is.

    Args:
        grid: ``Grid``.
        records: Dict from keys to the records that there are, which grows.
        out: The grid's folder.
        jobs: Integer, the cells that run at a time, or None where that is not known.
        console: A ``rich.console.Console``; None for standard output.
    """

    def __init__(self, grid, records, out, jobs, console=None):
        self.console = console or Console()
        self.grid, self.out, self.jobs = grid, out, jobs
        self.names, self.todo = label_cells(grid.cells), 0
        self.records = records
        self.is_live = self.console.is_terminal and not self.console.is_dumb_terminal
        self.progress = Progress(
            BarColumn(),
            TextColumn("{task.completed:.0f} of {task.total:.0f} cells"),
            TimeRemainingColumn(),
            console=self.console,
            speed_estimate_period=RECENT,
        )
        self.task = self.progress.add_task("", total=len(grid.cells))
        self.live = Live(
            console=self.console, get_renderable=self._so_far, transient=True
        )

    def start(self, todo):
        """Says what there is to do.

        Args:
            todo: Integer, the cells that are going to run.
        """
        self.todo, here = todo, len(self.grid.cells) - todo
        self.say(f"{self.grid.title}\n{todo} cells to run{self._already(here)}")
        self.say(f"Results in {self.out}")
        self.progress.update(self.task, completed=here)
        if self.is_live:
            self.live.start()

    def ended(self, record, cell):
        """A cell has ended.

        Args:
            record: Its record.
            cell: The ``Cell``.
        """
        self.todo -= 1
        self.progress.update(self.task, advance=1)
        if record["status"] == FAILED:
            error = record["error"]
            self.say(f"Failed: {self._name(cell)}: {error['type']}: {error['message']}")
        elif not self.is_live:
            result = record["result"]
            self.say(
                f"{len(self.grid.cells) - self.todo} of {len(self.grid.cells)}: "
                f"{self._name(cell)}: "
                f"{errors_text(result['dev_error'], result['test_error'])} "
                f"({record['seconds']:.1f} s)"
            )

    def __enter__(self):
        return self

    def __exit__(self, kind, *error):
        """Takes the live table away, and says what there is."""
        self.live.stop()
        finished, failed = self._count(FINISHED), self._count(FAILED)
        text = f"{finished} of {len(self.grid.cells)} cells are finished"
        if failed:
            text += f", {failed} failed (--retry runs them again)"
        if kind is not None:
            how = "Interrupted" if kind is KeyboardInterrupt else "Ended"
            text = f"{how}: {text}; the same command goes on"
        self.say(f"{text}.")
        if finished and kind is None:
            self.say(f"Tables: {shlex.join(['keras-amp', 'table', str(self.out)])}")

    @contextlib.contextmanager
    def busy(self, text):
        """Shows on a terminal what is being done.

        Args:
            text: What it is, such as ``"Reading data"``.
        """
        with self.console.status(text) if self.is_live else contextlib.nullcontext():
            yield

    def say(self, text):
        """Prints a line, whole and without colours; above the live table."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _already(self, here):
        failed = self._count(FAILED)
        if not here:
            return ""
        return f", {here} have run before" + (f" ({failed} failed)" if failed else "")

    def _count(self, status):
        ended = (self.records.get(cell.key) for cell in self.grid.cells)
        return sum(record["status"] == status for record in ended if record)

    def _name(self, cell):
        fold = "" if cell.fold is None else f", fold {cell.fold}"
        return f"{self.names[cell.key]}, seed {cell.seed}{fold}"

    def _so_far(self):
        """The live table: the errors so far, and what is done, runs and failed."""
        errors = {}
        for cell in self.grid.cells:
            of_name = errors.setdefault(self.names[cell.key], [])
            record = self.records.get(cell.key)
            if record and record["status"] == FINISHED:
                of_name.append(record["result"]["test_error"])
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        table.add_column("cells", no_wrap=True)
        for title in ("done", "test error %"):
            table.add_column(title, justify="right")
        for name, values in list(errors.items())[:ROWS]:
            mean = f"{statistics.fmean(values):.2f}" if values else ""
            table.add_row(name, str(len(values)), mean)
        more = len(errors) - ROWS
        running = "" if self.jobs is None else f"{min(self.jobs, self.todo)} running, "
        state = f"{self._count(FINISHED)} done, {running}{self._count(FAILED)} failed"
        rest = [f"and {more} more kinds of cells"] if more > 0 else []
        return Group(table, *map(Text, rest), Text(state), self.progress)
