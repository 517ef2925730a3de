"""``write_table``: from a grid and its records to files of tables."""

from dataclasses import dataclass, field
from pathlib import Path

from keras_amp.experiments.pages.grid_page import (
    page_of_grid,
    render_html,
    render_latex,
    render_markdown,
)
from keras_amp.experiments.pages.svg import as_file
from keras_amp.experiments.summary.arrangement import arrange
from keras_amp.experiments.summary.backends import backends_note, warn_of_backends
from keras_amp.experiments.summary.grid_frames import (
    cells_frame,
    differences_frame,
    groups_frame,
)
from keras_amp.experiments.summary.groups import group_trials
from keras_amp.experiments.summary.labels import label_groups
from keras_amp.experiments.summary.primaries import judge, primary_comparisons
from keras_amp.experiments.summary.trials import trials_of_grid
from keras_amp.runtime.files import whole_file


@dataclass(frozen=True, eq=False)
class GridTable:
    """The tables of a grid.

    Attributes:
        name: The grid's name.
        markdown: All tables in Markdown.
        parts: Dict of parts of it, without headings, for ``embed``: ``"results"``,
            ``"errors"`` (its table without the notes), ``"primary"``, ``"minimum"``,
            ``"plateau"``, ``"development"``, ``"differences"``, ``"baselines"``,
            ``"pooled"``, ``"cells"``, ``"perturbed"``, ``"tuned"`` and ``"trained"``.
        files: Dict from file names to texts: all that ``write_table`` writes.
    """

    name: str
    markdown: str = field(repr=False)
    parts: dict = field(repr=False)
    files: dict = field(repr=False)


def make_table(grid, records, primary=None):
    """Make the tables of a grid; see ``write_table``, which also writes them.

    Args:
        grid: ``keras_amp.experiments.config.Grid``.
        records: Dict from keys of cells to records, as of ``read_records``.
        primary: As of ``write_table``.

    Returns:
        A ``GridTable``.

    Raises:
        ValueError: As ``write_table``.

    Example:
    >>> from keras_amp.experiments.config import load_grid
    >>> from keras_amp.experiments.pages import make_table
    >>> print(make_table(load_grid("table4"), {}).markdown.splitlines()[2])
    Cells finished: 0 of 140.
    """
    groups = label_groups(group_trials(trials_of_grid(grid, records)))
    arrangement = arrange(groups, grid.table)
    warn_of_backends(backends_note(arrangement.groups))
    if primary is None:
        primary = judge(primary_comparisons(grid, records))
    page, compared, figure = page_of_grid(grid, records, arrangement, primary)
    markdown, parts = render_markdown(page)
    name, paper = grid.name, grid.table.get("paper")
    frames = {
        f"{name}.csv": groups_frame(arrangement, compared, paper),
        f"{name}-differences.csv": differences_frame(arrangement, compared),
        f"{name}-cells.csv": cells_frame(arrangement),
    }
    files = {
        f"{name}.md": markdown,
        f"{name}.html": render_html(page),
        f"{name}.tex": render_latex(page),
        # Ten digits: the last ones of a float may differ between machines.
        **{n: f.to_csv(index=False, float_format="%.10g") for n, f in frames.items()},
    }
    if figure is not None:
        files[f"{name}-differences.svg"] = as_file(figure)
    return GridTable(name, markdown, parts, files)


def write_table(grid, records, out, primary=None):
    """Write the results of a grid as Markdown, HTML, LaTeX and CSV.

    Each entry is the mean of the test errors, at the epochs that the development set
    chose, ± their standard deviation over the seeds, the folds of a seed averaged before;
    a second table has the least test errors of any epoch, which the authors report. Rows
    and columns are those of the grid's ``[table]``, with the relative improvement over
    mixup at the same place and the paper's figures. Every adversarial method is
    compared with mixup, and every method with no mixing: differences with intervals. The
    comparisons that the grid's ``[study]`` named beforehand have verdicts. Cells that
    failed or were not run are named. The same records give the same bytes. Of cells that
    were trained on both of Keras' backends a warning says how many, and so do the tables.

    Args:
        grid: ``keras_amp.experiments.config.Grid``.
        records: Dict from keys of cells to records, as of ``read_records``.
        out: Folder, made where there is none. It receives ``<name>.md``, ``<name>.html``,
            ``<name>.tex``, ``<name>.csv`` (a row an entry), ``<name>-differences.csv``
            (a row a comparison, of each reading), ``<name>-cells.csv`` (a row a finished
            cell) and, where anything is compared with mixup, ``<name>-differences.svg``;
            former ones are replaced.
        primary: List of the grid's ``PrimaryComparison``s, judged together with those of
            other studies; None to judge its own alone.

    Returns:
        A ``GridTable``.

    Raises:
        ValueError: If the ``[table]`` names what is no setting or no table of the paper,
            or cells of one row and column differ by more than seed and fold.
        OSError: If the folder cannot be written.

    Example:
    >>> from keras_amp.experiments.config import load_grid
    >>> from keras_amp.experiments.pages import write_table
    >>> sorted(write_table(load_grid("quick"), {}, "tables").files)[:2]
    ['quick-cells.csv', 'quick-differences.csv']
    """
    made = make_table(grid, records, primary)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for name, text in made.files.items():
        with whole_file(out / name) as file:
            file.write(text)
    return made
