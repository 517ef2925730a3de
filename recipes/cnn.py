"""Kim's CNN: the rows CNN-rand and CNN-glove of the paper's Table 2.

Compares no mixing, mixup and the Adversarial Mixing Policy, at the words and at the
sentence, over several seeds; the epoch is chosen on a development set.

    python recipes/cnn.py                        # the set that comes along
    python recipes/cnn.py --data trec            # CNN-rand
    python recipes/cnn.py --data trec --vectors glove.840B.300d
    python recipes/cnn.py --data mine.csv --mix word --policy amp --step-size 0.1

`keras-amp train cnn` takes the same flags and does the same. The settings, CNN in
keras_amp/experiments/recipes.py, are the paper's (Section 4.2), except for 25 epochs in
place of its 8,000 steps. The first line has others, LOOK in the same place: a fifth of
the labels, no mixing, mixup and adversarial training of the words. It took 3 minutes of
processor time and gave, over seven seeds, a test error of 33.4, 33.9 and 30.0%. Nothing
is shown by them: 3.5 points (0.4 to 6.5) fewer for adversarial training take about twelve
seeds. The second line took 17 minutes on two CPU cores and gave, over three seeds, a test
error on TREC of 10.7, 11.0, 11.4, 11.3, 10.9% for none, WordMixup, WordAMP, SentMixup and
SentAMP (the paper: 8.8, 8.3, 8.4, 8.3, 8.1). The third, with
spaCy's 300-dimensional vectors in place of GloVe's, took 22 minutes beside other work and
gave 9.1, 9.1, 9.7, 10.1, 9.9% (the paper: 7.9, 6.3, 4.8, 6.7, 4.6).
"""

from keras_amp import cli

if __name__ == "__main__":
    cli.train("cnn", __doc__)
