"""The tables of primary comparisons, and of differences over several data sets."""

from keras_amp.analysis.pooling import pooled
from keras_amp.analysis.significance import LEVEL, pair
from keras_amp.analysis.verdicts import POWER
from keras_amp.experiments.pages.difference_columns import (
    DIFFERENCE,
    SCORE_NAMES,
    WIDE,
    compared_scores,
    difference_texts,
    score_texts,
)
from keras_amp.experiments.summary.differences import over_data_sets
from keras_amp.experiments.summary.table import Table
from keras_amp.experiments.summary.texts import interval, number, p_value

NOT_NAMED = "No primary comparison was named beforehand, so no verdict is given."
TEST = (
    "The test is the paired sign-flip permutation test over seeds, exact up to 20 of "
    "them; its p-values are adjusted by Holm's method. Better and worse: p < "
    f"{LEVEL}. Equal: two one-sided tests show that the errors differ by less than the "
    "margin. Undecided: neither; the number of seeds that would decide is that of "
    f"t-tests with a power of {POWER}, if the differences go on as they are. The "
    "intervals are 95% t-intervals over seeds, not adjusted."
)
POOLED = (
    "Each data set counts the same; the intervals say what other seeds would show on the "
    "same data sets. The mean has its t-interval. Middle half: the interquartile mean of "
    "all differences; P(better): the probability that a run of the method has the lower "
    "error on a data set (Agarwal et al., 2021), both with a bootstrap's interval, which "
    "few seeds make too narrow."
)
WIDE_NOTE = (
    " The second interval, of NLL and ECE that behind the semicolon, is over seeds and "
    "test texts."
)
LATE = "{} of its {} cells were run before it was named so."
WAITING = "waits for its seeds"


def primary_table(comparisons):
    """Return the comparisons that a study named, a row each, with their verdicts.

    Args:
        comparisons: List of ``PrimaryComparison``s of a study, judged.
    """
    found = [each.difference for each in comparisons]
    wide = any(d.compared.wide is not None for d in found)
    scores = compared_scores(found)
    headings = ("method", "against", "verdict", "seeds", "error %", "against %")
    headings += (*DIFFERENCE, *([WIDE] if wide else []), "margin", "p", "p (equal)")
    headings += tuple(SCORE_NAMES[name] for name in scores)
    rows = [
        (
            d.group.label,
            d.other.label,
            WAITING if d.verdict is None else str(d.verdict),
            str(d.seeds),
            *difference_texts(d),
            *([interval(d.compared.wide)] if wide else []),
            number(d.margin),
            p_value(d.verdict and d.verdict.p),
            p_value(d.verdict and d.verdict.p_equal),
            *score_texts(d, scores),
        )
        for d in found
    ]
    late = [
        f"{each.difference.group.label} against {each.difference.other.label}: "
        + LATE.format(each.late, each.cells)
        for each in comparisons
        if each.late
    ]
    family = comparisons[0].family if comparisons else 0
    corrected = f" They are corrected for {family} primary comparisons in all."
    return Table.of(
        "What was named beforehand: test errors in percent, differences in percentage "
        "points",
        headings,
        rows,
        words=("against", "verdict"),
        note=" ".join(
            [
                TEST + (corrected if family > 1 else "") + (WIDE_NOTE if wide else ""),
                *late,
            ]
        ),
        empty=NOT_NAMED,
    )


def pooled_table(arrangement, compared):
    """Return the differences over all data sets, a row for each kind of comparison.

    Args:
        arrangement: ``Arrangement`` of the groups.
        compared: List of ``Difference``s of one reading.
    """
    kinds, names = {}, [n for n in arrangement.label_dimensions if n != "data"]
    for d in compared:
        if d.seeds:
            kind = d.family, d.group.at(names), d.other.at(names)
            kinds.setdefault(kind, {})[d.group.at(["data"])] = d
    several = [list(found.values()) for found in kinds.values() if len(found) > 1]
    scores = compared_scores([d for found in several for d in found])
    headings = (*names, "against", "data sets", *DIFFERENCE)
    headings += ("middle half", "95% of it", "P(better)", "95% of P")
    headings += tuple(SCORE_NAMES[name] for name in scores)
    rows = []
    for found in several:
        over = pooled([pair(d.group.of(d.reading), d.other.of(d.reading)) for d in found])
        rows.append(
            (
                *found[0].group.shown(names),
                found[0].other.method,
                str(over.sets),
                number(over.difference, signed=True),
                interval(over.interval),
                number(over.middle, signed=True),
                interval(over.middle_interval),
                number(over.improvement),
                _share(over.improvement_interval),
                *score_texts(over_data_sets(found), scores),
            )
        )
    return Table.of(
        "Over all data sets: differences of the test errors in percentage points",
        headings,
        rows,
        words=(*names[1:], "against"),
        note=POOLED,
        empty="Nothing is compared on several data sets.",
    )


def _share(bounds):
    return interval(bounds).replace("+", "")
