"""The method cards say what the code does, the search tries and the studies found."""

import inspect
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from keras import ops
from pages import commands_of

import keras_amp
from keras_amp.policies.passes import Draw, Pass, Point

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "methods"
INDEX = (PAGES / "index.md").read_text()
CARDS = {path.stem: path.read_text() for path in sorted(PAGES.glob("*.md"))}
del CARDS["index"]
# The policies of the index, and the search's names of those of the cards.
POLICIES = {
    "mixup": keras_amp.Mixup(),
    "adversarial_mixing": keras_amp.AdversarialMixing(),
    "maxop": keras_amp.AdversarialMixing(min_op=False),
    "adversarial_training": keras_amp.AdversarialTraining(),
    "vat": keras_amp.AdversarialTraining(against="predictions"),
    "random_step": keras_amp.AdversarialTraining(direction="random"),
    "regmixup": keras_amp.RegMixup(),
    "rdrop": keras_amp.RDrop(),
    "cutmix": keras_amp.CutMix(),
    "c_mixup": keras_amp.Mixup(partners="near"),
}
SEARCHED = {
    "adversarial_mixing": "amp",
    "adversarial_training": "adversarial",
    "random_step": "random",
    "mixup": "mixup",
    "vat": "vat",
    "regmixup": "regmixup",
    "rdrop": "rdrop",
    "cutmix": "cutmix",
}
HEADINGS = (
    "How to use it",
    "What was measured",
    "Use it when, leave it when",
    "Settings to try",
    "How it works",
    "Source",
)


def rows_of(text, *headings):
    """The rows of the table whose headings begin so, each a list of texts."""
    cells = [line.split("|")[1:-1] for line in text.split("\n")]
    lines = [[cell.strip() for cell in line] for line in cells]
    wanted = [*headings]
    first = next(i for i, line in enumerate(lines) if line[: len(wanted)] == wanted)
    rows = lines[first + 2 :]
    return rows[: rows.index([])]


# === The form of the cards ===


@pytest.mark.parametrize("card", CARDS)
def test_cards_have_one_form(card):
    headings = re.findall(r"(?m)^## (.*)$", CARDS[card])
    assert [each for each in headings if each in HEADINGS] == [*HEADINGS]
    assert CARDS[card].split("\n")[2].startswith("**In a line.** ")
    assert "http" in CARDS[card].partition("\n## Source\n")[2]
    formula, pseudocode = re.findall(r"```text\n(.*?)```", CARDS[card], re.DOTALL)
    assert len(pseudocode.splitlines()) <= 12
    assert len(formula.splitlines()) <= 2


def test_the_index_names_every_card_and_no_other():
    for table in ("minimises", "texts"):
        linked = {row[0] for row in rows_of(INDEX, "method", table)}
        names = {re.search(r"\((\w+)\.md", each)[1] for each in linked}
        assert names == set(CARDS), table


@pytest.mark.parametrize("card", CARDS)
def test_what_a_program_prints_is_what_its_comment_says(card, capsys):
    program = re.search(r"```python\n(.*?)```", CARDS[card], re.DOTALL)[1]
    said = re.findall(r"(?m)^print\(.*\)  # (.*)$", program)
    exec(compile(program, f"{card}.md", "exec"), {})
    assert said
    assert capsys.readouterr().out.splitlines() == said


@pytest.mark.parametrize("card", SEARCHED)
def test_a_command_is_one_that_can_be_given(card):
    pytest.importorskip("cyclopts", reason='pip install "keras-amp[experiments]"')
    from keras_amp.cli import application

    commands = commands_of(PAGES / f"{card}.md")
    (command,) = (each for each in commands if each[0] == "train")
    _, bound, _ = application().parse_args(command)
    assert SEARCHED[card] in bound.arguments["policy"]


# === What the cards say of the code ===


class CountedPasses:
    """Counts the passes of a step, by whether they are trained on."""

    batch_size, seed_generator = 2, None

    def __init__(self):
        self.trained = self.others = 0

    def _pass(self, *_, **__):
        return Pass(np.ones((2, 3), "float32"), np.ones(2, "float32"))

    def train(self, at):
        self.trained += 1
        return self._pass()

    train_too = train

    def train_with_gradient(self, at, of="lam"):
        return self.train(at), self._gradient(of)

    def probe(self, at):
        self.others += 1
        return self._pass()

    def probe_with_gradient(self, at, of="lam", objective=None):
        return self.probe(at), self._gradient(of)

    def zeros(self, at):
        return np.zeros((2, 4), "float32")

    def _gradient(self, of):
        return np.ones(2 if of == "lam" else (2, 4), "float32")

    def noise(self, at):
        return self.zeros(at) + 1

    def counted(self, at):
        return [self.noise(at)]

    def joined(self, values):
        return values[0]

    def divergence(self, first, second):
        return np.ones(2, "float32")


@pytest.mark.parametrize("row", rows_of(INDEX, "method", "minimises"), ids=lambda r: r[0])
def test_the_index_counts_the_passes_of_a_step(row):
    name, _, trained, others, unlabeled = row
    policy = POLICIES[_policy_of(name)]
    passes, lam = CountedPasses(), ops.convert_to_tensor([0.25, 0.5])
    draw = Draw(lam, np.array([1, 0], "int32"))
    start = Point(draw, lam) if policy.needs.mixes else Point()
    policy.search(passes, start)
    assert (passes.trained, passes.others) == (int(trained), int(others))
    assert passes.others == policy.needs.probes
    assert policy.needs.learns_unlabeled == (unlabeled == "yes")


def _policy_of(name):
    label, page = re.search(r"\[(.*?)\]\((\w+)\.md", name).groups()
    return "maxop" if label == "MaxOp" else page


@pytest.mark.parametrize("card", SEARCHED)
def test_the_settings_to_try_are_those_of_the_search(card):
    pytest.importorskip("optuna", reason='pip install "keras-amp[search]"')
    from keras_amp.experiments.search.space import POLICIES as SPACE
    from keras_amp.experiments.search.space import Range

    said = {}
    for argument, flag, low, high, scale in rows_of(CARDS[card], "argument", "flag"):
        names = inspect.signature(type(POLICIES[card])).parameters
        assert argument.strip("`") in names
        if scale == "either":
            tried = (low.strip("`"), high.strip("`"))
        else:
            tried = Range(float(low), float(high), scale == "logarithmic")
        said[flag.strip("`-").replace("-", "_")] = tried
    assert said == dict(SPACE[SEARCHED[card]])
    assert f"--policy {SEARCHED[card]}`" in CARDS[card]


# === What the cards say of the studies ===


@pytest.fixture(scope="module")
def results():
    """The studies whose test errors are results, and the cards' tables of them."""
    pytest.importorskip("joblib", reason='pip install "keras-amp[experiments]"')
    from keras_amp.experiments import load_grid, read_records
    from results import cards, tables

    folders = (
        folder for folder in tables.studies() if not folder.match(f"*{cards.CHOOSING}")
    )
    found = [(load_grid(folder), read_records([folder])) for folder in folders]
    return SimpleNamespace(found=found, parts=cards.parts(found))


@pytest.mark.parametrize("card", CARDS)
def test_a_card_shows_its_studies_or_says_that_there_are_none(card, results):
    measured = CARDS[card].partition("## What was measured\n")[2].partition("\n## ")[0]
    part = results.parts.get(f"card {card}")
    if part is None:
        assert measured.strip().startswith("Not measured yet.")
        assert "results: " not in measured
    else:
        marked = f"<!-- results: card {card} -->\n\n{part}\n\n<!-- end -->\n"
        assert marked in measured
        assert "Not measured" not in measured


def test_a_row_is_what_the_cells_come_to(results):
    """Of one comparison, computed anew from the records."""
    errors = {}
    for grid, records in results.found:
        if grid.name == "trec10_confirmed":
            for record in records.values():
                config = record["config"]
                if config["vectors"] is None and config["policy"] in (None, "mixup"):
                    of = errors.setdefault(config["mix"], {})
                    of[config["seed"]] = record["result"]["test_error"]
    apart = np.array([errors["word"][s] - errors["none"][s] for s in errors["none"]])
    assert len(apart) == 10
    rows = rows_of(results.parts["card mixup"], "method", "study")
    (row,) = [r for r in rows if r[:2] == ["WordMixup", "A tenth of TREC with the CNN"]]
    assert f"{apart.mean():.2f}".replace("-", "\N{MINUS SIGN}") in row[2]
