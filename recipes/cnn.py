"""Kim's CNN, word vectors from scratch: the rows CNN-rand of the paper's Table 2.

Compares no mixing, mixup and the Adversarial Mixing Policy, at the words and at the
sentence, over several seeds; the epoch is chosen on a development set.

    python recipes/cnn.py                                # the set that comes along
    python recipes/cnn.py --data trec --data-dir FOLDER  # TREC
    python recipes/cnn.py --data mine.csv --mix word --policy amp --step-size 0.1
"""

from keras_amp import cli
from keras_amp.experiments import Settings

SETTINGS = Settings(
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
    # `questions`: 1,080 / 50 = 22 steps an epoch, 550 in all; TREC: 4,906 / 50 = 99 steps
    # an epoch, 2,475 in all. The paper takes 8,000, for which pass --epochs 81.
    epochs=25,
)

if __name__ == "__main__":
    cli.compare(SETTINGS, __doc__)
