"""Saving, loading, resuming; callbacks; seeds."""

import csv
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import text_classifier
from keras import layers, ops

import keras_amp

FOUR = ("lam", "lam_delta", "mask_rate", "loss_gap")
SEARCH = keras_amp.AdversarialMixing()


@keras.saving.register_keras_serializable("tests")
class Halving(keras_amp.AdversarialMixing):
    """A user's policy with an argument of its own."""

    def __init__(self, factor=0.5, **arguments):
        super().__init__(**arguments)
        self.factor = factor

    def perturb(self, lam, lam_gradient):
        return super().perturb(lam, self.factor * lam_gradient)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def noisy_words(seed):
    """Dropout below and above the sentence, and batch normalization: no more."""
    ids = keras.Input((7,), dtype="int32")
    x = layers.Embedding(30, 4, name="embedding")(ids)
    x = layers.Dropout(0.3, seed=seed)(x)
    x = layers.GlobalAveragePooling1D(name="sentence")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Dense(4, "tanh", name="hidden")(x)
    x = layers.Dropout(0.3, seed=seed and seed + 1)(x)
    return keras.Model(ids, layers.Dense(3, "softmax")(x))


def make(seed=7, mix_at="embedding", policy=None, network=noisy_words, **compile_args):
    """A model with every random part: dropout below and above, coefficients, points.

    It mixes without a search, where no policy is given.
    """
    if not compile_args.keys() & {"jit_compile", "run_eagerly"}:
        compile_args["run_eagerly"] = True  # which spares the tracing
    compile_args = {"metrics": ["accuracy"], **compile_args}
    keras.utils.set_random_seed(seed)
    policy = policy or keras_amp.Mixup()
    model = keras_amp.MixupAMPModel(network(seed), mix_at, policy, seed=seed)
    model.compile(
        keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", **compile_args
    )
    return model


def train(model, data, epochs=1, initial_epoch=0, **arguments):
    x, y = data
    return model.fit(
        x,
        y,
        batch_size=10,
        epochs=epochs,
        initial_epoch=initial_epoch,
        shuffle=False,
        verbose=0,
        **arguments,
    ).history


def step(model, data):
    """What a model reports of one more batch."""
    return model.train_on_batch(*data, return_dict=True)


@pytest.fixture
def one_batch(text_batch):
    """Ten examples, which are a whole epoch."""
    return tuple(v[:10] for v in text_batch)


def assert_equal_state(model, other):
    """Weights, optimizer, metrics and random generators."""
    for group in (model.variables, model.optimizer.variables):
        assert group
    pairs = [(model.get_weights(), other.get_weights())]
    pairs.append([[np.array(v) for v in m.optimizer.variables] for m in (model, other)])
    pairs.append([[np.array(v) for v in states(m)] for m in (model, other)])
    for ours, others in pairs:
        for a, b in zip(ours, others, strict=True):
            np.testing.assert_array_equal(a, b)


def states(model):
    """The states of all random generators: the model's and the dropouts'."""
    found = [v for v in model.variables if "seed_generator_state" in v.path]
    assert len(found) == 1 + sum(isinstance(x, layers.Dropout) for x in model.layers)
    return found


# === Whole models ===

WHOLE = {
    "several points": {"mix_at": ["embedding", "sentence", "hidden"], "policy": SEARCH},
    "a user's policy": {"policy": Halving(0.3, step_size=0.1)},
    "plain mixup, in a graph": {
        "policy": keras_amp.Mixup(0.4, lam_per="batch", probability=0.7),
        "jit_compile": False,
    },
}


def test_a_loaded_model_is_compiled_as_it_was(tmp_path):
    for arguments in ({"jit_compile": True}, {"jit_compile": False}):
        make(**arguments).save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert loaded.jit_compile is arguments["jit_compile"]


@pytest.mark.parametrize("name", list(WHOLE))
def test_a_loaded_model_trains_on_as_if_never_saved(tmp_path, one_batch, name):
    model = make(**WHOLE[name])
    step(model, one_batch)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, keras_amp.MixupAMPModel)
    assert_equal_state(loaded, model)
    x, _ = one_batch
    np.testing.assert_array_equal(loaded(x), model(x))
    assert step(loaded, one_batch) == step(model, one_batch)
    assert_equal_state(loaded, model)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_a_loaded_model_keeps_its_precision(tmp_path, one_batch, precision):
    keras.config.set_dtype_policy(precision)
    try:
        model = make(mix_at=["embedding", "hidden"])
        step(model, one_batch)
        model.save(tmp_path / "model.keras")
    finally:
        keras.config.set_dtype_policy("float32")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.dtype_policy.name == model.dtype_policy.name == precision
    assert type(loaded.optimizer) is type(model.optimizer)
    assert_equal_state(loaded, model)
    assert step(model, one_batch) == step(loaded, one_batch)


def test_a_loaded_model_holds_the_users_classifier(tmp_path, text_batch):
    x, _ = text_batch
    model = make()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    loaded.classifier.save(tmp_path / "classifier.keras")
    classifier = keras.models.load_model(tmp_path / "classifier.keras")
    expected = model.classifier(x)
    np.testing.assert_array_equal(classifier(x), expected)
    np.testing.assert_array_equal(loaded(x), expected)


def test_a_classifier_with_mix_layers_is_saved_too(tmp_path, one_batch):
    classifier = keras_amp.insert_mix_layer(noisy_words(1), "hidden")
    model = keras_amp.MixupAMPModel(classifier, policy=keras_amp.Mixup(), seed=1)
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    step(model, one_batch)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.mix_points == ["mix"]
    assert step(loaded, one_batch) == step(model, one_batch)


def test_a_sequential_classifier_is_saved_too(tmp_path):
    x, y = np.random.default_rng(1).normal(size=(16, 4)), np.arange(16) % 3
    classifier = keras.Sequential(
        [
            keras.layers.Dense(5, "tanh", name="embed"),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    classifier(x)
    model = keras_amp.MixupAMPModel(classifier, "embed", keras_amp.Mixup(), seed=1)
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    step(model, (x, y))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.classifier, keras.Sequential)
    assert step(loaded, (x, y)) == step(model, (x, y))


def masked_classifier():
    """A mask input is read above the mix point, around it."""
    ids = keras.Input((5,), dtype="int32", name="ids")
    mask = keras.Input((5,), dtype="bool", name="padding_mask")
    x = keras.layers.Embedding(9, 4, name="embedding")(ids)
    x = keras.layers.MultiHeadAttention(1, 4)(x, x, attention_mask=mask[:, None, :])
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model([ids, mask], keras.layers.Dense(2, "softmax")(x))


def test_a_classifier_with_a_mask_input_is_saved_after_training(tmp_path):
    rng = np.random.default_rng(3)
    x = [rng.integers(1, 9, (8, 5)), np.arange(5) < rng.integers(1, 6, (8, 1))]
    classifier = masked_classifier()
    model = keras_amp.MixupAMPModel(classifier, "embedding", keras_amp.Mixup(), seed=1)
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    step(model, (x, rng.integers(0, 2, 8)))
    for trained in (classifier, model):
        trained.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(loaded(x), classifier(x), rtol=1e-6)


def test_a_model_that_was_never_compiled_is_saved(tmp_path, text_batch):
    model = keras_amp.MixupAMPModel(text_classifier(), "hidden", keras_amp.Mixup(0.3))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert not loaded.compiled
    assert loaded.policy.alpha == 0.3
    np.testing.assert_array_equal(loaded(text_batch[0]), model(text_batch[0]))


def test_a_weight_without_gradient_does_not_lose_the_optimizers_state(
    tmp_path, one_batch
):
    """One Adam state per weight is saved and found again."""
    model = make()
    model.classifier.get_layer("hidden").trainable = False
    model.compile(
        "adam", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True
    )
    step(model, one_batch)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert not loaded.classifier.get_layer("hidden").trainable
    assert_equal_state(loaded, model)
    assert step(loaded, one_batch) == step(model, one_batch)


@pytest.mark.parametrize("as_json", [False, True])
def test_the_configuration_rebuilds_the_model(as_json):
    model = make(mix_at=("embedding", "hidden"), policy=Halving(0.3, alpha=2.0), seed=5)
    config = keras.saving.serialize_keras_object(model)
    if as_json:
        config = json.loads(json.dumps(config))
    twin = keras.saving.deserialize_keras_object(config)
    assert twin.mix_at == ["embedding", "hidden"]
    assert twin.mix_points == model.mix_points
    assert twin.seed == 5
    assert type(twin.policy) is Halving
    assert twin.policy.get_config() == model.policy.get_config()
    assert twin.name == model.name
    assert [w.shape for w in twin.weights] == [w.shape for w in model.weights]
    again = keras_amp.MixupAMPModel.from_config(model.get_config())
    assert again.get_config() == model.get_config()


# === Weights ===


def test_weights_carry_the_whole_state(tmp_path, one_batch):
    model = make(mix_at=["embedding", "hidden"])
    step(model, one_batch)
    model.save_weights(tmp_path / "state.weights.h5")
    other = make(seed=99, mix_at=["embedding", "hidden"])
    step(other, one_batch)  # so that its optimizer has a state to be replaced
    other.load_weights(tmp_path / "state.weights.h5")
    assert_equal_state(other, model)
    assert step(other, one_batch) == step(model, one_batch)


def test_checkpoints(tmp_path, text_batch):
    """Each of ModelCheckpoint's files is the state at the end of its epoch."""
    model = make()
    path = str(tmp_path / "{epoch:d}.keras")
    keep = keras.callbacks.ModelCheckpoint(path)
    expected = train(model, text_batch, 2, callbacks=[keep])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1.keras", "2.keras"]
    first, second = (keras.models.load_model(tmp_path / f"{i}.keras") for i in (1, 2))
    actual = train(first, text_batch, 2, initial_epoch=1)
    assert actual == {name: values[1:] for name, values in expected.items()}
    for other in (first, second):
        assert_equal_state(other, model)


def test_the_best_weights_alone_are_kept(tmp_path, one_batch):
    model = make()
    path = tmp_path / "best.weights.h5"
    keep = keras.callbacks.ModelCheckpoint(
        path,
        monitor="val_accuracy",
        mode="max",
        save_best_only=True,
        save_weights_only=True,
    )
    history = train(model, one_batch, 4, validation_data=one_batch, callbacks=[keep])
    model.load_weights(path)
    accuracy = model.evaluate(*one_batch, verbose=0, return_dict=True)["accuracy"]
    np.testing.assert_allclose(accuracy, max(history["val_accuracy"]), rtol=1e-6)


# === Interruptions ===


class Interrupt(keras.callbacks.Callback):
    """Fails in the middle of the second epoch."""

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == 2 + 1:
            raise RuntimeError("the lights went out")


def test_an_interrupted_run_is_resumed_without_a_trace(tmp_path, text_batch, one_batch):
    """The second epoch is that of a run that was never interrupted."""

    def run(*callbacks):
        return train(model, text_batch, 2, validation_data=one_batch, callbacks=callbacks)

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    whole = model = make(mix_at=["embedding", "hidden"])
    expected = run()
    model = make(mix_at=["embedding", "hidden"])
    with pytest.raises(RuntimeError, match="lights"):
        run(backup(), Interrupt())
    model = make(mix_at=["embedding", "hidden"])
    actual = run(backup())
    assert actual == {name: values[1:] for name, values in expected.items()}
    assert_equal_state(model, whole)


# === Other callbacks ===


def test_early_stopping_restores_the_best_weights(one_batch):
    """The loss on training data is made to look best in the second epoch."""

    class Worse(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = [2.0, 1.0, 3.0, 4.0][epoch]
            if epoch == 1:
                self.best = self.model.get_weights()

    model, worse = make(), Worse()
    stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    history = train(
        model, one_batch, 9, validation_data=one_batch, callbacks=[worse, stop]
    )
    assert len(history["lam"]) == 4
    for a, b in zip(worse.best, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_callbacks_can_watch_every_report(one_batch):
    stops = [
        keras.callbacks.EarlyStopping(monitor=name, mode="min", min_delta=1e9)
        for name in FOUR
    ]
    history = train(make(), one_batch, 9, callbacks=stops)
    # The second value is not better by so much.
    assert [len(history[name]) for name in FOUR] == [2] * 4
    assert [stop.stopped_epoch for stop in stops] == [1] * 4


def test_terminate_on_nan_stops_at_the_first_such_batch(one_batch):
    model = make()

    class Diverges(keras.losses.Loss):
        def call(self, y, p):
            loss = keras.losses.sparse_categorical_crossentropy(y, p)
            return ops.where(model.optimizer.iterations >= 1, loss * np.nan, loss)

    model.compile(keras.optimizers.SGD(0.0), Diverges(), run_eagerly=True)
    with pytest.warns(RuntimeWarning, match="TerminateOnNaN"):
        train(model, one_batch, 5, callbacks=[keras.callbacks.TerminateOnNaN()])
    assert model.optimizer.iterations == 2


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_is_warned_of_once(one_batch, value):
    model = make()

    def loss(y, p):
        return value * keras.losses.sparse_categorical_crossentropy(y, p)

    model.compile(keras.optimizers.SGD(0.0), loss, run_eagerly=True)
    with pytest.warns(RuntimeWarning) as warned:
        train(model, one_batch, 3)
    ours = [
        str(w.message)
        for w in warned
        if "keras.callbacks.TerminateOnNaN()" in str(w.message)
    ]
    assert len(ours) == 1
    assert f"became {value} in epoch 1" in ours[0]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_finite_loss_is_not_warned_of(one_batch):
    assert np.isfinite(train(make(), one_batch)["loss"]).all()


def test_tensorboard_holds_the_reports(tmp_path, one_batch):
    accumulators = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    board = keras.callbacks.TensorBoard(tmp_path, histogram_freq=1, update_freq=1)
    history = train(
        make(policy=SEARCH), one_batch, 2, validation_data=one_batch, callbacks=[board]
    )
    events = accumulators.EventAccumulator(str(tmp_path / "train"))
    events.Reload()
    for name in ("loss", "accuracy", *FOUR):
        values = [
            (e.step, float(tf.make_ndarray(e.tensor_proto)))
            for e in events.Tensors(f"epoch_{name}")
        ]
        assert [step for step, _ in values] == [0, 1]
        np.testing.assert_allclose([v for _, v in values], history[name], rtol=1e-6)
        assert len(events.Tensors(f"batch_{name}")) == 2
    events = accumulators.EventAccumulator(str(tmp_path / "validation"))
    events.Reload()
    assert {"epoch_loss", "epoch_accuracy"} <= set(events.Tags()["tensors"])
    assert not any(name in tag for name in FOUR for tag in events.Tags()["tensors"])


def test_the_csv_logger_writes_the_reports(tmp_path, one_batch):
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history = train(
        make(policy=SEARCH), one_batch, 2, validation_data=one_batch, callbacks=[logger]
    )
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == {"epoch", *history}
    for name, values in history.items():
        np.testing.assert_allclose([float(r[name]) for r in rows], values, rtol=1e-6)


def test_the_learning_rate_scheduler_sets_the_rate(one_batch):
    rates = keras.callbacks.LearningRateScheduler(lambda epoch: [0.1, 0.0, 0.0][epoch])
    model = make(metrics=[])
    model.compile(
        keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy", run_eagerly=True
    )
    after_first = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: after_first.append(
            [np.array(w) for w in model.trainable_weights]
        )
    )
    history = train(model, one_batch, 3, callbacks=[rates, note])
    np.testing.assert_allclose(history["learning_rate"], [0.1, 0.0, 0.0])
    first, _, third = after_first
    for a, b in zip(first, third, strict=True):
        np.testing.assert_array_equal(a, b)


# === Seeds ===

FRESH = """
import json, sys
data, *folders = sys.argv[1:]
sys.path[:0] = folders
sys.modules["keras_hub"] = None  # as if it were not installed
import keras_amp, numpy as np, test_saving
keras_amp.backbones.text_cnn(30, 3, 7)
data = np.load(data)
model = test_saving.make(seed=3, policy=test_saving.SEARCH)
print(json.dumps(test_saving.train(model, (data["x"], data["y"]))))
"""


def test_the_same_seed_gives_the_same_history_in_any_process(tmp_path, text_batch, fresh):
    """Also in one that has no KerasHub, without which the package works."""
    x, y = text_batch
    np.savez(tmp_path / "data.npz", x=x, y=y)
    printed = fresh.run(FRESH, "data.npz", *Path(__file__).parents[:3], folder=tmp_path)
    expected = train(make(seed=3, policy=SEARCH), text_batch)
    assert json.loads(printed.splitlines()[-1]) == expected


def test_the_seed_alone_decides_on_the_draws(one_batch):
    """Same weights and dropout: the model's seed is what differs."""

    def logs(seed):
        keras.utils.set_random_seed(1)
        points = ["embedding", "hidden"]
        model = keras_amp.MixupAMPModel(noisy_words(2), points, SEARCH, seed=seed)
        model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
        return step(model, one_batch)

    first = logs(1)
    assert first == logs(1)
    assert first["lam"] != logs(2)["lam"]


def test_without_a_seed_runs_differ_unless_keras_is_seeded(one_batch):
    def logs():
        model = keras_amp.MixupAMPModel(noisy_words(None), "embedding", SEARCH)
        model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
        return step(model, one_batch)

    keras.utils.set_random_seed(1)
    first, second = logs(), logs()
    assert first["lam"] != second["lam"]
    keras.utils.set_random_seed(1)
    assert logs() == first
