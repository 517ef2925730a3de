"""The recipes' settings, one for each backbone: those of the paper's Section 4.2.

A recipe's settings are a class, so that a command line shows its defaults.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from pydantic import BeforeValidator

from keras_amp.experiments.arguments import Bert, BiLSTMAttention, TextCNN
from keras_amp.experiments.checked import Count, Positive, checked
from keras_amp.experiments.settings import Settings, TrainFraction

SHIPPED = "questions"  # the data set that comes along
FIXED = Parameter(parse=False)  # the recipe's name says it
# What every method is compared on.
MIX, POLICY = ("none", "word", "sentence"), ("mixup", "amp")
# Of the CNN, the values that suit the data set that comes along.
# 1,080 / 25 = 44 steps an epoch, 264 in all, by which the development loss of every
# method has levelled off; at the paper's learning rate it still falls after 550.
SHORT = {
    "learning_rate": 3e-3,
    "batch_size": 25,
    "epochs": 6,
    "jit_compile": False,  # of so few steps the compilation takes a part of its own
}
# What the command ``train`` shows there in minutes: few labels, 237 texts with 24 of them
# to develop on, and as many seeds as can tell two methods from no mixing.
LOOK = {
    "train_fraction": 0.2,
    "batch_size": 12,
    "steps": 180,  # 213 / 12 = 18 steps an epoch, 10 epochs, when it levels off there
    "mix": ("none", "word"),
    "policy": ("mixup", "adversarial"),
    "seeds": 7,
}
# What says the same as a setting of ``LOOK``, and so takes its place.
INSTEAD = {"train_fraction": "train_per_class", "steps": "epochs"}


def flattened(arguments):
    """The arguments of a backbone, each a flag of its own; a mapping will do as well."""
    group = Parameter(name="*", group="Backbone")
    return Annotated[arguments, group, BeforeValidator(lambda given: arguments(**given))]


def shown_default(name, default=None, short=MappingProxyType({**SHORT, **LOOK})):
    """Shows on a help page a default, and the value that the shipped set has instead.

    Args:
        name: Name of the setting.
        default: What is shown as the default, where it is not that of the flag.
        short: Mapping from names to the values of the shipped set.
    """
    tail = f"; {_typed(short[name])} with {SHIPPED}" if name in short else ""
    return Parameter(
        show_default=lambda value: (
            f"{_typed(value if default is None else default)}{tail}"
        )
    )


def _typed(value):
    """A value as one types it."""
    return " ".join(value) if isinstance(value, tuple) else value


@checked
class CNN(Settings):
    """Settings of Kim's CNN."""

    backbone: Annotated[Literal["cnn"], FIXED] = "cnn"
    backbone_arguments: flattened(TextCNN) = TextCNN()
    train_fraction: Annotated[
        TrainFraction | None, shown_default("train_fraction", "none")
    ] = None
    learning_rate: Annotated[Positive, shown_default("learning_rate")] = 2e-4
    batch_size: Annotated[Count, shown_default("batch_size")] = 50
    # TREC: 4,906 / 50 = 99 steps an epoch, 2,475 in all. For the paper's length pass
    # --steps 8000.
    epochs: Count = 25
    steps: Annotated[Count | None, shown_default("steps", "none")] = None
    jit_compile: Annotated[bool | Literal["auto"], shown_default("jit_compile")] = "auto"


@checked
class BiLSTM(Settings):
    """Settings of the bidirectional LSTM with attention."""

    backbone: Annotated[Literal["bilstm"], FIXED] = "bilstm"
    # Keras' own loop by default (``use_cudnn=False``), which XLA compiles on CPU and GPU.
    # Neither was measured on a GPU: the loop is what the tests cover.
    backbone_arguments: flattened(BiLSTMAttention) = BiLSTMAttention()
    epochs: Count = 10  # TREC: 4,906 / 50 = 99 steps an epoch, 990 in all


@checked
class TextEncoder(Settings):
    """Settings of BERT, or another text encoder of KerasHub."""

    backbone: Annotated[Literal["bert"], FIXED] = "bert"
    backbone_arguments: flattened(Bert) = Bert()
    learning_rate: Positive = 1e-5
    batch_size: Count = 24
    epochs: Count = 5  # TREC: 4,906 / 24 = 205 steps an epoch, 1,025 in all


@dataclass(frozen=True)
class Recipe:
    """Settings with what they reproduce.

    Attributes:
        title: What it reproduces, in one sentence.
        settings: ``Settings``.
        seeds: How many seeds each method runs with.
        short: Dict of other values of the settings, which suit the set that comes along.
        look: Dict of what the command ``train`` shows there in minutes: settings,
            ``seeds``, ``mix`` and ``policy``.
    """

    title: str
    settings: Settings
    seeds: int = 3
    short: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    look: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def settings_on(self, settings):
        """Returns settings; on the set that comes along, shortened where not given.

        Args:
            settings: ``Settings`` of this recipe's class.

        Example:
        >>> from keras_amp.experiments import RECIPES
        >>> from keras_amp.experiments.recipes import CNN
        >>> cnn = RECIPES["cnn"]
        >>> [cnn.settings_on(CNN(data=name)).epochs for name in ("trec", "questions")]
        [25, 6]
        >>> cnn.settings_on(CNN(epochs=9)).epochs
        9
        """
        return _completed(settings, self.short)

    def look_on(self, settings):
        """Returns the settings of the command ``train``: those of ``look``, too.

        Args:
            settings: As of ``settings_on``.

        Example:
        >>> from keras_amp.experiments import RECIPES
        >>> from keras_amp.experiments.recipes import CNN
        >>> cnn = RECIPES["cnn"]
        >>> [cnn.look_on(s).train_fraction for s in (CNN(), CNN(train_per_class=9))]
        [0.2, None]
        """
        look = {n: v for n, v in self.look.items() if hasattr(settings, n)}
        return _completed(settings, {**self.short, **look})

    def chosen_on(self, data):
        """Returns what is compared on a data set, where no flag says it.

        Args:
            data: The data set's name.

        Returns:
            A dict of ``mix``, ``policy`` and ``seeds``.
        """
        usual = {"mix": MIX, "policy": POLICY, "seeds": self.seeds}
        look = self.look if data == SHIPPED else {}
        return {name: look.get(name, value) for name, value in usual.items()}


def _completed(settings, values):
    """Settings, on the set that comes along with other values where none are given."""
    if settings.data != SHIPPED:
        return settings
    given = settings.given
    left = {
        name: value
        for name, value in values.items()
        if name not in given and INSTEAD.get(name) not in given
    }
    return replace(settings, **left) if left else settings


RECIPES = {
    "cnn": Recipe(
        "Kim's CNN: the rows CNN-rand and CNN-glove of the paper's Table 2.",
        CNN(),
        short=SHORT,
        look=LOOK,
    ),
    "bilstm": Recipe(
        "A bidirectional LSTM with attention: the rows RNN-rand and RNN-glove of "
        "Table 2.",
        BiLSTM(),
    ),
    "bert": Recipe(
        "BERT, or another text encoder of KerasHub: the rows BERT-base of Table 2.",
        TextEncoder(),
    ),
}
