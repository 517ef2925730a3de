"""Where the backbones mix words and sentences."""

import keras

# The names that text_cnn and bilstm_attention give the layers to mix behind.
MIX_POINTS = {"word": "embedding", "sentence": "sentence"}

# Layers behind which words are mixed, of whichever a model has one. The second is behind
# the LayerNorm and dropout of KerasHub's encoders, positions and segments inside: BERT,
# RoBERTa, XLM-RoBERTa, DistilBERT, ALBERT, ELECTRA, DeBERTa-v3, RoFormer, FNet.
WORD_LAYERS = (MIX_POINTS["word"], "embeddings_dropout")


def mix_point(model, level: str):
    """Finds the layer behind which a backbone mixes words or sentences.

    Words are mixed behind a layer named ``"embedding"`` or, in KerasHub's encoders,
    ``"embeddings_dropout"``; sentences behind ``"sentence"``.

    Args:
        model: A classifier that a function of ``keras_amp.backbones`` has built, or one
            loaded from its file. Others will do if their layers have these names.
        level: ``"word"`` or ``"sentence"``.

    Returns:
        The layer's name, to be passed to ``MixupAMPModel`` as ``mix_at``.

    Raises:
        ValueError: If ``level`` is neither, or not exactly one layer has such a name, as
            in an encoder of another architecture.

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
        "architecture without. Name the layer yourself, "
        '`MixupAMPModel(classifier, mix_at="...")`; for words one whose output holds a '
        "vector for every word, positions included. The layers are: "
        + ", ".join("/".join(path) for path in paths)
    )


def _paths(model, outer=()):
    """The names of a model's layers from the outside in, those of nested models too."""
    for layer in model.layers:
        path = (*outer, layer.name)
        yield path
        if isinstance(layer, keras.Model):
            yield from _paths(layer, path)
