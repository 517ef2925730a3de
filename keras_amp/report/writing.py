"""``write_report``: from folders of runs to a folder with a page."""

import contextlib
import shutil
import tempfile
from pathlib import Path

from keras_amp.report import tables
from keras_amp.report.groups import group_runs
from keras_amp.report.page import GENERATOR, describe, render
from keras_amp.report.reading import read_runs

PAGE, TEXT = "index.html", "report.md"
TABLE, SETTINGS = "table.csv", "settings.csv"
FILES = {PAGE, TEXT, TABLE, SETTINGS}


def write_report(runs, out):
    """Writes one HTML page about finished runs, and its tables as Markdown and CSV.

    The page stands alone: no script, and nothing is loaded from elsewhere. It shows mean
    and deviation of every method with the relative improvement over mixup at the same
    place and over no mixing, whether a difference is more than noise, learning curves,
    what the adversary did, the test loss along lambda, reliability and confusion; and the
    settings and commands that made it. Runs that did not end are left out and named.

    Args:
        runs: Paths of runs, of comparisons, or of folders that hold some at any depth;
            one or several, of one data set.
        out: Folder to write: a new or empty one, or a former report, which is replaced
            whole. It receives ``index.html``, ``report.md``, ``table.csv`` (a row a
            method) and ``settings.csv`` (a row a run).

    Returns:
        The path of the page.

    Raises:
        ValueError: If no run is given, a file is damaged, or the runs are of several data
            sets.
        FileNotFoundError: If a folder is missing, holds no run, or none that has ended.
        FileExistsError: If there is something else at ``out``.
        PermissionError: If ``out`` cannot be written.

    Example:
    >>> from keras_amp.report import write_report
    >>> write_report("nowhere", "report")
    Traceback (most recent call last):
    FileNotFoundError: Expected folders of runs. Received: nowhere, which is no folder.
    """
    out = Path(out)
    _check_out(out)
    found, left_out = read_runs([runs] if isinstance(runs, str | Path) else runs)
    groups, repeated = group_runs(found)
    page = describe(groups, [*left_out, *repeated])
    texts = {
        PAGE: render("report.html", page),
        TEXT: render("report.md", page),
        TABLE: tables.results_frame(groups, page["compared"]).to_csv(index=False),
        SETTINGS: tables.settings_frame(groups).to_csv(index=False),
    }
    try:
        _replace(out.resolve(), texts)
    except OSError as error:
        raise PermissionError(
            f"Expected a folder that can be written. Received: {out} ({error}). Name "
            "another one."
        ) from error
    return out / PAGE


def _check_out(out):
    """Raises unless there is nothing at the path, or a former report."""
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
    """Puts a folder of files at a path, whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as beside:
        new, old = Path(beside) / "new", Path(beside) / "old"
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
