"""Data sets, text to word ids, and batches."""

from keras_amp.data.datasets import load, names
from keras_amp.data.examples import Dataset, Split
from keras_amp.data.splits import hold_out
from keras_amp.data.text import (
    batches,
    fit_vectorizer,
    separate_punctuation,
    word_ids,
)

__all__ = [
    "Dataset",
    "Split",
    "batches",
    "fit_vectorizer",
    "hold_out",
    "load",
    "names",
    "separate_punctuation",
    "word_ids",
]
