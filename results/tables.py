"""Make the tables of the studies in this folder, and the results in README and docs/.

    python -m results.tables

Each study is a grid's folder: ``grid.toml`` says what was run, ``cells/`` holds every
run. ``keras-amp grid results/<study>`` runs the cells that are missing. Other folders of
cells in it hold the same cells run once more, in the way that their names say.
``methods.toml`` says what the table of methods shows.
"""

import tomllib
from pathlib import Path

from keras_amp.experiments import load_grid, read_records
from keras_amp.experiments.pages import embed, write_table
from keras_amp.experiments.pages.rerun_tables import rerun_markdown
from keras_amp.experiments.store import CELLS
from keras_amp.experiments.summary.primaries import judge, primary_comparisons
from results import cards, overview

RESULTS = Path(__file__).parent
ROOT = RESULTS.parent
STEP_TIMES = ROOT / "benchmarks" / "results" / "step_time.csv"
MARK = "<!-- results: {} -->"


def studies():
    """Return the studies' folders, by name."""
    return sorted(path.parent for path in RESULTS.glob("*/grid.toml"))


def reruns(folder):
    """Return the records of a study's cells that were run again, by what was other."""
    return {
        path.parent.name.replace("_", " "): read_records([path.parent])
        for path in sorted(folder.glob(f"*/{CELLS}"))
    }


def pages(root=ROOT):
    """Return the README and the pages of ``docs/`` that show results, a list of paths."""
    mark, root = MARK.partition("{")[0], Path(root)
    found = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    return [path for path in found if mark in path.read_text(encoding="utf-8")]


def main(out=RESULTS, root=ROOT):
    """Write all tables.

    Args:
        out: Folder that receives a folder of tables for each study.
        root: Folder of the README and of ``docs/``, whose results are replaced.
    """
    folders = studies()
    grids = [(load_grid(folder), read_records([folder])) for folder in folders]
    # One family: the comparisons that all studies named.
    primary = judge([p for each in grids for p in primary_comparisons(*each)])
    contents = tomllib.loads((RESULTS / "methods.toml").read_text(encoding="utf-8"))
    parts = overview.parts(grids, contents, STEP_TIMES) | cards.parts(grids)
    for folder, (grid, records) in zip(folders, grids, strict=True):
        own = [each for each in primary if each.study == grid.name]
        made = write_table(grid, records, Path(out) / grid.name, own)
        parts |= {f"{grid.name} {part}": text for part, text in made.parts.items()}
        parts[f"{grid.name} reruns"] = rerun_markdown(grid, records, reruns(folder))
    for path in pages(root):
        text = path.read_text(encoding="utf-8")
        embed(path, {n: part for n, part in parts.items() if MARK.format(n) in text})


if __name__ == "__main__":
    main()
