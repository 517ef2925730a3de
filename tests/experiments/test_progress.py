"""What is shown while cells run: the live table, and the terminal as it was."""

import io
import re

import numpy as np
import pytest
from rich.console import Console
from rich.text import Text

from keras_amp.experiments import Result
from keras_amp.experiments.progress import ROWS, Display

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    """A terminal that can move its cursor, whatever the tests run in."""
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)


class Shown(Display):
    """A display of cells that nobody runs, and what it has written."""

    def __init__(self, seeds=2, names=("none", "WordMixup", "WordAMP"), **console):
        self.file = io.StringIO()
        console = Console(file=self.file, height=30, **console)
        keys = {f"{name}{seed}": name for seed in range(seeds) for name in names}
        super().__init__(keys, {}, "runs", console)

    def add(self, name, seed, dev=10.0, test=12.0, seconds=2.5):
        """A run that has ended."""
        result = Result(
            name, seed, None, dev, test, test, 88.0, 0.3, 2.0, 4, 5, 50, seconds
        )
        record = {"status": "finished", "result": result.as_dict()}
        self.records[f"{name}{seed}"] = record
        self.completed(len(self.records))

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
        shown.state = "WordMixup, seed 1: epoch 2 of 5, dev error 12.5%"
        shown.completed(3.4)
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
    assert re.search(r"3\.4 of 6 runs", text)


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


def test_many_names_are_not_all_shown():
    names = [f"WordAMP, step_size {i}" for i in range(ROWS + 2)]
    shown = Shown(names=names, force_terminal=True, width=80)
    shown.console.height = 60
    with shown:
        text = "\n".join(shown.frame())
    assert names[ROWS - 1] in text
    assert names[ROWS] not in text
    assert "and 2 more kinds of cells" in text


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, RuntimeError])
def test_the_terminal_is_left_as_it_was(error):
    shown = Shown(force_terminal=True, width=80)
    try:
        with shown:
            shown.add("none", 0)
            assert shown.file.getvalue().count(HIDE) > shown.file.getvalue().count(SHOW)
            if error is not None:
                raise error
    except (KeyboardInterrupt, RuntimeError):
        pass
    written = shown.file.getvalue()
    assert written.count(HIDE) == written.count(SHOW) == 1
    assert not Text.from_ansi(written[written.index(SHOW) + len(SHOW) :]).plain.strip()


def test_elsewhere_there_are_plain_lines():
    shown = Shown(width=80)
    with shown, shown.busy("Reading texts"):
        shown.add("none", 0)
        shown.say("none, [seed] 0")
    assert shown.file.getvalue() == "none, [seed] 0\n"


def test_a_terminal_that_cannot_move_its_cursor_sees_plain_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    shown = Shown(force_terminal=True, width=80)
    with shown:
        shown.add("none", 0)
    assert HIDE not in shown.file.getvalue()
