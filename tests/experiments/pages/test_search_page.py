"""The page of a search, and its figures."""

import re

import numpy as np
import pytest

pytest.importorskip("optuna", reason='pip install "keras-amp[search]"')

import searching
from checked_page import Checked

from keras_amp.analysis import search_figures
from keras_amp.experiments.pages.search_page import page_of_search, write_search
from keras_amp.experiments.search import run as runs
from keras_amp.experiments.search.expected import expected_best


@pytest.fixture
def found(own_data, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "on_this_machine", searching.run_here())
    return searching.search(own_data, tmp_path / "out", ("amp",), trials=10).run()


def test_the_figures_show_every_trial(found, monkeypatch):
    drawn = {}

    def noting(name):
        make = getattr(search_figures, name)

        def noted(*given, **named):
            drawn.setdefault(name, []).append((given, figure := make(*given, **named)))
            return figure

        monkeypatch.setattr(search_figures, name, noted)

    noting("expected_best")
    noting("parallel_coordinates")
    monkeypatch.setattr(
        "keras_amp.experiments.pages.galleries.inline_svg", lambda *_: "<svg></svg>"
    )
    page_of_search(found)
    ((curves, *_), figure) = drawn["expected_best"][0]
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    for name, tried in found.outcomes.items():
        np.testing.assert_allclose(lines[name], expected_best([o.loss for o in tried]))
        np.testing.assert_allclose(lines[name], curves[name])
    (given, amp) = drawn["parallel_coordinates"][1]
    axes, complete, best = given[:3]
    assert [axis.name for axis in axes] == [
        "learning_rate", "dropout", "alpha", "step_size", "step_per", "development loss"
    ]  # fmt: skip
    tried = found.outcomes["WordAMP"]
    assert complete == [o.state == "complete" for o in tried]
    assert tried[best].trial == found.rows[1].outcome.trial
    rates = [o.trial.values["learning_rate"] for o in tried]
    expected = np.log(np.array(rates) / 2e-4) / np.log(1e-2 / 2e-4)
    np.testing.assert_allclose(axes[0].values, expected, atol=1e-12)
    assert len(amp.axes[0].lines) == len(axes) + len(tried)
    assert all(0 <= value <= 1 for axis in axes for value in axis.values)


def test_the_page_says_what_was_found_and_pruned(found, tmp_path, without_drawings):
    page = write_search(found, tmp_path / "report")
    text = page.read_text()
    Checked(text)
    assert found.recommendation in text
    plain = re.sub(r"<[^>]+>", " ", text)
    assert "Spent: 10 trials (5 of each of 2 methods" in plain
    assert "pruned after 1 run" in plain
    assert "unbiased estimator" in " ".join(plain.split())
    counts = [
        [o.state for o in tried].count("pruned") for tried in found.outcomes.values()
    ]
    rows = re.findall(r"<th scope=\"row\">(none|WordAMP)</th>\s*((?:<td.*\s*)+)", text)
    pruned = [re.findall(r">([\d ]+)<", cells) for _, cells in rows[-2:]]
    for (trials, complete, first, second, failed, *_), count in zip(
        pruned, counts, strict=True
    ):
        assert int(first) + int(second) == count
        assert int(trials) == int(complete) + count + int(failed) == 5
    assert write_search(found, tmp_path / "report") == page  # a former one is replaced


def test_parallel_coordinates_need_two_axes_of_all_trials():
    axis = search_figures.Axis("a", [0.1, 0.2], "0", "1")
    for axes in ([axis], [axis, axis._replace(values=[0.1])]):
        with pytest.raises(ValueError, match="at least two axes"):
            search_figures.parallel_coordinates(axes, [True, False])
