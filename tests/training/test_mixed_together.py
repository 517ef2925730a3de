"""Several tensors of an example that are mixed together, by one lambda."""

import keras
import numpy as np
import pytest
from helpers import MODES, injected
from keras import layers, ops

import keras_amp

RNG = np.random.default_rng(8)
IDS, NUMBERS = RNG.integers(1, 20, (6, 5)), RNG.normal(size=(6, 3)).astype("float32")
X, Y = {"ids": IDS, "numbers": NUMBERS}, np.arange(6) % 3
BOTH = ("words", "figures")


def network(mask_zero=False):
    """Words and numbers of an example, which join behind a layer each."""
    ids = keras.Input((5,), dtype="int32", name="ids")
    numbers = keras.Input((3,), name="numbers")
    x = layers.Embedding(20, 4, mask_zero=mask_zero, name="words")(ids)
    x = layers.GlobalAveragePooling1D()(x)
    figures = layers.Identity(name="figures")(numbers)
    y = layers.Dense(4, "tanh", name="inner")(figures)
    x = layers.Concatenate(name="sentence")([x, y])
    x = layers.Dense(6, "tanh", name="hidden")(x)
    top = layers.Dense(3, "softmax", name="top")(x)
    return keras.Model({"ids": ids, "numbers": numbers}, top)


def by_hand(model, words_lam, figures_lam, lam, permutation):
    """The examples' mixup losses in float64, mixed by coefficients of any shape."""
    weights = {layer.name: [w.astype("float64") for w in layer.get_weights()]
               for layer in model.layers}  # fmt: skip
    words = weights["words"][0][IDS]
    words = words_lam * words + (1 - words_lam) * words[permutation]
    numbers = figures_lam * NUMBERS + (1 - figures_lam) * NUMBERS[permutation]
    x = words.mean(1)
    for name in ("inner", "hidden", "top"):
        w, b = weights[name]
        z = (numbers if name == "inner" else x) @ w + b
        x = np.concatenate([x, np.tanh(z)], 1) if name == "inner" else np.tanh(z)
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    rows = np.arange(6)
    return -(lam * log_p[rows, Y] + (1 - lam) * log_p[rows, Y[permutation]])


def gradients(function, points, step=1e-5):
    """Central differences of the sum of a function of several arrays."""
    results = []
    for which, point in enumerate(points):
        gradient = np.zeros_like(point)
        for index in np.ndindex(point.shape):
            ends = []
            for sign in (1, -1):
                moved = [p.copy() for p in points]
                moved[which][index] += sign * step
                ends.append(function(*moved).sum())
            gradient[index] = (ends[0] - ends[1]) / (2 * step)
        results.append(gradient)
    return results


def drawn():
    lam = np.array([0.3, 0.9, 0.55, 0.2, 0.75, 0.5])
    return lam, np.array([2, 0, 1, 5, 4, 3])


def one_step(classifier, mix_at, policy, rewrite=True, mode="eager", rate=0.1, x=X):
    """Train on the batch, eagerly by default, which spares the tracing."""
    model = keras_amp.MixupAMPModel(classifier, mix_at, policy, rewrite=rewrite)
    sgd = keras.optimizers.SGD(rate)
    model.compile(sgd, "sparse_categorical_crossentropy", **MODES[mode])
    return model, model.train_on_batch(x, Y, return_dict=True)


def as_columns(lam):
    return lam[:, None, None], lam[:, None]


@pytest.mark.parametrize(("mix_at", "mode"), [(BOTH, "eager"), ([BOTH], "graph")])
def test_both_are_mixed_by_one_lambda(mix_at, mode):
    classifier = network()
    lam, order = drawn()
    expected = by_hand(classifier, *as_columns(lam), lam, order)
    model, logs = one_step(classifier, mix_at, injected(keras_amp.Mixup), mode=mode)
    np.testing.assert_allclose(logs["loss"], expected.mean(), rtol=1e-5)
    assert model.mix_points == [BOTH]


@pytest.mark.parametrize(
    ("rewrite", "mode"), [(True, "eager"), (True, "xla"), (False, "graph")]
)
def test_the_step_on_lambda_moves_both(rewrite, mode):
    classifier = network()
    lam, order = drawn()

    def loss(moved):
        return by_hand(classifier, *as_columns(moved), lam, order)

    (gradient,) = gradients(loss, [lam])
    moved = lam + 0.5 * np.clip(gradient, -1, 1)
    expected = np.maximum(loss(lam), loss(moved)).mean()
    policy = injected(keras_amp.AdversarialMixing, step_size=0.5)
    model, logs = one_step(classifier, BOTH, policy, rewrite, mode)
    np.testing.assert_allclose(logs["loss"], expected, rtol=1e-5)
    behind = ["global_average_pooling1d", "inner_preactivation"]
    if rewrite:
        found = [name.rstrip("_0123456789") for name in model.mixed_behind[0]]
        assert sorted(found) == behind
    else:
        assert model.mixed_behind == [list(BOTH)]


def test_a_step_for_each_dimension_of_both():
    classifier = network()
    lam, order = drawn()
    shapes = (6, 5, 4), NUMBERS.shape
    columns = zip(as_columns(lam), shapes, strict=True)
    wide = [np.broadcast_to(v, shape).copy() for v, shape in columns]

    def loss(words_lam, figures_lam):
        return by_hand(classifier, words_lam, figures_lam, lam, order)

    found = gradients(loss, wide)
    # The root mean square is taken over all of an example's dimensions.
    flat = np.concatenate([g.reshape(6, -1) for g in found], axis=1)
    rms = np.sqrt((flat**2).mean(1))
    rms[rms < 1e-8] = 1.0  # that of one whose partner it is itself
    moved = [
        v + 0.3 * g / rms.reshape((6,) + (1,) * (g.ndim - 1))
        for v, g in zip(wide, found, strict=True)
    ]
    expected = np.maximum(loss(*wide), loss(*moved)).mean()
    policy = injected(
        keras_amp.AdversarialMixing, step_size=0.3, max_gradient=None,
        step_per="dimension", normalize=True,
    )  # fmt: skip
    _, logs = one_step(classifier, BOTH, policy)
    np.testing.assert_allclose(logs["loss"], expected, rtol=1e-4)


def test_never_mixed_is_plain_keras():
    classifier = network()
    plain = keras.models.clone_model(classifier)
    plain.set_weights(classifier.get_weights())
    loss = "sparse_categorical_crossentropy"
    plain.compile(keras.optimizers.SGD(0.1), loss, run_eagerly=True)
    model, _ = one_step(classifier, [BOTH, "sentence"], keras_amp.Mixup(probability=0.0))
    plain.train_on_batch(X, Y)
    for got, expected in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)


def test_both_or_the_sentence():
    policy = keras_amp.AdversarialMixing(step_size=0.1)
    model, logs = one_step(
        network(mask_zero=True), [BOTH, "sentence"], policy, mode="graph"
    )
    assert model.mix_points == [BOTH, "sentence"]
    assert np.isfinite(logs["loss"])
    assert "'figures'" in repr(model)
    assert "'sentence'" in repr(model)


def test_mix_layers_share_a_draw_by_their_names(tmp_path):
    classifier = keras_amp.insert_mix_layer(network(), "words", "mix_words")
    classifier = keras_amp.insert_mix_layer(classifier, "figures", "mix_figures")
    names = ("mix_words", "mix_figures")
    lam, order = drawn()
    expected = by_hand(classifier, *as_columns(lam), lam, order)
    _, logs = one_step(classifier, names, injected(keras_amp.Mixup))
    np.testing.assert_allclose(logs["loss"], expected.mean(), rtol=1e-5)
    # A layer of the one kind goes with a place of the other.
    model, _ = one_step(classifier, [("mix_words", "inner")], keras_amp.Mixup())
    assert model.mix_points == [("mix_words", "inner")]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.mix_points == model.mix_points
    model = keras_amp.MixupAMPModel(classifier, names)
    assert keras_amp.MixupAMPModel.from_config(model.get_config()).mix_points == [names]


def test_both_inside_nested_models():
    inner_ids = keras.Input((5,), dtype="int32")
    x = layers.Embedding(20, 4, name="words")(inner_ids)
    x = layers.GlobalAveragePooling1D()(x)
    reader = keras.Model(inner_ids, x, name="reader")
    ids, numbers = keras.Input((5,), dtype="int32"), keras.Input((3,))
    y = layers.Dense(4, name="figures")(numbers)
    x = layers.Concatenate()([reader(ids), y])
    whole = keras.Model([ids, numbers], layers.Dense(3, "softmax")(x))
    places = ("reader/words", "figures")
    _, logs = one_step(whole, places, keras_amp.AdversarialMixing(), x=[IDS, NUMBERS])
    assert np.isfinite(logs["loss"])


def test_the_loss_along_lambda_of_both():
    classifier = network()
    model = keras_amp.MixupAMPModel(classifier, BOTH)
    lam, order = drawn()
    expected = by_hand(classifier, *as_columns(lam), lam, order)
    for subject, mix_at in ((model, None), (classifier, BOTH)):
        curve = keras_amp.loss_along_lambda(
            subject, (X, Y), mix_at, lam, partner=order, loss=None
        )
        np.testing.assert_allclose(np.diag(curve.losses), expected, rtol=1e-4)
        assert curve.place == "words + figures"


def test_a_callback_draws_both(tmp_path):
    callback = keras_amp.callbacks.LossAlongLambda((X, Y), 3, log_dir=tmp_path)
    model = keras_amp.MixupAMPModel(network(), [BOTH, "sentence"], keras_amp.Mixup())
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    model.fit(X, Y, callbacks=[callback], verbose=0)
    assert set(callback.curves[0]) == {"words + figures", "sentence"}


def test_one_without_the_other_says_how_to_mix_both():
    with pytest.raises(ValueError, match=r"together, `mix_at=\('words', 'numbers'\)`"):
        keras_amp.MixupAMPModel(network(), ["words", "figures"])


def test_one_above_the_other_is_an_error():
    with pytest.raises(ValueError, match="'hidden' lies above 'words'"):
        keras_amp.MixupAMPModel(network(), [("words", "hidden")])


def test_a_tuple_of_places_above_each_other_is_a_list_as_it_was():
    with pytest.warns(DeprecationWarning, match=r"\['sentence', 'hidden'\]"):
        model = keras_amp.MixupAMPModel(network(), ("sentence", "hidden"))
    assert model.mix_points == ["sentence", "hidden"]


@pytest.mark.parametrize(
    ("mix_at", "error"),
    [
        ([BOTH, BOTH], ValueError),
        ([BOTH, BOTH[::-1]], ValueError),
        ([("words", "words")], ValueError),
        ([()], ValueError),
        ([("words", 3)], TypeError),
        ([["words", "figures"]], TypeError),
    ],
)
def test_what_names_no_places_is_an_error(mix_at, error):
    with pytest.raises(error, match="Expected `mix_at`"):
        keras_amp.MixupAMPModel(network(), mix_at)


def test_masks_of_several_are_united_each():
    """Two texts of an example, each with padding of its own."""
    inputs = [keras.Input((5,), dtype="int32") for _ in range(2)]
    names = ("first", "second")
    pooled = [
        layers.GlobalAveragePooling1D()(
            layers.Embedding(20, 4, mask_zero=True, name=name)(ids)
        )
        for name, ids in zip(names, inputs, strict=True)
    ]
    x = layers.Concatenate()(pooled)
    whole = keras.Model(inputs, layers.Dense(3, "softmax", name="top")(x))
    texts = [np.where(np.arange(5) < RNG.integers(1, 6, (6, 1)), IDS, 0) for _ in inputs]
    lam, order = drawn()
    expected = []
    for text, name in zip(texts, names, strict=True):
        table = whole.get_layer(name).get_weights()[0]
        counts = (text != 0) | (text[order] != 0)
        mixed = lam[:, None, None] * table[text]
        mixed = mixed + (1 - lam[:, None, None]) * table[text[order]]
        summed = (mixed * counts[..., None]).sum(1)
        expected.append(summed / counts.sum(1, keepdims=True))
    p = np.array(whole.get_layer("top")(np.concatenate(expected, 1)))
    rows = np.arange(6)
    loss = -(lam * np.log(p[rows, Y]) + (1 - lam) * np.log(p[rows, Y[order]]))
    policy = injected(keras_amp.AdversarialMixing, step_size=0.0)
    got = one_step(whole, names, policy, rate=0.0, x=texts)[1]["loss"]
    np.testing.assert_allclose(got, ops.mean(loss), rtol=1e-5)
