"""How good a classifier is on test texts as they come from people."""

from keras_amp import data
from keras_amp.data.text import without_cut_warning
from keras_amp.experiments.evaluation import EVALUATION_BATCH, evaluate

RATE = 0.1  # of the words
CHANGES = {"typos": data.typos, "dropped words": data.drop_words}


def perturbed_scores(classifier, examples):
    """Tests a classifier on the test texts with typos, and with words left out.

    The changes of a text are the same for all runs.

    Args:
        classifier: The trained ``keras.Model``.
        examples: ``Examples`` that it was trained on.

    Returns:
        A dict from the names of the changes, ``"typos"`` and ``"dropped words"``, each of
        a tenth of the words, to the scores of ``evaluate``.
    """
    found = {}
    for name, change in CHANGES.items():
        with without_cut_warning():
            inputs = examples.encoding.preprocess(change(examples.test_texts, RATE))
        predicted = classifier.predict(inputs, batch_size=EVALUATION_BATCH, verbose=0)
        found[name] = evaluate(predicted, examples.test[1])
    return found
