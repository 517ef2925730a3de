"""Data sets, text to word ids, and batches.

``datasets`` loads a data set from ``sources`` (public sets, which ``downloads`` fetches),
from ``questions`` (shipped) or from the user's files, which ``tables`` reads; ``folders``
says where they are. ``splits`` divides the examples, ``text`` turns texts into word ids,
``perturbations`` misspells them, ``unlabeled`` adds examples without labels to batches,
``vectors`` loads pretrained word vectors, ``statistics`` counts. It imports nothing of
the engine; backbones, the paper's counts, experiments and the command line import it.
"""

from keras_amp.data.datasets import load, names
from keras_amp.data.examples import Dataset, Split
from keras_amp.data.perturbations import drop_words, typos
from keras_amp.data.splits import fold, hold_out, subset
from keras_amp.data.text import (
    WordPreprocessor,
    batches,
    fit_vectorizer,
    separate_punctuation,
    split_words,
    word_ids,
)
from keras_amp.data.unlabeled import with_unlabeled
from keras_amp.data.vectors import Vectors, load_vectors

__all__ = [
    "Dataset",
    "Split",
    "Vectors",
    "WordPreprocessor",
    "batches",
    "drop_words",
    "fit_vectorizer",
    "fold",
    "hold_out",
    "load",
    "load_vectors",
    "names",
    "separate_punctuation",
    "split_words",
    "subset",
    "typos",
    "with_unlabeled",
    "word_ids",
]
