"""The recipes' settings, one for each backbone: those of the paper's Section 4.2."""

from dataclasses import dataclass

from keras_amp.experiments.settings import Settings


@dataclass(frozen=True)
class Recipe:
    """Settings with what they reproduce.

    Attributes:
        title: What it reproduces, in one sentence.
        settings: ``Settings``.
    """

    title: str
    settings: Settings


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
        # `questions`: 1,080 / 50 = 22 steps an epoch, 550 in all; TREC: 4,906 / 50 = 99
        # steps an epoch, 2,475 in all. For the paper's length pass --steps 8000.
        epochs=25,
    ),
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
