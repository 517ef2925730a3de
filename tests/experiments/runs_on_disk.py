"""Run folders as a training leaves them, without the training."""

import json

import numpy as np

from keras_amp.experiments.evaluation import evaluate
from keras_amp.experiments.results import Result, write_json, write_predictions
from keras_amp.experiments.settings import Method
from keras_amp.runtime.files import whole_file, write_columns

CLASSES = ["one", "two", "three"]
AMP = {"alpha": 1.0, "step_size": 0.002, "max_gradient": 1.0}
EXAMPLES = 60
METHODS = (
    ("none", None),
    ("word", "mixup"),
    ("word", "amp"),
    ("sentence", "mixup"),
    ("sentence", "amp"),
)


def write_run(root, mix="none", policy=None, seed=0, fold=None, **changes):
    """Writes a run's folder below that of its comparison.

    Args:
        root: Folder of the comparison.
        mix: Where it mixes.
        policy: By what policy.
        seed: Seed of the run, and of its numbers.
        fold: Fold of the run.
        **changes: Settings of the configuration, ``policy_arguments`` among them; and
            ``error``, the test error in percent; ``num_epochs``; ``classes``.

    Returns:
        The folder.
    """
    error, epochs = changes.pop("error", None), changes.pop("num_epochs", 4)
    classes = changes.pop("classes", CLASSES)
    method = Method(mix, policy).name
    arguments = {"amp": AMP, "mixup": {"alpha": 1.0}}.get(policy, {})
    config = {
        "data": "trec",
        "backbone": "cnn",
        "backbone_arguments": {"filters": 100},
        "epochs": epochs,
        "class_names": classes,
        "versions": {"keras_amp": "0.1.0"},
        "mix": mix,
        "policy": policy,
        "policy_arguments": arguments,
        "seed": seed,
        "fold": fold,
        "command": "keras-amp train cnn --data trec",
        "encoding": {"vocabulary_size": 500 + seed},
        **changes,
    }
    tail = "" if fold is None else f"-fold-{fold}"
    folder = root / method / f"seed-{seed}{tail}"
    folder.mkdir(parents=True)
    rng = np.random.default_rng([seed, len(method), fold or 0])
    labels = np.arange(EXAMPLES) % len(classes)
    probabilities = rng.dirichlet(np.ones(len(classes)), EXAMPLES)
    probabilities[np.arange(EXAMPLES), labels] += 0.4
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    scores = evaluate(probabilities, labels)
    result = Result(
        method=method,
        seed=seed,
        fold=fold,
        dev_error=20.0,
        test_error=scores["error"] if error is None else error,
        best_test_error=5.0,
        macro_f1=scores["macro_f1"],
        nll=scores["nll"],
        ece=scores["ece"],
        epoch=epochs,
        epochs=epochs,
        steps=10 * epochs,
        seconds=1.5,
    )
    write_json(folder / "config.json", config)
    write_json(folder / "result.json", result.as_dict())
    texts = [f"text, {i}" for i in range(EXAMPLES)]
    write_predictions(folder, texts, labels, probabilities, classes)
    _write_epochs(folder, rng, epochs, policy)
    lambdas = np.linspace(0, 1, 5)
    curve = 1 + lambdas * (1 - lambdas) + seed / 10
    with whole_file(folder / "curve.csv") as file:
        write_columns(file, {"lam": lambdas, "word": curve, "sentence": curve + 1})
    return folder


def write_comparison(root, methods=METHODS, seeds=3, **changes):
    """Writes the folders of all runs of a comparison, and returns theirs."""
    return [
        write_run(root, *method, seed=seed, **changes)
        for method in methods
        for seed in range(seeds)
    ]


def change_json(path, **values):
    """Sets values of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def _write_epochs(folder, rng, epochs, policy):
    columns = {
        "epoch": np.arange(epochs),
        "accuracy": rng.random(epochs),
        "loss": rng.random(epochs),
        "test_accuracy": rng.random(epochs),
        "val_accuracy": rng.random(epochs),
        "val_loss": rng.random(epochs),
    }
    if policy is not None:
        zero = 0.0 if policy == "mixup" else 1.0
        columns["lam"] = np.full(epochs, 0.5)
        for name, size in (("lam_delta", 1e-3), ("mask_rate", 1), ("loss_gap", 1e-4)):
            columns[name] = zero * size * rng.random(epochs)
    for name in {"vat": ("delta_norm", "divergence"), "rdrop": ("divergence",)}.get(
        policy, ()
    ):
        columns[name] = rng.random(epochs)
    with whole_file(folder / "epochs.csv") as file:
        write_columns(file, columns)
