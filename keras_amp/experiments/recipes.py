"""The recipes' settings, one for each backbone: those of the paper's Section 4.2."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from keras_amp.experiments.settings import Settings

SHIPPED = "questions"  # the data set that comes along


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

    def values(self, given):
        """Returns values of settings, those filled in that are None for want of any.

        Args:
            given: Dict of values, ``data`` among them; None where the recipe decides.

        Example:
        >>> from keras_amp.experiments import RECIPES
        >>> RECIPES["cnn"].values({"data": "trec", "epochs": None})
        {'data': 'trec', 'epochs': 25}
        >>> RECIPES["cnn"].values({"data": "questions", "epochs": None})
        {'data': 'questions', 'epochs': 6}
        """
        own = {name: getattr(self.settings, name) for name in given}
        own.update(self._short_on(given["data"]))
        decided = {n for n, v in given.items() if v is None and n in self.short}
        return {n: own[n] if n in decided else v for n, v in given.items()}

    def seeds_on(self, data):
        """Returns the number of seeds on a data set, given by its name."""
        return self._short_on(data).get("seeds", self.seeds)

    def _short_on(self, data):
        return self.short if data == SHIPPED else {}


CNN = Recipe(
    "Kim's CNN: the rows CNN-rand and CNN-glove of the paper's Table 2.",
    Settings(
        backbone="cnn",
        backbone_arguments={
            "embedding_dim": 300,
            "kernel_sizes": (3, 4, 5),
            "filters": 100,  # 3 widths x 100 = 300 features a sentence
            "dropout": 0.5,
            "l2": 1e-8,
        },
        learning_rate=2e-4,
        batch_size=50,
        # TREC: 4,906 / 50 = 99 steps an epoch, 2,475 in all. For the paper's length pass
        # --steps 8000.
        epochs=25,
    ),
    # 1,080 / 25 = 44 steps an epoch, 264 in all, by which the development loss of every
    # method has levelled off; at the paper's learning rate it still falls after 550.
    short={
        "learning_rate": 3e-3,
        "batch_size": 25,
        "epochs": 6,
        "seeds": 2,
        "jit_compile": False,  # of so few steps the compilation takes a part of its own
    },
)

BILSTM = Recipe(
    "A bidirectional LSTM with attention: the rows RNN-rand and RNN-glove of Table 2.",
    Settings(
        backbone="bilstm",
        backbone_arguments={
            "embedding_dim": 300,
            "units": 512,  # in each direction: 1,024 in all, the paper's hidden size
            "num_layers": 1,
            "dropout": 0.5,
            "l2": 1e-8,
            # Keras' own loop, which XLA compiles on CPU and GPU; "auto" is cuDNN on a
            # GPU, uncompiled. Not measured on a GPU: the loop is what the tests cover.
            "use_cudnn": False,
        },
        learning_rate=2e-4,
        batch_size=50,
        # TREC: 4,906 / 50 = 99 steps an epoch, 990 in all.
        epochs=10,
    ),
)

BERT = Recipe(
    "BERT, or another text encoder of KerasHub: the rows BERT-base of Table 2.",
    Settings(
        backbone="bert",
        backbone_arguments={"preset": "bert_base_en_uncased", "dropout": 0.1},
        learning_rate=1e-5,
        batch_size=24,
        # TREC: 4,906 / 24 = 205 steps an epoch, 1,025 in all.
        epochs=5,
    ),
)

RECIPES = {"cnn": CNN, "bilstm": BILSTM, "bert": BERT}
