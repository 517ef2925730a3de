"""Make the tables of the studies in this folder, and the results in the README.

    python results/tables.py

Each study is a grid's folder: ``grid.toml`` says what was run, ``cells/`` holds every
run. ``keras-amp grid results/<study>`` runs the cells that are missing. Other folders of
cells in it hold the same cells run once more, in the way that their names say.
"""

from pathlib import Path

from keras_amp.experiments import load_grid, read_records
from keras_amp.experiments.pages import embed, write_table
from keras_amp.experiments.pages.rerun_tables import rerun_markdown
from keras_amp.experiments.store import CELLS
from keras_amp.experiments.summary.primaries import judge, primary_comparisons

RESULTS = Path(__file__).parent
README = RESULTS.parent / "README.md"
FINDINGS = RESULTS.parent / "docs" / "findings.md"


def studies():
    """Return the studies' folders, by name."""
    return sorted(path.parent for path in RESULTS.glob("*/grid.toml"))


def reruns(folder):
    """Return the records of a study's cells that were run again, by what was other."""
    return {
        path.parent.name.replace("_", " "): read_records([path.parent])
        for path in sorted(folder.glob(f"*/{CELLS}"))
    }


def main(out=RESULTS, readme=README, findings=FINDINGS):
    """Write all tables.

    Args:
        out: Folder that receives a folder of tables for each study.
        readme: File whose results are replaced.
        findings: File whose tables are replaced.
    """
    folders = studies()
    grids = [(load_grid(folder), read_records([folder])) for folder in folders]
    # One family: the comparisons that all studies named.
    primary = judge([p for each in grids for p in primary_comparisons(*each)])
    parts = {}
    for folder, (grid, records) in zip(folders, grids, strict=True):
        own = [each for each in primary if each.study == grid.name]
        made = write_table(grid, records, Path(out) / grid.name, own)
        parts |= {f"{grid.name} {part}": text for part, text in made.parts.items()}
        parts[f"{grid.name} reruns"] = rerun_markdown(grid, records, reruns(folder))
    for path in (readme, findings):
        text = path.read_text(encoding="utf-8")
        embed(path, {n: p for n, p in parts.items() if f"<!-- results: {n} -->" in text})


if __name__ == "__main__":
    main()
