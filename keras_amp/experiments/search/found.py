"""What a search has found: its table, its recommendation, and what it took."""

import itertools
from pathlib import Path

from keras_amp.experiments.search.budget import time_text
from keras_amp.experiments.search.confirm import compared
from keras_amp.experiments.search.recommendation import RULE, recommended, sentence
from keras_amp.experiments.search.trials import COMPLETE, FAILED, PRUNED
from keras_amp.experiments.summary.table import Table
from keras_amp.experiments.summary.texts import DASH, interval, number, spread_text
from keras_amp.experiments.summary.texts import value_text as shown
from keras_amp.runtime.files import whole_file

PROGRAM, TABLE = "recommended.py", "search.md"
CAPTION = "Test results of each method's best settings, on fresh seeds"
HEADINGS = (
    "method",
    "seeds",
    "test error %",
    "NLL",
    "ECE %",
    "seconds",
    "against no mixing",
    "95% interval",
    "with other examples",
    "verdict",
    "seeds to decide",
)
NARROW = ("method", "test error %", "NLL", "against no mixing", "verdict")
WIDE = 125  # columns of a terminal that holds the whole table
NOTE = (
    "Means ± standard deviations over the fresh seeds, each tested once, at the epoch "
    "that the development set chose. NLL: negative log-likelihood; ECE: expected "
    "calibration error in 15 bins; against no mixing: the difference of the test errors "
    "in percentage points, with the paired t-test's interval over the seeds, and that "
    "over other seeds and other test examples. Errors within {margin:g} "
    "points count as equal. {rule}"
)


class Found:
    """What a search has found.

    Attributes:
        methods: List of ``Method``s that were tried.
        trials: ``Trials``, what was tried of them.
        rows: List of ``Row``s, the methods as they were confirmed, no mixing first.
        method: Name of the recommended method; ``"none"`` for no mixing.
        values: Dict, the values by which it was best.
        recommendation: String, what is recommended, and why.
        program: String, the lines of Python that train it.
        table: ``Table`` of the methods.
        settings: ``Table`` of the values by which each method was best.
        spent: String, what the search took.
        out: Path of its folder.
        title: What was searched.
        notices: List of sentences about the data.
    """

    def __init__(self, run):
        self.methods, self.trials = list(run.problem.methods), run.trials
        self.out, self.title = run.out, run.problem.title
        self.notices, self.space = list(run.problem.notices), run.problem.space
        self.rows = compared(run.confirmation, run.margin)
        chosen = recommended(self.rows)
        self.method, self.values = chosen.method.name, dict(chosen.outcome.trial.values)
        self.recommendation = sentence(self.rows)
        self.program = run.problem.program(chosen.method, self.values, run.seed)
        self.table = _table(self.rows, run.margin)
        self.settings = _settings(self.rows)
        self.spent = self._spent(run)
        self._write()

    def __repr__(self):
        return f"Found(method={self.method!r}, values={self.values!r})"

    def _repr_html_(self):
        return self.table.frame.to_html(index=False)

    @property
    def outcomes(self):
        """Dict from names of methods to lists of all ``Outcome``s."""
        return {m.name: self.trials.outcomes(m) for m in self.methods}

    def show(self, console):
        """Prints the table, the recommendation and the lines.

        Args:
            console: ``rich.console.Console``.
        """

        def say(text=""):
            console.print(text, highlight=False, markup=False, soft_wrap=True)

        note = f"{self.table.caption}. {self.table.note}"
        shown = self.table.headings if console.width >= WIDE else NARROW
        console.print(self.table.as_rich(shown, caption=note))
        for text in ("", self.recommendation, "", *self.program.splitlines(), ""):
            say(text)
        say(f"These lines: {self.out / PROGRAM}")
        say(self.spent)

    def _spent(self, run):
        every = [outcome for found in self.outcomes.values() for outcome in found]
        states = [outcome.state for outcome in every]
        searching = sum(outcome.seconds for outcome in every)
        each = len(every) // len(self.methods)
        failed = states.count(FAILED)
        return (
            f"Spent: {len(every)} trials ({each} of each of {len(self.methods)} methods; "
            f"{states.count(COMPLETE)} complete, {states.count(PRUNED)} pruned"
            + (f", {failed} failed" if failed else "")
            + f"), {time_text(searching)} of training; confirmation on "
            f"{run.confirmation.seeds} seeds, {time_text(run.confirmation.seconds)} of "
            f"training; {time_text(run.elapsed)} in all"
            + (f" of {time_text(run.budget)}" if run.budget else "")
        )

    def _write(self):
        out = Path(self.out)
        with whole_file(out / PROGRAM) as file:
            file.write(f"{self.program}\n")
        with whole_file(out / TABLE) as file:
            file.write(f"{self._markdown()}\n")

    def _markdown(self):
        parts = [f"# {self.title}", self.recommendation, _markdown(self.table)]
        parts += [f"{self.table.caption}. {self.table.note}", _markdown(self.settings)]
        return "\n\n".join([*parts, f"```python\n{self.program}\n```", self.spent])


def _table(rows, margin):
    texts = []
    for row in rows:
        spreads = row.spreads
        texts.append(
            [
                row.method.name,
                str(row.seeds),
                spread_text(*spreads["test_error"]),
                spread_text(*spreads["nll"], 3),
                spread_text(*spreads["ece"]),
                spread_text(*spreads["seconds"], 1),
                number(row.difference, signed=True),
                interval(row.interval),
                interval(row.wide),
                *_verdict_texts(row.verdict),
            ]
        )
    note = NOTE.format(margin=margin, rule=RULE)
    return Table.of(CAPTION, HEADINGS, texts, words=("verdict",), note=note)


def _verdict_texts(verdict):
    if verdict is None:
        return DASH, DASH
    word = f"{verdict.word}, by less than the margin" if verdict.small else verdict.word
    return word, DASH if verdict.needed is None else f"{verdict.needed:,}"


def _settings(rows):
    """The values of each method's best trial, and what it came to."""
    names = dict.fromkeys(
        itertools.chain.from_iterable(row.outcome.trial.values for row in rows)
    )
    texts = [
        [
            row.method.name,
            str(row.outcome.trial.number),
            number(row.outcome.loss, 4),
            *(_value(row.outcome.trial.values, name) for name in names),
        ]
        for row in rows
    ]
    headings = ("method", "trial", "development loss", *names)
    return Table.of("Each method's best settings, which were confirmed", headings, texts)


def _value(values, name):
    return shown(values[name]) if name in values else DASH


def _markdown(table):
    lines = [table.headings, ["---"] * len(table.headings), *table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
