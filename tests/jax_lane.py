"""Which tests run on JAX: by `make test BACKEND=jax` all, by `test_jax.py` some.

These are a test for each path of the engine, and all that are of JAX alone.

Tests know nothing of this; here stands which of them are TensorFlow's own, and why.
"""

import os
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ON_JAX = os.environ.get("BACKEND") == "jax"
EACH_PATH = os.environ.get("LANE") == "each path"

ENGINE = """
    policies graph training saving callbacks analysis/test_curve.py test_layers.py
    experiments/test_seeds_at_once.py
""".split()

# Files that have nothing to run on TensorFlow.
JAXS_OWN = ("training/test_devices.py", "experiments/test_seeds_at_once.py")
# Files, tests, tests with their parameters, or fixtures, one a line, by the reason.
TENSORFLOWS_OWN = {
    "it is about TensorFlow's functions, assertions, replicas or variables": """
        training/test_compilation.py
        training/test_distribution.py
        training/test_side_effects.py
        training/test_traced_graph.py
        test_a_batch_size_known_only_while_running
        test_a_size_known_only_while_running
        strategy
        test_a_compiled_program_orders_in_one_way_only
        test_the_compiled_draw_holds_no_sort_and_no_loop
        test_a_policys_draw_for_a_large_batch
        test_the_compiled_step_sorts_nothing
        test_made_under_a_strategy
        test_below_is_computed_once_an_example_and_nothing_is_traced_anew
        test_a_model_is_exported_by_another
        test_texts_of_unknown_length
        test_a_large_permutation_is_one_and_repeats_by_its_seed[graph, unknown size]
        test_a_large_permutation_is_one_and_repeats_by_its_seed[xla, unknown size]
        test_up_to_some_thousand_positions_get_the_ranks_of_float32_draws
    """,
    "JAX has no float64 unless it is asked for": """
        test_mix_keeps_the_digits_of_float64
        test_mix_returns_the_dtype_of_its_inputs_and_rounds_once[float64]
        test_lambda_one_and_zero_return_the_inputs_and_the_partner_exactly[float64]
        test_alone_it_is_the_identity[float64-True]
        test_alone_it_is_the_identity[float64-False]
        test_alone_it_is_the_identity[float64-None]
        test_mixing_integers_is_an_error[int64]
    """,
    "on JAX an own evaluation is refused": """
        test_never_mixed_equals_keras[Evaluated-eager]
        test_never_mixed_equals_keras[Evaluated-graph]
        test_a_classifier_that_was_compiled_and_trained_before
    """,
    "on JAX Keras trains on no loss without a reduction": """
        test_never_mixed_equals_keras_with[no reduction]
        test_never_mixed_is_keras[tags-none]
    """,
    "on JAX a model is none of TensorFlow's objects, and Keras writes no LiteRT": """
        test_tensorflow_saves_it
        test_tflite
    """,
    "on JAX the first batch is checked, compiled or not": """
        test_labels_outside_the_classes_in_batches_from_python[xla]
    """,
    'on JAX "auto" compiles everything': """
        test_fit_equals_plain_fit_on_mixed_examples[mode1-weight1]
    """,
    "on JAX a step without jit_compile looks through each batch": """
        test_several_fits_look_through_an_array_once
    """,
    "Keras has no optimizer at hand where JAX evaluates": """
        test_never_mixed_equals_keras[Everything-graph]
        test_with_gradient_accumulation_and_mixed_precision
    """,
}


# With `LANE="each path"`, these and JAX's own, each with its first parameters.
PATHS = set(
    """
    test_mix_weighs_every_example_by_its_own_lambda
    test_max_op_steps_up_the_clipped_gradient
    test_the_operators_are_differentiable
    test_draws_have_one_lambda_and_one_partner_per_example
    test_draws_follow_the_beta_distribution
    test_the_same_seed_draws_the_same
    test_tied_draws_still_make_a_permutation
    test_a_mask_is_that_of_the_example_at_each_position
    test_a_step_is_the_derived_one
    test_rand_op
    test_max_op_and_min_op
    test_min_op_turns_some_examples_back
    test_one_lambda_per_batch_takes_one_step
    test_any_loss_is_interpolated
    test_adversarial_training_against_labels
    test_adversarial_training_against_predictions
    test_regmixup
    test_rdrop
    test_cutmix
    test_independent_noise_is_new_in_every_pass
    test_shared_noise_is_the_same_in_all_passes_and_new_in_each_step
    test_a_compiled_step_has_the_noise_of_plain_training_in_all_passes
    test_batch_statistics_move_once_a_step
    test_penalties_count_once
    test_a_step_is_that_of_numpy
    test_never_mixed_equals_keras_with
    test_the_larger_sum_of_the_losses_is_trained_on
    test_a_model_is_saved_and_trains_on
    test_a_data_sets_wrong_label_is_found_as_it_is_read
    test_the_labels_lambda_is_held_constant
    test_batch_normalization_adds_the_effect_on_the_other_examples
    test_both_or_the_sentence
    test_masks_of_several_are_united_each
    test_the_gradient_of_a_mixture
    test_labels_are_those_of_the_larger_share
    test_every_optimizer_option_works_as_in_plain_keras
    test_a_policy_that_draws_the_wrong_shape
    test_no_labels
    test_another_number_of_labels
    test_no_loss
    test_the_mask_of_an_embedding
    test_the_parts_compute_what_keras_computes
    test_gradients_are_those_of_finite_differences
    test_independent_noise_is_drawn_above_the_place_alike
    test_the_step_follows_the_schedule
    test_a_restored_training_goes_on_with_the_steps
    test_a_step_that_loss_scaling_skips_does_not_count
    test_counts_are_those_of_numpy
    test_the_projector_reads_embeddings_at_any_depth
    test_the_loss_along_lambda_of_both
    test_a_fit_that_fails_leaves_the_variables_as_they_were
    test_each_batch_is_laid_out
    """.split()
)


def ignores(path):
    """Whether a path holds nothing that runs on the backend of this run."""
    if not ON_JAX or not path.is_relative_to(TESTS):
        return False
    own = path.relative_to(TESTS)
    return own.parts[:1] and not any(
        own.is_relative_to(folder) or Path(folder).is_relative_to(own)
        for folder in ENGINE
    )


def select(config, items):
    """Skip what is TensorFlow's own, with the reason; leave out what comes twice."""
    if not ON_JAX:
        return
    reasons = {
        name.strip(): reason
        for reason, names in TENSORFLOWS_OWN.items()
        for name in names.strip().splitlines()
    }
    kept = {}
    for item in items:
        names = _names(item)
        reason = next((reasons[name] for name in names if name in reasons), None)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))
        in_lane = names[0] in JAXS_OWN or any(name in PATHS for name in names)
        if not EACH_PATH or (in_lane and not reason):
            kept.setdefault(names[:2] if EACH_PATH else _work(item), item)
    left = set(map(id, kept.values()))
    config.hook.pytest_deselected(items=[i for i in items if id(i) not in left])
    items[:] = kept.values()


def _names(item):
    """A test's file, its name, that with its parameters, and its fixtures."""
    name = getattr(item, "originalname", item.name)
    return str(item.path.relative_to(TESTS)), name, item.name, *item.fixturenames


def _work(item):
    """What a test does on JAX: there a "graph" is no other mode than an eager run."""
    parameters = getattr(item, "callspec", None)
    found = {} if parameters is None else parameters.params
    alike = {"graph": "eager", repr({"jit_compile": False}): repr({"run_eagerly": True})}
    values = [(name, str(value)) for name, value in found.items()]
    return *_names(item)[:2], *((name, alike.get(v, v)) for name, v in values)
