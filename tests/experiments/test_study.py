"""What a grid's file names beforehand: which cells, and before which of them."""

import pytest

pytest.importorskip("joblib", reason='pip install "keras-amp[experiments]"')

from comparing import quiet

from keras_amp.experiments import parse_grid
from keras_amp.experiments.grid_run import GridRun

GRID = """
seeds = 3
[settings]
data = "trec"
mix = ["none", "word"]
policy = ["mixup", "amp"]
step_size = [0.002, 0.5]
vectors = ["random", "glove.6B.50d"]
"""
MARGIN = """
[study]
margin = 0.5
seeds = 3
"""
ONE = """
[[study.primary]]
method = { method = "WordAMP", step_size = 0.5, vectors = "random" }
against = { method = "none", vectors = "random" }
"""


def test_a_comparison_is_of_the_cells_that_it_names_and_changes_no_key():
    grid = parse_grid(GRID + MARGIN + ONE, "mine")
    (primary,) = grid.study.primary
    (method,), (against,) = primary.method, primary.against
    assert (method["step_size"], method["vectors"]) == (0.5, None)
    assert against["method"] == "none"
    assert (primary.margin, grid.study.seeds) == (0.5, 3)
    plain = parse_grid(GRID, "mine")
    assert plain.study is None
    assert [c.key for c in plain.cells] == [c.key for c in grid.cells]


def test_records_show_whether_it_was_named_before_they_were_run():
    study = parse_grid(GRID + MARGIN + ONE, "mine").study
    (primary,) = study.primary
    assert study.was_named(primary, {"study": study.named})
    assert not study.was_named(primary, {})
    wider = parse_grid(GRID + MARGIN.replace("0.5", "2.0") + ONE, "mine").study
    assert not study.was_named(primary, {"study": wider.named})
    two = ONE + ONE.replace("0.5", "0.002")
    more = parse_grid(GRID + MARGIN + two, "mine").study
    assert more.was_named(more.primary[0], {"study": study.named})
    assert not more.was_named(more.primary[1], {"study": study.named})


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ("[study]\nmargin = 0.5", "`primary` in `study`.*None"),
        ("[study]\nmargins = 0.5", "part of `study`.*margins. Did you mean margin"),
        (MARGIN.replace("0.5", "0") + ONE, "`margin` in `study`.*above 0.*0"),
        (MARGIN.replace("3", "5") + ONE, "`seeds` in `study`.*the cells, 3:.*5"),
        (ONE.replace('"none"', '"WordMaxOp"'), "among the cells.*WordMaxOp"),
        (ONE.replace(", step_size = 0.5", ""), "2 kinds are. They differ by step_size"),
        (ONE.replace("step_size", "stepsize"), "stepsize. Did you mean step_size"),
        (ONE.replace("against", "agains"), "part of `primary`.*Did you mean against"),
        (
            ONE.replace('{ method = "none", vectors = "random" }', "3"),
            "a method's name.*3",
        ),
        ('[study]\nprimary = {method = "none", against = "none"}', "2 kinds are"),
    ],
)
def test_what_is_wrong_is_said(study, message):
    with pytest.raises(ValueError, match=message):
        parse_grid(GRID + study, "mine")


def test_a_method_is_not_compared_with_itself():
    text = GRID.replace(', "glove.6B.50d"', "")
    same = '[study]\nprimary = {method = "none", against = "none"}'
    with pytest.raises(ValueError, match="of two methods.*the same one twice"):
        parse_grid(text + same, "mine")


SEVERAL = """
seeds = 3
[settings]
data = ["trec", "sst2"]
[[cells]]
mix = "none"
[[cells]]
mix = "word"
policy = "mixup"
"""
OVER = '[study]\nprimary = {method = "WordMixup", against = "none", over = "data"}'


def test_a_comparison_over_all_data_sets_has_a_pair_of_each():
    (primary,) = parse_grid(SEVERAL + OVER, "mine").study.primary
    sides = [[each["data"] for each in s] for s in (primary.method, primary.against)]
    assert sides == [["trec", "sst2"]] * 2
    assert primary.named["over"] == "data"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SEVERAL + OVER.replace('"data"', '"seed"'), "`over` to be 'data'.*'seed'"),
        (
            SEVERAL.replace("policy =", 'data = "mr"\npolicy =') + OVER,
            "on the same data sets. Received: mr; and trec, sst2",
        ),
        (
            SEVERAL.replace('"none"', '"none"\nepochs = [2, 3]') + OVER,
            "of each data set.*2 kinds are. They differ by epochs",
        ),
    ],
)
def test_what_is_wrong_of_a_comparison_over_data_sets_is_said(text, message):
    with pytest.raises(ValueError, match=message):
        parse_grid(text, "mine")


def test_a_grid_keeps_with_each_record_what_was_named(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_amp.experiments.grid_run.try_cells", lambda *_: None)
    grid = parse_grid(GRID + MARGIN + ONE, "mine")
    run = GridRun(grid, tmp_path / "mine", jobs=1, console=quiet())
    record = {"key": run.todo[0].key, "status": "failed"}
    monkeypatch.setattr(
        "keras_amp.experiments.grid_run.on_this_machine", lambda *_: iter([record])
    )
    assert list(run.execute()) == [{**record, "study": grid.study.named}]
    run = GridRun(parse_grid(GRID, "mine"), tmp_path / "mine", jobs=1, console=quiet())
    assert list(run.execute()) == [record]
