"""Runs that folders hold: which are found, and what is said of damaged ones."""

import pytest

pytest.importorskip("pandas", reason='pip install "keras-amp[experiments]"')

from runs_on_disk import write_comparison, write_run

from keras_amp.experiments import evaluation
from keras_amp.experiments.evaluation import calibration_bins
from keras_amp.experiments.summary.folders import read_folders
from keras_amp.experiments.summary.trials import trials_of


def test_a_folder_named_twice_counts_once(tmp_path):
    folder = write_run(tmp_path / "a")
    (folder / "environment.json").write_text('{"backend": "jax"}')
    records, left_out = read_folders([tmp_path, tmp_path / "a", folder])
    assert ([record["backend"] for record in records], left_out) == (["jax"], [])


def test_runs_are_found_at_any_depth_and_other_configurations_are_none(tmp_path):
    run = write_run(tmp_path / "some" / "where" / "deep")
    preset = run / "tokenizer"
    preset.mkdir()
    (preset / "config.json").write_text('{"module": "keras_hub"}')
    assert [found["folder"] for found in read_folders([tmp_path])[0]] == [run]
    assert [found["folder"] for found in read_folders([run])[0]] == [run]


def test_a_run_cut_short_is_left_out(tmp_path):
    write_run(tmp_path, seed=0)
    cut = write_run(tmp_path, seed=1)
    (cut / "result.json").unlink()
    records, (left_out,) = read_folders([tmp_path])
    assert [record["result"]["seed"] for record in records] == [0]
    assert (left_out.folder, left_out.reason) == (cut, "it did not end")


def test_bins_are_those_of_the_calibration_error(tmp_path):
    write_comparison(tmp_path, [("word", "amp")], seeds=1)
    (run,) = trials_of(read_folders([tmp_path])[0])
    labels, probabilities = run.predictions
    confidence, right, counts = calibration_bins(probabilities, labels)
    used = counts > 0
    error = (counts * abs(confidence - right))[used].sum() / counts.sum()
    expected = evaluation.expected_calibration_error(probabilities, labels)
    assert error == pytest.approx(expected)
    assert counts.sum() == len(labels)
    assert 100 * expected == pytest.approx(run.result["ece"], rel=1e-4)


def test_folders_without_runs_are_named(tmp_path):
    with pytest.raises(ValueError, match="at least one folder of runs. Received: none"):
        read_folders([])
    with pytest.raises(FileNotFoundError, match="nowhere, which is no folder"):
        read_folders([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty, which holds none"):
        read_folders([tmp_path / "empty"])
    (tmp_path / "file").write_text("")
    with pytest.raises(FileNotFoundError, match="file, which is a file"):
        read_folders([tmp_path / "file"])
    run = write_run(tmp_path / "cut")
    (run / "result.json").unlink()
    with pytest.raises(FileNotFoundError, match="cut short alone: .*seed-0.*again"):
        read_folders([tmp_path / "cut"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", "{"),
        ("config.json", '{"mix": "none", "seed": 0}'),
        ("result.json", ""),
        ("result.json", '{"method": "none"}'),
        ("epochs.csv", ""),
        ("epochs.csv", "epoch,loss\n"),
        ("epochs.csv", "epoch,loss\n0,much\n"),
        ("curve.csv", "word,sentence\n1,2\n"),
        ("predictions.csv", "text,label\nwho,one\n"),
        ("predictions.csv", "text,label,p(one),p(two),p(three)\nwho,four,1,0,0\n"),
        ("predictions.csv", "text,label,p(one),p(two),p(three)\nwho,one,1,0,x\n"),
        ("confusion.csv", "x,one,two\none,1,2\ntwo,3,4\n"),
        ("confusion.csv", "x,one,two,three\none,1,2,x\ntwo,1,2,3\nthree,1,2,3\n"),
        ("predictions.csv", b"\xff\xfe\x00"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content):
    folder = write_run(tmp_path / "run")
    content = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(content)

    def read():
        (trial,) = trials_of(read_folders([tmp_path])[0])
        return getattr(trial, name.removesuffix(".csv"))

    with pytest.raises(ValueError, match=f"(?s)Expected .*seed-0/{name}.*damaged file"):
        read()
