"""Make the tables of the studies in this folder, and the results in the README.

    python results/tables.py

Each study is a grid's folder: ``grid.toml`` says what was run, ``cells/`` holds every
run. ``keras-amp grid results/<study>`` runs the cells that are missing.
"""

from pathlib import Path

from keras_amp.experiments import load_grid, read_records
from keras_amp.experiments.pages import embed, write_table

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
    parts = {}
    for folder in studies():
        grid = load_grid(folder)
        made = write_table(grid, read_records([folder]), Path(out) / grid.name)
        parts |= {f"{grid.name} {part}": text for part, text in made.parts.items()}
    for path in (readme, findings):
        text = path.read_text(encoding="utf-8")
        embed(path, {n: p for n, p in parts.items() if f"<!-- results: {n} -->" in text})


if __name__ == "__main__":
    main()
