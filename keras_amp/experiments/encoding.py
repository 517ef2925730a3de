"""From texts to the inputs of each kind of backbone."""

from dataclasses import dataclass
from typing import Any

from keras_amp import data
from keras_amp.backbones import BertPreprocessor
from keras_amp.backbones.bert import position_limit
from keras_amp.data.folders import data_folders
from keras_amp.experiments.settings import ON_WORDS

PRESETS = "presets"  # below a folder of public data, as those of word vectors


@dataclass(frozen=True, eq=False)
class Encoding:
    """How a backbone reads texts.

    Attributes:
        preprocess: Callable from texts to the backbone's inputs, with ``save``.
        arguments: What the backbone is told about them.
        about: What there is to say about it, for the run's configuration.
    """

    preprocess: Any
    arguments: dict
    about: dict


def fit_encoding(settings, train, others, seed):
    """Learns the encoding of texts from the texts that are trained on.

    Args:
        settings: ``Settings``.
        train: Sequence of strings, the texts to train on, with labels or without, from
            which the vocabulary and the length come.
        others: The ``Split``s to predict. They add to the vocabulary words that have a
            pretrained vector, as if it held all of these; nothing else comes from them.
        seed: Integer, the run's seed.

    Returns:
        An ``Encoding``.
    """
    read = _words if settings.backbone in ON_WORDS else _tokens
    return read(settings, train, others, seed)


def _words(settings, train, others, seed):
    arguments = settings.all_backbone_arguments()
    vectorizer = data.fit_vectorizer(
        train,
        settings.sequence_length,
        # The widest filter must fit into the shortest texts.
        min_length=max(arguments.get("kernel_sizes", (1,))),
    )
    vocabulary = vectorizer.get_vocabulary()
    given, about = {}, {}
    if settings.vectors is not None:
        vectors = data.load_vectors(
            settings.vectors,
            vocabulary,
            ignore_case=True,  # the vocabulary is lower-case, some vectors are not
            seed=seed,
            data_dir=settings.data_dir,
            extra_words={
                word
                for split in others
                for words in data.split_words(split.texts)
                for word in words
            },
        )
        vocabulary = [*vocabulary, *vectors.added]
        given = {"vectors": vectors.matrix, "embedding_dim": vectors.matrix.shape[1]}
        about = {"vectors": repr(vectors), "coverage": vectors.coverage}
    preprocess = data.WordPreprocessor(
        vocabulary, vectorizer.compute_output_shape((1,))[1]
    )
    sizes = {
        "vocabulary_size": len(vocabulary),
        "sequence_length": preprocess.sequence_length,
    }
    return Encoding(preprocess, {**sizes, **given}, {**sizes, **about})


def _tokens(settings, train, others, seed):
    del others, seed  # a tokenizer comes with its vocabulary
    preset = _preset(settings.all_backbone_arguments()["preset"], settings.data_dir)
    preprocess = BertPreprocessor(preset)
    length = settings.sequence_length
    if length is None:
        longest = int(preprocess.lengths(train).max())
        length = min(longest, position_limit(preset) or longest)
    preprocess = BertPreprocessor(preprocess.tokenizer, length)
    sizes = {"sequence_length": length}
    return Encoding(preprocess, {**sizes, "preset": preset}, sizes)


def _preset(name, data_dir):
    """The folder of a preset that lies among the data, else its name."""
    for folder in data_folders(data_dir):
        if (folder / PRESETS / name).is_dir():
            return str(folder / PRESETS / name)
    return name
