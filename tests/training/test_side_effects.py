"""State and noise of users' layers that are not Keras' own, in the passes of a step."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import MODES
from keras import layers, ops

import keras_amp
from keras_amp.training.tensorflow import side_effects, traced_graph

X = np.random.default_rng(0).normal(size=(8, 6)).astype("float32")
Y = np.arange(8) % 3
EAGER, GRAPH = MODES["eager"], MODES["graph"]


class Counter(layers.Layer):
    """Counts its passes in a TensorFlow variable, as layers for Keras 2 did."""

    def build(self, shape):
        self.count = tf.Variable(0.0, trainable=False)

    def call(self, h, training=None):
        if training:
            self.count.assign_add(1.0)
        return h


class HiddenCounter(Counter):
    """Holds the variable in a dict in a list; counts in a loop, at inference too."""

    def build(self, shape):
        self.held = [{"count": tf.Variable(0.0, trainable=False)}]

    @property
    def count(self):
        return self.held[0]["count"]

    def call(self, h, training=None):
        def body(i, h):
            self.count.assign_add(1.0)
            return i + 1, h

        return tf.while_loop(lambda i, h: i < 1, body, (0, h))[1]


class EagerCounter(Counter):
    """Reads its variable as a number, which no trace can."""

    def call(self, h, training=None):
        if training:
            self.count.assign(self.count.numpy() + 1.0)
        return h


class Noise(layers.Layer):
    """Adds what `draw` draws."""

    def call(self, h, training=None):
        return h + self.draw(ops.shape(h)) if training else h


class GlobalNoise(Noise):
    def draw(self, shape):
        return keras.random.normal(shape)


class UntrackedNoise(Noise):
    """Its generator stands where Keras does not look for it."""

    def build(self, shape):
        generator = keras.random.SeedGenerator(3)
        self.draws = lambda shape: keras.random.normal(shape, seed=generator)
        self.state = lambda: generator.state

    def draw(self, shape):
        return self.draws(shape)


class GeneratorNoise(Noise):
    def build(self, shape):
        self.generator = tf.random.Generator.from_seed(3)

    def draw(self, shape):
        return self.generator.normal(shape)


class EveryNoise(Noise):
    """Noise of all three kinds, which can be put back; and a count of its passes."""

    def build(self, shape):
        self.count = tf.Variable(0.0, trainable=False)
        self.parts = [GlobalNoise(), UntrackedNoise(), GeneratorNoise()]
        for part in self.parts:
            part.build(shape)

    def draw(self, shape):
        self.count.assign_add(1.0)
        return sum(part.draw(shape) for part in self.parts)


class TensorFlowNoise(Noise):
    def draw(self, shape):
        return tf.random.normal(shape)


class NumPyNoise(Noise):
    def draw(self, shape):
        return np.random.normal(size=shape[1:]).astype("float32")


class NumPyGeneratorNoise(Noise):
    """Draws by a generator of NumPy's that it holds."""

    def build(self, shape):
        self.generator = np.random.default_rng(3)

    def draw(self, shape):
        return self.generator.normal(size=shape[1:]).astype("float32")


class Called:
    """Counts its calls and draws: an object that stands for a function."""

    def __init__(self, draw=tf.zeros):
        self.draw, self.count = draw, tf.Variable(0.0)

    def __call__(self, *inputs):
        self.count.assign_add(1.0)
        h = inputs[-1]
        h = h * ops.exp(self.draw(tf.shape(h)))
        if len(inputs) == 1:
            return h
        return keras.losses.sparse_categorical_crossentropy(inputs[0], ops.softmax(h))


class CalledLoss(keras.losses.Loss):
    def __init__(self, called):
        super().__init__(name="noisy")
        self.call = called


POLICIES = {
    "mixup": (keras_amp.Mixup, {}),
    "shared": (keras_amp.AdversarialMixing, {}),
    "independent": (keras_amp.AdversarialMixing, {"noise": "independent"}),
    "no choice": (keras_amp.AdversarialMixing, {"min_op": False}),
    "three steps": (keras_amp.AdversarialMixing, {"ascent_steps": 3}),
}


def made(layer, policy="shared", mix_at="h", **how):
    x = keras.Input((6,))
    h = layers.Dense(4, "tanh", name="h")(x)
    h = layers.Activation("tanh", name="again")(layer(h))
    classifier = keras.Model(x, layers.Dense(3, "softmax")(h))
    base, settings = POLICIES[policy]
    if base is not keras_amp.Mixup:
        settings = {"step_size": 0.0, **settings}
    model = keras_amp.MixupAMPModel(classifier, mix_at, base(**settings), seed=0)
    how.setdefault("loss", "sparse_categorical_crossentropy")
    model.compile("sgd", **how)
    return model


def trained(*args, steps=2, **how):
    """Return a model and what its last step reports, eager where nothing is said."""
    model = made(*args, **(how if "jit_compile" in how else {**how, **EAGER}))
    for _ in range(steps):
        logs = model.train_on_batch(X, Y, return_dict=True)
    return model, logs


# === Variables ===


@pytest.mark.parametrize("policy", list(POLICIES))
def test_a_variable_counts_steps_not_passes(policy):
    layer = HiddenCounter()
    trained(layer, policy, **(GRAPH if policy in ("shared", "independent") else EAGER))
    assert layer.count.numpy() == 2


@pytest.mark.parametrize(("policy", "how"), [("shared", GRAPH), ("independent", EAGER)])
def test_an_object_in_place_of_a_function_counts_steps(policy, how):
    called = Called()
    layer = layers.Lambda(called)
    called.count.assign(0.0)
    trained(layer, policy, **how)
    assert called.count.numpy() == 2


@pytest.mark.parametrize(
    ("make", "how"), [(lambda called: called, GRAPH), (CalledLoss, EAGER)]
)
def test_a_variable_of_a_loss_counts_the_labels_of_steps(make, how):
    """Two losses per step, since a mixture has two labels."""
    counts = []
    for policy in ("mixup", "independent", "shared"):
        called = Called()
        loss = make(called)
        mode = how if policy == "shared" else EAGER
        model, _ = trained(layers.Activation("tanh"), policy, loss=loss, **mode)
        counts.append(called.count.numpy())
    assert counts == [4, 4, 4]
    keras_amp.loss_along_lambda(model, (X, Y), "h", 3)
    assert called.count.numpy() == 4


def test_several_mix_points():
    layer = Counter()
    trained(layer, mix_at=["h", layer.name], steps=6, **GRAPH)
    assert layer.count.numpy() == 6


def test_a_layer_that_only_runs_eagerly():
    layer = EagerCounter()
    trained(layer)
    assert layer.count.numpy() == 2


@pytest.mark.parametrize("how", [GRAPH, EAGER])
def test_losses_along_lambda_change_nothing(how):
    layer = HiddenCounter()
    model = made(layer, "mixup", **how)
    before = layer.count.numpy()
    for place in ("h", "again"):  # above and below
        keras_amp.loss_along_lambda(model, (X, Y), place, 3)
    assert layer.count.numpy() == before


# === Noise ===


@pytest.mark.parametrize("noise", [GlobalNoise, UntrackedNoise, GeneratorNoise])
def test_noise_of_any_generator(noise):
    """Shared noise leaves no difference; independent noise makes one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, logs = trained(noise(), steps=1)
        _, other = trained(noise(), "independent", steps=1)
    assert logs["loss_gap"] == logs["mask_rate"] == 0.0
    assert abs(other["loss_gap"]) > 1e-3
    assert 0 < other["mask_rate"] < 1


@pytest.fixture(scope="module")
def states():
    """What the eager steps leave of the three generators, by the policy."""
    return {
        policy: states_after(policy, EAGER)[1] for policy in ("shared", "independent")
    }


def states_after(policy, how):
    keras.utils.set_random_seed(7)
    noise = EveryNoise()
    _, logs = trained(noise, policy, **how)
    assert noise.count.numpy() == 2  # steps, not passes
    _, untracked, generator = noise.parts
    everywhere = keras.src.random.seed_generator.global_seed_generator()
    states = everywhere.state, untracked.state(), generator.generator.state
    return logs, [state.numpy() for state in states]


# XLA compiles what the graphs hold: there the noise that is put back stands for both.
@pytest.mark.parametrize(
    ("policy", "mode"),
    [("shared", "graph"), ("independent", "graph"), ("shared", "xla")],
)
def test_noise_and_variables_in_every_mode(policy, mode, states):
    """Each generator goes on in a graph as it does where the passes run one by one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logs, actual = states_after(policy, MODES[mode])
    if policy == "shared":
        np.testing.assert_allclose(logs["loss_gap"], 0, atol=1e-7)
        assert mode == "xla" or logs["loss_gap"] == logs["mask_rate"] == 0.0
    else:
        assert abs(logs["loss_gap"]) > 1e-3
        assert 0 < logs["mask_rate"] < 1
    for got, wanted in zip(actual, states[policy], strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_the_global_generator_goes_on_as_in_keras():
    """A step advances the generator as much as a step of the classifier does."""
    states = []
    for policy, how in (("mixup", EAGER), ("shared", EAGER), ("three steps", EAGER)):
        keras.utils.set_random_seed(7)
        trained(GlobalNoise(), policy, **how)
        generator = keras.src.random.seed_generator.global_seed_generator()
        states.append(generator.state.numpy())
    np.testing.assert_array_equal(states[0], states[1])
    np.testing.assert_array_equal(states[0], states[2])


@pytest.mark.parametrize("how", [GRAPH, EAGER])
def test_noise_that_cannot_be_put_back_is_warned_of_once(how):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        trained(TensorFlowNoise(name="tf"), **how)
    said = [str(w.message) for w in seen if "noise='independent'" in str(w.message)]
    assert len(said) == 1
    assert "layer 'tf', which draws by tf.random (RandomStandardNormal)" in said[0]


NOISY = {
    "layer 'called', which draws by tf.random": lambda called: {
        "layer": layers.Lambda(called, name="called")
    },
    "layer 'function', which draws by tf.random": lambda called: {
        "layer": layers.Activation(called, name="function")
    },
    "loss 'noisy', which draws by tf.random": lambda called: {
        "layer": layers.Activation("tanh"),
        "loss": CalledLoss(called),
    },
    "a NumPy generator": lambda called: {"layer": NumPyGeneratorNoise()},
}


@pytest.mark.parametrize("said", list(NOISY))
def test_it_is_found_in_objects_losses_and_generators(said):
    with pytest.warns(UserWarning, match=said):
        trained(**NOISY[said](Called(tf.random.normal)), steps=1)


def test_the_noise_of_a_loss_is_that_of_its_generator():
    generator = tf.random.Generator.from_seed(2)
    for policy, shared in (("shared", True), ("independent", False)):
        loss = CalledLoss(Called(generator.normal))
        _, logs = trained(layers.Activation("tanh"), policy, loss=loss, steps=1)
        assert (logs["loss_gap"] == 0.0) == shared


@pytest.mark.parametrize(
    ("policy", "mix_at"), [("mixup", "h"), ("independent", "h"), ("shared", "again")]
)
def test_where_it_does_not_matter_nothing_is_said(policy, mix_at):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained(TensorFlowNoise(), policy, mix_at, steps=1)


def test_numpy_is_named_and_its_state_left_alone():
    layer = NumPyNoise()
    model = keras.Sequential([keras.Input((6,)), layer])
    np.random.seed(3)
    found = side_effects.examine(lambda: model(X, training=True), model)
    assert found.noise == ["np.random"]
    drawn = np.random.normal()
    np.random.seed(3)
    assert drawn == np.random.normal()


def test_a_numpy_generator_draws_nothing_for_it():
    layer = NumPyGeneratorNoise()
    model = keras.Sequential([keras.Input((6,)), layer])
    state = layer.generator.bit_generator.state
    found = side_effects.examine(lambda: model(X, training=True), model)
    assert found.noise == ["a NumPy generator"]
    assert layer.generator.bit_generator.state == state


def test_layers_of_the_same_class_are_told_apart():
    names = ["noise", "noise_1", "noise_1_1"]
    model = keras.Sequential(
        [keras.Input((6,)), *[TensorFlowNoise(name=name) for name in names]]
    )
    found = side_effects.examine(lambda: model(X, training=True), model)
    assert [noise.split("'")[1] for noise in found.noise] == names


def test_a_function_of_the_user_in_a_layer_of_keras():
    noisy = layers.Lambda(lambda h: h + tf.random.uniform(()), name="noisy")
    model = keras.Sequential([keras.Input((6,)), noisy])
    found = side_effects.examine(lambda: model(X), model)
    assert "'noisy', which draws by tf.random (RandomUniform)" in found.noise[0]


def test_functions_that_say_little_of_themselves():
    """A built-in has no module; a name in a closure may have no value yet."""

    def half(h):
        return later if h is None else h * 0.5

    for function in (half, (2).__mul__):
        model = keras.Sequential([keras.Input((6,)), layers.Lambda(half)])
        model.layers[0].function = function
        assert side_effects.examine(lambda m=model: m(X), model) == side_effects.NOTHING
    later = None  # too late


def test_layers_of_keras_are_not_traced():
    def never():
        raise AssertionError

    model = keras.Sequential([keras.Input((6,)), layers.Dense(3), layers.Dropout(0.5)])
    assert side_effects.examine(never, model) == side_effects.NOTHING


def test_consumers_are_found_in_branches_and_loops():
    count, unread = tf.Variable(0.0), tf.Variable(0.0)

    @tf.function(autograph=False)
    def counting(x):
        def body(i):
            return tf.cond(
                x > 0, lambda: count.assign_add(1.0) * 0 + i + 1, lambda: i + 1
            )

        return tf.while_loop(lambda i: i < 3, body, (0.0,))[0] + unread

    graph = counting.get_concrete_function(tf.TensorSpec(())).graph
    kinds = {
        id(handle): set(traced_graph.consumers(graph, placeholder))
        for handle, placeholder in zip(
            graph.external_captures, graph.internal_captures, strict=True
        )
    }
    assert "AssignAddVariableOp" in kinds[id(count.handle)]
    assert kinds[id(unread.handle)] == {"ReadVariableOp"}
