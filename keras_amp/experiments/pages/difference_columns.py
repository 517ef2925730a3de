"""The columns by which all tables show a difference."""

from keras_amp.experiments.summary.differences import SCORES
from keras_amp.experiments.summary.texts import interval, number, with_interval

DIFFERENCE = ("difference", "95% interval")
WIDE = "95%, texts too"
SCORE_NAMES = {
    "nll": "NLL",
    "ece": "ECE %",
    "scaled_nll": "NLL, scaled",
    "scaled_ece": "ECE %, scaled",
}
SCORES_NOTE = (
    " NLL and ECE: the differences of the negative log-likelihood and of the calibration "
    "error, with their intervals over seeds; scaled: at the temperature that fits the "
    "development set best."
)
DIGITS = {"nll": 3, "scaled_nll": 3}  # others: 2


def difference_texts(found):
    """Return both errors of a ``Difference``, and what it comes to with its interval."""
    return (
        number(found.error),
        number(found.other_error),
        number(found.difference, signed=True),
        interval(found.compared.interval),
    )


def compared_scores(compared):
    """Return the names of the scores that any of the ``Difference``s has, a list."""
    return [n for n in SCORES if any(d.scores[n].seeds for d in compared)]


def score_texts(found, names):
    """Return the differences of scores with their intervals, a list.

    Where there are two, that over seeds and texts stands second.
    """
    return [_score_text(found.scores[name], DIGITS.get(name, 2)) for name in names]


def _score_text(compared, digits):
    text = with_interval(compared.difference, compared.interval, digits)
    if compared.wide is None or compared.interval is None:
        return text
    return f"{text[:-1]}; {interval(compared.wide, digits)})"
