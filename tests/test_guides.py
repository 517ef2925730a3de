"""The programs of the pages below docs/ run, and do what the pages say."""

import functools

import keras
import numpy as np
import pytest
from pages import DOCS, ONLY_SHOWN, README, all_pages, name_of, programs_of, run_programs

import keras_amp

GUIDES = [page for page in all_pages() if page != README and programs_of(page)]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A function that runs a page's programs, once, in one namespace.

    It returns the namespace, and the weights that each KerasHub task had behind the
    program that built it.
    """

    @functools.cache
    def run(page):
        initial = {}

        def remember(_, names):
            if "keras_hub" in names:
                for name, value in names.items():
                    if isinstance(value, names["keras_hub"].models.Task):
                        initial.setdefault(name, value.get_weights())

        folder = tmp_path_factory.mktemp(page.stem)
        return run_programs(page, folder, remember), initial

    return run


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_the_programs_run_without_a_warning(page, run):
    run(page)


def test_programs_are_only_shown_where_a_reason_is_given():
    shown = {name_of(page) for page in all_pages() if programs_of(page, "py")}
    assert shown == set(ONLY_SHOWN)


@pytest.mark.parametrize("name", ["text_task", "image_task"])
def test_keras_hub_tasks_are_trained_in_place(name, run):
    names, initial = run(DOCS / "guides" / "keras_hub.md")
    trainable = {id(weight) for weight in names[name].trainable_weights}
    still = [
        weight.path
        for weight, old in zip(names[name].weights, initial[name], strict=True)
        if id(weight) in trainable and np.array_equal(weight, old)
    ]
    assert len(trainable) > 10
    # Segments are all the same, and what is added to all keys alike cancels out.
    assert not [path for path in still if "key/bias" not in path]


@pytest.mark.usefixtures("eagerly")
def test_keras_hub_tasks_predict_what_the_trained_models_predict(run):
    """Of texts, and with a mix layer, the page itself asserts it."""
    names, _ = run(DOCS / "guides" / "keras_hub.md")
    examples, model = names["images"][:8], names["image_model"]
    expected = model.classifier.predict(examples, verbose=0)
    predicted = model.predict(names["pixels"][:8], verbose=0)
    np.testing.assert_allclose(predicted, expected, rtol=1e-5, atol=1e-6)
    for logits in (expected, names["logits"]):
        assert np.ptp(logits, axis=0).max() > 1e-4  # they are told apart


def test_the_names_that_the_keras_hub_page_shows_exist(run):
    names, _ = run(DOCS / "guides" / "keras_hub.md")
    assert "bert_backbone/embeddings_dropout" in names["paths"](names["text_task"])
    with pytest.raises(ValueError, match="mean 'bert_backbone/embeddings_dropout'"):
        keras_amp.MixupAMPModel(names["text_task"], mix_at="embedding_dropout")
    assert [layer.name for layer in names["mixed"].layers].count("mix_words") == 1
    mixed = keras_amp.MixupAMPModel(names["mixed"])
    assert mixed.mix_points == ["mix_words", "mix_sentence"]


def test_the_keras_hub_page_compiles_in_the_precision_of_the_task(run):
    names, _ = run(DOCS / "guides" / "keras_hub.md")
    model, pixels = names["fast_model"], names["pixels"]
    assert model.jit_compile
    assert model.dtype_policy.name == names["fast_task"].dtype_policy.name
    assert keras.backend.standardize_dtype(names["fast_task"](pixels).dtype) == "bfloat16"
