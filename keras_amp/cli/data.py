"""``keras-amp data``: what data sets hold, beside the paper's figures."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from keras_amp.cli.errors import user_errors
from keras_amp.data import Dataset, load, statistics
from keras_amp.data.folders import data_folders
from keras_amp.paper import counts

FIGURES = (
    ("c", "Classes."),
    ("l", "Mean words of a text, over all splits."),
    ("V", "Distinct words of all splits."),
    ("N", "Training texts."),
    ("T", "Test texts; CV: none, results are of cross-validation; -: none."),
)
COUNTED = (
    ("keras_amp", "Lower case; every mark but the apostrophe is a word."),
    (
        "Kim",
        "As in Kim's program (2014): words are of letters and digits of ASCII and "
        "(),!?'` alone; contractions are split, in SST left as they are; lower case, but "
        "for TREC. N: texts of all splits.",
    ),
    ("paper", "Table 1 of Liu et al. (2021), Section 4.1. N: texts of all splits."),
)
LOW_RESOURCE = (
    "A share of each class in train, rounded down, but at least one text (paper: Table "
    "3, Section 4.4):"
)
FLAG = Parameter(negative=(), show_default=False)


def data(
    *names: str, data_dir: Path | None = None, overlap: Annotated[bool, FLAG] = False
):
    """Shows what data sets hold, beside the paper's Table 1, and why the two differ.

    For TREC, the sizes of the paper's low-resource study (Table 3) follow.

    Args:
        names: Names of data sets, or paths of CSV or TSV files or of folders of them; by
            default the five of the paper, as far as they are to be had.
        data_dir: Folder with public data sets, one folder each; without it they are
            taken from the folder that KERAS_AMP_DATA names, or downloaded.
        overlap: List the test texts that also stand in train.
    """
    with user_errors():
        data_folders(data_dir)  # raises where there is no such folder, once for all sets
        loaded = {
            name: _load(name, data_dir, needed=bool(names))
            for name in names or counts.TABLE_1
        }
    show(loaded, Console(), list_overlap=overlap)
    if not any(isinstance(dataset, Dataset) for dataset in loaded.values()):
        sys.exit(1)


def _load(name, data_dir, needed):
    """Loads a data set; returns the error where it is not to be had and not needed."""
    try:
        # Downloads report their progress on standard output, which is for the tables.
        with contextlib.redirect_stdout(sys.stderr):
            return load(name, data_dir)
    except (ValueError, OSError) as error:
        if needed:
            raise
        return error


def show(loaded, console, list_overlap=False):
    """Prints the figures of data sets beside the paper's, and why the two differ.

    Args:
        loaded: Dictionary from names to ``Dataset``s, or to the error in loading it.
        console: A ``rich.console.Console``.
        list_overlap: Whether to list the test texts that also stand in train.
    """
    table = _table("data", "counted", *(figure for figure, _ in FIGURES), left=2)
    notes, used = {}, set()
    for name, dataset in loaded.items():
        if isinstance(dataset, Dataset):
            rows, notes[name] = _compared(dataset, list_overlap)
        else:
            rows, notes[name] = {"unavailable": [""] * 5}, [("", str(dataset))]
        used |= set(rows)
        for i, (counted, cells) in enumerate(rows.items()):
            table.add_row("" if i else _short(name), counted, *cells)
        table.add_section()
    console.print(table)
    console.print()
    legend = [(counted, how) for counted, how in COUNTED if counted in used]
    _show_notes([*FIGURES, *legend], console)
    for name, dataset in loaded.items():
        console.print(Text(f"\n{name}", "bold"))
        _show_notes(notes[name], console)
        if isinstance(dataset, Dataset):
            if list_overlap and dataset.test is not None:
                _show_overlap(dataset, console)
            if dataset.name == "trec":
                _show_low_resource(dataset, console)


# === Figures and explanations ===


def _compared(dataset, list_overlap):
    """The rows of a data set, by the way they are counted, and the notes on them."""
    ours, paper = statistics.dataset_statistics(dataset), counts.TABLE_1.get(dataset.name)
    no_test = "CV" if dataset.folds else "-"
    length = f"{ours.mean_length:.1f}"
    rows = {"keras_amp": _cells(ours, length, ours.num_train, no_test)}
    if paper is None:
        notes = [("N", f"{_parts(ours)}.")]
    else:
        kim = statistics.dataset_statistics(dataset, paper.words)
        rows["Kim"] = _cells(kim, f"{kim.mean_length:.1f}", kim.size, no_test)
        rows["paper"] = _cells(paper, f"{paper.mean_length}", paper.size, "CV")
        notes = _explained(ours, kim, paper)
    return rows, [*notes, *_repeats(ours, list_overlap)]


def _cells(figures, length, size, no_test):
    test = no_test if figures.num_test is None else f"{figures.num_test:,}"
    vocabulary = f"{figures.vocabulary_size:,}"
    return f"{figures.num_classes}", length, vocabulary, f"{size:,}", test


def _explained(ours, kim, paper):
    """Says how the figures differ from the paper's, and why: ``(figure, why)``."""
    notes = []
    if ours.num_classes != paper.num_classes:
        notes.append(("c", "Not the paper's classes: these are other files."))
    rounds = "rounds" if round(kim.mean_length) == paper.mean_length else "does not round"
    length = (
        f"{ours.mean_length:.2f} by keras_amp's words, {kim.mean_length:.2f} by Kim's, "
        f"which {rounds} to the paper's {paper.mean_length}."
    )
    notes += [("l", length), ("V", _vocabulary(ours, kim, paper))]
    if ours.size != paper.size:
        same = _against(ours.size, paper.size)
        notes.append(("N", f"{_parts(ours)}, {same}: these are other files."))
    elif ours.size == ours.num_train:
        notes.append(("N", "The paper's figure: all texts."))
    else:
        why = "the paper's figure, though it calls it the size of the training set."
        notes.append(("N", f"{_parts(ours)}, {why}"))
    if paper.num_test != ours.num_test:
        notes.append(("T", "Not the paper's test texts: these are other files."))
    elif paper.num_test is None:
        why = "None: 10-fold cross-validation, as keras_amp.data.fold divides the texts."
        notes.append(("T", why))
    return notes


def _vocabulary(ours, kim, paper):
    own = f"{ours.vocabulary_size:,} by keras_amp's words"
    if ours.train_vocabulary_size < ours.vocabulary_size:
        own += (
            f", of which {ours.train_vocabulary_size:,} occur in train; to a model here "
            "the others are unknown"
        )
    theirs = _against(kim.vocabulary_size, paper.vocabulary_size)
    if kim.vocabulary_size != paper.vocabulary_size and kim.size == paper.size:
        theirs += ", for a reason not known"
    return f"{own}. {kim.vocabulary_size:,} by Kim's, {theirs}."


def _against(value, figure):
    """How a number compares with the paper's."""
    if value == figure:
        return "exactly the paper's figure"
    kind = "fewer" if value < figure else "more"
    return f"{abs(value - figure):,} {kind} than the paper's {figure:,}"


def _parts(figures):
    """The sizes of the splits, and their sum."""
    sizes = {
        "train": figures.num_train,
        "dev": figures.num_dev,
        "test": figures.num_test,
    }
    sizes = {split: size for split, size in sizes.items() if size is not None}
    parts = " + ".join(f"{split} {size:,}" for split, size in sizes.items())
    return f"{parts} = {figures.size:,}" if len(sizes) > 1 else parts


def _repeats(figures, listed):
    """Says how many texts occur twice."""
    count, among = figures.num_repeated, figures.num_train
    notes = [("train", f"Texts that repeat an earlier one: {count:,} of {among:,}.")]
    if figures.num_test is not None:
        count, among = figures.num_overlapping, figures.num_test
        hint = "" if listed or not count else "; --overlap lists them"
        why = f"Texts that also stand in train: {count:,} of {among:,}{hint}."
        notes.append(("test", why))
    return notes


# === Layout ===


def _table(*headings, left):
    """A table without lines at its sides, which fits a narrow terminal."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for i, heading in enumerate(headings):
        justify = "left" if i < left else "right"
        table.add_column(heading, justify=justify, overflow="fold")
    return table


def _short(name):
    """A path's last part, for the table; the notes below it are headed by all of it."""
    return Text(Path(name).name or name)


def _show_notes(notes, console):
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=max(len(term) for term, _ in notes))
    grid.add_column(overflow="fold")
    for term, meaning in notes:
        grid.add_row(term, Text(meaning))
    console.print(Padding(grid, (0, 0, 0, 2)))


def _show_overlap(dataset, console):
    grid = Table.grid(padding=(0, 2))
    found = statistics.overlap(dataset)
    for label, text in zip(found.labels, found.texts, strict=True):
        grid.add_row(Text(dataset.class_names[label]), Text(text))
    if len(found):
        console.print(Padding(grid, (0, 0, 0, 9)))


def _show_low_resource(dataset, console):
    sizes = counts.low_resource_sizes(dataset.train)
    table = _table("%", *(f"{100 * share:g}" for share in sizes), left=1)
    table.add_row("keras_amp", *(f"{size:,}" for size in sizes.values()))
    table.add_row("paper", *(f"{counts.TABLE_3[share]:,}" for share in sizes))
    console.print()
    for shown in (LOW_RESOURCE, table):
        console.print(Padding(shown, (0, 0, 0, 2)), highlight=False, markup=False)
