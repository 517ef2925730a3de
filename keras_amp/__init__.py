"""Mixup with the Adversarial Mixing Policy for Keras 3 on TensorFlow.

The Adversarial Mixing Policy (AMP) is a way to train on mixed examples. It is not
automatic mixed precision, which is also called AMP.
"""

from keras_amp.runtime import process

process.begin()  # before anything imports TensorFlow

import importlib
import warnings

from keras_amp import backbones, callbacks, data, paper, policies
from keras_amp.analysis.curve import LambdaCurve, loss_along_lambda
from keras_amp.graph.insertion import insert_mix_layer
from keras_amp.layers import MixLayer
from keras_amp.models import MixupAMPModel
from keras_amp.policies import AdversarialMixing, Mixup
from keras_amp.runs import load_run
from keras_amp.version import __version__

__all__ = [
    "AdversarialMixing",
    "LambdaCurve",
    "MixLayer",
    "Mixup",
    "MixupAMPModel",
    "__version__",
    "backbones",
    "callbacks",
    "data",
    "experimental",
    "insert_mix_layer",
    "load_run",
    "loss_along_lambda",
    "paper",
    "policies",
    "policy",
    "sampling",
]

_FORMER_NAMES = {
    "experimental": "keras_amp.paper",
    "policy": "keras_amp.policies",
    "sampling": "keras_amp.policies.random",
}


def __getattr__(name: str) -> object:
    """Returns a module by its former name, and warns of its new one."""
    if name not in _FORMER_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    new = _FORMER_NAMES[name]
    warnings.warn(
        f"`{__name__}.{name}` is now `{new}`.", DeprecationWarning, stacklevel=2
    )
    return importlib.import_module(new)
