"""The table of methods: means and deviations, as values and as texts."""

import numpy as np
import pytest

pytest.importorskip("cyclopts", reason='pip install "keras-amp[experiments]"')

from keras_amp import experiments
from keras_amp.experiments import Result, Results
from keras_amp.experiments.summary.methods import EXPLAINED, HEADER, explanation


def result(method, seed, dev=10.0, test=12.0, seconds=2.5):
    return Result(method, seed, None, dev, test, test, 88.0, 0.3, 2.0, 4, 5, 50, seconds)


def test_summaries_are_means_and_sample_deviations():
    errors = {"a": [10.0, 11.0, 15.0], "b": [20.0]}
    results = [
        Result(
            method,
            seed,
            None,
            dev_error=error + 1,
            test_error=error,
            best_test_error=error - 1,
            macro_f1=100 - error,
            plateau_error=error + 2,
            last_error=error + 3,
            scaled_nll=error / 20,
            scaled_ece=error / 4,
            nll=error / 10,
            ece=error / 5,
            epoch=3,
            epochs=4,
            steps=40,
            seconds=2.0,
        )
        for method, values in errors.items()
        for seed, error in enumerate(values)
    ]
    first, second = experiments.summarize(results)
    assert (first.method, first.runs) == ("a", 3)
    np.testing.assert_allclose(
        first.spreads["test_error"], (12.0, np.std([10, 11, 15], ddof=1))
    )
    np.testing.assert_allclose(first.spreads["best_test_error"][0], 11.0)
    assert second.spreads["test_error"] == (20.0, None)
    lines = experiments.markdown([first, second]).splitlines()
    assert lines[2].replace("\xa0", " ") == (
        "| a | 3 | 13.00 ± 2.65 | 12.00 ± 2.65 | 11.00 ± 2.65 | 14.00 ± 2.65 "
        "| 15.00 ± 2.65 | 88.00 ± 2.65 | 1.200 ± 0.265 | 2.40 ± 0.53 | 0.600 ± 0.132 "
        "| 3.00 ± 0.66 | 2.0 ± 0.0 |"
    )
    assert lines[3] == (
        "| b | 1 | 21.00 | 20.00 | 19.00 | 22.00 | 23.00 | 80.00 | 2.000 | 4.00 | 1.000 "
        "| 5.00 | 2.0 |"
    )


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


def test_what_is_not_shown_is_not_explained():
    assert {*EXPLAINED} <= {*HEADER}
    said = explanation(["none"], ["method", "test error %"])
    assert "`test error`" in said
    for other in ("plateau", "best", "NLL", "Scaled", "AMP"):
        assert other not in said
    said = explanation(["WordAMP", "WordVAT"])
    for each in (*EXPLAINED.values(), "AMP: ", "VAT: "):
        assert each in said
