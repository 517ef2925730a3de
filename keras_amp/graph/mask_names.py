"""What the names of a model's inputs say: which of them are masks, words or segments."""

import re

from keras_amp.graph import keras_compat
from keras_amp.typing import Tensor

# Inputs of masked language models that have "mask" in their names and are no masks:
# `mask_positions`, `mask_ids`, `mask_weights`.
_OF_MASKED_WORDS = {"positions", "ids", "weights"}
# In PyTorch's `key_padding_mask` True means padding; elsewhere it means the opposite.
_OF_PYTORCH = {"key", "padding", "mask"}
# Ids of the parts of a text, of which 0 is not padding.
_OF_SEGMENTS = {"segment", "segments", "type", "types"}


def is_mask_input(x: Tensor) -> bool:
    """Return whether a tensor is an input, 1 or True where a position counts."""
    words = _words(x)
    others = words & _OF_MASKED_WORDS or words >= _OF_PYTORCH
    return keras_compat.node_of(x).is_input and "mask" in words and not others


def may_be_mask(x: Tensor) -> bool:
    """Return whether an input may be a mask whose meaning its name does not tell."""
    return x.dtype == "bool" or _words(x) >= _OF_PYTORCH


def holds_segments(x: Tensor) -> bool:
    """Return whether an input holds the ids of the parts of a text."""
    return bool(_words(x) & _OF_SEGMENTS)


def _words(x: Tensor) -> set[str]:
    return set(re.split(r"[^a-z]+", keras_compat.node_of(x).operation.name.lower()))
