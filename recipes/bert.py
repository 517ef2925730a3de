"""BERT, or any other text encoder of KerasHub: the rows BERT of the paper's Table 2."""

from keras_amp import cli
from keras_amp.experiments import Settings

SETTINGS = Settings(
    backbone="bert",
    backbone_arguments={"preset": "bert_base_en_uncased", "dropout": 0.1},
    learning_rate=1e-5,
    batch_size=24,
    epochs=5,
)

if __name__ == "__main__":
    cli.compare(SETTINGS, __doc__)
