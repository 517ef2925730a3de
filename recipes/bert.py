"""BERT, or another text encoder of KerasHub: the rows BERT-base of the paper's Table 2.

Compares no mixing, mixup and the Adversarial Mixing Policy, at the words and at the
sentence, over several seeds; the epoch is chosen on a development set.

    python recipes/bert.py --data trec           # downloads bert_base_en_uncased
    python recipes/bert.py --data trec --preset FOLDER --learning-rate 1e-4
    python recipes/bert.py --data trec --train-fraction 0.05 --mix sentence  # Table 3

`keras-amp train bert` takes the same flags and does the same. The settings, TextEncoder
in keras_amp/experiments/recipes.py, are the paper's (Section 4.2), except for 5 epochs in
place of its 8,000 steps. BERT-base was not run here. The second line with the folder of
all-MiniLM-L6-v2 (6 layers, 384 wide) and `--seeds 1 --epochs 4 --warmup-steps 100
--jit-compile` took 36 minutes on two CPU cores beside other work and gave a test error on
TREC of 3.6, 5.6, 4.8, 3.8, 5.6% for none, WordMixup, WordAMP, SentMixup and SentAMP
(BERT-base in the paper: 2.6, 2.1, 1.9, 2.2, 2.1).
"""

from keras_amp import cli

if __name__ == "__main__":
    cli.train("bert", __doc__)
