"""Comparisons: files, pairs, folds, encoders, what is shown, interruptions, mistakes."""

import csv
import io
import json
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from comparing import HALVES, TINY, WORDS, quiet, rows_of, settings
from helpers import tiny_preset
from rich.console import Console
from rich.text import Text
from untrained import fit_and_test

import keras_amp
from keras_amp import experiments
from keras_amp.experiments import ComparisonRun, compare, environment, methods, worker
from keras_amp.experiments.interruption import Interruption
from keras_amp.experiments.results import new_folder, write_json

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


def test_a_comparison_leaves_everything_in_its_folder(compared):
    out, results, _ = compared
    names = ["none", "WordMixup", "WordAMP"]
    assert [(r.seed, r.method) for r in results] == [(0, name) for name in names]

    rows = rows_of(out / "results.csv")
    assert [row["method"] for row in rows] == names
    for row, result in zip(rows, results, strict=True):
        assert float(row["test_error"]) == result.test_error
        assert 0 <= result.best_test_error <= result.test_error <= 100
        assert 1 <= result.epoch <= 2

    for result in results:
        run = out / result.method / f"seed-{result.seed}"
        assert json.loads((run / "result.json").read_text()) == result.as_dict()
        config = json.loads((run / "config.json").read_text())
        assert config["seed"] == result.seed
        assert config["command"] is None  # no command line asked for it
        assert config["backbone_arguments"] == {
            **TINY,
            "kernel_sizes": [2],
            "dropout": 0.5,
            "l2": 1e-8,
            "convolution_gain": None,
            "trainable_vectors": True,
        }
        assert config["versions"]["keras"] == keras.__version__
        # 80 texts: 20% are the test set, 10% of the rest the development set.
        assert config["examples"] == {"train": 58, "dev": 6, "test": 16}
        epochs = rows_of(run / "epochs.csv")
        assert len(epochs) == 2
        # The least development error, and of these the least development loss.
        best = min(
            epochs, key=lambda row: (-float(row["val_accuracy"]), float(row["val_loss"]))
        )
        assert int(best["epoch"]) == result.epoch - 1
        np.testing.assert_allclose(
            100 * (1 - float(best["test_accuracy"])), result.test_error, atol=1e-4
        )
        np.testing.assert_allclose(
            100 * (1 - float(best["val_accuracy"])), result.dev_error, atol=1e-4
        )
        about = json.loads((run / "environment.json").read_text())
        assert about["jit_compile"] is False
        assert about["machine"]["deterministic"] is not bool(
            tf.config.get_visible_devices("GPU")
        )
        assert about["source"] == environment.source()
        assert list((run / "tensorboard" / "train").glob("events.out.tfevents*"))
        assert ("mask_rate" in epochs[0]) == (result.method != "none")
        # The predictions are those of the chosen epoch, and of what was kept.
        predictions = rows_of(run / "predictions.csv")
        wrong = [row["label"] != row["prediction"] for row in predictions]
        assert len(wrong) == 16
        np.testing.assert_allclose(100 * np.mean(wrong), result.test_error)
        with open(run / "confusion.csv") as file:
            counts = np.array([row[1:] for row in list(csv.reader(file))[1:]], int)
        assert counts.sum() == 16
        np.testing.assert_allclose(100 - 100 * counts.trace() / 16, result.test_error)
        kept = keras_amp.load_run(run)
        texts = [row["text"] for row in predictions]
        assert kept.classify(texts) == [row["prediction"] for row in predictions]
        np.testing.assert_allclose(
            kept.predict(texts),
            [
                [float(row[f"p({name})"]) for name in ("fish", "tree")]
                for row in predictions
            ],
            rtol=1e-4,
        )
        policy = config["policy_arguments"]
        assert policy.get("step_size") == (0.002 if "AMP" in result.method else None)
    assert any(result.epoch < result.epochs for result in results)
    assert not list(out.rglob("*.partial"))
    table = (out / "table.md").read_text()
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:5]] == names


def test_methods_of_a_seed_share_everything_but_the_mixing(
    own_data, compared, tmp_path, eagerly
):
    """With lambda = 1 mixing is no mixing: the run must be that without."""
    out, _, _ = compared
    chosen = settings(own_data, **HALVES)
    examples = experiments.prepare(keras_amp.data.load(own_data), chosen, 0)
    method = experiments.Method("sentence", "mixup")
    policy = keras_amp.Mixup(probability=0.0)
    experiments.train(chosen, method, policy, 0, examples, tmp_path)
    unmixed = rows_of(tmp_path / "epochs.csv")
    plain = rows_of(out / "none" / "seed-0" / "epochs.csv")
    for row, other in zip(plain, unmixed, strict=True):
        for name in row:
            np.testing.assert_allclose(
                float(row[name]), float(other[name]), rtol=1e-4, err_msg=name
            )


def test_tensorboard_holds_what_the_step_reports(compared):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out, _, _ = compared
    events = EventAccumulator(str(out / "WordAMP" / "seed-0" / "tensorboard" / "train"))
    events.Reload()
    tags = events.Tags()["tensors"]
    assert {"epoch_loss", "mixing/lam_delta", "mixing/mask_rate"} <= set(tags)
    assert [event.step for event in events.Tensors("epoch_loss")] == [0, 1]


def test_a_report_of_records_is_that_of_their_folders(own_data, tmp_path, untrained):
    pages = pytest.importorskip("keras_amp.experiments.pages")
    out = tmp_path / "out"
    chosen = settings(own_data, save_curve=True)
    run = ComparisonRun(chosen, methods(["none"]), seeds=2, out=out, console=quiet())
    pages.write_records(run.run().values(), tmp_path / "one")
    pages.write_report([out], tmp_path / "other")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


def test_a_cross_validation_runs_every_fold_of_every_seed(own_data, tmp_path, untrained):
    out = tmp_path / "out"
    results = compare(
        settings(own_data, folds=2, epochs=1),
        methods(["none"]),
        seeds=2,
        first_seed=5,
        out=out,
        console=quiet(),
    )
    assert [(r.seed, r.fold) for r in results] == [
        (s, f) for s in (5, 6) for f in range(2)
    ]
    for seed in (5, 6):
        tested = []
        for fold in range(2):
            run = out / "none" / f"seed-{seed}-fold-{fold}"
            tested.extend(row["text"] for row in rows_of(run / "predictions.csv"))
        assert sorted(tested) == sorted(keras_amp.data.load(own_data).train.texts)
    assert "| none | 4 |" in (out / "table.md").read_text()
    one = ComparisonRun(
        settings(own_data, folds=3), fold=[2], out=tmp_path / "one", console=quiet()
    )
    assert [(c.seed, c.fold) for c in one.todo[::5]] == [(0, 2), (1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("folds", "fold", "message"),
    [
        (3, [3], "from 0 to .*fold=3 with 3 folds"),
        (3, ["a"], "an integer from 0 .*fold='a' with 3 folds"),
        (1, [0], "fold=0 with no cross-validation; set `folds`"),
    ],
)
def test_folds_that_are_not_there_are_refused(own_data, folds, fold, message):
    with pytest.raises(ValueError, match=message):
        ComparisonRun(settings(own_data, folds=folds), fold=fold, console=quiet())


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """A tiny random BERT with its tokenizer, as a local preset folder."""
    return tiny_preset(
        tmp_path_factory.mktemp("preset"),
        ["a", "no", *WORDS["fish"], *WORDS["tree"]],
        max_sequence_length=6,
    )


def on_encoder(path, preset, **changes):
    arguments = {"preset": preset}
    return settings(
        path, backbone="bert", backbone_arguments=arguments, epochs=1, **changes
    )


def test_an_encoder_runs_the_same_path_and_can_be_used(preset, tmp_path, eagerly):
    """On texts that are longer than it allows: they are cut, counted and named."""
    path = tmp_path / "long.csv"
    rows = [f"a {WORDS['fish'][i % 4]} no a a a,{'xy'[i % 2]}" for i in range(40)]
    path.write_text("\n".join(["text,label", *rows]))
    console = Console(file=io.StringIO(), width=100)
    chosen = on_encoder(path, preset)
    out = tmp_path / "out"
    compare(chosen, methods(["word"], ["amp"]), seeds=1, out=out, console=console)
    run = out / "WordAMP" / "seed-0"
    config = json.loads((run / "config.json").read_text())
    assert config["encoding"] == {"sequence_length": 6}
    assert config["truncated"] == config["examples"]
    shown = console.file.getvalue()
    assert "Seed 0: 28 of 28 training texts are longer than 6 and were cut" in shown
    rows = rows_of(run / "predictions.csv")
    with pytest.warns(UserWarning, match="were cut"):
        classified = keras_amp.load_run(run).classify([row["text"] for row in rows])
    assert classified == [row["prediction"] for row in rows]


def test_an_encoder_is_checked_before_training(own_data, preset, tmp_path):
    with pytest.raises(ValueError, match="at most 6"):
        ComparisonRun(on_encoder(own_data, preset, sequence_length=7), console=quiet())
    with pytest.raises(ValueError, match="Did you mean 'bert_base_en_uncased'"):
        ComparisonRun(on_encoder(own_data, "bert_base_en_uncase"), console=quiet())
    with pytest.raises(ValueError, match="`vectors`.*encoder brings its own"):
        on_encoder(own_data, preset, vectors="glove.6B.100d")


def test_word_vectors_are_checked_before_training(own_data, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        ComparisonRun(settings(own_data, vectors="no/such.txt"), console=quiet())
    path = tmp_path / "other.txt"
    path.write_text("nothing 1 2\nof 3 4\n")
    with pytest.raises(ValueError, match="none of its words"):
        ComparisonRun(settings(own_data, vectors=str(path)), console=quiet())


def test_the_development_set_depends_on_the_seed_the_test_set_does_not(own_data):
    chosen = settings(own_data)
    dataset = keras_amp.data.load(own_data)
    first, second = (experiments.prepare(dataset, chosen, seed) for seed in (0, 1))
    texts = [
        {" ".join(e.encoding.preprocess.vocabulary[i] for i in ids) for ids in e.test[0]}
        for e in (first, second)
    ]
    assert len(first.test[1]) == 16
    assert not np.array_equal(first.dev[0], second.dev[0])
    np.testing.assert_array_equal(first.test[1], second.test[1])
    # Words that only the test texts hold are unknown: the vocabulary is the training's.
    assert any("[UNK]" in text for text in texts[0])


# === What is shown, and interruptions ===


def small(tmp_path, **arguments):
    """A comparison of one method on the shipped set, two seeds of one epoch."""
    console = arguments.pop("console", Console(file=io.StringIO(), width=100))
    chosen = experiments.Settings(
        backbone_arguments=TINY, epochs=1, train_per_class=6, save_classifier=False
    )
    return ComparisonRun(
        chosen, methods(["none"]), seeds=2, out=tmp_path / "out", console=console,
        **arguments,
    )  # fmt: skip


def test_texts_without_labels_are_counted(own_data, tmp_path, console):
    chosen = settings(own_data, unlabeled=True, train_fraction=0.5, dev_fraction=0)
    words = methods(["none", "word"], ["vat"])
    run = ComparisonRun(chosen, words, seeds=1, out=tmp_path / "out", console=console)
    for cell in run.todo:
        run.begin_cell(cell, worker.examples_of(cell, cell.settings))
    text = "Seed 0: 32 training texts without labels, used by WordVAT\n"
    assert console.file.getvalue().count(text) == 1
    plain, vat = (worker.examples_of(cell, cell.settings).sizes for cell in run.todo)
    assert vat == {"train": 32, "dev": 0, "test": 16, "unlabeled": 32}
    assert plain == {"train": 32, "dev": 0, "test": 16}


def test_texts_without_labels_that_no_method_uses(own_data, tmp_path, console):
    chosen = settings(own_data, unlabeled=True, train_fraction=0.5)
    out = tmp_path / "out"
    ComparisonRun(chosen, methods(["none"]), out=out, console=console).begin()
    assert "No method of these uses texts without labels" in console.file.getvalue()


def test_progress_is_plain_lines_where_there_is_no_terminal(compared):
    out, results, shown = compared
    assert "\x1b" not in shown
    lines = shown.splitlines()
    assert lines[0].startswith("Dataset(")
    assert lines[1].startswith("3 runs of 2 epochs; results in ")
    for line, result in zip(lines[2:5], results, strict=True):
        assert line == (
            f"{result.method}, seed 0: dev error {result.dev_error:.2f}%, test error "
            f"{result.test_error:.2f}% (epoch {result.epoch} of 2, "
            f"{result.seconds:.1f} s)"
        )
    assert "best test error %" in shown
    assert shown.splitlines()[-1] == f"All results: {out}"


def test_a_terminal_sees_a_bar_and_the_table(tmp_path, monkeypatch, untrained):
    monkeypatch.setenv("TERM", "xterm-256color")
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    small(tmp_path, console=console).run()
    shown = console.file.getvalue()
    assert "of 2 runs" in shown
    assert "best test error %" in shown
    assert shown.count(HIDE) == shown.count(SHOW)
    assert "none, seed 1: dev error 25.00%" not in shown  # its line is for other places


class Watching:
    """A stand-in for the training that looks at the display, or is interrupted."""

    def __init__(self, look):
        self.look, self.calls = look, 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        result = fit_and_test(*args, **kwargs)
        self.look(self.calls)
        return result


def test_the_state_is_the_run_and_its_epoch(tmp_path, monkeypatch):
    states = []
    run = small(tmp_path)
    monkeypatch.setattr(
        worker, "fit_and_test", Watching(lambda _: states.append(run.display.state))
    )
    run.run()
    assert states == [f"none, seed {s}: epoch 1 of 1, dev error 25.0%" for s in (0, 1)]


def test_what_is_finished_survives_an_interruption(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")

    def interrupt(calls):
        if calls == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(worker, "fit_and_test", Watching(interrupt))
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    comparison = small(tmp_path, console=console)
    with pytest.raises(KeyboardInterrupt):
        comparison.run()
    shown = console.file.getvalue()
    assert shown.count(HIDE) == shown.count(SHOW)
    last = Text.from_ansi(shown).plain.rstrip().splitlines()[-1]
    out = tmp_path / "out"
    assert last == (
        f"Interrupted: 1 of 2 runs are finished (none 1 of 2). Their results: {out}"
    )
    # The unfinished one leaves nothing.
    assert [path.name for path in (out / "none").iterdir()] == ["seed-0"]
    assert len((out / "results.csv").read_text().splitlines()) == 2
    assert [result.seed for result in comparison.results] == [0]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_nothing_finished_is_said_so(tmp_path, monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(worker, "fit_and_test", fail)
    comparison = small(tmp_path)
    with pytest.raises(error):
        comparison.run()
    how = {KeyboardInterrupt: "Interrupted", RuntimeError: "Ended"}[error]
    shown = comparison.display.console.file.getvalue()
    assert shown.endswith(f"\n{how} before a run was finished.\n")


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
def test_an_interruption_that_a_finalizer_swallows_is_kept(
    tmp_path, monkeypatch, interrupted_by
):
    interrupted_by(signal.default_int_handler)
    monkeypatch.setattr(worker, "fit_and_test", Watching(lambda _: Interrupting()))
    comparison = small(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        comparison.run()
    assert [result.seed for result in comparison.results] == [0]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_is_raised_before_the_next_batch(interrupted_by):
    interrupted_by(signal.default_int_handler)
    with Interruption() as interruption:
        interruption.on_train_batch_begin(0)
        Interrupting()
        with pytest.raises(KeyboardInterrupt):
            interruption.on_train_batch_begin(1)


def test_another_handler_is_left_alone(interrupted_by):
    interrupted_by(signal.SIG_IGN)
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGINT)
        interruption.check()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_examples_show_their_sizes():
    dataset = keras_amp.data.load("questions")
    chosen = experiments.Settings(train_per_class=10)
    examples = experiments.prepare(dataset, chosen, seed=0)
    sizes = [len(getattr(examples, name)[1]) for name in ("train", "dev", "test")]
    assert repr(examples) == (
        f"Examples(train={sizes[0]}, dev={sizes[1]}, test={sizes[2]}, "
        f"classes={list(dataset.class_names)})"
    )


# === What is wrong ===


def test_a_wrong_comparison_is_explained_before_training(own_data, tmp_path):
    with pytest.raises(ValueError, match="`seeds`.*seeds=0"):
        ComparisonRun(settings(own_data), seeds=0)
    with pytest.raises(ValueError, match="at least one method"):
        ComparisonRun(settings(own_data), [])
    path = tmp_path / "few.csv"
    path.write_text("text,label\na,x\nb,y\n")
    with pytest.raises(ValueError, match="at least one example to choose the epoch by"):
        ComparisonRun(settings(path))


def test_results_are_never_overwritten(own_data, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("kept")
    with pytest.raises(FileExistsError, match="new or empty folder.*never overwritten"):
        ComparisonRun(settings(own_data), out=tmp_path / "out", console=quiet())
    assert (tmp_path / "out" / "mine.txt").read_text() == "kept"


def test_files_are_whole_or_absent(tmp_path):
    value = []
    value.append(value)
    with pytest.raises(ValueError, match="Circular"):
        write_json(tmp_path / "a.json", value)

    def interrupted():
        with new_folder(tmp_path / "run") as folder:
            (folder / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not list(tmp_path.iterdir())
