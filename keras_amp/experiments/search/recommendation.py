"""What follows from a search: a sentence, and lines of Python."""

import math
from dataclasses import fields

from keras_amp.analysis.verdicts import BETTER, UNDECIDED
from keras_amp.experiments.search.budget import least_seeds
from keras_amp.experiments.settings import Settings

WHAT_IS_KEPT = ("save_classifier", "save_curve", "test_perturbed")
RULE = (
    "A method is recommended if it is shown to be better than no mixing, by the exact "
    "sign-flip test over the fresh seeds and Holm's method over all comparisons; of "
    "several, the one with the least mean error."
)


def recommended(rows):
    """Returns the row of the method that is recommended: no mixing, if none is better.

    Args:
        rows: List of ``Row``s, no mixing first.
    """
    baseline, *others = rows
    better = [row for row in others if row.verdict.word == BETTER]
    return min(better, key=lambda row: row.spreads["test_error"][0], default=baseline)


def sentence(rows):
    """Returns the recommendation in words.

    Args:
        rows: List of ``Row``s, no mixing first.
    """
    chosen, baseline = recommended(rows), rows[0]
    if chosen is not baseline:
        small = ", which is less than the margin" if chosen.verdict.small else ""
        return (
            f"Recommended: {chosen.method.name}. Its test error is "
            f"{-chosen.difference:.2f} percentage points lower than without "
            f"mixing{small}."
        )
    others = rows[1:]
    undecided = [row for row in others if row.verdict.word == UNDECIDED]
    if not undecided:
        known = [f"{row.method.name} is {row.verdict.word}" for row in others]
        return f"Recommended: no mixing. {', '.join(known)}."
    best = min(undecided, key=_difference)
    return (
        f"Undecided, so: no mixing. No method is shown to be better; of those that are "
        f"not decided {best.method.name} has the least error, {_difference(best):+.2f} "
        f"percentage points against no mixing. {_what_would_decide(best, len(rows))}"
    )


def _difference(row):
    return math.inf if row.difference is None else row.difference


def _what_would_decide(row, methods):
    """What is known of the seeds that would decide about a method."""
    least = least_seeds(methods)
    few = (
        f"With {row.verdict.seeds} seeds and {methods - 1} comparisons nothing can be "
        f"shown, whatever the errors; that takes {least}. "
        if row.verdict.seeds < least
        else ""
    )
    if row.verdict.needed is None:
        return few.strip()
    return f"{few}About {row.verdict.needed:,} seeds would decide, if that is the case."


def program_of_texts(settings, method, policy, seed):
    """Returns the program that trains a method on a data set of texts.

    Args:
        settings: ``Settings``.
        method: ``Method``.
        policy: Its policy, or None.
        seed: Integer.

    Returns:
        A string: the lines that read the data and build the classifier, and those of
        the method.
    """
    return "\n".join(
        [
            "import keras",
            "import keras_amp",
            "from keras_amp.experiments import Settings, build_classifier, prepare",
            "",
            f"settings = {_settings(settings)}",
            "dataset = keras_amp.data.load(settings.data, settings.data_dir)",
            f"examples = prepare(dataset, settings, seed={seed})",
            f"classifier = build_classifier(settings, examples, seed={seed})",
            "",
            *lines_of_method(
                policy,
                f'keras_amp.backbones.mix_point(classifier, "{method.mix}")',
                f"keras.optimizers.Adam({settings.learning_rate!r})",
                '"sparse_categorical_crossentropy"',
            ),
            "model.fit(",
            "    *examples.train,",
            f"    batch_size={settings.batch_size},",
            f"    epochs={settings.epochs},",
            "    validation_data=examples.dev,",
            ")",
        ]
    )


def lines_of_method(policy, mix_at, optimizer, loss):
    """Returns the lines that make a method's model of ``classifier``, and compile it.

    Args:
        policy: A policy, or None.
        mix_at: The expression of where it mixes.
        optimizer: The expression of the optimizer.
        loss: The expression of the loss.

    Example:
    >>> from keras_amp.experiments.search.recommendation import lines_of_method
    >>> lines_of_method(None, "", "optimizer", "loss")[0]
    'model = classifier  # no mixing'
    """
    made = ["model = classifier  # no mixing"]
    if policy is not None:
        made = [
            f"policy = keras_amp.{policy_text(policy)}",
            "model = keras_amp.MixupAMPModel(",
            "    classifier,",
            f"    mix_at={mix_at},",
            "    policy=policy,",
            ")",
        ]
    compiled = [f"    {part}," for part in (optimizer, loss, 'metrics=["accuracy"]')]
    return [*made, "model.compile(", *compiled, ")"]


def policy_text(policy):
    """Returns the expression of a policy, without what is as it is by default.

    Example:
    >>> from keras_amp.experiments.search.recommendation import policy_text
    >>> policy_text(keras_amp.Mixup(alpha=0.3))
    'Mixup(alpha=0.3)'
    """
    usual = type(policy)().get_config()
    known = policy.get_config()
    given = [f"{n}={v!r}" for n, v in known.items() if n not in usual or v != usual[n]]
    module = "" if type(policy).__name__ != "AuthorsProgram" else "paper."
    return f"{module}{type(policy).__name__}({', '.join(given)})"


def _settings(settings):
    """The expression of settings, a line each, as far as they are not the defaults."""
    defaults = Settings(backbone=settings.backbone)
    usual = defaults.all_backbone_arguments()
    arguments = {
        name: value
        for name, value in settings.all_backbone_arguments().items()
        if value != usual[name]
    }
    given = {
        field.name: getattr(settings, field.name)
        for field in fields(Settings)
        if getattr(settings, field.name) != getattr(defaults, field.name)
        and field.name not in ("data", "backbone_arguments", *WHAT_IS_KEPT)
    }
    given = {"data": settings.data, **given}
    if arguments:
        given["backbone_arguments"] = arguments
    if "data_dir" in given:
        given["data_dir"] = str(given["data_dir"])
    lines = [f"    {name}={value!r}," for name, value in given.items()]
    return "\n".join(["Settings(", *lines, ")"])
