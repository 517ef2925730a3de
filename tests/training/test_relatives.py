"""One SGD step of the paper's relatives against a float64 derivation in NumPy."""

import keras
import numpy as np
import pytest
from helpers import LAM, MODES, PERMUTATION, TableNoise, injected
from keras import layers, ops

import keras_amp
from keras_amp.training.divergence import divergence

RNG = np.random.default_rng(12)
X = RNG.normal(size=(6, 4))
Y = np.array([0, 1, 2, 2, 0, 1])
WEIGHT = np.array([0.5, 2.0, 1.0, 0.0, 3.0, 1.5])
WEIGHTS = [RNG.normal(size=shape) for shape in [(4, 5), (5,), (5, 6), (6,), (6, 3), (3,)]]
RATE = 0.3


class NumpyNetwork:
    """x -> V x + a -> [place] -> tanh(W g + b) -> softmax(U t + c), with gradients."""

    def __init__(self, weights=WEIGHTS):
        self.weights = [w.astype("float64") for w in weights]
        self.h = X @ self.weights[0] + self.weights[1]

    def run(self, g):
        """The predictions of hidden states, and their path back to g and the weights."""
        w, b, u, c = self.weights[2:]
        t = np.tanh(g @ w + b)
        z = t @ u + c
        p = np.exp(z - z.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)

        def back(dz):
            da = (dz @ u.T) * (1 - t**2)
            return da @ w.T, [g.T @ da, da.sum(0), t.T @ dz, dz.sum(0)]

        return p, back

    def descended(self, passes):
        """The weights after a step down the mean of losses, of each pass (back, dz)."""
        dh, upper = np.zeros_like(self.h), [np.zeros_like(w) for w in self.weights[2:]]
        for back, dz, spread in passes:
            dg, gradients = back(dz / 6)
            dh += spread(dg)
            upper = [a + b for a, b in zip(upper, gradients, strict=True)]
        return [
            w - RATE * g
            for w, g in zip(self.weights, [X.T @ dh, dh.sum(0), *upper], strict=True)
        ]


def target_of(weight, lam=None):
    """The weighted soft labels of the examples, or of their mixtures."""
    own = np.eye(3)[Y] * weight[:, None]
    if lam is None:
        return own
    return lam[:, None] * own + (1 - lam[:, None]) * own[PERMUTATION]


def loss_of(p, target):
    return -(target * np.log(p)).sum(1), p * target.sum(1, keepdims=True) - target


def same(dg):
    return dg


def mixed(values, lam=LAM):
    return lam[:, None] * values + (1 - lam[:, None]) * values[PERMUTATION]


def unmixed(dg, lam=LAM):
    """The gradient of `mixed`."""
    dh = lam[:, None] * dg
    np.add.at(dh, PERMUTATION, (1 - lam[:, None]) * dg)
    return dh


def l2(g):
    size = np.sqrt((g**2).sum(1, keepdims=True))
    return g / np.where(size > 0, size, 1)


def network():
    x = keras.Input((4,))
    h = layers.Dense(5, name="embed")(x)
    t = layers.Dense(6, "tanh", name="encode")(h)
    model = keras.Model(x, layers.Dense(3, "softmax", name="top", dtype="float32")(t))
    model.set_weights(WEIGHTS)
    return model


def stepped(policy, mode=MODES["eager"], weight=WEIGHT, build=network, optimizer=None):
    """The weights after one step, and what it reports."""
    classifier = build()
    model = keras_amp.MixupAMPModel(classifier, "embed", policy)
    model.compile(
        optimizer or keras.optimizers.SGD(RATE),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        **mode,
    )
    logs = model.train_on_batch(X, Y, sample_weight=weight, return_dict=True)
    return classifier.get_weights(), logs


def assert_same(actual, expected, atol=1e-5):
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, atol=atol)


# === AdversarialTraining ===

AGAINST_LABELS = {
    "as it is": {},
    "weighed": {"radius": 0.5, "weight": 0.7},
    "linf": {"radius": 0.2, "norm": "linf"},
    "several steps": {"radius": 0.8, "ascent_steps": 3},
    "several steps, linf": {"radius": 0.3, "norm": "linf", "ascent_steps": 4},
    "radius 0": {"radius": 0.0},
    "mixed": {"radius": 0.5, "mixup": injected(keras_amp.Mixup)},
}


def delta_by_hand(net, g, target, radius=1.0, norm="l2", ascent_steps=1):
    delta = np.zeros_like(g)
    step = radius if ascent_steps == 1 else 2.5 * radius / ascent_steps
    for _ in range(ascent_steps):
        p, back = net.run(g + delta)
        gradient, _ = back(loss_of(p, target)[1])
        if norm == "linf":
            delta = np.clip(delta + step * np.sign(gradient), -radius, radius)
            continue
        delta = delta + step * l2(gradient)
        size = np.sqrt((delta**2).sum(1, keepdims=True))
        delta = delta * np.minimum(1, radius / np.where(size > 0, size, 1))
    return delta


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        *((name, MODES["eager"]) for name in AGAINST_LABELS),
        ("mixed", MODES["graph"]),
        ("several steps", MODES["xla"]),
    ],
)
def test_adversarial_training_against_labels(name, mode):
    settings = dict(AGAINST_LABELS[name])
    actual, logs = stepped(keras_amp.AdversarialTraining(**settings), mode)
    weight, mixes = settings.pop("weight", 1.0), settings.pop("mixup", None)
    net = NumpyNetwork()
    g, spread = (mixed(net.h), unmixed) if mixes else (net.h, same)
    target = target_of(WEIGHT, LAM if mixes else None)
    delta = delta_by_hand(net, g, target, **settings)
    (p, back), (other_p, other_back) = net.run(g), net.run(g + delta)
    (loss, dz), (other_loss, other_dz) = loss_of(p, target), loss_of(other_p, target)
    passes = [(back, dz, spread), (other_back, weight * other_dz, spread)]
    assert_same(actual, net.descended(passes))
    np.testing.assert_allclose(
        logs["loss"], (loss + weight * other_loss).mean(), rtol=1e-5
    )
    np.testing.assert_allclose(
        logs["loss_gap"], (other_loss - loss).mean(), rtol=1e-4, atol=1e-6
    )
    size = np.sqrt((delta**2).sum(1)).mean()
    np.testing.assert_allclose(logs["delta_norm"], size, rtol=1e-5, atol=1e-7)
    if name != "radius 0":  # where rounding decides
        harder = (other_loss > loss + 1e-7).mean()
        np.testing.assert_allclose(logs["mask_rate"], harder, atol=1e-6)


class FixedNoise(keras_amp.AdversarialTraining):
    """Begins, or goes, in a direction that is known."""

    DIRECTION = RNG.normal(size=(6, 5)).astype("float32")

    def search(self, passes, start):
        passes.noise = lambda at: ops.convert_to_tensor(self.DIRECTION)
        return super().search(passes, start)


@pytest.mark.parametrize(
    ("settings", "mode"),
    [
        ({"radius": 0.5, "weight": 2.0}, MODES["eager"]),
        ({"radius": 0.5, "unlabeled": "ignore"}, MODES["eager"]),
        ({"radius": 0.5, "ascent_steps": 2}, MODES["graph"]),
        ({"radius": 0.5, "ascent_steps": 2}, MODES["xla"]),
        ({"radius": 0.5, "direction": "random"}, MODES["eager"]),
    ],
)
def test_adversarial_training_against_predictions(settings, mode):
    """The first predictions are a constant; an example without weight takes part."""
    policy = FixedNoise(against="predictions", **settings)
    actual, logs = stepped(policy, mode)
    net, target, radius = NumpyNetwork(), target_of(WEIGHT), settings["radius"]
    p, back = net.run(net.h)
    loss, dz = loss_of(p, target)
    direction = l2(FixedNoise.DIRECTION.astype("float64"))
    if settings.get("direction") == "random":
        delta = radius * direction
    else:
        at, delta = 0.1 * direction, np.zeros_like(net.h)
        steps = settings.get("ascent_steps", 1)
        for _ in range(steps):
            q, there = net.run(net.h + at)
            gradient, _ = there(q - p)
            step = radius if steps == 1 else 2.5 * radius / steps
            delta = delta + step * l2(gradient)
            size = np.sqrt((delta**2).sum(1, keepdims=True))
            at = delta = delta * np.minimum(1, radius / size)
    q, there = net.run(net.h + delta)
    counts = np.ones(6)
    if settings.get("unlabeled") == "ignore":
        counts = (WEIGHT > 0).astype("float64")
    counts = counts * settings.get("weight", 1.0)
    apart = (p * np.log(p / q)).sum(1)
    passes = [(back, dz, same), (there, counts[:, None] * (q - p), same)]
    assert_same(actual, net.descended(passes))
    np.testing.assert_allclose(logs["loss"], (loss + counts * apart).mean(), rtol=1e-5)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_a_random_direction_has_the_norm_it_says(norm):
    policy = keras_amp.AdversarialTraining(0.7, norm, direction="random")
    _, logs = stepped(policy)
    expected = 0.7 if norm == "l2" else 0.7 * np.sqrt(5)
    np.testing.assert_allclose(logs["delta_norm"], expected, rtol=1e-5)
    assert policy.needs.probes == 0


def test_padding_is_left_out():
    """Delta is 0 there, and its norm is that of the words."""
    ids = np.array([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0]])
    seen = []

    class Watching(keras_amp.AdversarialTraining):
        def search(self, passes, start):
            evaluate = passes.train

            def train(at):
                seen.append(np.array(at.delta))
                return evaluate(at)

            passes.train = train
            return super().search(passes, start)

    def masked():
        words = keras.Input((5,), dtype="int32", name="words")
        h = layers.Embedding(9, 3, mask_zero=True, name="embed")(words)
        h = layers.Conv1D(4, 3, padding="same")(h)  # looks at its neighbours
        return keras.Model(words, layers.Dense(2)(layers.GlobalMaxPooling1D()(h)))

    def by_an_input():
        words = keras.Input((5,), dtype="int32", name="words")
        mask = keras.Input((5,), dtype="int32", name="padding_mask")
        h = layers.Embedding(9, 3, name="embed")(words)
        counts = ops.expand_dims(ops.cast(mask, "float32"), -1)
        h = ops.sum(layers.Conv1D(4, 3, padding="same")(h) * counts, axis=1)
        return keras.Model([words, mask], layers.Dense(2)(h))

    for build, x in ((masked, ids), (by_an_input, [ids, (ids > 0).astype("int32")])):
        for settings in ({}, {"direction": "random"}, {"against": "predictions"}):
            model = keras_amp.MixupAMPModel(build(), "embed", Watching(2.0, **settings))
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile("sgd", loss, run_eagerly=True)
            model.train_on_batch(x, np.array([0, 1]))
            delta = seen.pop()
            assert not delta[ids == 0].any()
            np.testing.assert_allclose(np.sqrt((delta**2).sum((1, 2))), 2.0, rtol=1e-5)


# === RegMixup, RDrop, CutMix ===


@pytest.mark.parametrize(
    ("weight", "mode"),
    [(1.0, MODES["eager"]), (0.3, MODES["graph"]), (0.3, MODES["xla"])],
)
def test_regmixup(weight, mode):
    actual, logs = stepped(injected(keras_amp.RegMixup, weight=weight), mode)
    net = NumpyNetwork()
    (p, back), (q, there) = net.run(net.h), net.run(mixed(net.h))
    loss, dz = loss_of(p, target_of(WEIGHT))
    other_loss, other_dz = loss_of(q, target_of(WEIGHT, LAM))
    passes = [(back, dz, same), (there, weight * other_dz, unmixed)]
    assert_same(actual, net.descended(passes))
    np.testing.assert_allclose(
        logs["loss"], (loss + weight * other_loss).mean(), rtol=1e-5
    )
    np.testing.assert_allclose(logs["lam"], LAM.mean(), rtol=1e-6)
    # The metrics are those of the examples as they are.
    np.testing.assert_allclose(logs["accuracy"], (p.argmax(1) == Y).mean())


class Tabled(TableNoise):
    """Never 0, so that both passes see every feature."""

    TABLE = RNG.uniform(0.5, 1.5, size=(2, 6, 5))


def noisy():
    x = keras.Input((4,))
    g = Tabled()(layers.Dense(5, name="embed")(x))
    t = layers.Dense(6, "tanh")(g)
    model = keras.Model(x, layers.Dense(3, "softmax")(t))
    model.layers[1].set_weights(WEIGHTS[:2])
    model.layers[3].set_weights(WEIGHTS[2:4])
    model.layers[4].set_weights(WEIGHTS[4:])
    return model


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_rdrop(mode):
    """Two passes with noise of their own; nothing is held constant."""
    weight = 0.6
    actual, logs = stepped(keras_amp.RDrop(weight), mode, build=noisy)
    actual = [w for w in actual if w.shape]  # without the generator's state
    net, target = NumpyNetwork(), target_of(WEIGHT)
    (p, back), (q, there) = (net.run(net.h * noise) for noise in Tabled.TABLE)
    (loss, dz), (other_loss, other_dz) = loss_of(p, target), loss_of(q, target)
    kl = [(a * np.log(a / b)).sum(1, keepdims=True) for a, b in ((p, q), (q, p))]
    # KL(p || q) for p's logits, and for q's; likewise the other way.
    dz = dz / 2 + weight / 2 * (p * (np.log(p / q) - kl[0]) + p - q)
    other_dz = other_dz / 2 + weight / 2 * (q * (np.log(q / p) - kl[1]) + q - p)
    passes = [
        (back, dz, lambda dg: dg * Tabled.TABLE[0]),
        (there, other_dz, lambda dg: dg * Tabled.TABLE[1]),
    ]
    assert_same(actual[:6], net.descended(passes))
    apart = (kl[0] + kl[1])[:, 0] / 2
    expected = ((loss + other_loss) / 2 + weight * apart).mean()
    np.testing.assert_allclose(logs["loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(logs["divergence"], apart.mean(), rtol=1e-4)


def test_without_noise_rdrop_is_plain_training():
    actual, logs = stepped(keras_amp.RDrop(5.0))
    net = NumpyNetwork()
    p, back = net.run(net.h)
    assert_same(actual, net.descended([(back, loss_of(p, target_of(WEIGHT))[1], same)]))
    np.testing.assert_allclose(logs["divergence"], 0, atol=1e-7)


@pytest.mark.parametrize(
    "policy",
    [
        keras_amp.AdversarialTraining(weight=0.0),
        keras_amp.AdversarialTraining(weight=0.0, against="predictions"),
        keras_amp.RegMixup(weight=0.0),
        injected(keras_amp.CutMix, np.ones(6, "float32")),
    ],
)
def test_limits_are_plain_training(policy):
    actual, _ = stepped(policy)
    net = NumpyNetwork()
    p, back = net.run(net.h)
    assert_same(actual, net.descended([(back, loss_of(p, target_of(WEIGHT))[1], same)]))


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_cutmix(mode):
    """A range of features is the partner's; the labels take the share that stays."""
    stays = (RNG.uniform(size=(6, 5)) < 0.6).astype("float32")

    class Known(keras_amp.CutMix):
        def box(self, lam, shape, seed=None):
            return ops.convert_to_tensor(stays)

    actual, logs = stepped(injected(Known), mode)
    net, share = NumpyNetwork(), stays.mean(1).astype("float64")
    p, back = net.run(np.where(stays, net.h, net.h[PERMUTATION]))
    loss, dz = loss_of(p, target_of(WEIGHT, share))

    def spread(dg):
        dh = dg * stays
        np.add.at(dh, PERMUTATION, dg * (1 - stays))
        return dh

    assert_same(actual, net.descended([(back, dz, spread)]))
    np.testing.assert_allclose(logs["loss"], loss.mean(), rtol=1e-5)
    np.testing.assert_allclose(logs["lam"], share.mean(), rtol=1e-6)


@pytest.mark.parametrize("shape", [(8, 8, 3), (12, 3), (10,)])
def test_a_box_is_one_box_of_the_size_it_says(shape):
    policy = keras_amp.CutMix()
    lam = np.linspace(0, 1, 500).astype("float32")
    stays = np.array(policy.box(lam, (500, *shape), seed=3))
    cut = np.broadcast_to(stays == 0, (500, *shape))
    sizes = shape[:-1] if len(shape) > 1 else shape
    ratio = (1 - lam) ** (1 / len(sizes))
    for axis, size in enumerate(sizes):
        others = tuple(1 + i for i in range(len(shape)) if i != axis)
        line = cut.any(axis=others)
        length, largest = line.sum(1), np.round(ratio * size)
        assert (length <= largest).all()
        # One run: what lies between its ends is cut, too.
        runs = (np.diff(np.pad(line, ((0, 0), (1, 1))).astype(int), axis=1) == 1).sum(1)
        assert (runs <= 1).all()
        inside = line[:, 0] | line[:, -1]
        assert (length[~inside] == largest[~inside]).all()
    boxes = cut.reshape(500, -1).sum(1)
    sides = np.prod(
        [
            cut.any(axis=tuple(1 + i for i in range(len(shape)) if i != axis)).sum(1)
            for axis in range(len(shape))
        ],
        axis=0,
    )
    np.testing.assert_array_equal(boxes, sides)
    assert not cut[-1].any()  # lambda 1
    assert cut[100].any()


# === Precision, accumulation ===


class KnownBox(type(injected(keras_amp.CutMix))):
    def box(self, lam, shape, seed=None):
        stays = ops.arange(5) > ops.expand_dims(ops.arange(6) % 4, 1)
        return ops.cast(stays, "float32")


def known():
    """Policies without a random number of their own."""
    mixup = injected(keras_amp.Mixup)
    return {
        "against labels": keras_amp.AdversarialTraining(0.5, mixup=mixup, ascent_steps=2),
        "against predictions": FixedNoise(0.5, against="predictions", mixup=mixup),
        "cutmix": KnownBox(),
    }


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_updates_as_float32_does(precision):
    """With float16 the loss is scaled; the gradient that delta goes up is not."""
    for name, policy in known().items():
        expected, report = stepped(policy)
        optimizer = keras.optimizers.SGD(RATE)
        if precision == "mixed_float16":  # which overflows here at Keras' own first scale
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, 256.0)
        keras.config.set_dtype_policy(precision)
        try:
            actual, logs = stepped(policy, optimizer=optimizer)
        finally:
            keras.config.set_dtype_policy("float32")
        np.testing.assert_allclose(logs["loss"], report["loss"], rtol=0.02, err_msg=name)
        for measured in {"delta_norm", "divergence"} & set(report):
            value = report[measured]
            np.testing.assert_allclose(logs[measured], value, rtol=0.1, err_msg=name)
        for before, a, b in zip(WEIGHTS, actual, expected, strict=True):
            scale = np.abs(b - before).max()
            np.testing.assert_allclose(a, b, atol=0.05 * scale, err_msg=name)


def test_accumulated_gradients_are_averaged():
    """Two steps on the same batch are one; the second search finds the same."""
    for policy in known().values():
        expected, _ = stepped(policy)
        classifier = network()
        model = keras_amp.MixupAMPModel(classifier, "embed", policy)
        optimizer = keras.optimizers.SGD(RATE, gradient_accumulation_steps=2)
        loss = "sparse_categorical_crossentropy"
        model.compile(optimizer, loss, run_eagerly=True)
        for weights in (WEIGHTS, expected):
            model.train_on_batch(X, Y, sample_weight=WEIGHT)
            assert_same(classifier.get_weights(), weights)


# === Near partners, probability per example ===


def test_near_partners_follow_their_distribution():
    y = np.array([0.0, 0.5, 2.0, 2.2], "float32")
    far_apart = 100 * np.arange(800, dtype="float32")  # as many draws as there are
    values = (far_apart[:, None] + y).ravel()
    drawn = np.array(keras_amp.policies.random.near_partners(values, 0.8, seed=1))
    draws = drawn.reshape(800, 4) - 4 * np.arange(800)[:, None]
    assert np.isin(draws, range(4)).all()
    counts = np.stack([(draws == j).mean(0) for j in range(4)], axis=1)
    weight = np.exp(-((y[:, None] - y) ** 2) / (2 * 0.8**2))
    np.testing.assert_allclose(counts, weight / weight.sum(1, keepdims=True), atol=0.07)


def test_a_model_mixes_near_examples():
    """With a small bandwidth nobody is mixed with a far one."""
    x = np.arange(8, dtype="float32")[:, None]
    y = np.array([0, 0, 0, 0, 9, 9, 9, 9], "float32")
    partners = []

    class Watching(keras_amp.Mixup):
        def draw_partners(self, *args):
            partners.append(np.array(super().draw_partners(*args)))
            return partners[-1]

    inputs = keras.Input((1,))
    h = layers.Dense(3, name="embed")(inputs)
    policy = Watching(partners="near", bandwidth=0.5)
    model = keras_amp.MixupAMPModel(
        keras.Model(inputs, layers.Dense(1)(h)), "embed", policy, seed=1
    )
    model.compile("sgd", "mse", run_eagerly=True)
    for _ in range(5):
        model.train_on_batch(x, y[:, None])
    partners = np.array(partners)
    np.testing.assert_array_equal(y[partners], np.broadcast_to(y, partners.shape))
    assert len(np.unique(partners[:, 0])) > 1


def test_each_example_is_mixed_by_itself():
    policy = keras_amp.Mixup(probability=0.3, probability_per="example")
    generator = keras.random.SeedGenerator(1)
    lam, permutation = map(np.array, policy.draw(5000, generator))
    itself = permutation == np.arange(5000)
    assert 0.67 < (lam == 1).mean() < 0.73
    assert itself[lam == 1].all()
    assert itself[lam < 1].mean() < 0.01


# === Saving and mistakes ===


@pytest.mark.parametrize(
    "policy",
    [
        keras_amp.AdversarialTraining(0.5, "linf", 2, weight=0.3, unlabeled="ignore"),
        keras_amp.AdversarialTraining(against="predictions", mixup=keras_amp.Mixup(0.2)),
        keras_amp.RegMixup(weight=0.5, probability=0.5),
        keras_amp.RDrop(2.0),
        keras_amp.CutMix(0.4),
        keras_amp.Mixup(partners="near", bandwidth=2.0, probability_per="example"),
    ],
)
def test_policies_survive_saving(policy, tmp_path):
    model = keras_amp.MixupAMPModel(network(), "embed", policy, seed=1)
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert repr(loaded.policy) == repr(policy)
    assert type(loaded.policy) is type(policy)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keras_amp.AdversarialTraining(radius=-1), "`radius`.*>= 0"),
        (lambda: keras_amp.AdversarialTraining(norm="l1"), "`norm`.*'l2', 'linf'"),
        (lambda: keras_amp.AdversarialTraining(mixup=keras_amp.RegMixup()), "`mixup`"),
        (lambda: keras_amp.AdversarialTraining(ascent_steps=0), "`ascent_steps`"),
        (lambda: keras_amp.RegMixup(weight="1"), "`weight`"),
        (lambda: keras_amp.RDrop(weight=-1), "`weight`.*>= 0"),
        (lambda: keras_amp.CutMix(alpha=0), "`alpha`.*> 0"),
        (lambda: keras_amp.Mixup(partners="far"), "`partners`"),
        (lambda: keras_amp.Mixup(bandwidth=0), "`bandwidth`"),
        (lambda: keras_amp.Mixup(probability_per="word"), "`probability_per`"),
    ],
)
def test_arguments_that_are_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_loss_that_does_not_tell_what_predictions_are():
    def own(y_true, y_pred):
        return ops.sum(ops.square(y_pred), axis=-1)

    for policy in (
        keras_amp.RDrop(),
        keras_amp.AdversarialTraining(against="predictions"),
    ):
        model = keras_amp.MixupAMPModel(network(), "embed", policy)
        model.compile("sgd", own, run_eagerly=True)
        with pytest.raises(ValueError, match="tells what the predictions are.*own"):
            model.train_on_batch(X, Y)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (keras.losses.CategoricalGeneralizedCrossEntropy(), np.log(2) + np.log(2 / 3)),
        (keras.losses.Poisson(), (0.25**2 + 0.25**2)),
    ],
)
def test_less_common_losses_tell_it_too(loss, expected):
    """KL of classes, or the squared distance of numbers."""
    p, q = np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])
    np.testing.assert_allclose(divergence(loss, p, q), [expected / 2], rtol=1e-5)
