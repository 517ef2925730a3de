"""How a batch is mixed, and how its coefficients are made adversarial.

``operators`` holds the paper's equations as free functions, ``random`` the draws; then
one file a policy. Nothing here knows of a model or a backend: ``keras.ops`` only. It
imports ``keras_amp.validation``; layers, graphs, training and analysis import it.
"""

import warnings
from typing import Any

from keras_amp.policies.adversarial_mixing import AdversarialMixing
from keras_amp.policies.mixup import Mixup
from keras_amp.policies.needs import Needs
from keras_amp.policies.operators import (
    adversarial_mask,
    expand_like,
    max_op,
    min_op,
    mix,
    normalized,
    rand_op,
)

__all__ = [
    "AdversarialMixing",
    "Mixup",
    "Needs",
    "adversarial_mask",
    "expand_like",
    "max_op",
    "min_op",
    "mix",
    "normalized",
    "rand_op",
]


def __getattr__(name: str) -> Any:
    """Return an operator by its former name, and warn of its new one."""
    if name != "harder":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        f"`{__name__}.harder` is now `{__name__}.adversarial_mask`.",
        DeprecationWarning,
        stacklevel=2,
    )
    return adversarial_mask
