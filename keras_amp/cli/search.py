"""``keras-amp search``: what helps on a data set, by trials of every method."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from keras_amp.cli.errors import say_error, user_errors
from keras_amp.experiments import RECIPES
from keras_amp.experiments.arguments import Bert
from keras_amp.experiments.runner import try_cells
from keras_amp.experiments.settings import PolicyName
from keras_amp.runtime import process
from keras_amp.runtime.extras import require

PATIENCE = 5  # epochs: trials of a high learning rate need not run to their end


def search(
    data: Annotated[str, Parameter(negative=())],
    /,
    *,
    budget: str | None = None,
    trials: int | None = None,
    backbone: Literal["cnn", "bilstm", "bert"] = "cnn",
    mix: tuple[Literal["none", "word", "sentence", "random"], ...] = (),
    policy: tuple[PolicyName, ...] = (),
    seed: int = 0,
    seeds: int | None = None,
    margin: float = 0.5,
    epochs: int | None = None,
    patience: int = PATIENCE,
    batch_size: int | None = None,
    sequence_length: int | None = None,
    vectors: str | None = None,
    preset: str | None = None,
    train_fraction: float | None = None,
    jobs: int | None = None,
    threads: int | None = None,
    cluster: str | None = None,
    data_dir: Path | None = None,
    out: Path | None = None,
    report: bool = True,
):
    """Finds out what helps on a data set: a method of mixing, or none.

    No mixing and each policy at each place have the same number of trials, whose settings
    (learning rate, dropout and the method's own arguments) Optuna proposes. The mean
    development loss decides; the better half of the trials goes on to further seeds, or
    folds where the texts are few. Each method's best settings are then tested, once, on
    fresh seeds. It ends with a table, a recommendation and lines of Python. The same
    command goes on where it was; run twice at a time, both work on it.

    Args:
        data: Name of a data set, or a CSV or TSV file, or a folder of them. Without a
            test split a fifth is set aside first.
        budget: How long it may take, such as 30m or 2h; kept within a tenth. What it
            does not hold of the methods is left out, and said, unless --policy or --mix
            names them.
        trials: In place of a budget, how many trials there are of all methods together.
        backbone: The classifier's architecture.
        mix: Where to mix; by default at the words and at the sentence.
        policy: What to mix by; by default every policy.
        seed: Number that decides what is proposed, and which seeds are trained.
        seeds: Fresh seeds of the confirmation; by default as many as the budget holds,
            from 5 to 20, and with --trials 10.
        margin: Percentage points within which two errors count as equal.
        epochs: Passes over the training texts; by default the recipe's.
        patience: Epochs without a better development result after which a training stops.
        batch_size: Texts a step; by default the recipe's.
        sequence_length: Words or tokens of a text, of which longer ones are cut; by
            default what 99% of the texts have, or the longest text's where that is hardly
            more, up to 400 words.
        vectors: Pretrained word vectors, by name or path.
        preset: Encoder of --backbone bert.
        train_fraction: Share of each class to train with.
        jobs: Cells at a time; by default as many as there are cores.
        threads: Threads of each cell; by default the cores divided among the jobs.
        cluster: Address of a Ray cluster; local starts one on this machine.
        data_dir: Folder with public data sets.
        out: Folder for the cells; by default runs/search-, the data's name and the seed.
        report: Whether to write an HTML page, in report/ below it.
    """
    with user_errors():
        require("search", "optuna")
        from keras_amp.experiments.search.budget import TooShortError
        from keras_amp.experiments.search.run import SearchRun
        from keras_amp.experiments.search.space import POLICIES
        from keras_amp.experiments.search.texts import Texts

        recipe = RECIPES[backbone]
        given = {
            "data": data,
            "data_dir": data_dir,
            "epochs": epochs,
            "patience": patience,
            "batch_size": batch_size,
            "sequence_length": sequence_length,
            "vectors": vectors,
            "train_fraction": train_fraction,
        }
        given = {name: value for name, value in given.items() if value is not None}
        if preset is not None:
            if backbone != "bert":
                raise ValueError(
                    f"Expected --preset with --backbone bert. Received: {backbone}"
                )
            given["backbone_arguments"] = Bert(preset=preset)
        settings = recipe.settings_on(type(recipe.settings)(**given))
        problem = Texts(settings, mix or ("word", "sentence"), policy or tuple(POLICIES))
        prepared = SearchRun(
            problem,
            out or Path("runs") / f"search-{Path(data).stem}-{seed}",
            budget,
            trials,
            seed,
            seeds,
            margin,
            narrow=not (mix or policy),
            jobs=jobs,
            threads=threads,
            cluster=cluster,
            data_dir=data_dir,
            begun=process.STARTED,
        )
        if cluster is None:
            with prepared.display.busy("Reading data"):
                try_cells(problem.first_cells(seed), data_dir)
    try:
        found = prepared.run()
    except TooShortError as error:  # which takes the first cells to be seen
        say_error(error)
        sys.exit(2)
    if report:
        from keras_amp.experiments.pages.search_page import write_search

        page = write_search(found, prepared.out / "report")
        prepared.display.say(f"Report: {page}")
    if any(not row.seeds for row in found.rows):
        sys.exit(1)
