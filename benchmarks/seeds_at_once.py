"""Steps of all seeds a second where JAX trains them at once, beside TensorFlow's.

TensorFlow trains one seed in each process: a process a core with a thread each, as a grid
does without a GPU, and one on the GPU where there is one. Random texts, the paper's
batches. A row says what all processes together train, how long it took until the first
round had ended, with compiling, and what memory an epoch's program needs by its compiler.
What does not fit into half of the free memory is left out, and said.

    python benchmarks/seeds_at_once.py --out results.csv
    python benchmarks/seeds_at_once.py --backbone cnn --seeds 1 8
    python benchmarks/seeds_at_once.py --small         # a trial, on any machine
"""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

from cyclopts import App, Parameter

SEVERAL = Parameter(consume_multiple=True, negative_iterable=())
# Of a round: on a CPU, where a step takes a tenth of a second or more, and on a GPU.
STEPS = {"cnn": (5, 100), "bilstm": (1, 30)}
SMALL = {"method": ("WordAMP",), "seeds": (1, 2), "rounds": 1}
NO_GPU = {"CUDA_VISIBLE_DEVICES": "-1"}
app = App(help=__doc__, version_flags=(), default_parameter=SEVERAL)


@app.default
def measure(
    *,
    backbone: tuple[Literal["cnn", "bilstm"], ...] = ("cnn", "bilstm"),
    method: tuple[str, ...] = ("none", "WordAMP"),
    seeds: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64),
    rounds: int = 3,
    small: bool = False,
    out: Path | None = None,
):
    """Measures, prints a line for each way and writes a CSV file.

    Args:
        backbone: The backbones.
        method: Names of methods, such as none or SentMixup.
        seeds: How many seeds JAX trains at once.
        rounds: Rounds to count; the median is what a row says.
        small: Whether to run a trial: one method, few seeds and a single round.
        out: CSV file for the figures, with the machine's description.
    """
    asked = {"method": method, "seeds": seeds, "rounds": rounds}
    chosen = {**asked, **(SMALL if small else {})}
    rows = []
    for name in backbone:
        for way in chosen["method"]:
            for row in _ways(name, way, chosen["rounds"], chosen["seeds"]):
                print(json.dumps(row), flush=True)
                rows.append(row)
                if out:
                    _write(out, rows)


def _ways(backbone, method, rounds, seeds):
    """Yields a row for each way."""
    cores = len(os.sched_getaffinity(0))
    case = backbone, method, rounds
    parts = _processes("tensorflow", *case, 1, number=cores, variables=NO_GPU)
    total = sum(part["seed_steps_per_s"] for part in parts)
    yield {**parts[0], "processes": cores, "seed_steps_per_s": round(total, 2)}
    if _has_gpu():
        yield from _processes("tensorflow", *case, 1)
    for number in seeds:  # a process each: memory is free again
        yield from _processes("jax", *case, number)


def _processes(backend, *case, number=1, variables=None):
    """The rows of processes that measure at the same time: once all are compiled."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, "--process", *map(str, case)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [
        subprocess.Popen(command, env={**environment, **(variables or {})}, **pipes)
        for _ in range(number)
    ]
    for process in started:
        process.stdout.readline()  # it is ready, or has ended
    ended = [(process.communicate("go\n")[0], process.returncode) for process in started]
    if any(code for _, code in ended):
        raise SystemExit(f"{backend} {case} has failed.")
    return [json.loads(text.splitlines()[-1]) for text, _ in ended if text.strip()]


def _measure_here(backbone, method, rounds, seeds):
    """Measures in this process, and prints a row, if there is the memory for it."""
    import keras

    way = _on_jax if keras.backend.backend() == "jax" else _on_tensorflow
    start = time.perf_counter()
    run, steps, needed = way(backbone, method, seeds)
    if run is None:
        print(f"{backbone} {method}: {seeds} seeds do not fit", file=sys.stderr)
        return
    run()
    first = time.perf_counter() - start
    print("ready", flush=True)
    sys.stdin.readline()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    second = sorted(times)[len(times) // 2]
    from timing import machine

    row = {
        "backbone": backbone,
        "method": method,
        "backend": keras.backend.backend(),
        "seeds": seeds,
        "processes": 1,
        "seed_steps_per_s": round(seeds * steps / second, 2),
        "step_ms": round(1000 * second / steps, 1),
        "first_s": round(first, 1),
        "gigabytes": needed and round(needed / 1e9, 2),
        "machine": machine(),
    }
    print(json.dumps(row))


def _on_tensorflow(backbone, method, seeds):
    """A function that trains for some steps, their number, and None."""
    import tensorflow as tf
    from cases import CASES

    from keras_amp.experiments.environment import use_threads

    gpu = bool(tf.config.list_physical_devices("GPU"))
    if not gpu:
        use_threads(1)
    tf.get_logger().setLevel("ERROR")
    steps = STEPS[backbone][gpu]
    batches = CASES[backbone].batches(steps)
    model = CASES[backbone].model(method, "auto")

    def run():
        model.fit(batches, verbose=0, shuffle=False)

    return run, steps, None


def _on_jax(backbone, method, seeds):
    """The same of all seeds, and the bytes that it needs; None where it does not fit."""
    import numpy as np
    from cases import CASES

    from keras_amp.training.jax.devices import gpu
    from keras_amp.training.jax.seeds import TrainedTogether, values_of

    case, steps = CASES[backbone], STEPS[backbone][gpu() is not None]
    x, y = next(iter(case.batches(steps).unbatch().batch(steps * case.batch_size)))
    x, y = np.asarray(x), np.asarray(y)
    model = case.model(method, "auto")
    model.optimizer.build(model.trainable_variables)
    together = TrainedTogether(model, (x[: case.batch_size], y[: case.batch_size]))
    rng = np.random.default_rng(0)
    places = np.stack([rng.permutation(len(y)) for _ in range(seeds)])
    orders = np.split(places.astype("int32"), steps, axis=1)
    one = (x[None], y[None]), [order[:1] for order in orders]
    if together.most_seeds(seeds, *one) < seeds:
        return None, steps, None
    # A seed's own numbers would cost the same.
    state = [together.stack([values_of(model)] * seeds)]
    examples = np.stack([x] * seeds), np.stack([y] * seeds)

    def run():
        _, state[0] = together.train(state[0], examples, orders)

    return run, steps, together.bytes_of(seeds, *one)


def _has_gpu():
    """Whether TensorFlow sees a GPU; asked in another process, which frees it again."""
    program = (
        "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    )
    asked = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return int(asked.stdout) > 0


def _write(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--process"]:
        chosen, way, *numbers = sys.argv[2:]
        _measure_here(chosen, way, *map(int, numbers))
    else:
        app()
