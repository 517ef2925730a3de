"""The tables of a comparison: means, differences and settings; the verdicts in words."""

from itertools import count

from keras_amp.analysis.permutation import least_p
from keras_amp.analysis.significance import LEVEL
from keras_amp.analysis.verdicts import BETTER, EQUAL, UNDECIDED, WORSE
from keras_amp.experiments.cells import WITHOUT_EFFECT
from keras_amp.experiments.pages.difference_columns import (
    DIFFERENCE,
    SCORE_NAMES,
    SCORES_NOTE,
    WIDE,
    compared_scores,
    difference_texts,
    score_texts,
)
from keras_amp.experiments.pages.primary_tables import TEST, WIDE_NOTE
from keras_amp.experiments.summary.backends import backends_note
from keras_amp.experiments.summary.frames import against_baselines, flat
from keras_amp.experiments.summary.means import row_of
from keras_amp.experiments.summary.methods import (
    CAPTION,
    HEADER,
    cells,
    explanation,
)
from keras_amp.experiments.summary.table import Table
from keras_amp.experiments.summary.texts import (
    DASH,
    interval,
    number,
    p_value,
    value_text,
    with_interval,
)
from keras_amp.experiments.summary.trials import WITHIN

IMPROVEMENTS = (
    "`over mixup` and `over none` are relative improvements of the test error: by how "
    "many percent it is lower than that of mixup at the same place, and of no mixing. "
    "Below zero, it is higher."
)
VERDICTS = (
    "A verdict is given on the comparisons with no mixing (where everything mixes, with "
    "mixup), corrected for their number; of the others the difference and its interval "
    "are shown. The folds of a seed are averaged. "
)
NO_MARGIN = " Without a margin (`--margin`) no errors are called equal."
WORDS = {
    BETTER: "fewer errors",
    WORSE: "more errors",
    EQUAL: "equally many errors",
    UNDECIDED: "undecided",
}
# What the tables of settings leave out.
NOT_SHOWN = {*WITHIN, *WITHOUT_EFFECT, "command", "class_names", "data", "mix", "policy"}
NOT_SHOWN |= {"policy_arguments.unlabeled"}  # the setting of the training says it


def improvements_table(groups, compared):
    """Return the means of every quantity, with the relative improvements, a row a group.

    Args:
        groups: List of ``Group``s.
        compared: Their ``Difference``s.
    """
    rows = [row_of(g.label, [trial.result for trial in g.trials]) for g in groups]
    frame = Table.of(CAPTION, HEADER, map(cells, rows)).frame
    improvements = [against_baselines(group, compared) for group in groups]
    for place, family in enumerate(("mixup", "none"), HEADER.index("test error %") + 1):
        texts = [_improvement(found[family]) for found in improvements]
        frame.insert(place, f"over {family} %", texts)
    about = explanation(group.method for group in groups)
    note = f"{about} {IMPROVEMENTS}{backends_note(groups)}"
    return Table(CAPTION, frame, note=note)


def differences_table(compared):
    """Return the comparisons of the test errors.

    Args:
        compared: List of ``Difference``s.
    """
    wide = any(d.compared.wide is not None for d in compared)
    scores = compared_scores(compared)
    headings = ("method", "against", "verdict", "test error %", "against %")
    headings += (*DIFFERENCE, *([WIDE] if wide else []), "improvement %", "p")
    headings += tuple(SCORE_NAMES[name] for name in scores)
    rows = [
        (
            d.group.label,
            d.other.label,
            DASH if d.verdict is None else counted_verdict(d),
            *difference_texts(d),
            *([interval(d.compared.wide)] if wide else []),
            _improvement(d),
            p_value(d.verdict and d.verdict.p),
            *score_texts(d, scores),
        )
        for d in compared
    ]
    margins = {d.margin for d in compared if d.verdict is not None}
    note = VERDICTS + TEST + (WIDE_NOTE if wide else "")
    note += (
        NO_MARGIN if margins <= {None} else f" The margin is {margins.pop():g} points."
    )
    caption = "Test errors of the common seeds, in percent and percentage points"
    return Table.of(
        caption,
        headings,
        rows,
        words=("against", "verdict"),
        note=note + SCORES_NOTE,
        empty="Nothing is compared: there is no other method with the same settings.",
    )


def counted_verdict(difference):
    """Return what is said of a ``Difference``, with the number of seeds.

    It is the verdict, or the difference with its interval where none is given.
    """
    seeds = difference.seeds
    counted = {0: "no common seed", 1: "1 seed"}.get(seeds, f"{seeds} seeds")
    if difference.verdict is not None:
        return f"{difference.verdict} ({counted})"
    apart = with_interval(difference.difference, difference.compared.interval)
    return f"{apart} points ({counted})"


def verdict_sentences(compared):
    """Return the verdicts as sentences, a list.

    Args:
        compared: List of ``Difference``s, those judged with their verdicts.
    """
    judged = [each for each in compared if each.verdict is not None]
    sentences = [_sentence(each) for each in judged]
    seeds = max((each.seeds for each in judged), default=0)
    if judged and least_p(seeds) * len(judged) >= LEVEL:
        least = next(n for n in count(1) if least_p(n) * len(judged) < LEVEL)
        several = f" and {len(judged)} comparisons" if len(judged) > 1 else ""
        sentences.append(
            f"With {_counted_seeds(seeds)}{several} nothing can be shown, whatever the "
            f"errors; that takes {least}."
        )
    return sentences


def _sentence(difference):
    """The verdict on a comparison in words, with the difference and its interval."""
    other = "no mixing" if difference.other.mix == "none" else difference.other.label
    apart = with_interval(difference.difference, difference.compared.interval)
    found = difference.verdict
    word = WORDS[found.word] + (", by less than the margin" if found.small else "")
    needed = f" About {found.needed:,} seeds would decide." if found.needed else ""
    seeds = _counted_seeds(difference.seeds)
    return (
        f"{difference.group.label} against {other}: {word}, {apart} percentage points "
        f"over {seeds}.{needed}"
    )


def _counted_seeds(number):
    return "1 seed" if number == 1 else f"{number} seeds"


def settings_tables(groups):
    """Return the settings that differ between groups, and those that do not.

    Args:
        groups: List of ``Group``s.

    Returns:
        A tuple ``(differing, shared)`` of ``Table``s: a row a group, and a row a setting.
        What differs only between the seeds of a group is shared, as a range.
    """
    values = [_values(group) for group in groups]
    names = dict.fromkeys(name for of_group in values for name in of_group)
    differing = [n for n in names if len({v[n] for v in values if n in v}) > 1]
    with_folds = any(group.folds for group in groups)
    rows = [
        (
            group.label,
            _range(group.seeds),
            *([_range(group.folds)] if with_folds else []),
            *(of_group.get(name, DASH) for name in differing),
        )
        for group, of_group in zip(groups, values, strict=True)
    ]
    own_names = [name.split(".", 1)[-1] for name in differing]
    headings = ("method", "seeds", *(["folds"] if with_folds else []), *own_names)
    shared = [
        (name, next(v[name] for v in values if name in v))
        for name in names
        if name not in differing
    ]
    return (
        Table.of("What the runs differ by", headings, rows, words=headings[1:]),
        Table.of(
            "Settings with one value in all runs that have them",
            ("setting", "value"),
            shared,
            words=("value",),
        ),
    )


def _improvement(difference):
    return DASH if difference is None else number(difference.improvement, 1, signed=True)


def _values(group):
    """A group's settings as texts, a range where its runs differ."""
    found = {}
    for trial in group.trials:
        for name, value in flat(trial.config).items():
            if name not in NOT_SHOWN:
                found.setdefault(name, []).append(value)
    return {name: _range(values) for name, values in found.items()}


def _range(values):
    """Values as a text: themselves if they are few, else the least and the greatest."""
    different = list({repr(value): value for value in values}.values())
    numbers = [v for v in different if isinstance(v, int | float)]
    if len(different) > 3 and len(numbers) == len(different):
        return f"{value_text(min(numbers))} to {value_text(max(numbers))}"
    return ", ".join(map(value_text, different)) or DASH
