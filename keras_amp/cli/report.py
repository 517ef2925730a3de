"""``keras-amp report``: a page about finished runs."""

from pathlib import Path

from rich.console import Console

from keras_amp.cli.errors import user_errors
from keras_amp.experiments.pages import write_report


def report(*runs: Path, out: Path = Path("report"), margin: float | None = None):
    """Write an HTML page about finished runs, with its tables as Markdown and CSV.

    Args:
        runs: Folders of runs, of comparisons, or of folders that hold some, such as
            runs/mine; all of one data set.
        out: Folder for the report; a former one is replaced.
        margin: Points of error within which two errors count as equal; without it no
            verdict is "equal".
    """
    with user_errors():
        page = write_report(runs, out, margin)
    Console(markup=False, highlight=False, soft_wrap=True).print(f"Report: {page}")
