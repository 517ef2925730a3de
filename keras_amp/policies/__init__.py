"""How a batch is mixed, and how its coefficients are made adversarial.

``operators`` holds the paper's equations as free functions, ``random`` the draws; then
one file a policy. Nothing here knows of a model or a backend: ``keras.ops`` only. It
imports ``keras_amp.validation``; layers, graphs, training and analysis import it.
"""

from keras_amp.policies.adversarial_mixing import AdversarialMixing
from keras_amp.policies.mixup import Mixup
from keras_amp.policies.operators import (
    expand_like,
    harder,
    max_op,
    min_op,
    mix,
    normalized,
    rand_op,
)

__all__ = [
    "AdversarialMixing",
    "Mixup",
    "expand_like",
    "harder",
    "max_op",
    "min_op",
    "mix",
    "normalized",
    "rand_op",
]
