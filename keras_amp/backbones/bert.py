"""Classifiers on pretrained encoders: BERT and KerasHub's other text backbones."""

import functools
import inspect
import json
import numbers
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray

from keras_amp.backbones.seeding import layer_seeds
from keras_amp.data.text import as_texts, report_cut
from keras_amp.runtime.extras import require
from keras_amp.validation import did_you_mean

DEFAULT_PRESET = "bert_base_en_uncased"

# Activation of the dense layer that KerasHub's own classifiers put on the first token's
# state, if the encoder has no pooler; "tanh" for all others.
POOLER_ACTIVATIONS = {"DistilBertBackbone": "relu", "DebertaV3Backbone": "gelu"}

_HOW_TO_GIVE_A_FOLDER = (
    "Where there is no network, pass a folder: one that "
    "`keras_hub.models.Backbone.from_preset(name).save_to_preset(folder)` and "
    "`keras_hub.tokenizers.Tokenizer.from_preset(name).save_to_preset(folder)` have "
    "written on another machine, or one in Hugging Face's format (config.json, "
    "model.safetensors, tokenizer_config.json and the vocabulary)."
)


def bert(
    num_classes: int,
    sequence_length: int | None = None,
    preset: str | os.PathLike[str] | keras.Model = DEFAULT_PRESET,
    dropout: float = 0.1,
    seed: int | None = None,
    name: str = "bert",
) -> keras.Model:
    """Build a classifier on a pretrained encoder of KerasHub, BERT by default.

    The head is that of KerasHub's own classifiers: dropout and a softmax layer on the
    vector that represents the sentence. This is the encoder's pooled output (BERT,
    ALBERT, ELECTRA). If the encoder has none, it is the output of a dense layer on the
    first token's state (with tanh for RoBERTa and XLM-RoBERTa, ReLU for DistilBERT, GELU
    for DeBERTa-v3). If no token represents the text, as in causal language models, it is
    the mean of the words' states. Mix sentences after ``"sentence"`` and words after the
    embeddings' LayerNorm and dropout, whose name
    ``keras_amp.backbones.mix_point(model, "word")`` returns.

    Args:
        num_classes: Integer >= 2.
        sequence_length: Integer, tokens per text, special ones included; None allows
            batches of any length. With a fixed length the model is compiled once.
        preset: Name of a KerasHub preset (``"bert_base_en_uncased"``), a Kaggle or
            Hugging Face handle (``"hf://..."``), a local preset folder, a folder in
            Hugging Face's format (``config.json``, ``model.safetensors``), or a
            ``keras_hub.models.Backbone`` (then trained in place).
        dropout: Float in [0, 1), dropout rate of the sentence; the encoder's own dropout
            has the rate of its preset.
        seed: Integer that seeds the head's initial weights and all dropout masks, those
            of the encoder, too.
        name: Name of the model.

    Returns:
        A functional ``keras.Model`` from the encoder's own inputs, a dict of int32 arrays
        ``(batch_size, sequence_length)`` (``token_ids``, ``padding_mask``, with BERT also
        ``segment_ids``), to class probabilities ``(batch_size, num_classes)``.
        ``BertPreprocessor`` makes the inputs from texts.

    Raises:
        ImportError: If KerasHub is not installed.
        ConnectionError: If the preset cannot be downloaded.
        ValueError: If there is no such preset or folder, if it is not that of a text
            encoder, or if ``sequence_length`` is greater than the encoder allows.

    Example:
    >>> import keras_hub
    >>> encoder = keras_hub.models.BertBackbone(
    ...     vocabulary_size=50, num_layers=1, num_heads=2, hidden_dim=8,
    ...     intermediate_dim=16, max_sequence_length=12)
    >>> model = keras_amp.backbones.bert(6, 12, preset=encoder)
    >>> sorted(model.input)
    ['padding_mask', 'segment_ids', 'token_ids']
    >>> keras_amp.backbones.mix_point(model, "word")
    'embeddings_dropout'

    Reference:
        Devlin et al., *BERT: Pre-training of Deep Bidirectional Transformers for Language
        Understanding*, NAACL 2019.
    """
    backbone: Any = preset
    if not isinstance(preset, keras.Model):
        backbone = _from_preset("models.Backbone", preset)
    _check_backbone(backbone, sequence_length)
    pooler_seed, classifier_seed = layer_seeds(seed, 2)

    # === Layers ===
    pool = _pool_layer(backbone, pooler_seed)
    sentence = keras.layers.Activation(
        "linear", dtype=backbone.dtype_policy, name="sentence"
    )  # the identity, which gives the encoder's output a name
    drop = keras.layers.Dropout(dropout, dtype=backbone.dtype_policy, name="dropout")
    classify = keras.layers.Dense(
        num_classes,
        activation="softmax",
        kernel_initializer=_initializer(classifier_seed),
        dtype="float32",  # the encoder may compute in a lower precision
        name="probabilities",
    )

    # === Functional Model ===
    inputs = {
        key: keras.Input((sequence_length,), dtype=x.dtype, name=key)
        for key, x in backbone.input.items()
    }
    outputs = backbone(inputs)
    first = _first_token(backbone)
    if pool is None:
        hidden = outputs["pooled_output"]  # (batch_size, hidden_dim)
    elif first is None:
        hidden = pool(_states(outputs), mask=inputs["padding_mask"])
    else:
        hidden = pool(_states(outputs)[:, first, :])
    model = keras.Model(inputs, classify(drop(sentence(hidden))), name=name)
    if seed is not None:
        _seed_noise(model, seed)
    return model


class BertPreprocessor:
    """Turns texts into the inputs of an encoder, once and outside of the model.

    Texts are split by the encoder's tokenizer, put between its special tokens and padded.
    Texts that are too long are cut: ``truncated`` counts them, and a warning names their
    number. Accents are removed if the preset's vocabulary is lower-case and holds no
    accented letter, as that of uncased BERT (KerasHub itself would read "café" as an
    unknown word).

    Args:
        preset: The preset's name or folder that ``bert`` was given, which must have a
            tokenizer; or a ``keras_hub.tokenizers.Tokenizer``.
        sequence_length: Integer, tokens per text, special ones included; not more than
            the encoder's positions (BERT: 512).

    Attributes:
        tokenizer: The ``keras_hub.tokenizers.Tokenizer``.
        truncated: Integer, number of texts cut so far.

    Raises:
        ImportError: If KerasHub is not installed.
        ConnectionError: If the preset cannot be downloaded.
        ValueError: If there is no such preset or folder, if it has no tokenizer, or if
            ``sequence_length`` leaves no room for a word.

    Example:
    >>> import keras_hub
    >>> words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "who", "is", "it"]
    >>> tokenizer = keras_hub.tokenizers.BertTokenizer(vocabulary=words, lowercase=True)
    >>> preprocess = keras_amp.backbones.BertPreprocessor(tokenizer, sequence_length=6)
    >>> inputs = preprocess(["Who is it", "it"])
    >>> inputs["token_ids"]
    array([[2, 5, 6, 7, 3, 0],
           [2, 7, 3, 0, 0, 0]], dtype=int32)
    >>> inputs["padding_mask"].sum(axis=1)
    array([5, 3])
    """

    FILE, ASSETS = "tokens.json", "tokenizer"

    def __init__(self, preset: Any = DEFAULT_PRESET, sequence_length: int = 128) -> None:
        if isinstance(preset, (str, os.PathLike)):
            preset = _from_preset("tokenizers.Tokenizer", preset)
            _strip_accents_where_unknown(preset)
        if not hasattr(preset, "pad_token_id"):
            raise ValueError(
                "Expected `preset` to be a preset's name, a folder, or a "
                f"`keras_hub.tokenizers.Tokenizer`. Received: {preset!r}. An encoder "
                "does not know its tokenizer; name its preset."
            )
        self.tokenizer = preset
        special = [
            getattr(preset, name, None) for name in ("start_token_id", "end_token_id")
        ]
        self.num_special = sum(token is not None for token in special)
        whole = isinstance(sequence_length, numbers.Integral)
        if not whole or sequence_length <= self.num_special:
            raise ValueError(
                "Expected `sequence_length` to be an integer that leaves room for a word "
                f"besides {self.num_special} special tokens. Received: "
                f"sequence_length={sequence_length!r}"
            )
        self.sequence_length = sequence_length = int(sequence_length)
        self.truncated = 0
        self._pack = _keras_hub().layers.MultiSegmentPacker(
            sequence_length,
            start_value=special[0],
            end_value=special[1],
            pad_value=preset.pad_token_id,
        )
        # Encoders that have segment embeddings are built with their number.
        encoder = inspect.signature(preset.backbone_cls.__init__).parameters
        self._has_segments = "num_segments" in encoder

    def lengths(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Count the tokens of each text, before it is cut and with special tokens.

        Args:
            texts: Sequence of strings.

        Returns:
            An integer array ``(len(texts),)``.
        """
        return self._lengths(self._tokens(texts))

    def __call__(self, texts: Sequence[str]) -> dict[str, NDArray[np.int32]]:
        """Turn texts into arrays.

        Args:
            texts: Sequence of strings.

        Returns:
            A dict of int32 arrays ``(len(texts), sequence_length)``: ``token_ids``,
            ``padding_mask`` (0 for padding) and, if the encoder takes them,
            ``segment_ids``.
        """
        tokens = self._tokens(texts)
        lengths = self._lengths(tokens)
        self.truncated += report_cut(lengths, self.sequence_length, "tokens")
        token_ids = segment_ids = np.zeros((0, self.sequence_length), "int32")
        if len(lengths):  # KerasHub would return one text for none
            token_ids, segment_ids = (np.asarray(x, "int32") for x in self._pack(tokens))
        positions = np.arange(self.sequence_length)
        inputs = {
            "token_ids": token_ids,
            "padding_mask": (positions < lengths[:, None]).astype("int32"),
        }
        if self._has_segments:
            inputs["segment_ids"] = segment_ids
        return inputs

    def _tokens(self, texts: Sequence[str]) -> Any:
        """Return a list of token ids for each text."""
        tokens = self.tokenizer(as_texts(texts))
        # Some tokenizers return a ragged tensor, others lists.
        return tokens.to_list() if hasattr(tokens, "to_list") else tokens

    def _lengths(self, tokens: Any) -> NDArray[np.int64]:
        return np.array([len(row) for row in tokens], "int64") + self.num_special

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the files that ``load`` reads into an existing folder."""
        folder = Path(folder)
        assets = folder / self.ASSETS
        assets.mkdir(exist_ok=True)
        self.tokenizer.save_assets(str(assets))
        state = {
            "sequence_length": self.sequence_length,
            "tokenizer": keras.saving.serialize_keras_object(self.tokenizer),
        }
        (folder / self.FILE).write_text(json.dumps(state), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Return the preprocessor that ``save`` has written into a folder."""
        _keras_hub()  # registers the tokenizer's class
        folder = Path(folder)
        state = json.loads((folder / cls.FILE).read_text(encoding="utf-8"))
        tokenizer = keras.saving.deserialize_keras_object(state["tokenizer"])
        tokenizer.load_assets(str(folder / cls.ASSETS))
        return cls(tokenizer, state["sequence_length"])


@functools.lru_cache
def position_limit(preset: str | os.PathLike[str]) -> int | None:
    """Return the greatest number of tokens that a preset's encoder takes, or None."""
    encoder = _from_preset("models.Backbone", preset, load_weights=False)
    return getattr(encoder, "max_sequence_length", None)


def _keras_hub() -> Any:
    """Import KerasHub, which only these encoders need."""
    require("hub", "keras_hub")
    import keras_hub

    return keras_hub


def _from_preset(kind: str, preset: str | os.PathLike[str], **settings: Any) -> Any:
    """Load an encoder or a tokenizer by a preset's name or from a folder.

    Args:
        kind: ``"models.Backbone"`` or ``"tokenizers.Tokenizer"``.
        preset: Name, handle or folder.
        **settings: Further arguments of ``from_preset``.
    """
    hub = _keras_hub()
    module, name = kind.split(".")
    loader = getattr(getattr(hub, module), name)
    preset = os.fspath(preset)
    known = hub.models.Backbone.presets
    remote = preset in known or "://" in preset
    if not remote and not os.path.isdir(preset):
        raise ValueError(
            "Expected `preset` to be the name of a KerasHub preset, a handle such as "
            f"'hf://user/model', or a folder. Received: preset={preset!r}, which is "
            f"none.{did_you_mean(preset, known)}"
        )
    try:
        return loader.from_preset(preset, **settings)
    except ImportError:
        raise  # its message says what to install
    except Exception as error:  # each source of presets raises other errors
        if remote:
            raise ConnectionError(
                f"Expected the preset {preset!r} to be fetched, or in the cache. "
                f"Received: {error}. {_HOW_TO_GIVE_A_FOLDER}"
            ) from error
        raise ValueError(
            f"Expected the folder {preset!r} to hold a KerasHub preset, or a model in "
            f"Hugging Face's format, with its {name.lower()}. Received: {error}"
        ) from error


def _check_backbone(backbone: Any, sequence_length: int | None) -> None:
    """Raise if the model is not a text encoder that takes texts of this length."""
    inputs = getattr(backbone, "input", None)
    inputs = inputs if isinstance(inputs, dict) else {}
    if not {"token_ids", "padding_mask"} <= set(inputs):
        raise ValueError(
            "Expected a backbone that reads one text, with the inputs 'token_ids' and "
            f"'padding_mask'. Received: {type(backbone).__name__} '{backbone.name}' with "
            f"the inputs {sorted(inputs)}. Build its classifier yourself and pass it to "
            "`keras_amp.MixupAMPModel`."
        )
    limit = getattr(backbone, "max_sequence_length", None)
    if limit and sequence_length and sequence_length > limit:
        raise ValueError(
            f"Expected `sequence_length` to be at most {limit}, the positions that "
            f"{type(backbone).__name__} '{backbone.name}' has. Received: "
            f"sequence_length={sequence_length}. Cut the texts, as "
            f"`BertPreprocessor(preset, sequence_length={limit})` does; it counts them."
        )


def _strip_accents_where_unknown(tokenizer: Any) -> None:
    """Let an uncased tokenizer read "café" as "cafe", as its encoder was trained to.

    BERT's own tokenizer lower-cases and removes accents; that of KerasHub only
    lower-cases. Nothing is changed if the vocabulary holds an accented letter.
    """
    if not getattr(tokenizer, "lowercase", False) or tokenizer.strip_accents:
        return
    letters = unicodedata.normalize("NFD", "".join(tokenizer.get_vocabulary()))
    if not any(unicodedata.category(letter) == "Mn" for letter in letters):
        tokenizer.strip_accents = True


def _pool_layer(backbone: Any, seed: int | None) -> keras.layers.Layer | None:
    """Return the layer that pools a text's states; None if the encoder pools them."""
    if isinstance(backbone.output, dict) and "pooled_output" in backbone.output:
        return None
    settings = {"dtype": backbone.dtype_policy, "name": "pool"}
    if _first_token(backbone) is None:
        return keras.layers.GlobalAveragePooling1D(**settings)
    return keras.layers.Dense(
        backbone.hidden_dim,
        activation=POOLER_ACTIVATIONS.get(type(backbone).__name__, "tanh"),
        kernel_initializer=_initializer(seed),
        **settings,
    )


def _states(outputs: Any) -> Any:
    """Return the tokens' states, ``(batch_size, sequence_length, hidden_dim)``."""
    return outputs["sequence_output"] if isinstance(outputs, dict) else outputs


def _first_token(backbone: Any) -> int | None:
    """Return the position of the token that represents the text, or None."""
    for name in ("cls_token_index", "start_token_index"):
        if hasattr(backbone, name):
            return getattr(backbone, name)
    return None


def _initializer(seed: int | None) -> keras.Initializer:
    return keras.initializers.TruncatedNormal(stddev=0.02, seed=seed)  # as in BERT


def _seed_noise(model: keras.Model, seed: int) -> None:
    """Seed all dropout masks of a model, even of layers built without a seed."""
    known = {id(variable) for variable in model.weights}
    states = [v for v in model.variables if id(v) not in known]
    for state, layer_seed in zip(states, layer_seeds(seed, len(states)), strict=True):
        state.assign([layer_seed, 0])
