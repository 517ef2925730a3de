"""``keras-amp curve``: the loss between test texts, of trained runs."""

import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Literal

import numpy as np

from keras_amp import data
from keras_amp.analysis.curve import loss_along_lambda
from keras_amp.analysis.pair_evaluator import checked_lambdas
from keras_amp.backbones import mix_point
from keras_amp.cli.errors import user_errors
from keras_amp.data.text import without_cut_warning
from keras_amp.experiments.examples import SPLITS, divide
from keras_amp.experiments.settings import Method, Settings
from keras_amp.runs import CONFIG, load_run
from keras_amp.runtime.extras import require
from keras_amp.runtime.files import check_new_file, whole_file, write_columns

IMAGES = (".svg", ".png")
TABLE = ".csv"
AT = {"word": "words mixed", "sentence": "sentences mixed"}


def curve(
    *runs: Path,
    place: tuple[Literal["word", "sentence"], ...] = ("word", "sentence"),
    split: Literal["train", "dev", "test"] = "test",
    lambdas: int = 21,
    out: Path | None = None,
):
    """Draws the mixup loss of trained runs along lambda (the paper's Figure 2c).

    Each text of the runs' data set is mixed with the one at its mirrored position, in
    shares from 0 to 1, and the losses are averaged over the texts and over the runs of a
    method.

    Args:
        runs: Folders of runs, such as runs/mine/SentAMP/seed-0.
        place: Where to mix, whatever the runs were trained with.
        split: The texts to mix.
        lambdas: Number of shares, from 0 to 1.
        out: New file for the figure, .svg or .png, with its numbers in a .csv file
            beside; or a .csv file for the numbers alone. By default they are printed.
    """
    with user_errors():
        if out is not None:
            _check_out(out)
        curves = run_curves(runs, place, split, lambdas)
    shares = checked_lambdas(lambdas)
    columns = {"lam": shares, **curves}
    if out is None:
        write_columns(sys.stdout, columns)
        return
    if out.suffix in IMAGES:
        from keras_amp.analysis.figures import loss_along_lambda as draw

        figure = draw(
            {name: (shares, losses) for name, losses in curves.items()},
            title=f"Mixup loss of {split} texts",
        )
        with user_errors(), whole_file(out, binary=True) as file:
            figure.savefig(file, format=out.suffix[1:])
    with user_errors(), whole_file(out.with_suffix(TABLE)) as file:
        write_columns(file, columns)


def run_curves(folders, places=("word", "sentence"), split="test", lambdas=21):
    """Evaluates the mixup loss of trained runs along lambda.

    Args:
        folders: Folders of runs.
        places: Where to mix: ``"word"``, ``"sentence"`` or both.
        split: Which texts of the runs' data set to mix: ``"train"``, ``"dev"`` or
            ``"test"``.
        lambdas: As ``keras_amp.loss_along_lambda``.

    Returns:
        A dict from what a legend calls the curves to float64 arrays ``(num_lambdas,)``:
        the mean losses over the texts and over all runs of a method. The names are the
        methods', with the place where there are several places, and with the folder of
        the comparison where there are several of these.

    Raises:
        ValueError: If there is no run or no place, or a run's data or its model are not
            what they were.
        FileNotFoundError: If a folder holds no run, or the data is missing.
        ConnectionError: If the data cannot be fetched.
        ImportError: If a run's encoder needs KerasHub and it is not installed.

    Example:
    >>> from keras_amp.cli.curve import run_curves
    >>> run_curves([])
    Traceback (most recent call last):
    ValueError: Expected at least one folder of a run. Received: none.
    """
    folders, places = list(dict.fromkeys(map(Path, folders))), list(dict.fromkeys(places))
    for things, what in ((folders, "folder of a run"), (places, "place to mix at")):
        if not things:
            raise ValueError(f"Expected at least one {what}. Received: none.")
    comparisons = {folder.resolve().parents[1] for folder in folders}
    distinct = len({path.name for path in comparisons}) == len(comparisons)
    losses = {}
    for folder in folders:
        run = load_run(folder)
        method, examples = _read(run, folder, split)
        for place in places:
            name = [method]
            if len(comparisons) > 1:
                comparison = folder.resolve().parents[1]
                name.append(comparison.name if distinct else str(comparison))
            if len(places) > 1:
                name.append(AT[place])
            layer = mix_point(run.classifier, place)
            curve = loss_along_lambda(run.classifier, examples, layer, lambdas)
            losses.setdefault(", ".join(name), []).append(curve.mean)
    return {name: np.mean(of_runs, axis=0) for name, of_runs in losses.items()}


def _read(run, folder, split):
    """The name of a run's method, and the inputs and labels of a split of its data."""
    config = run.config
    try:
        given = {f.name: config[f.name] for f in fields(Settings) if f.name in config}
        settings = Settings(**given)
        method = Method(config["mix"], config["policy"]).name
        seed, fold = config["seed"], config["fold"] or 0
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"Expected {folder / CONFIG} to be as a run writes it. Received: a "
            f"configuration without the settings of a run ({error!r})."
        ) from error
    if split != "train":
        settings = replace(settings, phrases=False)  # all of which are trained on
    dataset = data.load(settings.data, settings.data_dir, settings.phrases)
    if tuple(dataset.class_names) != run.class_names:
        raise ValueError(
            f"Expected the data of {folder} to have the classes that it was trained on, "
            f"{', '.join(run.class_names)}. Received: {dataset!r}"
        )
    chosen = dict(zip(SPLITS, divide(dataset, settings, seed, fold), strict=True))[split]
    with without_cut_warning():
        return method, (run.preprocess(chosen.texts), chosen.labels)


def _check_out(out):
    """Raises unless the files can be written."""
    if out.suffix not in (*IMAGES, TABLE):
        raise ValueError(
            f"Expected a file that ends in {', '.join(IMAGES)} or {TABLE}. Received: "
            f"{out}"
        )
    if out.suffix in IMAGES:
        require("experiments", "matplotlib")
    for path in (out, out.with_suffix(TABLE)):
        check_new_file(path)
