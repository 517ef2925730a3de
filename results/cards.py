"""The tables of the method cards in docs/methods/, which ``results.tables`` writes there.

A card shows what its methods came to in all studies here, against no mixing and against
mixup at the same place: a row a study and method. A card without a study has no table,
and says that nothing was measured yet.
"""

from keras_amp.experiments.summary.differences import compare
from keras_amp.experiments.summary.groups import group_trials
from keras_amp.experiments.summary.table import Table
from keras_amp.experiments.summary.texts import interval, number
from keras_amp.experiments.summary.trials import trials_of_grid

# The cards that policies belong to. The authors' program has a page of its own.
CARDS = {
    "mixup": "mixup",
    "maxop": "adversarial_mixing",
    "amp": "adversarial_mixing",
    "adversarial": "adversarial_training",
    "vat": "vat",
    "random": "random_step",
    "regmixup": "regmixup",
    "rdrop": "rdrop",
    "cutmix": "cutmix",
}
CHOOSING = "_search"  # ends the names of studies whose test errors are no results
BASELINES = {
    "none": "Against no mixing:",
    "mixup": "Against mixup at the same place:",
}
HEADINGS = (
    "method",
    "study",
    "difference in error",
    "95% intervals",
    "below, around, above 0",
    "difference in ECE",
    "comparisons",
)
NOTE = (
    "Differences are in percentage points; below zero is better. Of several comparisons "
    "(vectors, shares of the labels, settings) the least and the greatest difference are "
    "shown, and the outermost bounds of the intervals over seeds, then how many "
    "intervals lie below zero, hold it and lie above it. ECE: the expected calibration "
    "error. Word and Sent say where a method mixes: at the words, or at the sentence. "
    "Nothing is corrected for the number of comparisons."
)


def parts(found):
    """Return what the cards show, a dict from ``"card NAME"`` to Markdown.

    Args:
        found: List of tuples of a ``Grid`` and its records. A comparison that several
            have is the first one's; one whose seeds are not all finished is left out.
    """
    cards, seen = {}, set()
    for grid, records in found:
        if grid.name.endswith(CHOOSING):
            continue
        for compared in compare(group_trials(trials_of_grid(grid, records))):
            card, cells = _card_of(compared.group), _cells_of(compared)
            if card is None or cells in seen or not _is_complete(compared):
                continue
            seen.add(cells)
            rows = cards.setdefault(card, {}).setdefault(compared.family, {})
            rows.setdefault(_names_of(grid, compared.group), []).append(compared)
    return {f"card {card}": _text(tables) for card, tables in cards.items()}


def _card_of(group):
    """The card of a group's method; None where it has none."""
    if group.values.get("partners", "any") == "near":
        return "c_mixup"
    return CARDS.get(group.policy)


def _names_of(grid, group):
    """The method's name, with what makes it another method, and the study's."""
    method, study = group.method, grid.title.partition(":")[0]
    if group.values.get("step_per") == "dimension" and "dimension" not in method:
        method += ", λ for each dimension"
    if "preset" in group.values:  # of an encoder; titles name the others
        study += f", {group.values['preset']}"
    return method, study


def _cells_of(compared):
    """What tells whether two studies have the same comparison: its cells' keys."""
    sides = (compared.group, compared.other)
    return tuple(frozenset(trial.key for trial in side.finished) for side in sides)


def _is_complete(compared):
    """Whether all seeds of both sides are finished."""
    sides = (compared.group, compared.other)
    return all(len(side.complete) == len(side.seeds) for side in sides)


def _text(tables):
    """The tables of a card in Markdown, and what they mean."""
    texts = []
    for family, heading in BASELINES.items():
        if family in tables:
            rows = [_row(*name, found) for name, found in tables[family].items()]
            table = Table.of(heading, HEADINGS, rows, words=("study",))
            texts += [heading, table.as_markdown()]
    return "\n\n".join([*texts, NOTE])


def _row(method, study, found):
    """What a method came to in a study, a tuple of texts."""
    bounds = [each.compared.interval or (each.difference,) * 2 for each in found]
    below = sum(high < 0 for _, high in bounds)
    above = sum(low > 0 for low, _ in bounds)
    outermost = (min(low for low, _ in bounds), max(high for _, high in bounds))
    return (
        method,
        study,
        _extent([each.difference for each in found]),
        interval(outermost),
        f"{below}, {len(found) - below - above}, {above}",
        _extent([each.scores["ece"].difference for each in found]),
        str(len(found)),
    )


def _extent(values):
    """The least and the greatest of some numbers, or the only one, as a text."""
    texts = [number(value, signed=True) for value in (min(values), max(values))]
    return texts[0] if texts[0] == texts[1] else interval((min(values), max(values)))
