"""Write the settings that a search chose into the grid that runs them on fresh seeds.

    python results/choose.py results/few_labels_search results/few_labels/grid.toml

For each method and data set the setting with the least mean loss on the development texts
is chosen, which the cells of the search were tested on. It stands between two lines of
the other grid's file.
"""

import itertools
import json
import math
import sys
import tomllib
from pathlib import Path
from statistics import fmean

from keras_amp.experiments import load_grid, parse_grid, read_records

BEGIN, END = "# chosen: {}", "# end of what was chosen"
SHARED = ("data", "learning_rate")  # of the search's settings, what is written


def choose(folder):
    """Return the settings that a search chose, as TOML.

    Args:
        folder: Folder of the search's grid.

    Raises:
        ValueError: If a cell is not finished.
    """
    folder = Path(folder)
    config = tomllib.loads(load_grid(folder).text)
    records = read_records([folder])
    chosen = {}
    for block in config["cells"]:
        for one in _combinations({**config["settings"], **block}):
            cells = _cells(config, one)
            kind = one.get("called", cells[0].method), one["data"]
            loss = fmean(_loss(records, cell) for cell in cells)
            names = [n for n in one if n in SHARED or n in block]
            given = loss, {name: one[name] for name in names}
            chosen[kind] = min(
                chosen.get(kind, (math.inf, {})), given, key=lambda g: g[0]
            )
    return "\n\n".join(
        f"[[cells]] # {loss:.4f}\n{_toml(one)}" for loss, one in chosen.values()
    )


def write(folder, path):
    """Replace what stands between the two lines of a grid's file.

    Args:
        folder: Folder of the search's grid.
        path: Path of the other grid's file.
    """
    path = Path(path)
    begin = BEGIN.format(Path(folder).name)
    before, _, rest = path.read_text(encoding="utf-8").partition(f"{begin}\n")
    _, _, after = rest.partition(END)
    text = f"{before}{begin}\n{choose(folder)}\n\n{END}{after}"
    path.write_text(text, encoding="utf-8")


def _combinations(block):
    axes = [value if isinstance(value, list) else [value] for value in block.values()]
    return [dict(zip(block, values, strict=True)) for values in itertools.product(*axes)]


def _cells(config, block):
    seeds = {name: config[name] for name in ("seeds", "first_seed") if name in config}
    return parse_grid(f"{_toml(seeds)}\n[settings]\n[[cells]]\n{_toml(block)}", "").cells


def _loss(records, cell):
    record = records.get(cell.key, {"status": "not run"})
    if record["status"] != "finished":
        raise ValueError(
            f"Expected all cells of the search to be finished. Received: {cell.method}, "
            f"{cell.values['data']}, seed {cell.seed}, which is: {record['status']}"
        )
    loss = record["result"]["nll"]
    return loss if math.isfinite(loss) else math.inf


def _toml(values):
    # Texts, numbers and truth values are written as JSON writes them.
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items())


if __name__ == "__main__":
    write(*sys.argv[1:])
