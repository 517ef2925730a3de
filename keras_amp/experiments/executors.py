"""Where cells run: in this process, in others of this machine, or on a Ray cluster."""

from concurrent.futures import FIRST_COMPLETED, wait
from functools import partial
from itertools import islice
from typing import NamedTuple

from joblib.executor import get_memmapping_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from keras_amp.experiments import worker
from keras_amp.experiments.devices import VARIABLES
from keras_amp.experiments.interruption import Interruption
from keras_amp.experiments.seeds_at_once import groups_of
from keras_amp.runtime import process
from keras_amp.runtime.extras import require

# What libraries read before they start threads; joblib sets them, too.
LIBRARIES = ("BLIS", "MKL", "NUMBA", "NUMEXPR", "OMP", "OPENBLAS")
THREADS = (*(f"{name}_NUM_THREADS" for name in LIBRARIES), "VECLIB_MAXIMUM_THREADS")
ON_JAX = {"KERAS_BACKEND": "jax"}


class Together(NamedTuple):
    """Seeds are trained at once.

    Attributes:
        most: Integer, seeds at a time; None for as many as fit into the memory.
    """

    most: int | None = None


def in_this_process(cells, folder_of, follower, command=None):
    """Runs cells one after the other, and keeps the artefacts of each in a folder.

    An exception of a training is raised; so is Ctrl-C, wherever it comes.

    Args:
        cells: List of ``Cell``s.
        folder_of: Callable from a cell to the path of its folder.
        follower: As ``run_cell_into``; its ``callbacks`` are followed by another one.
        command: As ``run_cell_into``.

    Yields:
        Records, as cells end; see ``run_cell_into``.
    """
    with Interruption() as interruption:
        follower.callbacks = [interruption, *follower.callbacks]
        for cell in cells:
            yield worker.run_cell_into(folder_of(cell), cell, follower, command)
            interruption.check()


def on_this_machine(
    cells,
    jobs,
    threads,
    data_dir=None,
    gpus_per_cell=None,
    variables=None,
    together=None,
    devices=None,
):
    """Runs cells in other processes, those of joblib.

    There are no more processes than cells, as each takes seconds to begin; a single cell
    has one, too. If a process dies, the cells that were running are run again, each
    alone; a cell whose process dies again has failed. The processes end with an
    exception; otherwise the next cells may find them ready.

    Args:
        cells: List of ``Cell``s; or an iterator that may have more of them after it has
            ended, as a search has once results are known: it is asked again then.
        jobs: Integer, cells at a time.
        threads: Integer, the threads of each.
        data_dir: Folder with public data sets, or None.
        gpus_per_cell: Float, the share of a GPU that a cell needs; None leaves GPUs to
            TensorFlow.
        variables: Dict of additional environment variables of the processes, where the
            user has not set them; see ``keras_amp.runtime.process``.
        together: ``Together``, by which seeds are trained at once on JAX; None trains
            each cell by itself.
        devices: Integer, how many devices each cell is trained on, or None; see
            ``keras_amp.experiments.devices``.

    Yields:
        Records, as cells end; see ``run_cell``.
    """
    units = map(_by_itself, cells)
    if together is not None:
        units = iter(groups_of(cells, together.most))
        variables = {**(variables or {}), **ON_JAX}
    if devices is not None:
        variables = {**VARIABLES, **(variables or {})}
    if isinstance(cells, list):
        jobs = min(jobs, len(cells))
    how = threads, data_dir, gpus_per_cell, variables, together, devices
    noted = _Noted(units)
    while jobs and not noted.ended:
        try:
            for records in _in_processes(noted, jobs, *how):
                del noted.running[records[0]["key"]]
                yield from records
        except TerminatedWorkerError:
            for key in list(noted.running):
                yield from _alone(noted.running.pop(key), *how)


def on_cluster(
    cells,
    address,
    threads,
    data_dir=None,
    gpus_per_cell=None,
    jobs=None,
    variables=None,
):
    """Runs cells on a Ray cluster.

    Args:
        cells: As ``on_this_machine``.
        address: The cluster's address, as ``ray.init`` takes it; ``"local"`` starts one
            on this machine.
        threads: Integer, the cores that a cell occupies.
        data_dir: Folder with public data sets on the cluster's machines, or None.
        gpus_per_cell: Float, the share of a GPU that a cell occupies; None for none.
        jobs: Integer, cells at a time on a local cluster; others have their own limits.
        variables: Dict of additional environment variables of the processes.

    Yields:
        Records, as cells end; see ``run_cell``.

    Raises:
        ImportError: If Ray is not installed.
        ConnectionError: If there is no such cluster.
    """
    require("cluster", "ray")
    import ray

    local = {"include_dashboard": False} if address == "local" else {}
    if local and jobs:
        local["num_cpus"] = jobs * threads
    ray.init(
        address,
        log_to_driver=False,
        configure_logging=False,
        runtime_env={
            "env_vars": {process.WORKER: "1", **process.VARIABLES, **(variables or {})}
        },
        **local,
    )
    try:
        resources = {"num_cpus": threads, "num_gpus": gpus_per_cell or 0}
        work = ray.remote(**resources, max_retries=0)(_run_on_cluster)
        how = data_dir, threads, bool(gpus_per_cell)
        cells = iter(cells)
        running = {work.remote(cell, *how): cell for cell in cells}
        while running:
            (ready,), _ = ray.wait(list(running), num_returns=1)
            cell = running.pop(ready)
            try:
                yield ray.get(ready)
            except ray.exceptions.RayError as error:
                yield worker.died(cell, f"{type(error).__name__}: {error}")
            running |= {work.remote(cell, *how): cell for cell in cells}
    finally:
        ray.shutdown()


def _in_processes(
    units, jobs, threads, data_dir, gpus_per_cell, variables, together, devices
):
    """The records of each of an iterator's units; that many run at a time."""
    # With other arguments, and so with other variables, joblib starts other processes.
    how = threads, bool(gpus_per_cell), True, tuple((variables or {}).items()), devices
    # ``Parallel`` would run a single job in this process, which must survive it.
    with process.variables(variables):
        pool = get_memmapping_executor(
            jobs,
            initializer=_prepare,
            initargs=how,
            env=dict.fromkeys(THREADS, str(threads)),
        )
        try:
            running = _submit(pool, units, jobs, data_dir, together, devices)
            while running:
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    yield future.result()
                free = jobs - len(running)
                running |= _submit(pool, units, free, data_dir, together, devices)
        except BaseException:  # Ctrl-C, too, which the processes ignore
            pool.terminate(kill_workers=True)
            raise


def _submit(pool, units, number, data_dir, together, devices):
    """Hands out the next lists of cells."""
    if together is None:
        run = worker.run_cell

        def work(cells):
            return [run(cell, data_dir, devices) for cell in cells]

    else:
        work = partial(worker.run_cells_together, data_dir=data_dir, most=together.most)
    return {pool.submit(work, unit) for unit in islice(units, number)}


def _alone(cells, *how):
    try:
        (records,) = _in_processes(iter([cells]), 1, *how)
    except TerminatedWorkerError as error:
        records = [worker.died(cell, str(error)) for cell in cells]
    return records


class _Noted:
    """An iterator of units that notes which are running: it must be told what ended."""

    def __init__(self, units):
        self.units, self.running, self.ended = units, {}, False

    def __iter__(self):
        return self

    def __next__(self):
        try:
            unit = next(self.units)
        except StopIteration:
            self.ended = not self.running  # nothing that runs can bring more
            raise
        self.running[unit[0].key] = unit
        return unit


def _by_itself(cell):
    return [cell]


def _prepare(threads, shares_gpu, watch, variables, devices):
    """Sets a process up."""
    del variables  # it was started with them
    worker.prepare_process(threads, shares_gpu, watch, devices)


def _run_on_cluster(cell, data_dir, threads, shares_gpu):
    """Runs a cell; a process of Ray is set up by the first cell that it gets."""
    worker.prepare_process(threads, shares_gpu)
    return worker.run_cell(cell, data_dir)
