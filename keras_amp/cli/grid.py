"""``keras-amp grid``: runs what a configuration file lists, and goes on where it was."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from keras_amp.cli.errors import user_errors
from keras_amp.cli.flags import command_line, start
from keras_amp.experiments import GridRun, load_grid
from keras_amp.experiments.store import FAILED
from keras_amp.experiments.verifying import KEY_LENGTH, Verification
from keras_amp.validation import check_count


def grid(
    config: Annotated[str, Parameter(negative=())],
    /,
    *,
    out: Path | None = None,
    jobs: int | None = None,
    threads: int | None = None,
    retry: bool = False,
    reuse: tuple[Path, ...] = (),
    cluster: str | None = None,
    gpus_per_cell: float | None = None,
    data_dir: Path | None = None,
    seeds_at_once: Annotated[tuple[int, ...] | None, Parameter(negative=())] = None,
    devices: int | None = None,
    verify: tuple[str, ...] = (),
    verify_seed: int = 0,
    tolerance: float | None = None,
):
    """Runs a grid of training runs, each cell kept as it ends.

    The same command goes on where it was: what has been run is not run again. The exit
    status is 1 where a cell has failed. With --verify finished cells are run again
    instead, elsewhere, and what they come to is printed beside what is kept, which stays
    as it is; the exit status is then 1 where one has failed, or is further from what is
    kept than --tolerance allows.

    Args:
        config: Name of a configuration that comes along (figure2, quick, table2, table3,
            table4, table5), a TOML file, or the folder of a grid.
        out: Folder for the cells; by default runs/ and the configuration's name, or the
            grid's own folder.
        jobs: Cells at a time; by default as many as there are cores.
        threads: Threads of each cell; by default the cores divided among the jobs.
        retry: Whether to run cells again that have failed.
        reuse: Folders of other grids, whose finished cells are taken where they are this
            grid's, too.
        cluster: Address of a Ray cluster, such as ray://head:10001; local starts one on
            this machine.
        gpus_per_cell: Share of a GPU that a cell needs, such as 0.25.
        data_dir: Folder with public data sets.
        seeds_at_once: Whether to train the seeds of a kind of cell as one program, on
            JAX, and how many: without a number as many as fit into the memory.
        devices: Devices that share each batch of a cell, the first ones: GPUs, or CPUs
            where there are none; by default the backend's choice.
        verify: How many finished cells to draw and run again, or keys of cells, which
            their files are named by.
        verify_seed: Number to draw them by.
        tolerance: Percentage points of test error that a cell run again may be away from
            what is kept; by default any.
    """
    with user_errors():
        chosen = load_grid(config)
        if out is None and Path(config).is_dir():
            out = Path(config)
        how = jobs, threads
        where = cluster, gpus_per_cell, data_dir
        for flag, given in (("seeds-at-once", seeds_at_once), ("devices", devices)):
            if verify and given is not None:
                raise ValueError(
                    f"Expected --verify or --{flag}. Received: both; a cell is run again "
                    "by itself, on the devices that its record names."
                )
        if verify:
            folder = Path("runs") / chosen.name if out is None else out
            prepared = Verification(
                chosen, folder, _cells_meant(verify), verify_seed, *how, *where
            )
        else:
            together = _seeds_meant(seeds_at_once)
            prepared = GridRun(
                chosen,
                out,
                *how,
                retry,
                reuse,
                *where,
                seeds_at_once=together,
                devices=devices,
            )
    # Not guarded: an error of the training is not the user's, and keeps its traceback.
    ended = prepared.run()
    if verify:
        sys.exit(int(any(_is_off(repeated, tolerance) for repeated in ended)))
    if any(record["status"] == FAILED for record in ended.values()):
        sys.exit(1)


def _cells_meant(words):
    """A number of cells, or their keys: a lone number is one unless it is a key's."""
    if len(words) == 1 and words[0].isdecimal() and len(words[0]) < KEY_LENGTH:
        return check_count("verify", int(words[0]))
    return list(words)


def _seeds_meant(words):
    """What ``GridRun`` is told: False, True, or how many seeds."""
    if words is None:
        return False
    if len(words) > 1:
        raise ValueError(
            "Expected at most one number with --seeds-at-once. Received: "
            f"{' '.join(map(str, words))}"
        )
    return check_count("seeds_at_once", words[0]) if words else True


def _is_off(repeated, tolerance):
    if repeated.failed:
        return True
    return tolerance is not None and abs(repeated.apart("test_error")) > tolerance


def run(arguments=None):
    """Runs ``keras-amp grid`` as a script of its own.

    Args:
        arguments: List of command-line arguments; None for the program's own.
    """
    app = command_line(None, grid.__doc__.splitlines()[0], version_flags=())
    app.default(grid)
    start(app, arguments)
