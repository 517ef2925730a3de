"""The training path: the choice of the epoch, schedules, losses."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from comparing import HALVES, PUBLISHED, TINY, quiet, rows_of, settings

import keras_amp
from keras_amp import experiments
from keras_amp.experiments import compare, devices, methods, training
from keras_amp.experiments.choosing import Chosen, choosing
from keras_amp.experiments.smoothing import SmoothedCrossentropy
from keras_amp.paper import AuthorsProgram, SummedBinaryCrossentropy


def prepared(own_data, seed=0, **changes):
    """Settings and the examples of a seed."""
    chosen = settings(own_data, **changes)
    return chosen, experiments.prepare(keras_amp.data.load(own_data), chosen, seed)


def compiled(own_data, method, **changes):
    """The model of a method, before any step."""
    chosen, examples = prepared(own_data, **changes)
    policy = method.policy_of(keras_amp.AdversarialMixing())
    return training.compiled(chosen, method, policy, 0, examples, 12)[1]


class Model:
    """What the callbacks that choose the epoch need of a model."""

    def __init__(self):
        self.stop_training, self.epoch = False, None

    def get_weights(self):
        return self.epoch

    def set_weights(self, epoch):
        self.restored = epoch


def chosen_epoch(logs, num_dev=10, patience=9):
    """The epoch that is chosen, from 0, and the number of epochs trained."""
    callbacks, model = choosing(num_dev, patience), Model()
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    for epoch, (accuracy, loss) in enumerate(logs):
        model.epoch = epoch
        of_epoch = {"val_accuracy": accuracy, "val_loss": loss}
        for callback in callbacks:
            callback.on_epoch_end(epoch, of_epoch)
        if model.stop_training:
            break
    for callback in callbacks:
        callback.on_train_end()
    assert model.restored == callbacks[-1].best_epoch
    beside = Chosen(num_dev, patience)  # of a seed that is trained beside others
    for accuracy, loss in logs:
        beside.ends(val_accuracy=accuracy, val_loss=loss)
    assert (beside.best, len(beside.epochs)) == (model.restored, epoch + 1)
    return model.restored, epoch + 1


def test_the_least_error_decides_and_of_equal_ones_the_least_loss():
    assert chosen_epoch([(0.5, 1.0), (0.9, 5.0), (0.8, 0.1)]) == (1, 3)
    assert chosen_epoch([(0.5, 1.0), (0.5, 0.9), (0.5, 0.95)]) == (1, 3)
    # However great the loss, it decides between equal errors alone.
    assert chosen_epoch([(0.4, 0.0), (0.5, 1e9), (0.5, float("nan"))]) == (1, 3)


def test_patience_ends_a_training_that_does_not_improve():
    assert chosen_epoch([(0.5, 1.0)] * 30, patience=2) == (0, 3)
    assert choosing(0, 2) == []  # nothing to choose by


def test_the_learning_rate_warms_up(own_data):
    method = experiments.Method("none")
    rate = compiled(own_data, method, warmup_steps=4).optimizer._learning_rate
    rates = [float(rate(step)) for step in range(8)]
    expected = [0.025 + 0.075 * min(step / 4, 1) for step in range(8)]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)
    assert training._learning_rate(settings(own_data)) == 0.1


def test_the_step_size_rises(own_data, eagerly):
    """In a straight line over all steps, and the next run begins as this one did."""
    given = keras_amp.AdversarialMixing(step_size=0.5)
    chosen, examples = prepared(own_data, steps=3, step_schedule="rising", **HALVES)
    sizes = []

    class Watched(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            sizes.append(self.model.policy.step_size.numpy())

    method = experiments.Method("word", "amp")
    trained = training.fit_and_test(
        chosen, method, given, 0, examples, callbacks=[Watched()]
    )
    np.testing.assert_allclose(sizes, np.linspace(0, 0.5, 3), atol=1e-7)
    np.testing.assert_allclose(trained.epochs[-1]["step_size"], 0.5, atol=1e-7)
    assert (trained.result.steps, trained.result.epochs) == (3, 2)
    assert given.step_size == 0.5
    assert not given.scheduled()


def test_texts_without_labels_count_in_no_accuracy(
    own_data, eagerly, strategy, monkeypatch
):
    """At a learning rate of nothing it is that of the same texts without the others.

    These are on two devices, which changes nothing either.
    """
    monkeypatch.setattr(devices, "mirrored", lambda *names: strategy)
    changes = {"learning_rate": 1e-12, "train_fraction": 0.5, "unlabeled": True}
    changes["backbone_arguments"] = {**TINY, "dropout": 0.0}
    chosen, examples = prepared(own_data, **{**HALVES, **changes, "epochs": 1})
    found = {}
    for method in (experiments.Method("none"), experiments.Method("word", "vat")):
        mixing = keras_amp.AdversarialMixing()
        policy = None if method.mix == "none" else method.policy_of(mixing)
        with devices.on_devices(2 if policy is None else None):
            trained = training.fit_and_test(chosen, method, policy, 0, examples)
        (found[method.name],) = trained.epochs
        assert trained.result.steps == 1
    assert len(examples.unlabeled) > 20
    for name in ("accuracy", "val_accuracy", "test_accuracy"):
        np.testing.assert_allclose(found["WordVAT"][name], found["none"][name])


@pytest.mark.parametrize(("policy", "steps"), [("amp", 7), ("program", 7), ("maxop", 1)])
def test_the_step_size_falls(policy, steps):
    given = keras_amp.AdversarialMixing(step_size=0.5)
    mixing = experiments.Method("word", policy).policy_of(given)
    falling = SimpleNamespace(step_schedule="falling")
    copy, (schedule,) = training._scheduled(falling, mixing, steps)
    line = schedule.schedules["step_size"]
    sizes = [float(line(step)) for step in range(steps)]
    np.testing.assert_allclose(sizes, 0.5 - np.linspace(0, 0.5, steps), atol=1e-7)
    assert copy is not mixing
    assert copy.get_config() == mixing.get_config()


def test_without_a_step_there_is_nothing_to_schedule():
    policy, rising = keras_amp.Mixup(), SimpleNamespace(step_schedule="rising")
    assert training._scheduled(rising, policy, 7) == (policy, [])


@pytest.mark.parametrize(
    ("name", "smoothing"),
    [("cross-entropy", 0), ("cross-entropy", 0.2), ("binary", 0), ("double-softmax", 0)],
)
def test_texts_without_labels_do_not_count_in_the_mean(name, smoothing):
    y, p = np.array([2, 1, 0, 0]), keras.ops.softmax(np.eye(4, 3, 1))
    with_labels = keras.losses.get(training._loss(name, smoothing, False))(y[:2], p[:2])
    loss = training._loss(name, smoothing, True)
    among_others = loss(y, p, np.array([1, 1, 0, 0]))
    np.testing.assert_allclose(among_others, np.mean(with_labels), rtol=1e-6)


@pytest.mark.parametrize("shape", [(5,), (5, 1)])
def test_smoothed_labels(shape):
    rng = np.random.default_rng(0)
    y, p = rng.integers(3, size=5), rng.dirichlet(np.ones(3), 5)
    target = 0.7 * np.eye(3)[y] + 0.3 / 3
    loss = SmoothedCrossentropy(0.3)
    expected = -np.sum(target * np.log(p), axis=-1).mean()
    assert float(loss(y.reshape(shape), p)) == pytest.approx(expected, rel=1e-5)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert float(again(y, p)) == float(loss(y, p))


def test_labels_are_smoothed_where_the_settings_say_so(own_data):
    method = experiments.Method("word", "mixup")
    assert compiled(own_data, method).loss == "sparse_categorical_crossentropy"
    loss = compiled(own_data, method, label_smoothing=0.1).loss
    assert (type(loss), loss.label_smoothing) == (SmoothedCrossentropy, 0.1)


def test_the_authors_program_is_a_matter_of_settings(own_data):
    method = experiments.Method("word", "program")
    model = compiled(own_data, method, loss="binary", clip_norm=10.0)
    assert isinstance(model.policy, AuthorsProgram)
    assert (model.policy.gradient, model.policy.noise) == ("mean", "independent")
    assert model.optimizer.global_clipnorm == 10
    assert isinstance(model.loss, SummedBinaryCrossentropy)


def test_a_compiled_run_says_so(own_data):
    """XLA compiles under deterministic operations, too."""
    small = {"embedding_dim": 2, "filters": 1, "kernel_sizes": (2,)}
    chosen, examples = prepared(
        own_data, steps=1, jit_compile=True, backbone_arguments=small
    )
    method = experiments.Method("sentence", "mixup")
    trained = training.fit_and_test(chosen, method, keras_amp.Mixup(), 0, examples)
    assert trained.environment["jit_compile"] is True
    assert trained.environment["machine"]["deterministic"]


# === As the authors' program ===


def test_without_a_development_set_the_last_epoch_is_the_result(as_published):
    out, results, shown = as_published
    assert "No development set: the last epoch is tested" in shown
    assert "WordProgram, seed 0: test error" in shown
    for result in results:
        folder = out / result.method / "seed-0"
        config = json.loads((folder / "config.json").read_text())
        assert config["examples"] == {"train": 64, "dev": 0, "test": 16}
        assert result.dev_error is None
        assert (result.epoch, result.epochs, result.steps) == (2, 2, 4)
        epochs = rows_of(folder / "epochs.csv")
        assert "val_loss" not in epochs[0]
        last = 100 * (1 - float(epochs[-1]["test_accuracy"]))
        np.testing.assert_allclose(result.test_error, last, atol=1e-4)
    assert "\N{EN DASH}" in (out / "table.md").read_text()
    assert experiments.as_frame(results)["dev_error"].isna().all()


def test_the_test_error_is_taken_every_so_many_steps(as_published):
    out, results, _ = as_published
    for result in results:
        folder = out / result.method / "seed-0"
        rows = rows_of(folder / "test_curve.csv")
        curve = {int(row["step"]): float(row["test_error"]) for row in rows}
        assert list(curve) == [2, 4]
        assert curve[4] == result.test_error
        epochs = rows_of(folder / "epochs.csv")
        by_epoch = [100 * (1 - float(row["test_accuracy"])) for row in epochs]
        least = min([*curve.values(), *by_epoch])
        np.testing.assert_allclose(result.best_test_error, least, atol=1e-4)


def test_each_method_has_the_program_s_loss(as_published):
    """The first epoch's loss without mixing, which begins at log 2 twice."""
    out, _, _ = as_published
    for method, first in (("none", np.log(2)), ("WordMixup", 2 * np.log(2))):
        loss = float(rows_of(out / method / "seed-0" / "epochs.csv")[0]["loss"])
        np.testing.assert_allclose(loss, first, rtol=0.25)
    config = json.loads((out / "WordProgram" / "seed-0" / "config.json").read_text())
    assert config["policy_arguments"]["window"] == 3
    assert config["policy_arguments"]["reading"] == "published"
    assert config["loss"] == "program"


def test_the_same_seed_is_the_same_run_and_looking_at_the_test_error_changes_nothing(
    as_published, own_data, tmp_path, eagerly
):
    out, _, _ = as_published
    compare(
        settings(own_data, **PUBLISHED),
        methods(["word"], ["program"]),
        seeds=1,
        out=tmp_path / "out",
        console=quiet(),
        program={"window": 3},
    )
    run = "WordProgram/seed-0"
    for name in ("epochs.csv", "predictions.csv"):
        again = (tmp_path / "out" / run / name).read_text()
        assert again == (out / run / name).read_text()
    assert not (tmp_path / "out" / run / "test_curve.csv").exists()


def test_a_run_without_a_development_set_has_its_place_in_a_report(
    as_published, tmp_path
):
    out, _, _ = as_published
    pytest.importorskip("matplotlib")
    from keras_amp.experiments.pages import write_report

    page = write_report([out], tmp_path / "report")
    assert "WordProgram" in page.read_text(encoding="utf-8")
