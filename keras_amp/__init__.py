"""Mixup with the Adversarial Mixing Policy for Keras 3 on TensorFlow."""

from keras_amp import process

process.begin()  # before anything imports TensorFlow

from keras_amp import backbones, callbacks, data, experimental, policy, sampling
from keras_amp.curves import LambdaCurve, loss_along_lambda
from keras_amp.layers import MixLayer
from keras_amp.models import MixupAMPModel
from keras_amp.policy import AdversarialMixing, Mixup
from keras_amp.runs import load_run
from keras_amp.surgery import insert_mix_layer
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
    "policy",
    "sampling",
]
