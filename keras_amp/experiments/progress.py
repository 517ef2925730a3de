"""The display of cells that run: a live table and a bar, or plain lines."""

import contextlib

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from keras_amp.experiments.store import FINISHED
from keras_amp.experiments.summary.means import row_of
from keras_amp.experiments.summary.methods import HEADER, cells

# Seconds of the past that the remaining time is estimated by: many cells, of any kind.
RECENT = 3600
ROWS = 30  # of the live table
# Its headings, and the columns of a terminal from which each is shown.
HEADINGS = {
    "method": 0,
    "runs": 0,
    "dev error %": 54,
    "test error %": 0,
    "seconds": 68,
}


class Display:
    """Shows how far cells are: live on a terminal, by plain lines elsewhere.

    As a context manager it shows the live table while the cells run.

    Args:
        names: Dict from the keys of cells to names; cells of one name share a row.
        records: Dict from keys to the records that there are, which grows.
        unit: What a cell is called; of ``"runs"`` the bar shows parts, too.
        console: A ``rich.console.Console``; None for standard output.

    Attributes:
        state: What the line below the table says.
        current: The name whose row is emphasized, or None.
    """

    def __init__(self, names, records, unit="cells", console=None):
        self.console = console or Console()
        self.names, self.records = names, records
        self.state, self.current = "", None
        digits = int(unit == "runs")
        self.is_live = self.console.is_terminal and not self.console.is_dumb_terminal
        self.progress = Progress(
            BarColumn(),
            TextColumn(f"{{task.completed:.{digits}f}} of {{task.total:.0f}} {unit}"),
            TimeRemainingColumn(),
            console=self.console,
            speed_estimate_period=RECENT,
        )
        self.task = self.progress.add_task("", total=len(names))
        self.live = Live(
            console=self.console, get_renderable=self._so_far, transient=True
        )

    def __enter__(self):
        """Starts the live table."""
        if self.is_live:
            self.live.start()
        return self

    def __exit__(self, *error):
        """Takes the live table away."""
        self.live.stop()

    @contextlib.contextmanager
    def busy(self, text):
        """Shows on a terminal what is being done.

        Args:
            text: What it is, such as ``"Reading data"``.
        """
        self.current, self.state = None, text
        if self.is_live and not self.live.is_started:
            with self.console.status(text):
                yield
        else:
            yield

    def expect(self, number):
        """Says how many cells there will be, where that changes."""
        self.progress.update(self.task, total=number)

    def completed(self, number):
        """Moves the bar to a number of cells, which may be a fraction."""
        self.progress.update(self.task, completed=number)

    def say(self, text):
        """Prints a line, whole and without colours; above the live table."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def count(self, status, name=None):
        """Returns how many cells have a status, of all names or of one."""
        return sum(
            self.records[key]["status"] == status
            for key, of_cell in self.names.items()
            if key in self.records and name in (None, of_cell)
        )

    def _so_far(self):
        """The live table: what the finished cells came to, and what is being done."""
        headings = [h for h, least in HEADINGS.items() if self.console.width >= least]
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for heading in headings:
            justify = "left" if heading == "method" else "right"
            table.add_column(heading, justify=justify, no_wrap=True)
        names = {}
        for key, name in self.names.items():
            names.setdefault(name, []).append(self.records.get(key))
        for name, records in list(names.items())[:ROWS]:
            done = [r["result"] for r in records if r and r["status"] == FINISHED]
            texts = dict(zip(HEADER, cells(row_of(name, done)), strict=True))
            texts = texts if done else {"method": name}
            texts["runs"] = f"{len(done)} of {len(records)}"
            table.add_row(
                *(texts.get(heading, "") for heading in headings),
                style="bold" if name == self.current else None,
            )
        more = len(names) - ROWS
        rest = [f"and {more} more kinds of cells"] if more > 0 else []
        return Group(table, *map(Text, [*rest, self.state]), self.progress)
