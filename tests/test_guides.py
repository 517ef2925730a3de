"""The programs of the pages in docs/ run, and do what the pages say."""

import contextlib
import functools
import re
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import traced_nothing

import keras_amp

DOCS = Path(__file__).parent.parent / "docs"
GUIDES = sorted(p for p in DOCS.glob("*.md") if "```python" in p.read_text())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A function that runs a page's programs, once, in one namespace.

    It returns the namespace, and the weights that each KerasHub task had behind the
    program that built it. Only programs that compile are traced.
    """

    @functools.cache
    def run(guide):
        programs = re.findall(r"```python\n(.*?)```", guide.read_text(), re.DOTALL)
        assert len(programs) >= 2
        hub = None
        if any("import keras_hub" in program for program in programs):
            reason = 'pip install "keras-amp[hub]"'
            hub = pytest.importorskip("keras_hub", reason=reason)
        names, initial = {}, {}
        with contextlib.chdir(tmp_path_factory.mktemp(guide.stem)):
            for i, program in enumerate(programs):
                traced = "jit_compile=True" in program
                with (
                    contextlib.nullcontext() if traced else traced_nothing(),
                    warnings.catch_warnings(),
                ):
                    warnings.simplefilter("error", UserWarning)
                    exec(compile(program, f"{guide.name}, program {i}", "exec"), names)
                for name, value in names.items():
                    if hub and isinstance(value, hub.models.Task):
                        initial.setdefault(name, value.get_weights())
        return names, initial

    return run


@pytest.mark.parametrize("guide", GUIDES, ids=[guide.stem for guide in GUIDES])
def test_the_programs_run_without_a_warning(guide, run):
    run(guide)


@pytest.mark.parametrize("name", ["text_task", "image_task"])
def test_keras_hub_tasks_are_trained_in_place(name, run):
    names, initial = run(DOCS / "keras_hub.md")
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
    names, _ = run(DOCS / "keras_hub.md")
    examples, model = names["images"][:8], names["image_model"]
    expected = model.classifier.predict(examples, verbose=0)
    predicted = model.predict(names["pixels"][:8], verbose=0)
    np.testing.assert_allclose(predicted, expected, rtol=1e-5, atol=1e-6)
    for logits in (expected, names["logits"]):
        assert np.ptp(logits, axis=0).max() > 1e-4  # they are told apart


def test_the_names_that_the_keras_hub_page_shows_exist(run):
    names, _ = run(DOCS / "keras_hub.md")
    assert "bert_backbone/embeddings_dropout" in names["paths"](names["text_task"])
    with pytest.raises(ValueError, match="mean 'bert_backbone/embeddings_dropout'"):
        keras_amp.MixupAMPModel(names["text_task"], mix_at="embedding_dropout")
    assert [layer.name for layer in names["mixed"].layers].count("mix_words") == 1
    mixed = keras_amp.MixupAMPModel(names["mixed"])
    assert mixed.mix_points == ["mix_words", "mix_sentence"]


def test_the_keras_hub_page_compiles_in_the_precision_of_the_task(run):
    names, _ = run(DOCS / "keras_hub.md")
    model, pixels = names["fast_model"], names["pixels"]
    assert model.jit_compile
    assert model.dtype_policy.name == names["fast_task"].dtype_policy.name
    assert keras.backend.standardize_dtype(names["fast_task"](pixels).dtype) == "bfloat16"
