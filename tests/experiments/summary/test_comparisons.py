"""Groups of compared runs, their names and differences: against NumPy and SciPy."""

import shutil

import numpy as np
import pytest

pytest.importorskip("scipy", reason='pip install "keras-amp[experiments]"')

from runs_on_disk import write_run
from scipy import stats

from keras_amp.analysis.intervals import crossed_interval
from keras_amp.experiments.pages.comparison_files import compared_groups
from keras_amp.experiments.pages.comparison_tables import (
    counted_verdict,
    settings_tables,
    verdict_sentences,
)
from keras_amp.experiments.summary.folders import read_folders


def compared_in(folder):
    """The groups of the runs in a folder, their differences, and what is left out."""
    return compared_groups(read_folders([folder])[0])


def paired(tmp_path, errors, others):
    """The difference of the given test errors, seed by seed."""
    for seed, error in enumerate(errors):
        write_run(tmp_path, "word", "amp", seed=seed, error=error)
    for seed, error in enumerate(others):
        write_run(tmp_path, "word", "mixup", seed=seed, error=error)
    _, (found,), _ = compared_in(tmp_path)
    return found


@pytest.mark.parametrize(
    ("errors", "others", "verdict"),
    [
        (
            [8.0, 9.0, 8.5, 8.2, 8.0, 8.1],
            [10.0, 11.1, 10.4, 10.3, 9, 9],
            "better (6 seeds)",
        ),
        ([10.0, 11.1, 10.4, 10.3, 9, 9], [8.0, 9.0, 8.5, 8.2, 8, 8], "worse (6 seeds)"),
        # Of four seeds, 2 in 16 cases are as far out.
        (
            [8.0, 9.0, 8.5, 8.2],
            [10.0, 11.1, 10.4, 10.3],
            "undecided; about 6 seeds would decide (4 seeds)",
        ),
        ([8.0, 8.0, 9.0], [9.0], "undecided (1 seed)"),
        ([5.0, 6.0], [5.0, 6.0], "undecided (2 seeds)"),
        # Equal differences have no deviation: a t-test would be certain.
        ([5.0] * 6, [5.1] * 6, "better (6 seeds)"),
    ],
)
def test_verdicts_are_those_of_the_sign_flip_test(tmp_path, errors, others, verdict):
    found = paired(tmp_path, errors, others)
    assert counted_verdict(found) == verdict
    word = {"better": "fewer errors", "worse": "more errors"}.get(verdict.split()[0])
    (said, *few) = verdict_sentences([found])
    assert said.startswith(f"WordAMP against WordMixup: {word or 'undecided'}, ")
    assert bool(few) == (len(others) < 6)  # at least 2 in 2**5 is not below 0.05
    n = min(len(errors), len(others))
    apart = np.array(errors[:n]) - np.array(others[:n])
    assert found.difference == pytest.approx(apart.mean())
    if found.compared.interval is not None:
        test = stats.permutation_test((apart,), np.sum, permutation_type="samples")
        assert found.verdict.p == pytest.approx(test.pvalue)
        half = stats.t.ppf(0.975, n - 1) * apart.std(ddof=1) / np.sqrt(n)
        expected = apart.mean() - half, apart.mean() + half
        assert found.compared.interval == pytest.approx(expected)


def test_seeds_without_a_partner_take_no_part(tmp_path):
    write_run(tmp_path, "word", "amp", seed=0)
    write_run(tmp_path, "word", "mixup", seed=1)
    _, (found,), _ = compared_in(tmp_path)
    assert counted_verdict(found) == "undecided (no common seed)"


def test_folds_are_averaged_within_a_seed(tmp_path):
    given = {0: ([4.0, 8.0], [5.0, 10.0]), 1: ([3.0, 5.0], [6.0, 7.0])}
    for seed, (errors, others) in given.items():
        for fold in range(2):
            run = {"seed": seed, "fold": fold}
            write_run(tmp_path, "word", "amp", error=errors[fold], **run)
            write_run(tmp_path, "word", "mixup", error=others[fold], **run)
    groups, (found,), _ = compared_in(tmp_path)
    assert found.seeds == 2
    interval = stats.ttest_rel([6.0, 4.0], [7.5, 6.5]).confidence_interval()
    assert found.compared.interval == pytest.approx(tuple(interval))
    assert found.compared.wide is None  # the texts of a seed are in another order
    differing, _ = settings_tables(groups)
    assert differing.headings[:3] == ["method", "seeds", "folds"]
    assert differing.rows[0][:3] == ("WordMixup", "0, 1", "0, 1")


def test_the_comparisons_with_no_mixing_have_verdicts_and_are_corrected(tmp_path):
    for seed in range(6):
        write_run(tmp_path, seed=seed, error=9.0)
        write_run(tmp_path, "word", "mixup", seed=seed, error=8.0 + seed / 10)
        write_run(tmp_path, "word", "amp", seed=seed, error=6.0 + seed / 10)
    records = read_folders([tmp_path])[0]
    _, compared, _ = compared_groups(records)
    found = {(d.group.method, d.family): d.verdict for d in compared}
    assert found["WordAMP", "mixup"] is None
    assert [found[m, "none"].p for m in ("WordMixup", "WordAMP")] == [0.0625, 0.0625]
    bounds = "\N{MINUS SIGN}2.95\xa0to\xa0\N{MINUS SIGN}2.55"
    assert verdict_sentences(compared)[1:] == [
        f"WordAMP against no mixing: undecided, \N{MINUS SIGN}2.75 ({bounds}) percentage "
        "points over 6 seeds. About 7 seeds would decide.",
        "With 6 seeds and 2 comparisons nothing can be shown, whatever the errors; that "
        "takes 7.",
    ]
    _, compared, _ = compared_groups(records, margin=9.0)
    assert {str(d.verdict) for d in compared if d.family == "none"} == {"equal"}


def test_the_interval_over_texts_is_that_of_the_predictions(tmp_path):
    """What each text adds has the mean of the score, and both methods' texts are one."""
    for seed in range(3):
        write_run(tmp_path, "word", "mixup", seed=seed)
        write_run(tmp_path, "word", "amp", seed=seed)
    groups, (found,), _ = compared_in(tmp_path)
    for name in ("test_error", "nll", "ece"):
        losses = [group.losses(name) for group in groups]
        for group, of_group in zip(groups, losses, strict=True):
            for (seed, _), score in group.of(name).items():
                assert of_group[seed][1].mean() == pytest.approx(score, rel=1e-3)
        one, two = (np.array([of[seed][1] for seed in range(3)]) for of in losses)
        wide = found.compared.wide if name == "test_error" else found.scores[name].wide
        assert wide == pytest.approx(crossed_interval(two - one))


def test_settings_tell_methods_apart_and_are_compared_with_their_own(tmp_path):
    write_run(tmp_path / "a", "word", "amp", error=4.0)
    write_run(tmp_path / "a", "word", "mixup", error=8.0)
    changed = {"policy_arguments": {"alpha": 1.0, "step_size": 0.1, "max_gradient": 1.0}}
    write_run(tmp_path / "b", "word", "amp", error=6.0, **changed)
    write_run(tmp_path / "c", "word", "mixup", error=9.0, backbone="bilstm")
    groups, compared, left_out = compared_in(tmp_path)
    assert not left_out
    assert [group.label for group in groups] == [
        "WordMixup, backbone=cnn",
        "WordMixup, backbone=bilstm",
        "WordAMP, step_size=0.002",
        "WordAMP, step_size=0.1",
    ]
    found = {(d.group.label, d.other.label): d.improvement for d in compared}
    assert found == {
        ("WordAMP, step_size=0.002", "WordMixup, backbone=cnn"): 50.0,
        ("WordAMP, step_size=0.1", "WordMixup, backbone=cnn"): 25.0,
    }
    differing, _ = settings_tables(groups)
    assert differing.headings == ["method", "seeds", "backbone", "step_size"]


def test_a_setting_without_effect_tells_nothing_apart(tmp_path):
    write_run(tmp_path / "a", seed=0, save_curve=True)
    write_run(tmp_path / "b", seed=1, save_curve=False, data_dir="elsewhere")
    groups, *_ = compared_in(tmp_path)
    assert [(group.label, group.seeds) for group in groups] == [("none", [0, 1])]


def test_a_repetition_is_left_out_and_named(tmp_path):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", command="another")
    groups, _, (left_out,) = compared_in(tmp_path)
    assert [group.seeds for group in groups] == [[0]]
    assert left_out.folder == tmp_path / "b" / "none" / "seed-0"
    assert left_out.reason.endswith(f"are those of {tmp_path / 'a' / 'none' / 'seed-0'}")


def test_runs_of_different_data_sets_are_refused(tmp_path):
    write_run(tmp_path / "a", data="trec")
    write_run(tmp_path / "b", data="sst2")
    with pytest.raises(ValueError, match=r"one data set.*trec \(.*sst2 \(.*for each"):
        compared_in(tmp_path)
    shutil.rmtree(tmp_path / "b")
    write_run(tmp_path / "b", data="trec", classes=["one", "two"])
    with pytest.raises(ValueError, match="with 3 classes, .* with 2 classes"):
        compared_in(tmp_path)
