"""MixingSchedule moves the policy's settings, and nothing is traced anew."""

import inspect

import keras
import numpy as np
import pytest
from backends import run_as
from helpers import bag_of_words, injected
from keras import ops

import keras_amp
from keras_amp.callbacks import MixingSchedule, MixingTensorBoard
from keras_amp.callbacks.tensorboard import TAGS

RNG = np.random.default_rng(8)
IDS, LABELS = RNG.integers(1, 30, (24, 7)), RNG.integers(0, 3, 24)


def fit(policy, callbacks, epochs=4, steps=4, **compile_args):
    keras.utils.set_random_seed(3)
    model = keras_amp.MixupAMPModel(bag_of_words(), "embedding", policy, seed=1)
    model.compile("sgd", "sparse_categorical_crossentropy", **compile_args)
    examples = {"x": IDS[: 6 * steps], "y": LABELS[: 6 * steps], "batch_size": 6}
    history = model.fit(**examples, epochs=epochs, callbacks=callbacks, verbose=0)
    return model, history.history


def test_the_step_follows_the_schedule():
    """Twice the step size is twice the step on lambda, at the same gradients."""
    policy = injected(keras_amp.AdversarialMixing, max_gradient=None)
    rates = [0.0, 0.1, 0.2, 0.0]
    scheduled = [MixingSchedule(step_size=lambda e: rates[e])]
    _, history = fit(policy, scheduled, steps=1, run_eagerly=True)
    np.testing.assert_allclose(history["step_size"], rates, rtol=1e-6)
    delta = history["lam_delta"]
    assert delta[0] == delta[3] == 0 < delta[1]
    assert policy.step_size.value == 0.0
    assert policy.get_config()["step_size"] == 0.0


def test_a_constant_schedule_is_the_setting_itself():
    values = {"alpha": 0.3, "probability": 0.6, "step_size": 0.4}
    arguments = {"epochs": 1, "steps": 2, "run_eagerly": True}
    _, expected = fit(keras_amp.AdversarialMixing(**values), [], **arguments)
    scheduled = [MixingSchedule(**values)]
    _, got = fit(keras_amp.AdversarialMixing(), scheduled, **arguments)
    for name, value in values.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-6)
    for name in ("loss", "lam", "lam_delta"):
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-5)


@pytest.mark.parametrize("against", ["labels", "predictions"])
def test_the_radius_and_the_weight_follow_the_schedule(tmp_path, against):
    """The step on the hidden state has the norm that it is told to have."""
    from test_tensorboard import scalars

    radii, weights = [0.0, 0.3, 0.2], [1.0, 0.0, 2.0]
    schedule = MixingSchedule(radius=lambda e: radii[e], weight=lambda e: weights[e])
    policy = keras_amp.AdversarialTraining(against=against, ascent_steps=2)
    callbacks = [schedule, MixingTensorBoard(tmp_path)]
    _, history = fit(policy, callbacks, epochs=3, steps=1, run_eagerly=True)
    np.testing.assert_allclose(history["delta_norm"], radii, rtol=1e-5)
    np.testing.assert_allclose(history["weight"], weights)
    added = history["adversarial_loss" if against == "labels" else "divergence"]
    total = np.add(history["mixup_loss"], np.multiply(weights, added))
    np.testing.assert_allclose(history["loss"], total, rtol=1e-5)
    for name, values in (("radius", radii), ("weight", weights)):
        steps, shown = scalars(tmp_path / "train", f"mixing/{name}")
        assert steps == [0, 1, 2]
        np.testing.assert_allclose(shown, values, rtol=1e-6)


def test_every_setting_of_every_policy_can_be_scheduled():
    settings = set(inspect.signature(MixingSchedule).parameters) - {"per"}
    of_policies = {}
    for policy in vars(keras_amp.policies).values():
        of_policies.update(getattr(policy, "_ranges", {}))
    assert set(of_policies) == settings
    assert {f"mixing/{name}" for name in settings} <= set(TAGS.values())


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (keras_amp.RDrop(), "of RDrop that can be scheduled: weight. Received: 'alpha'$"),
        (keras_amp.policies.Policy(), "can be scheduled: it has none. Received: 'alpha'"),
        (
            keras_amp.AdversarialTraining(mixup=keras_amp.Mixup()),
            "radius, weight. Received: 'alpha', a setting of its `mixup`",
        ),
    ],
)
def test_a_setting_that_a_policy_lacks_is_named_with_those_that_it_has(policy, message):
    with pytest.raises(ValueError, match=message):
        fit(policy, [MixingSchedule(alpha=0.1)])


def test_xla_draws_by_the_scheduled_values():
    draws = []
    for scheduled in ((), ("alpha", "probability")):
        policy = keras_amp.Mixup()
        policy.schedule(*scheduled)
        policy.alpha, policy.probability = 0.3, 0.6
        generator = keras.random.SeedGenerator(1)
        draw = run_as("xla", lambda p=policy, g=generator: p.draw(6, g), generator)
        draws.append([draw()[0] for _ in range(9)])
    np.testing.assert_allclose(*draws, rtol=1e-5)
    assert 0 < np.mean(np.all(np.equal(draws[0], 1), axis=1)) < 1


def test_nothing_is_traced_anew():
    traces = []

    class Counted(keras_amp.AdversarialMixing):
        def draw(self, batch_size, seed_generator):
            traces.append(batch_size)
            return super().draw(batch_size, seed_generator)

    schedules = {
        "alpha": keras.optimizers.schedules.CosineDecay(1.0, 4, alpha=0.1),
        "step_size": keras.optimizers.schedules.PolynomialDecay(0.0, 4, 0.5),
        "probability": lambda epoch: float(epoch < 3),
    }
    policy = Counted()
    model, history = fit(policy, [MixingSchedule(**schedules)])
    after_first = len(traces)
    model.fit(IDS, LABELS, batch_size=6, verbose=0, epochs=2,
              callbacks=[MixingSchedule(**schedules)])  # fmt: skip
    assert len(traces) == after_first
    for name, schedule in schedules.items():
        expected = [float(schedule(epoch)) for epoch in range(4)]
        np.testing.assert_allclose(history[name], expected, rtol=1e-6)
    assert history["lam_delta"][0] == 0 < history["lam_delta"][1]
    # Mixing is off in the last epoch: lambda is 1.
    assert history["lam"][3] == 1
    assert max(history["lam"][:3]) < 1


# A training that goes on. What is right: the steps of one that was never interrupted.


def by_steps(seen):
    """A schedule that notes the steps it is asked for."""

    def probability(step):
        seen.append(step)
        return step / 100

    return MixingSchedule(probability=probability, per="step")


class Values(keras.callbacks.Callback):
    """Notes what the schedule has set when a batch begins."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(self.model.policy.scheduled()["probability"])


def made(optimizer="sgd", dtype=None, **compile_args):
    """A model that takes 4 steps an epoch of `GO_ON`."""
    inputs = keras.Input((7,))
    hidden = keras.layers.Dense(4, name="hidden", dtype=dtype)(inputs)
    outputs = keras.layers.Dense(3, activation="softmax", dtype=dtype)(hidden)
    classifier = keras.Model(inputs, outputs)
    if dtype:
        classifier.dtype_policy = dtype
    model = keras_amp.MixupAMPModel(classifier, "hidden", keras_amp.Mixup(), seed=1)
    model.compile(optimizer, "sparse_categorical_crossentropy", **compile_args)
    return model


GO_ON = {"x": IDS / 30, "y": LABELS, "batch_size": 6, "verbose": 0}


class StopAt(keras.callbacks.Callback):
    """Interrupts a training after so many batches."""

    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("optimizer", "compile_args"),
    [
        ({}, {"run_eagerly": True}),
        ({"gradient_accumulation_steps": 3}, {"run_eagerly": True}),
        ({}, {"steps_per_execution": 2}),
    ],
)
def test_a_second_fit_goes_on_with_the_steps(optimizer, compile_args):
    seen, values = [], Values()
    model = made(keras.optimizers.SGD(**optimizer), **compile_args)
    model.fit(**GO_ON, epochs=2, callbacks=[by_steps(seen), values])
    stride = compile_args.get("steps_per_execution", 1)
    assert seen == list(range(0, 8, stride))
    np.testing.assert_allclose(values.seen, np.arange(0, 8, stride) / 100, rtol=1e-6)
    model.fit(**GO_ON, initial_epoch=2, epochs=3, callbacks=[by_steps(seen)])
    assert seen == list(range(0, 12, stride))
    model.train_on_batch(IDS[:6] / 30, LABELS[:6])
    model.fit(**GO_ON, callbacks=[by_steps(seen)])
    assert seen[-4 // stride :] == list(range(13, 17, stride))


def test_a_new_optimizer_begins_with_the_first_step():
    seen = []
    model = made(run_eagerly=True)
    model.fit(**{**GO_ON, "batch_size": 12}, callbacks=[by_steps(seen)])
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    model.fit(**{**GO_ON, "batch_size": 12}, callbacks=[by_steps(seen)])
    assert seen == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("schedule_first", "save_freq", "interrupted_after", "expected"),
    [
        (False, "epoch", 6, [4, 5, 6, 7]),
        (True, "epoch", 6, [4, 5, 6, 7]),
        (True, 2, 6, [6, 7, 8, 9]),
    ],
)
def test_a_restored_training_goes_on_with_the_steps(
    tmp_path, schedule_first, save_freq, interrupted_after, expected
):
    """If the backup was saved within an epoch, Keras repeats the whole epoch."""

    def fit(seen, *callbacks):
        backup = keras.callbacks.BackupAndRestore(tmp_path / "b", save_freq=save_freq)
        both = [backup, by_steps(seen)]
        if schedule_first:
            both.reverse()
        made(run_eagerly=True).fit(**GO_ON, epochs=2, callbacks=[*both, *callbacks])

    with pytest.raises(KeyboardInterrupt):
        fit([], StopAt(interrupted_after))
    seen = []
    fit(seen)
    assert seen == expected


def test_a_loaded_model_goes_on_with_the_steps(tmp_path):
    model = made("adam", run_eagerly=True)
    model.fit(**GO_ON, callbacks=[by_steps([])])
    model.save(tmp_path / "model.keras")
    seen = []
    loaded = keras.models.load_model(tmp_path / "model.keras")
    loaded.fit(**GO_ON, initial_epoch=1, epochs=2, callbacks=[by_steps(seen)])
    assert seen == [4, 5, 6, 7]


def test_a_step_that_loss_scaling_skips_does_not_count():
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(), initial_scale=2.0**24
    )
    seen = []
    model = made(optimizer, dtype="mixed_float16")
    model.fit(**GO_ON, epochs=8, callbacks=[by_steps(seen)])
    taken = int(optimizer.inner_optimizer.iterations)
    assert 0 < taken < 32
    assert seen[-1] in (taken, taken - 1)
    assert set(np.diff(seen)) == {0, 1}


def test_epochs_go_on_as_keras_counts_them(tmp_path):
    seen = []

    def schedule():
        return MixingSchedule(probability=lambda e: seen.append(e) or e / 10)

    backup = keras.callbacks.BackupAndRestore
    callbacks = [schedule(), backup(tmp_path / "b"), StopAt(5)]
    with pytest.raises(KeyboardInterrupt):
        made(run_eagerly=True).fit(**GO_ON, epochs=2, callbacks=callbacks)
    made(run_eagerly=True).fit(
        **GO_ON, epochs=2, callbacks=[schedule(), backup(tmp_path / "b")]
    )
    made(run_eagerly=True).fit(**GO_ON, epochs=6, initial_epoch=5, callbacks=[schedule()])
    assert seen == [0, 1, 1, 5]


def test_distributed(strategy):
    seen = []
    with strategy.scope():
        model = made(jit_compile=False)
    for _ in range(2):
        history = model.fit(**GO_ON, callbacks=[by_steps(seen)]).history
    assert seen == list(range(8))
    np.testing.assert_allclose(history["probability"], 0.07, rtol=1e-6)


def test_a_schedule_is_shown(tmp_path):
    from test_tensorboard import scalars

    schedule = MixingSchedule(alpha=lambda epoch: 1.0 + epoch)
    board = MixingTensorBoard(tmp_path)
    # Whichever comes first.
    fit(keras_amp.Mixup(), [board, schedule], steps=1, run_eagerly=True)
    steps, values = scalars(tmp_path / "train", "mixing/alpha")
    assert steps == [0, 1, 2, 3]
    assert values == [1, 2, 3, 4]


def test_a_scheduled_policy_is_saved_with_its_values(tmp_path):
    policy = keras_amp.AdversarialMixing()
    scheduled = [MixingSchedule(step_size=lambda e: 0.75 * e)]
    model, _ = fit(policy, scheduled, epochs=2, steps=1, run_eagerly=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.policy.step_size == 0.75
    assert "step_size=0.75" in repr(policy)
    assert not [v for v in model.weights if "step_size" in v.path]


def test_settings_are_checked_whenever_they_are_set():
    policy = keras_amp.AdversarialMixing()
    for name, value in (("alpha", 0), ("step_size", -1), ("probability", 1.5)):
        with pytest.raises(ValueError, match=f"`{name}`"):
            setattr(policy, name, value)
    policy.schedule("alpha")
    with pytest.raises(ValueError, match="`alpha`"):
        policy.alpha = -1.0
    assert policy.scheduled() == {"alpha": 1.0}


def test_bad_schedules():
    with pytest.raises(ValueError, match="at least one of"):
        MixingSchedule()
    with pytest.raises(ValueError, match="`per`"):
        MixingSchedule(alpha=1.0, per="batch")
    schedule = MixingSchedule(probability=lambda e: 1 + e / 4)
    with pytest.raises(ValueError, match="`probability`.*1.25"):
        fit(keras_amp.Mixup(), [schedule], steps=1, run_eagerly=True)
    with pytest.raises(ValueError, match="can be scheduled.*'step_size'"):
        fit(keras_amp.Mixup(), [MixingSchedule(step_size=0.1)])
    classifier = bag_of_words()
    classifier.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="Expected a `MixupAMPModel`"):
        classifier.fit(IDS, LABELS, callbacks=[MixingSchedule(alpha=1.0)], verbose=0)


def test_two_models_may_share_a_scheduled_policy():
    policy = keras_amp.AdversarialMixing(step_size=0.1)
    eagerly = {"run_eagerly": True}
    first, _ = fit(policy, [MixingSchedule(step_size=0.2)], 1, 1, **eagerly)
    second = keras_amp.MixupAMPModel(bag_of_words(), "embedding", policy, seed=1)
    second.compile("adam", "sparse_categorical_crossentropy", **eagerly)
    second.fit(IDS, LABELS, verbose=0)
    assert ops.is_tensor(first.policy.step_size.value)
    np.testing.assert_allclose(policy.get_config()["step_size"], 0.2, rtol=1e-6)
