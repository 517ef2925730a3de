"""A bidirectional LSTM with attention: the rows RNN-rand and RNN-glove of Table 2.

Compares no mixing, mixup and the Adversarial Mixing Policy, at the words and at the
sentence, over several seeds; the epoch is chosen on a development set.

    python recipes/bilstm.py --data trec         # RNN-rand
    python recipes/bilstm.py --data trec --vectors glove.840B.300d
    python recipes/bilstm.py --data sst2 --phrases --patience 2 --jit-compile

Settings: the paper's Section 4.2; 10 epochs in place of its 8,000 steps. A short run, the
second line with spaCy's 300-dimensional vectors and `--seeds 1 --epochs 4 --jit-compile`
(396 steps), took 10 minutes on two CPU cores and gave a test error on TREC of 12.6,
16.6, 16.6, 15.2, 15.4% for none, WordMixup, WordAMP, SentMixup and SentAMP (the paper:
8.3, 6.5, 6.6, 6.9, 6.7): too short for mixup, which fits more slowly.
"""

from keras_amp import cli
from keras_amp.experiments import Settings

SETTINGS = Settings(
    backbone="bilstm",
    backbone_arguments={
        "embedding_dim": 300,
        "units": 512,  # in each direction: 1,024 in all, the paper's hidden size
        "num_layers": 1,
        "dropout": 0.5,
        "l2": 1e-8,
        # Keras' own loop, which XLA compiles on CPU and GPU; "auto" is cuDNN on a GPU,
        # uncompiled. Not measured on a GPU: the loop is what the tests cover.
        "use_cudnn": False,
    },
    learning_rate=2e-4,
    batch_size=50,
    # TREC: 4,906 / 50 = 99 steps an epoch, 990 in all.
    epochs=10,
)

if __name__ == "__main__":
    cli.compare(SETTINGS, __doc__)
