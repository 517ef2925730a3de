"""The operators against NumPy in float64, and the settings of the policies."""

import inspect
import itertools
import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from backends import ROUNDING, gradients, run_as
from keras import ops
from scipy import stats

import keras_amp
from keras_amp.policies import (
    adversarial_mask,
    max_op,
    min_op,
    mix,
    normalized,
    rand_op,
)

RNG = np.random.default_rng(2)
A, B = RNG.normal(size=(2, 5, 3, 4))
LAM = np.array([0.0, 0.1, 0.5, 0.9, 1.0])
PERMUTATION = np.array([3, 0, 4, 1, 2], "int32")


def mixed_by_hand(a, b, lam):
    return np.stack([lam[i] * a[i] + (1 - lam[i]) * b[i] for i in range(len(lam))])


# === The operators ===


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 3, 4)])
def test_mix_weighs_every_example_by_its_own_lambda(shape):
    a, b = RNG.normal(size=(2, *shape))
    actual = mix(a.astype("float32"), b.astype("float32"), LAM.astype("float32"))
    assert actual.dtype == "float32"
    np.testing.assert_allclose(actual, mixed_by_hand(a, b, LAM), rtol=1e-5, atol=1e-6)


def test_mix_keeps_the_digits_of_float64():
    actual = mix(A, B, LAM)
    assert actual.dtype == "float64"
    np.testing.assert_allclose(actual, mixed_by_hand(A, B, LAM), rtol=1e-14, atol=1e-15)


def test_a_scalar_lambda_is_shared_by_all():
    np.testing.assert_allclose(mix(A, B, 0.25), 0.25 * A + 0.75 * B, rtol=ROUNDING)


def test_a_lambda_beyond_the_unit_interval_extrapolates():
    lam = np.array([1.1, -0.1, 1.0, 0.0, 0.5])
    expected = mixed_by_hand(A, B, lam)
    np.testing.assert_allclose(mix(A, B, lam), expected, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
def test_mix_returns_the_dtype_of_its_inputs_and_rounds_once(dtype):
    a, b = ops.cast(A, dtype), ops.cast(B, dtype)
    lam = LAM.astype("float32")
    actual = mix(a, b, lam)
    assert keras.backend.standardize_dtype(actual.dtype) == dtype
    wide = [np.array(ops.cast(v, "float64")) for v in (a, b)]
    exact = mixed_by_hand(*wide, lam.astype("d"))
    # Half a unit in the last place: the rounding of the result alone.
    unit = {"bfloat16": 2.0**-8, "float16": 2.0**-11}.get(dtype, 2.0**-22)
    np.testing.assert_allclose(
        ops.cast(actual, "float64"), exact, rtol=1.01 * unit, atol=1e-6
    )


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
def test_lambda_one_and_zero_return_the_inputs_and_the_partner_exactly(dtype):
    a, b = ops.cast(A * 100, dtype), ops.cast(B / 3, dtype)
    for lam, expected in ((1.0, a), (0.0, b)):
        actual = mix(a, b, np.full(5, lam, "float32"))
        np.testing.assert_array_equal(
            ops.cast(actual, "float64"), ops.cast(expected, "float64")
        )


def test_a_small_step_on_lambda_survives_bfloat16():
    """In bfloat16 0.502 would round to 0.5; the product is rounded, lambda is not."""
    a, b = ops.cast([[256.0]], "bfloat16"), ops.cast([[-256.0]], "bfloat16")
    mixed = [float(mix(a, b, np.array([lam], "float32"))[0, 0]) for lam in (0.5, 0.502)]
    assert mixed[0] == 0
    assert mixed[1] == pytest.approx(1.024, rel=2**-8)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool"])
def test_mixing_integers_is_an_error(dtype):
    ids = np.ones((2, 3), dtype)
    with pytest.raises(ValueError, match=f"`inputs` to be floating-point.*{dtype}"):
        mix(ids, ids, np.array([0.5, 0.5]))


def test_rand_op_mixes_with_the_permuted_batch():
    expected = mixed_by_hand(A, A[PERMUTATION], LAM)
    np.testing.assert_allclose(rand_op(A, LAM, PERMUTATION), expected, rtol=ROUNDING)


@pytest.mark.parametrize("max_gradient", [1.0, 0.3, None])
def test_max_op_steps_up_the_clipped_gradient(max_gradient):
    gradient = np.array([-4.0, -0.2, 0.0, 0.25, 7.0])
    bound = math.inf if max_gradient is None else max_gradient
    expected = LAM + 0.05 * np.array([np.sign(g) * min(abs(g), bound) for g in gradient])
    actual = max_op(LAM, gradient, 0.05, max_gradient)
    np.testing.assert_allclose(actual, expected, rtol=ROUNDING)


def test_max_op_follows_the_papers_defaults():
    actual = max_op(LAM, np.array([3.0, -3.0, 0.5, 0.0, 1.0]))
    expected = LAM + 0.002 * np.array([1.0, -1.0, 0.5, 0.0, 1.0])
    np.testing.assert_allclose(actual, expected, rtol=ROUNDING)


def test_lambda_leaves_the_unit_interval_unless_asked_not_to():
    lam, gradient = np.array([0.0, 1.0, 0.5]), np.array([-9.0, 9.0, 9.0])
    np.testing.assert_allclose(max_op(lam, gradient, 0.1), [-0.1, 1.1, 0.6])
    np.testing.assert_allclose(max_op(lam, gradient, 0.1, clip_lam=True), [0, 1, 0.6])


def test_min_op_minimises_the_larger_loss_and_keeps_lambda_in_a_tie():
    loss, adversarial_loss = np.array([1.0, 2.0, 3.0]), np.array([1.5, 2.0, 2.5])
    mask = adversarial_mask(loss, adversarial_loss)
    np.testing.assert_array_equal(mask, [True, False, False])
    np.testing.assert_array_equal(min_op(loss, adversarial_loss), [1.5, 2.0, 3.0])


def test_the_operators_are_differentiable():
    """d mix / d lam is the difference of the two; max_op passes lambda's on."""
    lam = ops.convert_to_tensor(LAM)
    (found,) = gradients(lambda lam: mix(A, B, max_op(lam, np.ones(5))), lam)
    np.testing.assert_allclose(found, (A - B).sum((1, 2)), rtol=10 * ROUNDING)


# === The policies' draws ===

POLICIES = [keras_amp.Mixup, keras_amp.AdversarialMixing]


def drawer(policy, how, batch_size=6, seed=1):
    generator = keras.random.SeedGenerator(seed)
    return run_as(how, lambda: policy.draw(batch_size, generator), generator)


@pytest.mark.parametrize(
    ("lam_per", "probability", "batch_size", "how"),
    [
        *itertools.product(["example", "batch"], [1.0, 0.5], [1, 6], ["eager"]),
        ("example", 0.5, 6, "graph"),
        ("batch", 0.5, 6, "xla"),
    ],
)
def test_draws_have_one_lambda_and_one_partner_per_example(
    lam_per, probability, batch_size, how
):
    policy = keras_amp.AdversarialMixing(0.4, lam_per=lam_per, probability=probability)
    lam, permutation = drawer(policy, how, batch_size)()
    assert lam.shape == permutation.shape == (batch_size,)
    assert lam.dtype == "float32"
    assert permutation.dtype == "int32"
    np.testing.assert_array_equal(np.sort(permutation), np.arange(batch_size))
    assert len(np.unique(lam)) == (1 if lam_per == "batch" or lam[0] == 1 else batch_size)


@pytest.mark.parametrize("lam_per", ["example", "batch"])
def test_a_batch_size_known_only_while_running(lam_per):
    policy = keras_amp.Mixup(lam_per=lam_per, probability=0.5)
    generator = keras.random.SeedGenerator(1)
    draw = tf.function(lambda size: policy.draw(size, generator))
    for size in (1, 5, 8):
        lam, permutation = draw(ops.convert_to_tensor(size))
        assert lam.shape == permutation.shape == (size,)


def test_float16_and_bfloat16_policies_leave_lambda_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        lam, _ = drawer(keras_amp.Mixup(), "eager")()
    finally:
        keras.config.set_dtype_policy("float32")
    assert lam.dtype == "float32"


@pytest.mark.parametrize("lam_per", ["example", "batch"])
@pytest.mark.parametrize("alpha", [0.3, 4.0])
def test_lambda_follows_the_policys_beta(alpha, lam_per):
    draw = drawer(keras_amp.Mixup(alpha, lam_per=lam_per), "graph", batch_size=8)
    lam = np.stack([np.array(draw()[0]) for _ in range(600)]).astype("float64")
    independent = lam[:, 0] if lam_per == "batch" else lam.reshape(-1)
    reference = np.random.default_rng(1).beta(alpha, alpha, 20_000).astype("float32")
    assert stats.ks_2samp(independent, reference).pvalue > 0.001


@pytest.mark.parametrize(
    ("probability", "how"),
    [(0.0, "graph"), (0.25, "graph"), (0.25, "xla"), (1.0, "graph")],
)
def test_the_share_of_batches_that_are_mixed(probability, how):
    draw = drawer(keras_amp.Mixup(probability=probability), how, batch_size=5)
    mixed = 0
    for _ in range(400):
        lam, permutation = (np.array(v) for v in draw())
        if (lam == 1).all():
            np.testing.assert_array_equal(permutation, np.arange(5))
        else:
            assert (lam < 1).all()  # a batch is mixed as a whole
            mixed += 1
    assert stats.binomtest(mixed, 400, probability).pvalue > 0.001


@pytest.mark.parametrize("policy_class", POLICIES)
def test_policies_draw_alike_from_one_seed(policy_class):
    first, again, other = (drawer(policy_class(), "eager", 40, s)() for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (np.array(first[0]) != np.array(other[0])).all()


# === MaxOp and MinOp by the policy ===


def test_perturb_is_max_op_with_the_policys_settings():
    gradient = np.array([-4.0, -0.2, 0.0, 0.25, 7.0])
    policy = keras_amp.AdversarialMixing(step_size=0.3, max_gradient=0.5, clip_lam=True)
    expected = np.clip(LAM + 0.3 * np.clip(gradient, -0.5, 0.5), 0, 1)
    np.testing.assert_allclose(policy.perturb(LAM, gradient), expected, rtol=ROUNDING)


def test_one_lambda_per_batch_takes_the_mean_gradient_clipped():
    lam, gradient = np.full(4, 0.5), np.array([9.0, -1.0, 2.0, -2.0])  # mean 2
    policy = keras_amp.AdversarialMixing(step_size=0.1, lam_per="batch")
    np.testing.assert_allclose(policy.perturb(lam, gradient), np.full(4, 0.6))
    policy = keras_amp.AdversarialMixing(
        step_size=0.1, lam_per="batch", max_gradient=None
    )
    np.testing.assert_allclose(policy.perturb(lam, gradient), np.full(4, 0.7))


@pytest.mark.parametrize("scale", [1.0, 1e-25, 1e25])
def test_a_normalized_gradient_keeps_its_direction_alone(scale):
    gradient = np.array([[[3.0, -4.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])
    found = normalized(ops.cast(scale * gradient, "float32"))
    expected = gradient / np.sqrt([[[26 / 4]], [[1.0]]])  # the mean of 9, 16, 0 and 1
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_one_normalized_lambda_moves_by_the_step_size():
    policy = keras_amp.AdversarialMixing(step_size=0.1, normalize=True)
    lam, gradient = np.full(4, 0.5), np.array([9.0, -1e-9, 0.0, -2.0])
    expected = [0.6, 0.4, 0.5, 0.4]
    np.testing.assert_allclose(policy.perturb(lam, gradient), expected, rtol=ROUNDING)
    policy = keras_amp.AdversarialMixing(0.5, 0.1, normalize=True, max_gradient=0.5)
    expected = [0.55, 0.45, 0.5, 0.45]
    np.testing.assert_allclose(policy.perturb(lam, gradient), expected, rtol=ROUNDING)


def test_one_lambda_per_batch_takes_each_dimensions_mean_gradient():
    gradient = np.array([[1.0, 2.0], [3.0, -4.0]])
    policy = keras_amp.AdversarialMixing(
        step_size=0.1, lam_per="batch", max_gradient=None, step_per="dimension"
    )
    expected = [[0.7, 0.4], [0.7, 0.4]]
    np.testing.assert_allclose(policy.perturb(np.full((2, 2), 0.5), gradient), expected)


def test_select_marks_where_the_step_raised_the_loss():
    mask = keras_amp.AdversarialMixing().select(
        np.array([1.0, 2, 3]), np.array([2, 2, 1])
    )
    np.testing.assert_array_equal(mask, [True, False, False])


def test_mixup_neither_moves_nor_selects():
    policy = keras_amp.Mixup()
    np.testing.assert_array_equal(policy.perturb(LAM, np.ones(5)), LAM)
    mask = policy.select(np.zeros(5), np.ones(5))
    assert mask.dtype == "bool"
    assert not np.array(mask).any()


# === Settings ===

SETTINGS = {
    "alpha": 0.3,
    "step_size": 0.0,
    "max_gradient": None,
    "min_op": False,
    "noise": "independent",
    "gradient": "mean",
    "lam_per": "batch",
    "probability": 0.5,
    "clip_lam": True,
    "ascent_steps": 3,
    "step_per": "dimension",
    "normalize": True,
    "probability_per": "example",
    "partners": "near",
    "bandwidth": 0.5,
}


def test_defaults_are_the_papers():
    assert keras_amp.AdversarialMixing().get_config() == {
        "alpha": 1.0,
        "step_size": 0.002,
        "max_gradient": 1.0,
        "min_op": True,
        "noise": "shared",
        "gradient": "example",
        "lam_per": "example",
        "probability": 1.0,
        "clip_lam": False,
        "ascent_steps": 1,
        "step_per": "example",
        "normalize": False,
    }
    assert keras_amp.Mixup().get_config() == {
        "alpha": 1.0,
        "lam_per": "example",
        "probability": 1.0,
    }


@pytest.mark.parametrize("policy_class", POLICIES)
def test_every_setting_goes_through_the_config(policy_class):
    known = inspect.signature(policy_class).parameters
    settings = {name: value for name, value in SETTINGS.items() if name in known}
    assert set(settings) == set(known)
    policy = policy_class(**settings)
    assert policy.get_config() == settings
    for name, value in settings.items():
        assert getattr(policy, name) == value
    again = policy_class.from_config(json.loads(json.dumps(policy.get_config())))
    assert type(again) is policy_class
    assert again.get_config() == settings
    assert repr(again) == repr(policy)
    assert eval(repr(policy), vars(keras_amp)).get_config() == settings


@pytest.mark.parametrize("policy_class", POLICIES)
def test_keras_serialises_policies(policy_class):
    policy = policy_class(alpha=0.7, lam_per="batch")
    stored = json.loads(json.dumps(keras.saving.serialize_keras_object(policy)))
    again = keras.saving.deserialize_keras_object(stored)
    assert type(again) is policy_class
    assert again.get_config() == policy.get_config()


def test_a_variant_is_a_small_subclass():
    @keras.saving.register_keras_serializable(package="test")
    class SignStep(keras_amp.AdversarialMixing):
        def perturb(self, lam, lam_gradient):
            return lam + self.step_size * ops.sign(lam_gradient)

    policy = SignStep(step_size=0.1)
    np.testing.assert_allclose(
        policy.perturb(np.array([0.5, 0.5]), np.array([9.0, -0.1])), [0.6, 0.4]
    )
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(policy)
    )
    assert type(again) is SignStep
    assert again.step_size == 0.1


def test_a_variant_may_have_settings_of_its_own():
    class Scheduled(keras_amp.AdversarialMixing):
        def __init__(self, warm_up=10, **settings):
            super().__init__(**settings)
            self.warm_up = warm_up

        def get_config(self):
            return {**super().get_config(), "warm_up": self.warm_up}

    again = Scheduled.from_config(Scheduled(warm_up=3, step_size=0.1).get_config())
    assert (again.warm_up, again.step_size) == (3, 0.1)
    assert "warm_up=3" in repr(again)


NO_NUMBERS = [math.nan, math.inf, -math.inf, "0.5", True, None, [0.5], np.ones(2)]
BAD = {
    "alpha": [0, 0.0, -1, *NO_NUMBERS],
    "probability": [-0.1, 1.1, *NO_NUMBERS],
    "step_size": [-0.002, *NO_NUMBERS],
    "max_gradient": [0, -1.0, *(v for v in NO_NUMBERS if v is not None)],
    "lam_per": ["batches", "Example", "", None, 1, True],
    "noise": ["same", None, 0, True],
    "gradient": ["sum", None, 1],
    "min_op": ["yes", None, 1, 0, 1.0],
    "clip_lam": ["no", None, 1, 0],
    "ascent_steps": [0, -1, 1.5, "2", None, True],
    "step_per": ["word", None, 1],
    "normalize": ["no", None, 1, 0],
}


@pytest.mark.parametrize("policy_class", POLICIES)
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in BAD for value in BAD[name]]
)
def test_a_bad_setting_is_an_error_that_names_it(policy_class, name, value):
    if name not in inspect.signature(policy_class).parameters:
        with pytest.raises(TypeError, match=name):
            policy_class(**{name: value})
        return
    with pytest.raises(ValueError, match=f"Expected `{name}` to be") as error:
        policy_class(**{name: value})
    assert f"Received: {name}={value!r}" in str(error.value)


def test_errors_say_what_was_expected():
    with pytest.raises(ValueError, match="alpha` to be a finite number > 0. Rec"):
        keras_amp.Mixup(alpha=0)
    with pytest.raises(ValueError, match="step_size` to be a finite number >= 0. Rec"):
        keras_amp.AdversarialMixing(step_size=-1)
    with pytest.raises(ValueError, match="number >= 0 and <= 1. Received: probability=2"):
        keras_amp.Mixup(probability=2)
    with pytest.raises(ValueError, match="one of 'shared', 'independent'. Received"):
        keras_amp.AdversarialMixing(noise="fresh")
    with pytest.raises(ValueError, match="one of True, False. Received: min_op=1"):
        keras_amp.AdversarialMixing(min_op=1)


@pytest.mark.parametrize("number", [1, np.float32(0.5), np.int64(1)])
def test_numbers_of_any_library_are_plain_floats_afterwards(number):
    policy = keras_amp.AdversarialMixing(alpha=number, step_size=number)
    assert type(policy.alpha) is type(policy.step_size) is float
    assert policy.alpha == number
    json.dumps(policy.get_config())


@pytest.mark.parametrize("policy_class", POLICIES)
def test_a_mistyped_setting_is_an_error(policy_class):
    with pytest.raises(TypeError, match="alfa"):
        policy_class(alfa=1.0)
    with pytest.raises(TypeError, match="alfa"):
        policy_class.from_config({"alfa": 1.0})
    policy = policy_class()
    with pytest.raises(AttributeError, match="no setting 'alfa'.*alpha"):
        policy.alfa = 0.5


def test_a_setting_may_be_changed_by_its_name():
    policy = keras_amp.AdversarialMixing()
    policy.step_size = 0.1
    assert policy.get_config()["step_size"] == 0.1


# === Former names ===


def test_an_operators_former_name_warns():
    with pytest.warns(DeprecationWarning, match="harder` is now .*adversarial_mask"):
        assert keras_amp.policies.harder is adversarial_mask
    with pytest.raises(AttributeError, match="no attribute 'softer'"):
        keras_amp.policies.softer  # noqa: B018


def test_methods_that_are_overridden_by_their_former_names_are_honoured():
    with pytest.warns(DeprecationWarning, match="Old.*overrides") as warned:

        class Old(keras_amp.AdversarialMixing):
            def memory(self):
                return [*super().memory(), "mine"]

            def weigh(self, loss, adversarial_loss, memory):
                assert super().weigh(loss, adversarial_loss, memory) is None
                return loss * len(memory)

    assert [str(each.message) for each in warned if "Old" in str(each.message)] == [
        "`Old.memory()` overrides a method that is now `create_state()`.",
        "`Old.weigh()` overrides a method that is now `example_weights()`.",
    ]
    policy = Old()
    with pytest.warns(DeprecationWarning, match="is now `create_state"):
        assert policy.create_state() == ["mine"]
    with pytest.warns(DeprecationWarning, match="is now `example_weights"):
        assert policy.example_weights(3, 4, [0, 0]) == 6

    class New(Old):
        def example_weights(self, loss, adversarial_loss, state):
            return -1

    assert New().example_weights(3, 4, []) == -1
    with pytest.warns(DeprecationWarning, match="`New.weigh..` is now `example_weights"):
        assert New().weigh(3, 4, []) == -1


def test_a_mixin_may_override_by_a_former_name():
    class Weighs:
        def weigh(self, loss, adversarial_loss, memory):
            return 5

    with pytest.warns(DeprecationWarning, match="`Weighs.weigh..` overrides"):

        class Both(Weighs, keras_amp.AdversarialMixing):
            pass

    assert Both().example_weights(1, 2, []) == 5
    assert keras_amp.AdversarialMixing().example_weights(1, 2, []) is None
