"""How a batch is mixed or moved, and what a training step trains on.

``operators`` holds the paper's equations as free functions, ``random`` the draws;
``policy`` is what all policies share, ``passes`` what they and a training step tell each
other, and ``adversarial_search`` the paper's search; then one file a policy. Nothing here
knows of a model or a backend: ``keras.ops`` only. It imports ``keras_amp.validation``;
layers, graphs, training and analysis import it.
"""

import warnings
from typing import Any

from keras_amp.policies.adversarial_mixing import AdversarialMixing
from keras_amp.policies.adversarial_training import AdversarialTraining
from keras_amp.policies.cutmix import CutMix
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
from keras_amp.policies.policy import Policy
from keras_amp.policies.rdrop import RDrop
from keras_amp.policies.regmixup import RegMixup

__all__ = [
    "AdversarialMixing",
    "AdversarialTraining",
    "CutMix",
    "Mixup",
    "Needs",
    "Policy",
    "RDrop",
    "RegMixup",
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
