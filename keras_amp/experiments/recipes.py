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
from keras_amp.experiments.settings import Settings

SHIPPED = "questions"  # the data set that comes along
FIXED = Parameter(parse=False)  # the recipe's name says it
# Of the CNN, the values by which the command ``train`` shows in minutes what there is to
# see. 1,080 / 25 = 44 steps an epoch, 264 in all, by which the development loss of every
# method has levelled off; at the paper's learning rate it still falls after 550.
SHORT = {
    "learning_rate": 3e-3,
    "batch_size": 25,
    "epochs": 6,
    "seeds": 2,
    "jit_compile": False,  # of so few steps the compilation takes a part of its own
}


def flattened(arguments):
    """The arguments of a backbone, each a flag of its own; a mapping will do as well."""
    group = Parameter(name="*", group="Backbone")
    return Annotated[arguments, group, BeforeValidator(lambda given: arguments(**given))]


def shown_default(name, short=MappingProxyType(SHORT), default=None):
    """Shows on a help page a default, and the value that the shipped set has instead.

    Args:
        name: Name of the setting.
        short: Mapping from names to the values of the shipped set.
        default: What is shown as the default, where it is not that of the flag.
    """
    tail = f"; {short[name]} with {SHIPPED}" if name in short else ""
    return Parameter(
        show_default=lambda value: f"{value if default is None else default}{tail}"
    )


@checked
class CNN(Settings):
    """Settings of Kim's CNN."""

    backbone: Annotated[Literal["cnn"], FIXED] = "cnn"
    backbone_arguments: flattened(TextCNN) = TextCNN()
    learning_rate: Annotated[Positive, shown_default("learning_rate")] = 2e-4
    batch_size: Annotated[Count, shown_default("batch_size")] = 50
    # TREC: 4,906 / 50 = 99 steps an epoch, 2,475 in all. For the paper's length pass
    # --steps 8000.
    epochs: Annotated[Count, shown_default("epochs")] = 25
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
        short: Dict of other values of the settings and of ``seeds``, by which the command
            ``train`` shows in minutes what there is to see, on the set that comes along.
    """

    title: str
    settings: Settings
    seeds: int = 3
    short: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

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
        short = self._short_on(settings.data).items()
        left = {n: v for n, v in short if n != "seeds" and n not in settings.given}
        return replace(settings, **left) if left else settings

    def seeds_on(self, data):
        """Returns the number of seeds on a data set, given by its name."""
        return self._short_on(data).get("seeds", self.seeds)

    def _short_on(self, data):
        return self.short if data == SHIPPED else {}


RECIPES = {
    "cnn": Recipe(
        "Kim's CNN: the rows CNN-rand and CNN-glove of the paper's Table 2.",
        CNN(),
        short=SHORT,
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
