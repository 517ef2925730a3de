"""The figures: what is drawn against NumPy, looks that stay, bad input."""

import io
import itertools
import re

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason='pip install "keras-amp[experiments]"')

import matplotlib as mpl

from keras_amp.analysis import figures, looks

RNG = np.random.default_rng(3)
RUNS = {"none": RNG.random((3, 5)), "WordAMP": RNG.random((2, 4)) * 100}
LAMBDAS = np.linspace(0, 1, 5)
FIGURES = {
    "run_errors": lambda: figures.run_errors({"none": [10.0, 12.0], "WordAMP": [9.0]}),
    "differences": lambda: figures.differences({"none": [0.5, -1.0, 2.0]}),
    "learning_curves": lambda: figures.learning_curves(RUNS),
    "adversary_over_time": lambda: figures.adversary_over_time(RUNS, "loss_gap"),
    "loss_along_lambda": lambda: figures.loss_along_lambda({"x": (LAMBDAS, LAMBDAS)}),
    "confusion_matrix": lambda: figures.confusion_matrix(np.eye(3, dtype=int), "abc"),
    "reliability_diagram": lambda: figures.reliability_diagram(
        {"none": (LAMBDAS, LAMBDAS**2, np.arange(5))}
    ),
}


def lines(axes):
    return {line.get_label(): line.get_xydata() for line in axes.get_lines()}


def texts(figure):
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(mpl.text.Text)]


def saved(figure, kind):
    file = io.BytesIO()
    figure.savefig(file, format=kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["svg", "png"])
@pytest.mark.parametrize("name", list(FIGURES))
def test_a_figure_is_always_the_same_bytes_without_a_date(name, kind):
    first, second = saved(FIGURES[name](), kind), saved(FIGURES[name](), kind)
    assert first == second
    assert len(first) > 3000
    assert b"dc:date" not in first


@pytest.mark.parametrize("name", list(FIGURES))
def test_nothing_touches_the_state_of_pyplot(name):
    import matplotlib.pyplot as plt

    before = dict(mpl.rcParams)
    FIGURES[name]()
    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == before


def test_learning_curves_are_means_with_a_band_of_one_deviation():
    axes = figures.learning_curves(RUNS, "error %").axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "error %")
    for (name, runs), band in zip(RUNS.items(), axes.collections, strict=True):
        xy = lines(axes)[name]
        np.testing.assert_array_equal(xy[:, 0], 1 + np.arange(runs.shape[1]))
        np.testing.assert_allclose(xy[:, 1], runs.mean(axis=0))
        corners = band.get_paths()[0].vertices
        for epoch, mean, deviation in zip(
            xy[:, 0], runs.mean(0), runs.std(0, ddof=1), strict=True
        ):
            ys = corners[corners[:, 0] == epoch, 1]
            assert ys.min() == pytest.approx(mean - deviation)
            assert ys.max() == pytest.approx(mean + deviation)


def test_runs_that_ended_leave_the_mean_to_the_others():
    runs = [[1.0, 3.0, np.nan], [2.0, 5.0, 6.0], [3.0, np.inf, np.nan]]
    mean, deviation = figures.mean_and_deviation(runs)
    np.testing.assert_allclose(mean, [2, 4, 6])
    np.testing.assert_allclose(deviation, [1, np.sqrt(2), np.nan])
    mean, deviation = figures.mean_and_deviation([[np.nan]])
    assert np.isnan(mean).all()
    assert np.isnan(deviation).all()


def test_a_single_run_has_no_band_and_a_single_epoch_a_dot():
    axes = figures.learning_curves({"none": [[0.5]]}).axes[0]
    assert not axes.collections
    assert axes.get_lines()[0].get_marker() == "o"


def test_shares_are_drawn_from_0_to_1():
    axes = figures.adversary_over_time({"WordAMP": [[0.4, 0.5]]}, "mask_rate").axes[0]
    assert axes.get_ylim()[0] < 0
    assert axes.get_ylim()[1] > 1


def test_loss_along_lambda_draws_the_curves_and_their_bands():
    losses = LAMBDAS * (1 - LAMBDAS)
    curves = {"WordAMP": (LAMBDAS, losses), "none": (LAMBDAS, 2 * losses)}
    band = {"none": (losses, 3 * losses)}
    figure = figures.loss_along_lambda(curves, title="A title", band=band)
    axes = figure.axes[0]
    np.testing.assert_allclose(lines(axes)["none"][:, 1], 2 * losses)
    np.testing.assert_allclose(lines(axes)["WordAMP"], np.stack([LAMBDAS, losses], 1))
    assert len(axes.collections) == 1
    assert {"A title", "none", "WordAMP"} <= set(texts(figure))


def test_confusion_cells_hold_the_counts_and_are_shaded_by_their_row():
    counts = np.array([[8, 2, 0], [1, 1, 2], [0, 0, 0]])  # a class that never occurs
    figure = figures.confusion_matrix(counts, ["one", "two", "three"])
    axes = figure.axes[0]
    written = [text.get_text() for text in axes.texts]
    assert written == [str(count) for count in counts.ravel()]
    shares = np.array([[0.8, 0.2, 0], [0.25, 0.25, 0.5], [0, 0, 0]])
    shown = axes.collections[0].get_array().reshape(3, 3)
    np.testing.assert_allclose(shown, shares)
    assert axes.yaxis_inverted()


def test_many_classes_with_long_names_make_the_figure_wider():
    names = [f"a class with the long name {i}" for i in range(20)]
    figure = figures.confusion_matrix(np.ones((20, 20), int), names)
    assert figure.get_figwidth() > 2 * looks.WIDTH
    assert max(map(len, texts(figure))) <= 14


def test_reliability_leaves_out_empty_bins_and_shows_shares():
    confidence = np.array([np.nan, 0.6, 0.9])
    accuracy, counts = np.array([np.nan, 0.5, 1.0]), np.array([0, 6, 2])
    bins = {"none": (confidence, accuracy, counts)}
    above, below = figures.reliability_diagram(bins).axes
    np.testing.assert_allclose(lines(above)["none"], [[0.6, 0.5], [0.9, 1.0]])
    np.testing.assert_allclose(below.get_lines()[0].get_ydata(), [75, 25])


def test_every_run_is_a_dot_in_the_order_of_the_names():
    figure = figures.run_errors({"WordAMP": [9.0, 11.0], "none": [12.0]})
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["WordAMP", "none"]
    dots = [x for x in axes.get_lines() if x.get_marker() == "o"]
    np.testing.assert_allclose(dots[0].get_xydata(), [[9, 0], [11, 0]])
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first one on top


def test_differences_stand_within_their_intervals_beside_zero():
    figure = figures.differences({"SentAMP": [-0.5, -2, 1], "WordAMP": [1.5, 1, 3]})
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["SentAMP", "WordAMP"]
    bars = axes.collections[0]
    np.testing.assert_allclose(bars.get_segments()[0], [[-2, 0], [1, 0]])
    zero, *others = axes.get_lines()
    assert list(zero.get_xdata()) == [0, 0]
    points = [x.get_xydata().tolist() for x in others if x.get_marker() == "D"]
    assert points == [[[-0.5, 0]], [[1.5, 1]]]


def test_a_method_looks_the_same_whatever_stands_beside_it():
    alone = figures.styles(["SentAMP"])["SentAMP"]
    names = ["none", "SentAMP, step_size=0.1", "SentAMP, step_size=1", "mine"]
    beside = figures.styles(names)
    assert beside["SentAMP, step_size=0.1"] == alone
    assert list(beside) == names
    assert len(set(beside.values())) == 4
    many = figures.styles([f"setting {i}" for i in range(25)])
    assert len(set(many.values())) == 25


def as_seen(color, matrix):
    """A colour in CIE Lab, as seen with a colour vision (Machado et al., 2009)."""
    rgb = np.array(mpl.colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = [
        [0.4124, 0.3576, 0.1805],
        [0.2126, 0.7152, 0.0722],
        [0.0193, 0.1192, 0.9505],
    ]
    xyz = np.array(to_xyz) @ np.clip(matrix @ linear, 0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


VISIONS = {
    "normal": np.eye(3),
    "no red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.mark.parametrize("vision", list(VISIONS))
def test_the_methods_colours_differ_with_any_colour_vision(vision):
    for one, other in itertools.combinations(looks.METHODS.values(), 2):
        seen = [as_seen(style.color, np.array(VISIONS[vision])) for style in (one, other)]
        apart = np.linalg.norm(seen[0] - seen[1])
        assert apart > (10 if one.line == other.line else 5), (one, other, apart)


def test_names_are_no_formulas():
    figure = figures.confusion_matrix([[1, 0], [0, 1]], ["$x_", r"\alpha$"])
    svg = saved(figure, "svg").decode()
    assert re.search(r">\$x_<", svg)
    figure = figures.learning_curves({"costs $5$ & <more>": [[1.0, 2.0]]})
    assert "costs $5$ &amp; &lt;more&gt;" in saved(figure, "svg").decode()


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: figures.learning_curves({}), "`curves` to hold something"),
        (lambda: figures.run_errors({}), "`errors` to hold something"),
        (lambda: figures.loss_along_lambda({}), "`curves` to hold something"),
        (lambda: figures.reliability_diagram({}), "`bins` to hold something"),
        (lambda: figures.learning_curves({"none": [0.5]}), r"2-D.*'none' the shape \(1,"),
        (lambda: figures.run_errors({"none": []}), r"1-D.*not empty.*\(0,\)"),
        (lambda: figures.differences({"a": [1.0, 2.0, 3.0]}), "around it.*'a' .1.0, 2.0"),
        (lambda: figures.differences({"a": [1.0, 2.0]}), "around it.*'a' .1.0, 2.0"),
        (lambda: figures.adversary_over_time(RUNS, "lam"), "quantity='lam'"),
        (
            lambda: figures.loss_along_lambda({"a": ([0, 1], [1])}),
            r"equal length.*'a' the shapes \(2,\) and \(1,\)",
        ),
        (
            lambda: figures.loss_along_lambda({"a": ([0], [1])}, band={"b": ([1], [1])}),
            "a band of 'b', with curves of 'a'",
        ),
        (lambda: figures.confusion_matrix([[1, 2]], ["a"]), r"the shape \(1, 2\)"),
        (lambda: figures.confusion_matrix([[-1]], ["a"]), "counts >= 0"),
        (
            lambda: figures.reliability_diagram({"a": ([1.0], [1.0, 0.5], [1])}),
            "three 1-D arrays of equal length",
        ),
    ],
)
def test_bad_input_is_named(draw, message):
    with pytest.raises(ValueError, match=f"(?s)Expected .*{message}"):
        draw()
