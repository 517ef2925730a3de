"""The layers after which the backbones mix words and sentences."""

from collections.abc import Iterator

import keras

# The names of these layers in text_cnn and bilstm_attention.
MIX_POINTS = {"word": "embedding", "sentence": "sentence"}

# Layers after which words are mixed; a model has one of them. The second is the dropout
# after the embeddings' LayerNorm in KerasHub's encoders, whose output includes positions
# and segments: BERT, RoBERTa, XLM-RoBERTa, DistilBERT, ALBERT, ELECTRA, DeBERTa-v3,
# RoFormer, FNet.
WORD_LAYERS = (MIX_POINTS["word"], "embeddings_dropout")


def mix_point(model: keras.Model, level: str) -> str:
    """Find the layer after which a backbone mixes words or sentences.

    Words are mixed after a layer named ``"embedding"`` or, in KerasHub's encoders,
    ``"embeddings_dropout"``; sentences after ``"sentence"``.

    Args:
        model: A classifier that a function of ``keras_amp.backbones`` has built or that
            was loaded from its file, or any other whose layers have these names.
        level: ``"word"`` or ``"sentence"``.

    Returns:
        The layer's name, which ``MixupAMPModel`` takes as ``mix_at``.

    Raises:
        ValueError: If ``level`` is something else, or if no layer or several layers have
            such a name, as in an encoder of another architecture.

    Example:
    >>> model = keras_amp.backbones.text_cnn(100, 6, 12, embedding_dim=8, filters=4)
    >>> keras_amp.backbones.mix_point(model, "word")
    'embedding'
    """
    if level not in MIX_POINTS:
        raise ValueError(
            f"Expected `level` to be one of {list(MIX_POINTS)}. Received: level={level!r}"
        )
    wanted = WORD_LAYERS if level == "word" else (MIX_POINTS[level],)
    paths = list(_paths(model))
    for name in wanted:
        if sum(path[-1] == name for path in paths) == 1:
            return name
    raise ValueError(
        f"Expected '{model.name}' to have one layer named "
        f"{' or '.join(map(repr, wanted))}, behind which to mix {level}s. Received: an "
        "architecture without it. Name the layer yourself, "
        '`MixupAMPModel(classifier, mix_at="...")`; to mix words, one whose output holds '
        "a vector for every word that includes its position. The layers are: "
        + ", ".join("/".join(path) for path in paths)
    )


def _paths(model: keras.Model, outer: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the paths of a model's layers, those of nested models, too."""
    for layer in model.layers:
        path = (*outer, layer.name)
        yield path
        if isinstance(layer, keras.Model):
            yield from _paths(layer, path)
