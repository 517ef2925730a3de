"""Runs finished cells again, and compares the results with their records."""

import math
import os
import random

from rich.console import Console

from keras_amp.experiments.devices import check_alone, check_devices
from keras_amp.experiments.environment import BACKEND, DETERMINISTIC
from keras_amp.experiments.executors import on_cluster, on_this_machine
from keras_amp.experiments.grid_run import name_of
from keras_amp.experiments.runner import share_cores, try_cells
from keras_amp.experiments.store import FINISHED, keys_of_files, read_records
from keras_amp.experiments.summary.labels import label_cells
from keras_amp.experiments.summary.repeated import ERRORS, Repeated, root_mean_square
from keras_amp.runtime.extras import require

KEY_LENGTH = 16


class Verification:
    """Finished cells of a grid, ready to be run again and compared with their records.

    Nothing in the grid's folder is changed. Each cell has the backend, the devices, the
    threads and the variables of TensorFlow that its record names, unless ``threads`` or
    the user's environment say otherwise; cells that were run before these were recorded
    run without deterministic operations, as they did then. Other differences, such as the
    processor, are reported.

    Args:
        grid: ``Grid``.
        folder: Its folder, with finished cells.
        chosen: Integer >= 1, how many cells to draw; or a list of strings, cells' keys,
            the names of their files, or what these begin with.
        seed: Integer, to draw by.
        jobs: As ``GridRun``.
        threads: As ``GridRun``; None for those of each record.
        cluster: As ``GridRun``.
        gpus_per_cell: As ``GridRun``.
        data_dir: As ``GridRun``.
        console: A ``rich.console.Console``; None for standard output.

    Raises:
        ValueError: If there is no such cell, or no finished one; if ``KERAS_BACKEND`` is
            set to another backend than that of a chosen cell; and as ``GridRun``.
        FileNotFoundError: If ``folder`` is missing or is no grid's.
    """

    def __init__(
        self,
        grid,
        folder,
        chosen,
        seed=0,
        jobs=None,
        threads=None,
        cluster=None,
        gpus_per_cell=None,
        data_dir=None,
        console=None,
    ):
        self.grid, self.cluster, self.data_dir = grid, cluster, data_dir
        self.console = console or Console()
        self.cells = {cell.key: cell for cell in grid.cells}
        self.kept = {
            key: record
            for key, record in read_records([folder]).items()
            if key in self.cells and record["status"] == FINISHED
        }
        if not self.kept:
            raise ValueError(
                f"Expected finished cells of {grid.name} to run again. Received: none in "
                f"{folder}"
            )
        self.keys = choose(self.kept, chosen, seed, keys_of_files(folder))
        self.how = f", drawn with the seed {seed}" if isinstance(chosen, int) else ""
        self.jobs, default = share_cores(jobs, threads, gpus_per_cell)
        _check_backends([self.kept[key]["backend"] for key in self.keys])
        self.groups = _alike(self.kept, self.keys, threads, default)
        self.gpus_per_cell = gpus_per_cell
        for (_, variables, devices), keys in self.groups.items():
            if devices is not None:
                check_alone(cluster=cluster, gpus_per_cell=gpus_per_cell)
            if "KERAS_BACKEND" not in dict(variables):  # those of this one are known here
                check_devices(devices, [self.cells[key] for key in keys])
        if cluster is not None:
            require("cluster", "ray")
        else:
            try_cells([self.cells[key] for key in self.keys], data_dir)

    def run(self):
        """Runs the cells, and prints how far their results are from what is kept.

        Returns:
            A list of ``Repeated``s, as they ended.
        """
        self._say(
            f"{self.grid.title}\n{len(self.keys)} of {len(self.kept)} finished cells run "
            f"again{self.how}; what is kept stays as it is"
        )
        names, repeated = label_cells(self.grid.cells), []
        for record in self._new_records():
            cell = self.cells[record["key"]]
            name = f"{name_of(cell, names)} ({cell.key})"
            repeated.append(Repeated(name, self.kept[cell.key], record))
            self._say(str(repeated[-1]))
        for line in summary(repeated):
            self._say(line)
        return repeated

    def _new_records(self):
        for (threads, variables, devices), keys in self.groups.items():
            cells = [self.cells[key] for key in keys]
            how = threads, self.data_dir, self.gpus_per_cell
            if self.cluster is None:
                yield from on_this_machine(
                    cells, self.jobs, *how, dict(variables), devices=devices
                )
            else:
                yield from on_cluster(
                    cells, self.cluster, *how, self.jobs, dict(variables)
                )

    def _say(self, text):
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


def verify(grid, folder, chosen, **arguments):
    r"""Runs finished cells of a grid again and says how far they are from what is kept.

    Args:
        grid: ``Grid``.
        folder: Its folder, with finished cells.
        chosen: Integer >= 1, how many cells to draw; or a list of keys of cells.
        **arguments: As ``Verification``.

    Returns:
        A list of ``Repeated``s.

    Raises:
        ValueError: As ``Verification``, and the other exceptions named there.

    Example:
    >>> from keras_amp.experiments import parse_grid, run_grid, verify
    >>> grid = parse_grid("[settings]\nmix = 'none'\nsteps = 2\nfilters = 2", "tiny")
    >>> records = run_grid(grid, "tiny", jobs=1)  # doctest: +SKIP
    >>> verify(grid, "tiny", 1, jobs=1)[0].apart("test_error")  # doctest: +SKIP
    0.0
    """
    return Verification(grid, folder, chosen, **arguments).run()


def choose(kept, chosen, seed, files=None):
    """Returns the keys of the cells to run again.

    Args:
        kept: Dict from keys to finished records.
        chosen: As ``verify``.
        seed: Integer, to draw by.
        files: Dict from the names of files to keys, or None.

    Example:
    >>> from keras_amp.experiments.verifying import choose
    >>> kept = {"a1": {}, "b2": {}, "b3": {}}
    >>> choose(kept, ["a"], 0), len(choose(kept, 2, 0)), len(choose(kept, 9, 0))
    (['a1'], 2, 3)
    """
    if isinstance(chosen, int):
        return random.Random(seed).sample(sorted(kept), min(chosen, len(kept)))
    known = {**{key: key for key in kept}, **(files or {})}
    found = []
    for text in chosen:
        keys = {key for name, key in known.items() if name.startswith(text)}
        if len(keys & kept.keys()) != 1:
            what = "several" if len(keys & kept.keys()) > 1 else "none"
            raise ValueError(
                "Expected the key of a finished cell, or what one begins with. Received: "
                f"{text}, which is that of {what}."
            )
        found += keys & kept.keys()
    return list(dict.fromkeys(found))


def summary(repeated):
    """Returns a summary of all cells, as lines.

    Args:
        repeated: List of ``Repeated``s.
    """
    lines = []
    for error in ERRORS:
        apart = [r.apart(error) for r in repeated if not math.isnan(r.apart(error))]
        if apart:
            lines.append(
                f"{error.replace('_', ' ').capitalize()}: "
                f"{root_mean_square(apart):.2f} points apart (root mean "
                f"square of {len(apart)}), {max(map(abs, apart)):.2f} at most"
            )
    same = sum(r.same for r in repeated)
    lines.append(f"{same} of {len(repeated)} cells are the same to the last digit.")
    counts = {}
    for one in repeated:
        for name, (kept, again) in one.conditions.items():
            line = f"{name}: kept with {kept}, now {again}"
            counts[line] = counts.get(line, 0) + 1
    if counts:
        lines.append("What the environments differ in:")
        lines += [
            f"  {line}" + ("" if number == len(repeated) else f" ({number} cells)")
            for line, number in counts.items()
        ]
    return lines


def _check_backends(recorded):
    """Raises where the cells' backends are not to be had, or the user wants another."""
    if "jax" in recorded:
        require("jax", "jax")
    wanted = os.environ.get("KERAS_BACKEND")
    others = [backend for backend in recorded if backend != wanted]
    if wanted and others:
        raise ValueError(
            f"Expected KERAS_BACKEND to be unset, or to be {others[0]}, on which "
            f"{len(others)} of the chosen cells were trained. Received: "
            f"KERAS_BACKEND={wanted}"
        )


def _alike(kept, keys, threads, default):
    """The keys by the threads, variables and devices that their cells shall have."""
    groups = {}
    for key in keys:
        machine = kept[key].get("machine", {})
        variables = dict(machine.get("variables", {}))
        if not machine.get("deterministic") and not machine.get("gpu"):
            variables.setdefault(DETERMINISTIC, "0")
        if kept[key]["backend"] != BACKEND:
            variables["KERAS_BACKEND"] = kept[key]["backend"]
        of_cell = threads or machine.get("threads") or default
        how = of_cell, tuple(sorted(variables.items())), kept[key].get("devices")
        groups.setdefault(how, []).append(key)
    return groups
