"""Make the tables of the studies in this folder, and the results in the README.

    python results/tables.py

Each study is a grid's folder: ``grid.toml`` says what was run, ``cells/`` holds every
run. ``keras-amp grid results/<study>`` runs the cells that are missing.
"""

from pathlib import Path

from keras_amp.experiments import load_grid, read_records
from keras_amp.experiments.pages import embed, write_table
from keras_amp.experiments.summary.primaries import judge, primary_comparisons

RESULTS = Path(__file__).parent
README = RESULTS.parent / "README.md"
FINDINGS = RESULTS.parent / "docs" / "findings.md"


def studies():
    """Return the studies' folders, by name."""
    return sorted(path.parent for path in RESULTS.glob("*/grid.toml"))


def main(out=RESULTS, readme=README, findings=FINDINGS):
    """Write all tables.

    Args:
        out: Folder that receives a folder of tables for each study.
        readme: File whose results are replaced.
        findings: File whose tables are replaced.
    """
    grids = [(load_grid(folder), read_records([folder])) for folder in studies()]
    # One family: the comparisons that all studies named.
    primary = judge([p for each in grids for p in primary_comparisons(*each)])
    parts = {}
    for grid, records in grids:
        own = [each for each in primary if each.study == grid.name]
        made = write_table(grid, records, Path(out) / grid.name, own)
        parts |= {f"{grid.name} {part}": text for part, text in made.parts.items()}
    for path in (readme, findings):
        text = path.read_text(encoding="utf-8")
        embed(path, {n: p for n, p in parts.items() if f"<!-- results: {n} -->" in text})


if __name__ == "__main__":
    main()
