"""A bidirectional LSTM with attention: the rows RNN of the paper's Table 2."""

from keras_amp import cli
from keras_amp.experiments import Settings

SETTINGS = Settings(
    backbone="bilstm",
    backbone_arguments={
        "embedding_dim": 300,
        "units": 512,
        "num_layers": 1,
        "dropout": 0.5,
        "l2": 1e-8,
    },
    learning_rate=2e-4,
    batch_size=50,
    epochs=10,
)

if __name__ == "__main__":
    cli.compare(SETTINGS, __doc__)
