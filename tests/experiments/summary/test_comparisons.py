"""Groups of compared runs, their names and differences: against NumPy and SciPy."""

import shutil

import numpy as np
import pytest

pytest.importorskip("scipy", reason='pip install "keras-amp[experiments]"')

from runs_on_disk import write_run
from scipy import stats

from keras_amp.experiments.pages.comparison_files import compared_groups
from keras_amp.experiments.pages.comparison_tables import counted_verdict, settings_tables
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
        ([8.0, 9.0, 8.5, 8.2], [10.0, 11.1, 10.4, 10.3], "better (4 seeds)"),
        ([10.0, 11.1, 10.4, 10.3], [8.0, 9.0, 8.5, 8.2], "worse (4 seeds)"),
        ([8.0, 11.0, 9.0], [9.0, 9.5, 9.2], "no difference shown (3 seeds)"),
        ([8.0, 8.0, 9.0], [9.0], "nothing can be said (1 seed)"),
        ([5.0, 6.0], [5.0, 6.0], "no difference shown (2 seeds)"),
        # Equal differences have no deviation: a t-test would be certain.
        ([5.0, 6.0, 7.0], [5.1, 6.1, 7.1], "no difference shown (3 seeds)"),
        ([5.0] * 6, [5.1] * 6, "better (6 seeds)"),
        ([0.0, 0.0], [0.0, 0.0], "no difference shown (2 seeds)"),
    ],
)
def test_verdicts_are_those_of_the_paired_test(tmp_path, errors, others, verdict):
    found = paired(tmp_path, errors, others)
    assert counted_verdict(found) == verdict
    n = min(len(errors), len(others))
    apart = np.array(errors[:n]) - np.array(others[:n])
    assert found.difference == pytest.approx(apart.mean())
    if found.t_interval is not None:
        assert found.p_t == pytest.approx(stats.ttest_1samp(apart, 0).pvalue)
        half = stats.t.ppf(0.975, n - 1) * apart.std(ddof=1) / np.sqrt(n)
        expected = apart.mean() - half, apart.mean() + half
        assert found.t_interval == pytest.approx(expected)


def test_seeds_without_a_partner_take_no_part(tmp_path):
    write_run(tmp_path, "word", "amp", seed=0)
    write_run(tmp_path, "word", "mixup", seed=1)
    _, (found,), _ = compared_in(tmp_path)
    assert counted_verdict(found) == "cannot be compared (no common seed)"


def test_folds_are_averaged_within_a_seed(tmp_path):
    given = {0: ([4.0, 8.0], [5.0, 10.0]), 1: ([3.0, 5.0], [6.0, 7.0])}
    for seed, (errors, others) in given.items():
        for fold in range(2):
            run = {"seed": seed, "fold": fold}
            write_run(tmp_path, "word", "amp", error=errors[fold], **run)
            write_run(tmp_path, "word", "mixup", error=others[fold], **run)
    groups, (found,), _ = compared_in(tmp_path)
    assert found.seeds == 2
    assert found.p_t == pytest.approx(stats.ttest_rel([6.0, 4.0], [7.5, 6.5]).pvalue)
    differing, _ = settings_tables(groups)
    assert differing.headings[:3] == ["method", "seeds", "folds"]
    assert differing.rows[0][:3] == ("WordMixup", "0, 1", "0, 1")


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
