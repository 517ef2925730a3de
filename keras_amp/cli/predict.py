"""``keras-amp predict``: a trained run on new texts."""

import contextlib
import sys
from pathlib import Path

from rich.console import Console

from keras_amp.cli.errors import user_errors
from keras_amp.data.sources import SOURCES
from keras_amp.data.tables import read_texts
from keras_amp.data.text import as_texts, without_cut_warning
from keras_amp.experiments.evaluation import evaluate
from keras_amp.experiments.results import write_probabilities
from keras_amp.runs import load_run
from keras_amp.runtime.files import check_new_file, whole_file


def predict(
    run: Path,
    file: Path | None = None,
    *,
    text: tuple[str, ...] = (),
    out: Path | None = None,
):
    """Predicts the classes of new texts by a trained run, as CSV.

    If the file has labels, the error is printed on standard error.

    Args:
        run: Folder of the run, such as runs/mine/SentAMP/seed-0.
        file: CSV or TSV file with a text column, or a .txt file with a text in every
            line.
        text: Texts to predict, in place of a file.
        out: File for the predictions, a new one; by default they are printed.
    """
    with user_errors():
        if (file is None) == (not text):
            received = "neither" if file is None else "both"
            raise ValueError(
                f"Expected a file, or texts after --text. Received: {received}."
            )
        if out is not None:
            check_new_file(out, " for the predictions")
        labels, texts = (None, _given(text)) if file is None else read_texts(file)
        trained = load_run(run)
    said = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    with without_cut_warning():
        probabilities = trained.predict(texts)
    if trained.preprocess.truncated:
        said.print(
            f"{trained.preprocess.truncated} of {len(texts)} texts are longer than "
            f"sequence_length={trained.preprocess.sequence_length} and were cut."
        )
    names = trained.class_names
    labels = labels and _as_classes(labels, trained)
    target = contextlib.nullcontext(sys.stdout) if out is None else whole_file(out)
    with user_errors(), target as stream:
        write_probabilities(stream, texts, probabilities, names, labels)
    if labels:
        said.print(_comparison(labels, names, probabilities))


def _given(texts):
    """The texts of the command line."""
    texts = [" ".join(text.split()) for text in as_texts(texts)]  # as those of files
    if not all(texts):
        raise ValueError("Expected texts after --text. Received: an empty one.")
    return texts


def _as_classes(labels, run):
    """Labels as a run names its classes, for a public set's own files, too."""
    source = SOURCES.get(run.config.get("data"))
    if source is None or not set(labels) <= set(source.labels):
        return labels
    return [source.class_names[source.labels.index(label)] for label in labels]


def _comparison(labels, names, probabilities):
    """What the labels of the file say about the predictions."""
    unknown = sorted(set(labels) - set(names))
    if unknown:
        return (
            f"The labels are not compared: {', '.join(unknown[:5])} is none of the run's "
            f"classes, which are {', '.join(names)}."
        )
    index = {name: i for i, name in enumerate(names)}
    scores = evaluate(probabilities, [index[label] for label in labels])
    return (
        f"{len(labels)} labelled texts: error {scores['error']:.2f}%, macro-F1 "
        f"{scores['macro_f1']:.2f}%, NLL {scores['nll']:.3f}, ECE {scores['ece']:.2f}%"
    )
