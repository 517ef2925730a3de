"""What a comparison is made of: settings of the training, and methods of mixing."""

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from keras_amp import backbones
from keras_amp.policy import Mixup

BACKBONES = {"cnn": backbones.text_cnn}
# What the training path itself hands to a backbone.
SUPPLIED = (
    "vocabulary_size",
    "num_classes",
    "sequence_length",
    "vectors",
    "seed",
    "name",
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a classifier is trained, whatever the method of mixing.

    Attributes:
        data: Name of a data set, or path of a CSV or TSV file or of a folder of them.
        data_dir: Folder with public data sets; see ``keras_amp.data.load``.
        backbone: Name of the classifier's architecture.
        backbone_arguments: Arguments of the backbone.
        epochs: Passes over the training data.
        batch_size: Examples a step.
        learning_rate: Learning rate of Adam.
        dev_fraction: Share of the training data set aside to choose the epoch by, where
            the data has no development split.
        test_fraction: Share of the data set aside to test on, where the data has no test
            split.
        jit_compile: Whether the step is compiled by XLA; "auto" leaves it to Keras.
    """

    data: str = "questions"
    data_dir: Path | None = None
    backbone: str = "cnn"
    backbone_arguments: Mapping[str, Any] = field(
        default_factory=lambda: MappingProxyType({})
    )
    epochs: int = 20
    batch_size: int = 50
    learning_rate: float = 2e-4
    dev_fraction: float = 0.1
    test_fraction: float = 0.2
    jit_compile: bool | Literal["auto"] = "auto"

    def __post_init__(self):
        """Checks the values."""
        for name in ("epochs", "batch_size"):
            check_count(name, getattr(self, name))
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(
                "Expected `learning_rate` to be a finite number > 0. Received: "
                f"learning_rate={self.learning_rate!r}"
            )
        for name in ("dev_fraction", "test_fraction"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(
                    f"Expected `{name}` to lie between 0 and 1. Received: "
                    f"{name}={getattr(self, name)!r}"
                )
        if self.backbone not in BACKBONES:
            raise ValueError(
                f"Expected `backbone` to be one of {', '.join(map(repr, BACKBONES))}. "
                f"Received: backbone={self.backbone!r}"
            )
        known = backbone_parameters(self.backbone)
        unknown = sorted(set(self.backbone_arguments) - set(known))
        if unknown:
            raise ValueError(
                f"Expected `backbone_arguments` among {', '.join(known)}. Received: "
                f"{', '.join(unknown)}"
            )


def check_count(name, value):
    """Raises unless the argument of that name is an integer >= 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(
            f"Expected `{name}` to be an integer >= 1. Received: {name}={value!r}"
        )


def backbone_parameters(backbone):
    """Returns the parameters of a backbone that a user may set, by name."""
    parameters = inspect.signature(BACKBONES[backbone]).parameters
    return {name: p for name, p in parameters.items() if name not in SUPPLIED}


@dataclass(frozen=True)
class Method:
    """A cell of the paper's comparison: where examples are mixed, and by what policy.

    Attributes:
        mix: ``"none"``, ``"word"`` or ``"sentence"``.
        policy: ``"mixup"`` or ``"amp"`` (the Adversarial Mixing Policy); None without
            mixing.
    """

    mix: Literal["none", "word", "sentence"]
    policy: Literal["mixup", "amp"] | None = None

    @property
    def name(self):
        """The paper's name of the method, such as ``"WordAMP"``."""
        if self.mix == "none":
            return "none"
        place = {"word": "Word", "sentence": "Sent"}[self.mix]
        return place + {"mixup": "Mixup", "amp": "AMP"}[self.policy]

    def policy_of(self, adversarial):
        """Returns the policy, with the arguments that it shares with a given one."""
        if self.policy == "amp":
            return adversarial
        config = adversarial.get_config()
        return Mixup(**{name: config[name] for name in Mixup().get_config()})


def methods(mix=("none", "word", "sentence"), policy=("mixup", "amp")):
    """Returns the methods of a comparison: none, and every place with every policy.

    Example:
    >>> from keras_amp.experiments import methods
    >>> [method.name for method in methods()]
    ['none', 'WordMixup', 'WordAMP', 'SentMixup', 'SentAMP']
    """
    return [
        Method(place, kind)
        for place in mix
        for kind in ((None,) if place == "none" else policy)
    ]
