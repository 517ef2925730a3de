"""The paper's tables as grids of training runs, resumable: `keras-amp grid`.

    python recipes/grid.py quick               # every kind of cell, small: 2 minutes
    python recipes/grid.py table4 --out runs/table4
    python recipes/grid.py mine.toml --jobs 8 --gpus-per-cell 0.25
    python recipes/grid.py table2 --cluster ray://head:10001

Each cell is kept when it ends, and the same command continues an interrupted grid. The
configurations are in keras_amp/experiments/configs/; `results/` holds those of the
studies that were run, with their cells.
"""

from keras_amp.cli.grid import run

if __name__ == "__main__":
    run()
