"""``keras_amp.search``: what helps on the user's own Keras model.

It imports ``keras_amp.experiments`` only when it is called, as that needs an extra.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_amp.runtime.extras import require


def search(
    build_classifier: Callable[..., Any],
    data: Any,
    *,
    budget: str | float | None = None,
    trials: int | None = None,
    policy: str | Sequence[str] | None = None,
    mix_at: Any = None,
    space: Mapping[str, Any] | None = None,
    loss: Any = None,
    epochs: int = 20,
    batch_size: int = 32,
    patience: int | None = None,
    seed: int = 0,
    seeds: int | None = None,
    margin: float = 0.5,
    out: str | Path | None = None,
    report: bool = True,
    console: Any = None,
) -> Any:
    """Finds out what helps a Keras classifier on the user's data: a policy, or none.

    No mixing and each policy at each place have the same number of trials, whose settings
    Optuna proposes; the mean development loss decides, and each method's best settings
    are tested, once, on fresh seeds. Every run is a file in a folder: the same call goes
    on where it was, and several processes may work on one folder. Needs the extra
    ``keras-amp[search]``. Keras' session is cleared before each run
    (``keras.utils.clear_session``), so that the names of layers are those of the first.

    Args:
        build_classifier: Callable that returns a new ``keras.Model``, functional or a
            built ``Sequential``, of one output: class probabilities, or logits where the
            loss is told so. It is called with those of ``space`` that it takes. If it
            compiles the model, its optimizer and loss are used, and its ``run_eagerly``.
        data: ``(x, y)``, of which a fifth is set aside to test on; or three such pairs,
            to train, develop and test on; or a dict of them, ``"train"`` and, where there
            are such, ``"dev"`` and ``"test"``. ``x`` is an array ``(num_examples, ...)``
            or a structure of them, ``y`` integers ``(num_examples,)`` or one-hot.
        budget: How long it may take, such as ``"30m"``; or None, with ``trials``.
        trials: How many trials there are of all methods together.
        policy: Names of policies, as ``keras-amp search --policy`` takes them; None for
            all but ablations and controls.
        mix_at: A layer's name, or a list of names and tuples (see ``MixupAMPModel``),
            each a place where the policies are tried; None for the embeddings, or else
            the inputs, and the input of the last layer with weights.
        space: Dict from arguments of ``build_classifier`` to what is tried: a tuple
            ``(low, high)`` or ``(low, high, "log")`` is a range, a list holds the values.
            ``"learning_rate"`` may be among them in any case. None tries that, and
            ``"dropout"`` where it is an argument.
        loss: A Keras loss or its name; None for that of the compiled model.
        epochs: Integer, passes over the training data.
        batch_size: Integer, examples a step.
        patience: Integer, epochs without a better development result after which a
            training stops; None for never.
        seed: Integer >= 0, which decides what is proposed and which seeds are trained.
        seeds: Integer, the fresh seeds of the confirmation; None for what the budget
            holds, or 10.
        margin: Float, percentage points within which two errors count as equal.
        out: Folder for the runs; None for one below ``runs/`` by the function's name.
        report: Whether to write an HTML page below it.
        console: A ``rich.console.Console``; None for standard output.

    Returns:
        What was found: ``recommendation``, ``method``, ``values``, ``program`` (the lines
        to paste), ``table``, ``spent`` and ``out``. A notebook shows the table.

    Raises:
        ImportError: If Optuna is not installed; the message names the extra.
        ValueError: If an argument lies outside its range, the budget is too short, or
            the folder holds another search.

    Example:
    >>> def build_classifier(units, dropout=0.2):
    ...     return keras.Sequential([
    ...         keras.Input((5,), name="numbers"),
    ...         keras.layers.Dense(units, "relu", name="hidden"),
    ...         keras.layers.Dropout(dropout),
    ...         keras.layers.Dense(2, "softmax"),
    ...     ])
    >>> data = np.random.normal(size=(200, 5)), np.arange(200) % 2
    >>> space = {"units": [8, 32], "dropout": (0.0, 0.5)}
    >>> loss = "sparse_categorical_crossentropy"
    >>> found = keras_amp.search(
    ...     build_classifier, data, budget="10m", space=space, loss=loss
    ... )  # doctest: +SKIP
    >>> print(found.recommendation, found.program)  # doctest: +SKIP
    """
    require("search", "optuna", "pydantic")
    from keras_amp.experiments.search.own_model import OwnModel
    from keras_amp.experiments.search.run import SearchRun

    problem = OwnModel(
        build_classifier,
        data,
        policy=policy,
        mix_at=mix_at,
        space=space,
        loss=loss,
        epochs=epochs,
        batch_size=batch_size,
        patience=patience,
    )
    if out is None:
        name = getattr(build_classifier, "__name__", "classifier").strip("<>")
        out = Path("runs") / f"search-{name}-{seed}"
    run = SearchRun(
        problem,
        out,
        budget,
        trials,
        seed,
        seeds,
        margin,
        narrow=policy is None and mix_at is None,
        jobs=1,
        console=console,
    )
    found = run.run()
    if report:
        from keras_amp.experiments.pages.search_page import write_search

        run.display.say(f"Report: {write_search(found, Path(out) / 'report')}")
    return found
