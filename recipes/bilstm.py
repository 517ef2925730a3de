"""A bidirectional LSTM with attention: the rows RNN-rand and RNN-glove of Table 2.

Compares no mixing, mixup and the Adversarial Mixing Policy, at the words and at the
sentence, over several seeds; the epoch is chosen on a development set.

    python recipes/bilstm.py --data trec         # RNN-rand
    python recipes/bilstm.py --data trec --vectors glove.840B.300d
    python recipes/bilstm.py --data sst2 --phrases --patience 2 --jit-compile

`keras-amp train bilstm` takes the same flags and does the same. The settings, BiLSTM in
keras_amp/experiments/recipes.py, are the paper's (Section 4.2), except for 10 epochs in
place of its 8,000 steps. A short run, the second line with spaCy's 300-dimensional
vectors and `--seeds 1 --epochs 4 --jit-compile` (396 steps), took 10 minutes on two CPU
cores and gave a test error on TREC of 12.6, 16.6, 16.6, 15.2, 15.4% for none, WordMixup,
WordAMP, SentMixup and SentAMP (the paper: 8.3, 6.5, 6.6, 6.9, 6.7): too short for mixup,
which fits more slowly.
"""

from keras_amp import cli

if __name__ == "__main__":
    cli.train("bilstm", __doc__)
