"""What a training step costs: mixup and adversarial mixing over the plain step.

The CNN of the recipe on random words. All variants are trained in turn, a few steps at a
time and in random order, so that whatever else the machine does falls on all alike; the
figures to quote are the ratios of the medians over the rounds. The least times, beside
them, tell how much the rest of the machine disturbed.

    python benchmarks/step_time.py
    python benchmarks/step_time.py --jit-compile
"""

import statistics
import time

import keras
import numpy as np
from cyclopts import App
from rich.console import Console
from rich.table import Table

import keras_amp
from keras_amp.backbones import mix_point
from keras_amp.experiments import methods

app = App(help=__doc__, version_flags=())


@app.default
def measure(
    *,
    batch_size: int = 50,
    sequence_length: int = 40,
    vocabulary_size: int = 9592,
    steps: int = 50,
    rounds: int = 12,
    jit_compile: bool = False,
):
    """Measures and prints the table.

    Args:
        batch_size: Examples a step.
        sequence_length: Words a text.
        vocabulary_size: Words in all.
        steps: Steps of a variant in a round.
        rounds: Rounds; the first one, which compiles, is dropped.
        jit_compile: Whether the steps are compiled by XLA.
    """
    rng = np.random.default_rng(0)
    examples = steps * batch_size
    ids = rng.integers(1, vocabulary_size, (examples, sequence_length), dtype="int32")
    labels = rng.integers(0, 6, examples, dtype="int32")
    batches = keras_amp.data.batches(ids, labels, batch_size).cache()

    models = {}
    for method in methods():
        classifier = keras_amp.backbones.text_cnn(
            vocabulary_size, 6, sequence_length, seed=1
        )
        model = classifier
        if method.mix != "none":
            policy = method.policy_of(keras_amp.AdversarialMixing())
            mix_at = mix_point(classifier, method.mix)
            model = keras_amp.MixupAMPModel(classifier, mix_at, policy)
        model.compile(
            keras.optimizers.Adam(2e-4),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
            jit_compile=jit_compile,
        )
        models[method.name] = model

    times = {name: [] for name in models}
    for round_ in range(rounds + 1):
        # In random order, so that no variant always follows the same one.
        for name in rng.permutation(list(models)):
            start = time.perf_counter()
            models[name].fit(batches, epochs=1, verbose=0, shuffle=False)
            if round_:
                times[name].append((time.perf_counter() - start) / steps)

    plain = times["none"]
    table = Table("method", "ms a step", "ratio", "least ms", "ratio")
    for name, values in times.items():
        row = [name]
        for typical in (statistics.median, min):
            row += [
                f"{1000 * typical(values):.1f}",
                f"{typical(values) / typical(plain):.2f}",
            ]
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    app()
