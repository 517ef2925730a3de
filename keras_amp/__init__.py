"""Mixup with the Adversarial Mixing Policy for Keras 3 on TensorFlow.

The Adversarial Mixing Policy (AMP) is a way to train on mixed examples. It is not
automatic mixed precision, which is also called AMP.
"""

from keras_amp.runtime import former_modules, process

process.begin()  # before anything imports TensorFlow
former_modules.install()

from keras_amp import backbones, callbacks, data, paper, policies
from keras_amp.analysis.curve import LambdaCurve, loss_along_lambda
from keras_amp.graph.insertion import insert_mix_layer
from keras_amp.layers import MixLayer
from keras_amp.models import MixupAMPModel
from keras_amp.policies import (
    AdversarialMixing,
    AdversarialTraining,
    CutMix,
    Mixup,
    RDrop,
    RegMixup,
)
from keras_amp.runs import load_run
from keras_amp.searching import search
from keras_amp.version import __version__

__all__ = [
    "AdversarialMixing",
    "AdversarialTraining",
    "CutMix",
    "LambdaCurve",
    "MixLayer",
    "Mixup",
    "MixupAMPModel",
    "RDrop",
    "RegMixup",
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
    "search",
]


def __getattr__(name: str) -> object:
    """Return a module by its former name, and warn of its new one."""
    return former_modules.by_former_name(name)
