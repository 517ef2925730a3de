"""``keras-amp table``: the tables of a grid."""

from pathlib import Path

from rich.console import Console

from keras_amp.cli.errors import user_errors
from keras_amp.experiments import load_grid, read_records
from keras_amp.experiments.pages import write_table


def table(name: str, /, *runs: Path, out: Path = Path("tables")):
    """Write the results of a grid as Markdown, HTML, LaTeX and CSV.

    Args:
        name: A grid: the name of a shipped configuration, a file, or a grid's folder.
        runs: Folders of grids that hold its finished cells; by default the grid's own,
            where NAME is one.
        out: Folder for the tables; former ones of the same name are replaced.
    """
    with user_errors():
        grid = load_grid(name)
        made = write_table(grid, read_records(runs or _own(name)), out)
    console = Console(markup=False, highlight=False, soft_wrap=True)
    console.print(f"Tables: {', '.join(str(out / file) for file in made.files)}")


def _own(name):
    """The grid's folder, a list."""
    if not Path(name).is_dir():
        raise ValueError(
            "Expected folders of finished cells. Received: none. Name some after "
            f"{name}, such as `keras-amp table {name} runs/{Path(name).stem}`."
        )
    return [name]
