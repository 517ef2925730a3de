"""Steps of all seeds a second where JAX trains them at once, beside TensorFlow's.

TensorFlow trains one seed in each process, a process a core with a thread each, as a grid
does. Random texts, the paper's batches; what compiling takes stands apart.

    python benchmarks/seeds_at_once.py
    python benchmarks/seeds_at_once.py --backbone cnn --seeds 1 8 --out results.csv
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
STEPS = {"cnn": 10, "bilstm": 2}  # of a round
app = App(help=__doc__, version_flags=(), default_parameter=SEVERAL)


@app.default
def measure(
    *,
    backbone: tuple[Literal["cnn", "bilstm"], ...] = ("cnn", "bilstm"),
    method: tuple[str, ...] = ("none", "WordAMP"),
    seeds: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64),
    rounds: int = 3,
    out: Path | None = None,
):
    """Measures, prints a line for each way and writes a CSV file.

    Args:
        backbone: The backbones.
        method: Names of methods, such as none or SentMixup.
        seeds: How many seeds JAX trains at once.
        rounds: Rounds to count; the median is what a row says.
        out: CSV file for the figures, with the machine's description.
    """
    rows = []
    for name in backbone:
        for way in method:
            rows += _apart(name, way, rounds)
            for number in seeds:  # a process each: memory is free again
                rows += _children("jax", [name, way, rounds, number], 1)
                if out:
                    _write(out, rows)
                print(rows[-1], flush=True)


def _apart(backbone, method, rounds):
    """A row of TensorFlow: the sum over processes of a thread each."""
    cores = len(os.sched_getaffinity(0))
    parts = _children("tensorflow", [backbone, method, rounds, 1], cores)
    total = sum(part["seed_steps_per_s"] for part in parts)
    row = {**parts[0], "seeds": cores, "seed_steps_per_s": round(total, 2)}
    print(row, flush=True)
    return [row]


def _children(backend, arguments, number):
    """What this file prints in processes of its own, which measure at the same time."""
    variables = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, "--child", *map(str, arguments)]
    started = [
        subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True)
        for _ in range(number)
    ]
    ended = [(child.communicate()[0], child.returncode) for child in started]
    if any(code for _, code in ended):
        raise SystemExit(f"{backend} {arguments} has failed.")
    return [json.loads(text.splitlines()[-1]) for text, _ in ended]


def _measure_here(backbone, method, rounds, seeds):
    """Measures in this process, and prints a row."""
    import keras

    way = _on_jax if keras.backend.backend() == "jax" else _on_tensorflow
    first, run, steps = way(backbone, method, seeds)
    start = time.perf_counter()
    first()
    compiling = time.perf_counter() - start
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
        "seed_steps_per_s": round(seeds * steps / second, 2),
        "step_ms": round(1000 * second / steps, 1),
        "first_s": round(compiling, 1),
        "machine": machine(),
    }
    print(json.dumps(row))


def _on_tensorflow(backbone, method, seeds):
    import tensorflow as tf
    from cases import CASES

    from keras_amp.experiments.environment import use_threads

    use_threads(1)
    tf.get_logger().setLevel("ERROR")
    steps = STEPS[backbone]
    batches = CASES[backbone].batches(steps)
    model = CASES[backbone].model(method, "auto")

    def run():
        model.fit(batches, verbose=0, shuffle=False)

    return run, run, steps


def _on_jax(backbone, method, seeds):
    import numpy as np
    from cases import CASES

    from keras_amp.training.jax.seeds import TrainedTogether, values_of

    case, steps = CASES[backbone], STEPS[backbone]
    x, y = next(iter(case.batches(steps).unbatch().batch(steps * case.batch_size)))
    x, y = np.asarray(x), np.asarray(y)
    model = case.model(method, "auto")
    model.optimizer.build(model.trainable_variables)
    together = TrainedTogether(model, (x[: case.batch_size], y[: case.batch_size]))
    # A seed's own numbers would cost the same.
    state = [together.stack([values_of(model)] * seeds)]
    examples = np.stack([x] * seeds), np.stack([y] * seeds)
    rng = np.random.default_rng(0)
    places = np.stack([rng.permutation(len(y)) for _ in range(seeds)])
    orders = np.split(places.astype("int32"), steps, axis=1)

    def run():
        _, state[0] = together.train(state[0], examples, orders)

    return run, run, steps


def _write(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        chosen, way, *numbers = sys.argv[2:]
        _measure_here(chosen, way, *map(int, numbers))
    else:
        app()
