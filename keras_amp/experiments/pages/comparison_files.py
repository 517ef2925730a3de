"""``write_report``: from runs to a folder with a page."""

import contextlib
import shutil
import tempfile
from pathlib import Path

from keras_amp.experiments.pages.comparison_page import GENERATOR, page_of_comparison
from keras_amp.experiments.pages.comparison_tables import verdict_sentences
from keras_amp.experiments.pages.templating import render
from keras_amp.experiments.summary.backends import backends_note, warn_of_backends
from keras_amp.experiments.summary.differences import compare
from keras_amp.experiments.summary.folders import LeftOut, read_folders
from keras_amp.experiments.summary.frames import methods_frame, settings_frame
from keras_amp.experiments.summary.groups import (
    group_trials,
    in_the_papers_order,
    without_repetitions,
)
from keras_amp.experiments.summary.labels import label_groups
from keras_amp.experiments.summary.primaries import judge_all
from keras_amp.experiments.summary.trials import trials_of

PAGE, TEXT = "index.html", "report.md"
TABLE, SETTINGS = "table.csv", "settings.csv"
FILES = {PAGE, TEXT, TABLE, SETTINGS}


def write_report(runs, out, margin=None):
    """Write one HTML page about finished runs, and its tables as Markdown and CSV.

    The page is complete in one file: it has no script and loads nothing. It shows the
    mean and the deviation of every method with the relative improvements over mixup at
    the same place and over no mixing, the tests of the differences, learning curves, what
    the adversary did, the test loss along lambda, reliability diagrams and confusion
    matrices; and the settings and commands of the runs. Runs that did not end are left
    out and named.

    Args:
        runs: Paths of runs, of comparisons, or of folders that hold some at any depth;
            one or several, of one data set.
        out: Folder to write: a new or empty one, or a former report, which is replaced
            whole. It receives ``index.html``, ``report.md``, ``table.csv`` (a row a
            method) and ``settings.csv`` (a row a run).
        margin: Float > 0, points of error within which two errors count as equal; None
            for none: then no verdict is "equal".

    Returns:
        The path of the page.

    Raises:
        ValueError: If no run is given, a file is damaged, or the runs are of several data
            sets.
        FileNotFoundError: If a folder is missing, holds no run, or none that has ended.
        FileExistsError: If there is something else at ``out``.
        PermissionError: If ``out`` cannot be written.

    Example:
    >>> from keras_amp.experiments.pages import write_report
    >>> write_report("nowhere", "report")
    Traceback (most recent call last):
    FileNotFoundError: Expected folders of runs. Received: nowhere, which is no folder.
    """
    _check_out(Path(out))
    records, left_out = read_folders([runs] if isinstance(runs, str | Path) else runs)
    return write_records(records, out, left_out, margin)


def write_records(records, out, left_out=(), margin=None):
    """Write the page of ``write_report`` about records, such as those of a comparison.

    Args:
        records: List of dicts as of ``read_records``, all finished, of one data set. The
            files of a record's ``folder`` are drawn, if it has one.
        out: As of ``write_report``.
        left_out: Sequence of ``LeftOut``, runs that the page names.
        margin: As of ``write_report``.

    Returns:
        The path of the page.

    Raises:
        ValueError, FileExistsError, PermissionError: As ``write_report``.
    """
    out = Path(out)
    _check_out(out)
    groups, compared, repetitions = compared_groups(records, margin)
    warn_of_backends(backends_note(groups))
    page = page_of_comparison(groups, compared, [*left_out, *repetitions])
    texts = {
        PAGE: render("comparison.html", page),
        TEXT: render("comparison.md", page),
        TABLE: methods_frame(groups, compared).to_csv(index=False),
        SETTINGS: settings_frame(groups).to_csv(index=False),
    }
    try:
        _replace(out.resolve(), texts)
    except OSError as error:
        raise PermissionError(
            f"Expected a folder that can be written. Received: {out} ({error}). Name "
            "another one."
        ) from error
    return out / PAGE


def verdicts_text(records):
    """Return what a comparison comes to, in words.

    Args:
        records: List of dicts as of ``write_records``.

    Returns:
        A list of sentences; empty where nothing is compared.

    Raises:
        ValueError: If the records are of several data sets.
    """
    _, compared, _ = compared_groups(list(records))
    return verdict_sentences(compared)


def compared_groups(records, margin=None):
    """Return the groups of a comparison, and how they differ.

    Args:
        records: As of ``write_records``.
        margin: As of ``write_report``.

    Returns:
        A tuple ``(groups, compared, repetitions)``: a list of ``Group``s with labels, in
        the paper's order; a list of ``Difference``s; and a list of ``LeftOut`` for the
        records that repeat another one.

    Raises:
        ValueError: If the records are of several data sets.
    """
    trials = trials_of(records)
    _check_same_data(trials)
    trials, repetitions = without_repetitions(trials)
    groups = label_groups(in_the_papers_order(group_trials(trials)), equals="=")
    compared = judge_all(compare(groups), margin)
    reason = "its method, settings and seed are those of"
    left_out = [LeftOut(t.folder, f"{reason} {one.folder}") for t, one in repetitions]
    return groups, compared, left_out


def _check_same_data(trials):
    """Raise unless all trials are of one data set."""
    sets = {}
    for trial in trials:
        key = trial.values["data"], tuple(trial.class_names)
        sets.setdefault(key, trial.folder)
    if len(sets) > 1:
        names = [f"{data} ({folder})" for (data, _), folder in sets.items()]
        if len({data for data, _ in sets}) == 1:
            names = [f"{folder} with {len(c)} classes" for (_, c), folder in sets.items()]
        raise ValueError(
            "Expected runs of one data set, whose errors can be compared. Received: "
            f"{', '.join(names)}. Write a report for each."
        )


def _check_out(out):
    """Raise unless there is nothing at the path, or a former report."""
    if not out.exists():
        return
    there = {path.name for path in out.iterdir()} if out.is_dir() else {out.name}
    if out.is_dir() and (not there or (there <= FILES and _is_report(out / PAGE))):
        return
    raise FileExistsError(
        f"Expected a new or empty folder, or a former report. Received: {out}, which is "
        f"or holds something else: {', '.join(sorted(there)[:5])}. Name another one."
    )


def _is_report(page):
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return f'content="{GENERATOR}' in page.read_text(encoding="utf-8")[:2000]
    return False


def _replace(out, texts):
    """Put a folder of files at a path, whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        new, old = Path(folder) / "new", Path(folder) / "old"
        new.mkdir()
        for name, text in texts.items():
            (new / name).write_text(text, encoding="utf-8", newline="")
        if out.exists():
            out.rename(old)
        try:
            new.rename(out)
        except OSError:
            if old.exists():
                old.rename(out)
            raise
        shutil.rmtree(old, ignore_errors=True)
