"""Comparisons: protocol, pairing, files, tables, and bad settings."""

import csv
import io
import json

import keras
import numpy as np
import pytest
from helpers import tiny_preset
from rich.console import Console

import keras_amp
from keras_amp import experiments
from keras_amp.experiments import Comparison, Result, Settings, methods
from keras_amp.experiments.results import new_folder, write_json

TINY = {"embedding_dim": 6, "filters": 4, "kernel_sizes": (2, 3)}
WORDS = {"fish": "salmon trout carp pike".split(), "tree": "oak elm ash fir".split()}


@pytest.fixture(scope="module")
def own_data(tmp_path_factory):
    """A CSV file of 80 texts in two classes, without dev and test splits."""
    rng = np.random.default_rng(3)
    path = tmp_path_factory.mktemp("data") / "mine.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for i in range(80):
            label = list(WORDS)[i % 2]
            writer.writerow([f"a {rng.choice(WORDS[label])} no {i}", label])
    return path


def settings(path, **changes):
    return Settings(
        **{
            "data": str(path),
            "backbone_arguments": TINY,
            "epochs": 3,
            "batch_size": 16,
            "learning_rate": 0.02,
            "save_curve": False,  # takes a second a run
            **changes,
        }
    )


def quiet():
    return Console(file=open("/dev/null", "w"), width=120)


@pytest.fixture(scope="module")
def compared(own_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("compared") / "out"
    chosen = methods(["none", "word"])
    return out, Comparison(
        settings(own_data), chosen, seeds=2, out=out, console=quiet()
    ).run()


def test_a_comparison_leaves_everything_in_its_folder(compared):
    out, results = compared
    names = ["none", "WordMixup", "WordAMP"]
    assert [(r.seed, r.method) for r in results] == [
        (s, n) for s in (0, 1) for n in names
    ]

    with open(out / "results.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == names * 2
    for row, result in zip(rows, results, strict=True):
        assert float(row["test_error"]) == result.test_error
        assert 0 <= result.best_test_error <= result.test_error <= 100
        assert 1 <= result.epoch <= 3

    for result in results:
        run = out / result.method / f"seed-{result.seed}"
        assert json.loads((run / "result.json").read_text()) == result.as_dict()
        config = json.loads((run / "config.json").read_text())
        assert config["seed"] == result.seed
        assert config["command"] is None  # no command line asked for it
        assert config["backbone_arguments"] == {
            **TINY,
            "kernel_sizes": [2, 3],
            "dropout": 0.5,
            "l2": 1e-8,
            "convolution_gain": None,
            "trainable_vectors": True,
        }
        assert config["versions"]["keras"] == keras.__version__
        # 80 texts: 20% are the test set, 10% of the rest the development set.
        assert config["examples"] == {"train": 58, "dev": 6, "test": 16}
        with open(run / "epochs.csv") as file:
            epochs = list(csv.DictReader(file))
        assert len(epochs) == 3
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
        assert list((run / "tensorboard" / "train").glob("events.out.tfevents*"))
        assert ("mask_rate" in epochs[0]) == (result.method != "none")
        # The predictions are those of the chosen epoch, and of what was kept.
        with open(run / "predictions.csv") as file:
            predictions = list(csv.DictReader(file))
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
    assert not list(out.rglob("*.partial"))
    table = (out / "table.md").read_text()
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:5]] == names


def test_tensorboard_holds_what_the_step_reports(compared):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out, _ = compared
    events = EventAccumulator(str(out / "WordAMP" / "seed-0" / "tensorboard" / "train"))
    events.Reload()
    tags = events.Tags()["tensors"]
    assert {"epoch_loss", "mixing/lam_delta", "mixing/mask_rate"} <= set(tags)
    assert [event.step for event in events.Tensors("epoch_loss")] == [0, 1, 2]


def test_the_chosen_weights_are_those_of_the_best_epoch(own_data, tmp_path):
    chosen = settings(own_data)
    dataset = keras_amp.data.load(own_data)
    examples = experiments.prepare(dataset, chosen, seed=0)
    built = []

    def build(*args, **kwargs):
        built.append(keras_amp.backbones.text_cnn(*args, **kwargs))
        return built[-1]

    method = experiments.Method("word", "amp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(experiments.training.BACKBONES, "cnn", build)
        result = experiments.train(
            chosen, method, keras_amp.AdversarialMixing(), 0, examples, tmp_path
        )
    ids, labels = examples.test
    wrong = built[0].predict(ids, verbose=0).argmax(1) != labels
    np.testing.assert_allclose(100 * wrong.mean(), result.test_error, atol=1e-4)


def test_methods_of_a_seed_share_everything_but_the_mixing(own_data, tmp_path):
    """Without a step and with lambda = 1 mixing is no mixing: the runs must be equal."""
    chosen = settings(own_data)
    dataset = keras_amp.data.load(own_data)
    examples = experiments.prepare(dataset, chosen, seed=5)
    results = []
    for i, (method, policy) in enumerate(
        [
            (experiments.Method("none"), None),
            (experiments.Method("sentence", "mixup"), keras_amp.Mixup(probability=0.0)),
        ]
    ):
        folder = tmp_path / str(i)
        folder.mkdir()
        experiments.train(chosen, method, policy, 5, examples, folder)
        with open(folder / "epochs.csv") as file:
            results.append(list(csv.DictReader(file)))
    for plain, unmixed in zip(*results, strict=True):
        for name in plain:
            np.testing.assert_allclose(
                float(plain[name]), float(unmixed[name]), rtol=1e-4, err_msg=name
            )


def run_one(chosen, method, folder, seed=0):
    """One run's result and its epochs.csv."""
    folder.mkdir()
    dataset = keras_amp.data.load(chosen.data)
    examples = experiments.prepare(dataset, chosen, seed)
    policy = method.policy_of(keras_amp.AdversarialMixing())
    result = experiments.train(chosen, method, policy, seed, examples, folder)
    with open(folder / "epochs.csv") as file:
        return result, list(csv.DictReader(file))


@pytest.mark.parametrize(("steps", "epochs"), [(3, 1), (4, 1), (6, 2), (8, 2)])
def test_training_takes_as_many_steps_as_asked_for(own_data, tmp_path, steps, epochs):
    """58 texts in batches of 16 are 4 steps."""
    chosen = settings(own_data, steps=steps)
    result, rows = run_one(chosen, experiments.Method("word", "amp"), tmp_path / "a")
    assert (result.steps, result.epochs, len(rows)) == (steps, epochs, epochs)
    assert chosen.length(58) == (4, epochs, steps)


def test_patience_ends_a_training_that_does_not_improve(own_data, tmp_path):
    """The learning rate is too small for any prediction to change."""
    chosen = settings(own_data, epochs=30, patience=2, learning_rate=1e-30)
    result, rows = run_one(chosen, experiments.Method("none"), tmp_path / "a")
    assert (result.epoch, result.epochs, len(rows)) == (1, 3, 3)


def test_of_equal_errors_the_least_loss_decides(own_data, tmp_path):
    """Nothing is predicted otherwise, yet the loss falls from epoch to epoch."""
    chosen = settings(own_data, epochs=4, learning_rate=1e-5)
    result, rows = run_one(chosen, experiments.Method("none"), tmp_path / "a")
    assert len({row["val_accuracy"] for row in rows}) == 1
    losses = [float(row["val_loss"]) for row in rows]
    assert losses == sorted(losses, reverse=True)
    assert result.epoch == 4


def test_the_learning_rate_warms_up(own_data, tmp_path, monkeypatch):
    given = []

    class Watched(keras.optimizers.Adam):
        def __init__(self, learning_rate, **clipping):
            given.append(learning_rate)
            super().__init__(learning_rate, **clipping)

    monkeypatch.setattr(keras.optimizers, "Adam", Watched)
    method = experiments.Method("none")
    for i, warmup_steps in enumerate([4, 0]):
        chosen = settings(own_data, epochs=1, warmup_steps=warmup_steps)
        run_one(chosen, method, tmp_path / str(i))
    rates = [float(given[0](step)) for step in range(8)]
    expected = [0.005 + 0.015 * min(step / 4, 1) for step in range(8)]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)
    assert given[1] == 0.02


@pytest.mark.parametrize(("policy", "steps"), [("amp", 7), ("program", 7), ("maxop", 1)])
def test_the_step_size_rises_or_falls(own_data, tmp_path, policy, steps):
    """In a straight line over all steps, and the next run begins as this one did."""
    given = keras_amp.AdversarialMixing(step_size=0.5)
    method = experiments.Method("word", policy)
    mixing = method.policy_of(given)
    for schedule in ("rising", "falling"):
        chosen = settings(own_data, steps=steps, step_schedule=schedule)
        examples = experiments.prepare(keras_amp.data.load(own_data), chosen, seed=0)
        sizes = []

        class Watched(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None, sizes=sizes):
                sizes.append(self.model.policy.step_size.numpy())

        folder = tmp_path / schedule
        folder.mkdir()
        experiments.train(
            chosen, method, mixing, 0, examples, folder, callbacks=[Watched()]
        )
        expected = np.linspace(0, 0.5, steps)
        if schedule == "falling":
            expected = 0.5 - expected
        np.testing.assert_allclose(sizes, expected, atol=1e-7)
        with open(folder / "epochs.csv") as file:
            last = list(csv.DictReader(file))[-1]
        np.testing.assert_allclose(float(last["step_size"]), expected[-1], atol=1e-7)
        assert mixing.step_size == 0.5
        assert not mixing.scheduled()


@pytest.mark.parametrize("policy", [None, "mixup"])
def test_without_a_step_there_is_nothing_to_schedule(own_data, tmp_path, policy):
    method = experiments.Method("word" if policy else "none", policy)
    runs = [
        run_one(settings(own_data, step_schedule=schedule), method, tmp_path / schedule)
        for schedule in ("constant", "rising")
    ]
    assert runs[0][1] == runs[1][1]


def test_the_authors_program_is_a_matter_of_settings(own_data, tmp_path, monkeypatch):
    compiled = []

    class Watched(keras_amp.MixupAMPModel):
        def compile(self, optimizer, loss, **arguments):
            compiled.append((self.policy, optimizer, loss))
            super().compile(optimizer, loss, **arguments)

    monkeypatch.setattr("keras_amp.experiments.training.MixupAMPModel", Watched)
    method = experiments.Method("word", "program")
    chosen = settings(own_data, epochs=1, loss="binary", clip_norm=10.0)
    result, _ = run_one(chosen, method, tmp_path / "run")
    assert result.method == "WordProgram"
    ((policy, optimizer, loss),) = compiled
    assert isinstance(policy, keras_amp.paper.AuthorsProgram)
    assert (policy.gradient, policy.noise) == ("mean", "independent")
    assert optimizer.global_clipnorm == 10
    assert isinstance(loss, keras_amp.paper.SummedBinaryCrossentropy)


def test_methods_share_what_their_policies_share():
    policy = keras_amp.AdversarialMixing(0.4, 0.1, noise="shared", probability=0.5)
    config = policy.get_config()
    ablated = experiments.Method("word", "maxop").policy_of(policy).get_config()
    assert ablated == {**config, "min_op": False}
    program = experiments.Method("word", "program").policy_of(policy).get_config()
    for name in ("alpha", "step_size", "probability", "lam_per"):
        assert program[name] == config[name]
    assert program["noise"] == "independent"  # its own


def test_random_mixes_at_both_places(own_data, tmp_path):
    method = experiments.Method("random", "amp")
    assert method.name == "RandomAMP"
    classifier = keras_amp.backbones.text_cnn(9, 2, 5, embedding_dim=4, filters=2)
    assert method.mix_at(classifier) == ["embedding", "sentence"]
    result, _ = run_one(settings(own_data), method, tmp_path / "a")
    assert result.method == "RandomAMP"


def test_a_cross_validation_runs_every_fold_of_every_seed(own_data, tmp_path):
    out = tmp_path / "out"
    results = Comparison(
        settings(own_data, folds=2, epochs=1),
        methods(["none"]),
        seeds=2,
        first_seed=5,
        out=out,
        console=quiet(),
    ).run()
    assert [(r.seed, r.fold) for r in results] == [
        (s, f) for s in (5, 6) for f in range(2)
    ]
    for seed in (5, 6):
        tested = []
        for fold in range(2):
            run = out / "none" / f"seed-{seed}-fold-{fold}"
            with open(run / "predictions.csv") as file:
                tested.extend(row["text"] for row in csv.DictReader(file))
        assert sorted(tested) == sorted(keras_amp.data.load(own_data).train.texts)
    assert "| none | 4 |" in (out / "table.md").read_text()
    one = Comparison(
        settings(own_data, folds=3), fold=[2], out=tmp_path / "one", console=quiet()
    )
    assert one.parts == [(0, 2), (1, 2), (2, 2)]


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
        Comparison(settings(own_data, folds=folds), fold=fold, console=quiet())


def test_an_lstm_on_word_vectors_runs_the_same_path(own_data, tmp_path):
    path = tmp_path / "mine.vec"
    words = ["a", "no", *WORDS["fish"], *WORDS["tree"]]
    path.write_text("".join(f"{w} {i}.5 {-i}.25 1\n" for i, w in enumerate(words)))
    chosen = settings(
        own_data,
        backbone="bilstm",
        backbone_arguments={"units": 4},
        vectors=str(path),
        epochs=1,
    )
    out = tmp_path / "out"
    comparison = Comparison(
        chosen, methods(["word"], ["amp"]), seeds=1, out=out, console=quiet()
    )
    comparison.run()
    run = out / "WordAMP" / "seed-0"
    config = json.loads((run / "config.json").read_text())
    assert config["backbone_arguments"]["embedding_dim"] == 3
    assert config["vectors"] == str(path)
    assert config["encoding"]["coverage"] > 0.1
    probabilities = keras_amp.load_run(run).predict(["a salmon no 3", "unheard"])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


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


def test_an_encoder_runs_the_same_path_and_can_be_used(own_data, preset, tmp_path):
    out = tmp_path / "out"
    chosen = on_encoder(own_data, preset)
    Comparison(chosen, methods(policy=["amp"]), seeds=1, out=out, console=quiet()).run()
    for method in ("none", "WordAMP", "SentAMP"):
        run = out / method / "seed-0"
        config = json.loads((run / "config.json").read_text())
        # "a salmon no 3" and two special tokens are 6, as many as the encoder takes.
        assert config["encoding"] == {"sequence_length": 6}
        with open(run / "predictions.csv") as file:
            rows = list(csv.DictReader(file))
        loaded = keras_amp.load_run(run)
        assert loaded.classify([r["text"] for r in rows]) == [
            r["prediction"] for r in rows
        ]


def test_texts_longer_than_the_encoder_allows_are_cut_counted_and_said(preset, tmp_path):
    path = tmp_path / "long.csv"
    rows = [f"a salmon no a a a,{'xy'[i % 2]}" for i in range(40)]
    path.write_text("\n".join(["text,label", *rows]))
    with open(tmp_path / "shown.txt", "w") as file:
        comparison = Comparison(
            on_encoder(path, preset),
            methods(["none"]),
            seeds=1,
            out=tmp_path / "out",
            console=Console(file=file, width=100),
        )
        comparison.run()
    run = tmp_path / "out" / "none" / "seed-0"
    config = json.loads((run / "config.json").read_text())
    assert config["truncated"] == config["examples"]
    shown = (tmp_path / "shown.txt").read_text()
    assert "Seed 0: 28 of 28 training texts are longer than 6 and were cut" in shown


def test_an_encoder_is_checked_before_training(own_data, preset, tmp_path):
    with pytest.raises(ValueError, match="at most 6"):
        Comparison(on_encoder(own_data, preset, sequence_length=7), console=quiet())
    with pytest.raises(ValueError, match="Did you mean 'bert_base_en_uncased'"):
        Comparison(on_encoder(own_data, "bert_base_en_uncase"), console=quiet())
    with pytest.raises(ValueError, match="`vectors`.*encoder brings its own"):
        on_encoder(own_data, preset, vectors="glove.6B.100d")


def test_word_vectors_are_checked_before_training(own_data, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        Comparison(settings(own_data, vectors="no/such.txt"), console=quiet())
    path = tmp_path / "other.txt"
    path.write_text("nothing 1 2\nof 3 4\n")
    with pytest.raises(ValueError, match="none of its words"):
        Comparison(settings(own_data, vectors=str(path)), console=quiet())


def test_the_same_seed_gives_the_same_run(own_data, tmp_path):
    runs = []
    for i in range(2):
        comparison = Comparison(
            settings(own_data),
            methods(["word"], ["amp"]),
            seeds=1,
            out=tmp_path / str(i),
            console=quiet(),
        )
        comparison.run()
        runs.append((tmp_path / str(i) / "WordAMP" / "seed-0" / "epochs.csv").read_text())
    assert runs[0] == runs[1]


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


def test_a_run_that_fails_leaves_nothing_and_spares_the_others(
    own_data, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    comparison = Comparison(settings(own_data), seeds=1, out=out, console=quiet())
    fit = keras_amp.MixupAMPModel.fit

    def failing(self, *args, **kwargs):
        if self.policy.adversarial:
            raise KeyboardInterrupt
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(keras_amp.MixupAMPModel, "fit", failing)
    with pytest.raises(KeyboardInterrupt):
        comparison.run()
    assert not list((out / "WordAMP").iterdir())
    with open(out / "results.csv") as file:
        assert [row["method"] for row in csv.DictReader(file)] == ["none", "WordMixup"]


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
        "| a | 3 | 13.00 ± 2.65 | 12.00 ± 2.65 | 11.00 ± 2.65 | 88.00 ± 2.65 "
        "| 1.200 ± 0.265 | 2.40 ± 0.53 | 2.0 ± 0.0 |"
    )
    assert lines[3] == ("| b | 1 | 21.00 | 20.00 | 19.00 | 80.00 | 2.000 | 4.00 | 2.0 |")


def test_progress_is_plain_lines_where_there_is_no_terminal(own_data, tmp_path):
    with open(tmp_path / "shown.txt", "w") as file:
        console = Console(file=file, width=100)
        Comparison(
            settings(own_data),
            methods(["none"]),
            seeds=2,
            out=tmp_path / "o",
            console=console,
        ).run()
    shown = (tmp_path / "shown.txt").read_text()
    assert "\x1b" not in shown
    for seed in (0, 1):
        assert f"none, seed {seed}: dev error" in shown
    assert "best test error %" in shown


def test_a_terminal_sees_a_bar_and_the_table(own_data, tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    with open(tmp_path / "shown.txt", "w") as file:
        console = Console(file=file, width=100, force_terminal=True)
        Comparison(
            settings(own_data),
            methods(["none"]),
            seeds=1,
            out=tmp_path / "o",
            console=console,
        ).run()
    shown = (tmp_path / "shown.txt").read_text()
    assert "of 1 runs" in shown
    assert "none, seed 0: epoch 3 of 3, dev error" in shown
    assert "best test error %" in shown


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "`epochs`.*>= 1.*epochs=0"),
        ({"batch_size": 1.5}, "`batch_size`.*batch_size=1.5"),
        ({"learning_rate": float("nan")}, "`learning_rate`.*> 0.*nan"),
        ({"learning_rate": "fast"}, "`learning_rate`.*> 0.*'fast'"),
        ({"clip_norm": 0.0}, "`clip_norm`.*> 0.*0.0"),
        ({"clip_norm": True}, "`clip_norm`.*> 0.*True"),
        ({"loss": None}, "`loss`.*'cross-entropy'.*None"),
        ({"dev_fraction": -0.1}, "`dev_fraction`.*to be 0.*between 0 and 1"),
        ({"dev_fraction": 1.0}, "`dev_fraction`.*to be 0.*between 0 and 1"),
        ({"dev_fraction": 0, "patience": 2}, "`patience`.*without a development set"),
        ({"test_every": 0}, "`test_every`.*>= 1"),
        ({"test_fraction": 1.0}, "`test_fraction`.*between 0 and 1"),
        ({"train_fraction": 0.0}, "`train_fraction`.*above 0"),
        ({"train_fraction": 0.1, "train_per_class": 3}, "one of `train_fraction` and"),
        ({"train_per_class": 0}, "`train_per_class`.*>= 1"),
        ({"folds": 0}, "`folds`.*>= 1"),
        ({"steps": 0}, "`steps`.*>= 1"),
        ({"patience": 0}, "`patience`.*>= 1"),
        ({"warmup_steps": -1}, "`warmup_steps`.*>= 0"),
        ({"step_schedule": "up"}, "`step_schedule`.*rising.*Received: .*'up'"),
        ({"sequence_length": 2.5}, "`sequence_length`.*2.5"),
        ({"backbone": "rnn"}, "`backbone`.*'cnn'.*'rnn'"),
        ({"backbone_arguments": {"drop": 0.1}}, "`backbone_arguments`.*dropout.*: drop"),
    ],
)
def test_wrong_settings_are_explained(changes, message):
    with pytest.raises(ValueError, match=message):
        settings("questions", **changes)


# As the authors' program.


@pytest.fixture(scope="module")
def as_published(own_data, tmp_path_factory):
    """Two epochs of four steps and a last one of two, without a development set."""
    out = tmp_path_factory.mktemp("published") / "out"
    console = Console(file=io.StringIO(), width=200)
    chosen = settings(
        own_data,
        loss="program",
        clip_norm=10.0,
        dev_fraction=0,
        steps=10,
        test_every=2,
        learning_rate=0.05,
        backbone_arguments={**TINY, "dropout": 0.0, "convolution_gain": 2.0},
    )
    comparison = Comparison(
        chosen,
        methods(["none", "word"], ["mixup", "program"]),
        seeds=1,
        out=out,
        console=console,
        program={"window": 3},
    )
    return out, comparison.run(), console.file.getvalue()


def test_without_a_development_set_the_last_epoch_is_the_result(as_published):
    out, results, shown = as_published
    assert "No development set: the last epoch is tested" in shown
    assert "WordProgram, seed 0: test error" in shown
    for result in results:
        folder = out / result.method / "seed-0"
        config = json.loads((folder / "config.json").read_text())
        assert config["examples"] == {"train": 64, "dev": 0, "test": 16}
        assert result.dev_error is None
        assert (result.epoch, result.epochs, result.steps) == (3, 3, 10)
        with open(folder / "epochs.csv") as file:
            epochs = list(csv.DictReader(file))
        assert "val_loss" not in epochs[0]
        last = 100 * (1 - float(epochs[-1]["test_accuracy"]))
        np.testing.assert_allclose(result.test_error, last, atol=1e-4)
    assert "\N{EN DASH}" in (out / "table.md").read_text()
    assert experiments.as_frame(results)["dev_error"].isna().all()


def test_the_test_error_is_taken_every_so_many_steps(as_published):
    out, results, _ = as_published
    for result in results:
        folder = out / result.method / "seed-0"
        with open(folder / "test_curve.csv") as file:
            curve = {
                int(row["step"]): float(row["test_error"]) for row in csv.DictReader(file)
            }
        assert list(curve) == [2, 4, 6, 8, 10]
        assert curve[10] == result.test_error
        with open(folder / "epochs.csv") as file:
            epochs = [float(row["test_accuracy"]) for row in csv.DictReader(file)]
        by_epoch = [100 * (1 - accuracy) for accuracy in epochs]
        least = min([*curve.values(), *by_epoch])
        np.testing.assert_allclose(result.best_test_error, least, atol=1e-4)


def test_each_method_has_the_program_s_loss(as_published):
    """The first epoch's loss without mixing, which begins at log 2 twice."""
    out, _, _ = as_published
    for method, first in (("none", np.log(2)), ("WordMixup", 2 * np.log(2))):
        with open(out / method / "seed-0" / "epochs.csv") as file:
            loss = float(next(csv.DictReader(file))["loss"])
        np.testing.assert_allclose(loss, first, rtol=0.25)
    config = json.loads((out / "WordProgram" / "seed-0" / "config.json").read_text())
    assert config["policy_arguments"]["window"] == 3
    assert config["policy_arguments"]["reading"] == "published"
    assert config["loss"] == "program"


def test_looking_at_the_test_error_changes_no_training(as_published, own_data, tmp_path):
    out, _, _ = as_published
    config = json.loads((out / "WordProgram" / "seed-0" / "config.json").read_text())
    chosen = settings(
        own_data,
        **{name: config[name] for name in ("loss", "clip_norm", "dev_fraction", "steps")},
        learning_rate=0.05,
        backbone_arguments={**TINY, "dropout": 0.0, "convolution_gain": 2.0},
    )
    Comparison(
        chosen,
        methods(["word"], ["program"]),
        seeds=1,
        out=tmp_path / "out",
        console=quiet(),
        program={"window": 3},
    ).run()
    for name in ("epochs.csv", "predictions.csv"):
        run = "WordProgram/seed-0"
        assert (tmp_path / "out" / run / name).read_text() == (
            out / run / name
        ).read_text()
    assert not (tmp_path / "out" / run / "test_curve.csv").exists()


def test_a_run_without_a_development_set_has_its_place_in_a_report(as_published):
    out, _, _ = as_published
    pytest.importorskip("matplotlib")
    from keras_amp.report import write_report

    page = write_report([out], out / "report")
    assert "WordProgram" in page.read_text(encoding="utf-8")


def test_a_wrong_comparison_is_explained_before_training(own_data, tmp_path):
    with pytest.raises(ValueError, match="`seeds`.*seeds=0"):
        Comparison(settings(own_data), seeds=0)
    with pytest.raises(ValueError, match="at least one method"):
        Comparison(settings(own_data), [])
    path = tmp_path / "few.csv"
    path.write_text("text,label\na,x\nb,y\n")
    with pytest.raises(ValueError, match="at least one example to choose the epoch by"):
        Comparison(settings(path))


def test_results_are_never_overwritten(own_data, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("kept")
    with pytest.raises(FileExistsError, match="new or empty folder.*never overwritten"):
        Comparison(settings(own_data), out=tmp_path / "out", console=quiet())
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
