"""What a comparison shows: the live table, plain lines, an interruption, reprs."""

import io
import re
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console
from rich.text import Text

import keras_amp
from keras_amp import experiments
from keras_amp.experiments import Comparison, Result, Results, Settings, methods
from keras_amp.experiments.display import Display
from keras_amp.experiments.interruption import Interruption

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
TINY = {"embedding_dim": 4, "filters": 3, "kernel_sizes": (2,)}


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    """A terminal that can move its cursor, whatever the tests run in."""
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)


def result(method, seed, dev=10.0, test=12.0, seconds=2.5):
    return Result(method, seed, None, dev, test, test, 88.0, 0.3, 2.0, 4, 5, 50, seconds)


class Shown(Display):
    """A display of a comparison that does nothing, and what it has written."""

    def __init__(self, seeds=2, **console):
        cells = methods(["none", "word"])
        comparison = SimpleNamespace(
            cells=cells,
            parts=[(seed, None) for seed in range(seeds)],
            num_runs=len(cells) * seeds,
            settings=Settings(epochs=5),
            dataset=keras_amp.data.load("questions"),
            out=Path("runs/out"),
            results=Results(),
        )
        self.file = io.StringIO()
        super().__init__(comparison, Console(file=self.file, height=30, **console))

    def add(self, method, seed, **values):
        """A run of five epochs, from its beginning to its end."""
        self.begin(method, f"seed {seed}", 5)
        self.epoch(4, {"val_accuracy": 0.9})
        self.results.append(result(method, seed, **values))
        self.end()

    def frame(self):
        """The lines of the live table as it is now, without colours."""
        self.file.seek(self.file.truncate(0))
        self.live.refresh()
        return Text.from_ansi(self.file.getvalue()).plain.splitlines()


def test_a_terminal_sees_each_methods_results_so_far_and_the_run_in_flight():
    shown = Shown(force_terminal=True, width=80)
    with shown:
        shown.add("none", 0, dev=9.0, test=10.0, seconds=3.0)
        shown.add("WordMixup", 0, dev=5.25, test=7.5, seconds=4.0)
        shown.add("none", 1, dev=11.0, test=13.0, seconds=5.0)
        shown.begin("WordMixup", "seed 1", 5)
        shown.epoch(1, {"val_accuracy": 0.875})
        lines = [line.split("  ") for line in shown.frame()]
        rows = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert rows[0] == ["method", "runs", "dev error %", "test error %", "seconds"]
    # Means and deviations (n - 1) of 9 and 11, of 10 and 13, of 3 and 5.
    deviations = [np.std(pair, ddof=1) for pair in ([9, 11], [10, 13], [3, 5])]
    dev, test, seconds = deviations
    assert [cell.replace("\xa0", " ") for cell in rows[2]] == [
        "none",
        "2 of 2",
        f"10.00 ± {dev:.2f}",
        f"11.50 ± {test:.2f}",
        f"4.0 ± {seconds:.1f}",
    ]
    assert rows[3] == ["WordMixup", "1 of 2", "5.25", "7.50", "4.0"]
    assert rows[4] == ["WordAMP", "0 of 2"]
    text = "\n".join("  ".join(row) for row in rows)
    assert "WordMixup, seed 1: epoch 2 of 5, dev error 12.5%" in text
    assert re.search(r"3\.4 of 6 runs", text)  # three and two of five epochs


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (200, ["method", "runs", "dev error %", "test error %", "seconds"]),
        (60, ["method", "runs", "dev error %", "test error %"]),
        (40, ["method", "runs", "test error %"]),
        (36, ["method", "runs", "test error %"]),
    ],
)
def test_a_narrow_terminal_sees_fewer_columns_but_no_broken_ones(width, headings):
    shown = Shown(seeds=10, force_terminal=True, width=width)
    with shown:
        for seed in range(2):
            shown.add("WordMixup", seed, dev=11.11 + seed, test=22.22, seconds=999.9)
        lines = shown.frame()
    found = [cell.strip() for cell in lines[0].split("  ") if cell.strip()]
    assert found == headings
    assert all(len(line.rstrip()) <= width for line in lines)
    (row,) = (line for line in lines if line.startswith("WordMixup "))
    assert "2 of 10" in row
    assert "22.22\xa0±\xa00.00" in row
    assert "…" not in row


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, RuntimeError])
def test_the_terminal_is_left_as_it_was(error):
    shown = Shown(force_terminal=True, width=80)
    try:
        with shown:
            shown.add("none", 0)
            shown.begin("WordMixup", "seed 0", 5)
            assert shown.file.getvalue().count(HIDE) > shown.file.getvalue().count(SHOW)
            if error is not None:
                raise error
    except (KeyboardInterrupt, RuntimeError):
        pass
    written = shown.file.getvalue()
    assert written.count(HIDE) == written.count(SHOW) == 1
    after = Text.from_ansi(written[written.index(SHOW) + len(SHOW) :]).plain
    assert "of 6 runs" not in after.replace("1 of 6 runs are finished", "")
    said = {None: "", KeyboardInterrupt: "Interrupted: 1 of", RuntimeError: "Ended: 1 of"}
    assert said[error] in after
    if error is not None:
        assert "(none 1 of 2). Their results: runs/out" in after


def test_elsewhere_there_are_plain_lines():
    shown = Shown(width=80)
    with shown, shown.busy("Reading texts"):
        shown.add("none", 0)
        shown.add("WordAMP", 1, dev=9.5)
    written = shown.file.getvalue()
    assert "\x1b" not in written
    lines = written.splitlines()
    assert lines[1] == "6 runs of 5 epochs; results in runs/out"
    assert lines[2:] == [
        "none, seed 0: dev error 10.00%, test error 12.00% (epoch 4 of 5, 2.5 s)",
        "WordAMP, seed 1: dev error 9.50%, test error 12.00% (epoch 4 of 5, 2.5 s)",
    ]


def test_a_terminal_that_cannot_move_its_cursor_sees_plain_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    shown = Shown(force_terminal=True, width=80)
    with shown:
        shown.add("none", 0)
    assert HIDE not in shown.file.getvalue()
    assert "none, seed 0: dev error" in shown.file.getvalue()


def test_nothing_finished_is_said_so():
    shown = Shown(width=80)
    with pytest.raises(KeyboardInterrupt), shown:
        raise KeyboardInterrupt
    assert shown.file.getvalue().endswith("Interrupted before a run was finished.\n")


# === A comparison ===


def small(tmp_path, **arguments):
    """A comparison of one method on the shipped set, two seeds of one epoch."""
    console = arguments.pop("console", Console(file=io.StringIO(), width=100))
    chosen = Settings(
        backbone_arguments=TINY, epochs=1, train_per_class=6, save_classifier=False
    )
    return Comparison(
        chosen, methods(["none"]), seeds=2, out=tmp_path / "out", console=console,
        **arguments,
    )  # fmt: skip


def test_what_is_finished_survives_an_interruption(tmp_path, monkeypatch):
    train, calls = experiments.comparison.train, []

    def interrupted(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(*args, **kwargs)

    monkeypatch.setattr(experiments.comparison, "train", interrupted)
    file = io.StringIO()
    console = Console(file=file, width=100, force_terminal=True)
    comparison = small(tmp_path, console=console)
    with pytest.raises(KeyboardInterrupt):
        comparison.run()
    assert file.getvalue().count(HIDE) == file.getvalue().count(SHOW)
    last = Text.from_ansi(file.getvalue()).plain.rstrip().splitlines()[-1]
    out = tmp_path / "out"
    assert last == (
        f"Interrupted: 1 of 2 runs are finished (none 1 of 2). Their results: {out}"
    )
    assert [path.name for path in (out / "none").iterdir()] == ["seed-0"]
    assert len((out / "results.csv").read_text().splitlines()) == 2
    assert [result.seed for result in comparison.results] == [0]


class Interrupting:
    """Python forgets what the finalizer of this raises."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


@pytest.fixture
def interrupted_by():
    """Sets the handler; what a shell runs in the background has none."""
    former = signal.getsignal(signal.SIGINT)
    yield lambda handler: signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGINT, former)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("place", ["begins", "ends"])
def test_an_interruption_that_a_finalizer_swallows_is_kept(
    tmp_path, monkeypatch, interrupted_by, place
):
    interrupted_by(signal.default_int_handler)
    train, calls = experiments.comparison.train, []

    def interrupted(*args, **kwargs):
        calls.append(args)
        if place == "begins" and len(calls) == 2:
            Interrupting()
        result = train(*args, **kwargs)
        if place == "ends":
            Interrupting()
        return result

    monkeypatch.setattr(experiments.comparison, "train", interrupted)
    comparison = small(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        comparison.run()
    assert [result.seed for result in comparison.results] == [0]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_another_handler_is_left_alone(interrupted_by):
    interrupted_by(signal.SIG_IGN)
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGINT)
        interruption.check()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_comparisons_and_results_show_themselves(tmp_path):
    comparison = small(tmp_path)
    out = tmp_path / "out"
    text = repr(comparison)
    assert text.startswith("<Comparison of none on Dataset('questions', train=")
    assert text.endswith(f": 0 of 2 runs, in {out}>")
    assert comparison._repr_html_() is None  # then a notebook shows the other
    results = comparison.run()
    assert results is comparison.results
    assert ": 2 of 2 runs, in " in repr(comparison)
    assert comparison._repr_html_() == results._repr_html_()


# === Values ===


def test_results_become_a_data_frame():
    results = [result("none", 0), result("WordAMP", 1, test=9.0)]
    frame = experiments.as_frame(results)
    assert frame.drop(columns="fold").to_dict("records") == [
        {name: value for name, value in r.as_dict().items() if name != "fold"}
        for r in results
    ]
    assert frame["fold"].isna().all()
    assert frame["test_error"].tolist() == [12.0, 9.0]
    empty = experiments.as_frame([])
    assert list(empty.columns) == list(results[0].as_dict())


def test_a_notebook_sees_a_table_of_results():
    html = Results([result("none", 0), result("none", 1)])._repr_html_()
    assert html.count("<tr") == 2  # the heading, and one method
    assert "12.00\xa0±\xa00.00" in html
    assert "<th>test error %</th>" in html


def test_settings_show_what_is_not_the_default():
    assert repr(Settings()) == "Settings()"
    given = Settings(data="trec", backbone_arguments={"filters": 3}, steps=9)
    assert repr(given) == (
        "Settings(data='trec', backbone_arguments={'filters': 3}, steps=9)"
    )
    assert eval(repr(given)) == given


def test_examples_show_their_sizes():
    dataset = keras_amp.data.load("questions")
    examples = experiments.prepare(dataset, Settings(train_per_class=10), seed=0)
    sizes = [len(getattr(examples, name)[1]) for name in ("train", "dev", "test")]
    assert repr(examples) == (
        f"Examples(train={sizes[0]}, dev={sizes[1]}, test={sizes[2]}, "
        f"classes={list(dataset.class_names)})"
    )


def test_a_run_shows_what_it_was_trained_on():
    classifier = keras_amp.backbones.text_cnn(4, 2, 5, embedding_dim=4, filters=2)
    preprocess = keras_amp.data.WordPreprocessor(["", "[UNK]", "who", "?"], 5)
    config = {"data": "trec", "mix": "word", "policy": "amp", "seed": 3, "fold": None}
    run = keras_amp.runs.Run(classifier, preprocess, ["HUM", "LOC"], config)
    name = classifier.name
    assert repr(run) == (
        f"Run({name!r}, data='trec', mix='word', policy='amp', seed=3, "
        "classes=['HUM', 'LOC'])"
    )
    bare = keras_amp.runs.Run(classifier, preprocess, ["HUM", "LOC"], {})
    assert repr(bare) == f"Run({name!r}, classes=['HUM', 'LOC'])"
