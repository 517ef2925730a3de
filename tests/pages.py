"""The programs of `README.md` and of the pages below `docs/`, and how tests run them.

A block that begins with ```python is run, with all others of its page from top to bottom,
in one namespace and in a folder of its own. One that begins with ```py is only shown.
"""

import contextlib
import re
import shlex
import textwrap
import warnings
from pathlib import Path

import pytest
from helpers import traced_nothing
from untrained import fit_and_test

ROOT = Path(__file__).parent.parent
README, DOCS = ROOT / "README.md", ROOT / "docs"

# Pages with programs that are only shown, and why these are not run.
ONLY_SHOWN = {
    "docs/guides/devices.md": "they need several machines",
    "docs/guides/search.md": "a search takes a minute, and has a test of its own",
    "docs/guides/text.md": "a run takes many seconds, and is read by tests of its own",
}
# Of so many steps that to trace them takes less time than to run each by itself.
TRACED = {f"docs/guides/{name}.md" for name in (
    "backends", "devices", "images", "inputs_outputs", "numbers", "tagging",
    "tensorboard", "text", "unlabeled",
)} | {"README.md"}  # fmt: skip
# Its cells get random weights: how cells are trained has tests of its own.
UNTRAINED = {"docs/guides/study.md"}


def all_pages():
    """The README and the pages of the site, as paths."""
    return [README, *sorted(DOCS.rglob("*.md"))]


def name_of(page):
    """What a page is called: its path in the repository."""
    return str(page.relative_to(ROOT))


def programs_of(page, language="python"):
    """The blocks of a language on a page, without the indentation of lists and tabs."""
    found = re.findall(
        rf"^( *)```{language}\b[^\n]*\n(.*?)^\1```$", page.read_text(), re.M | re.S
    )
    return [textwrap.dedent(program) for _, program in found]


def commands_of(page):
    """The commands `keras-amp ...` that a page shows, as lists of arguments.

    Those of a line or of a block, and those within a sentence that say more than which
    command is meant.
    """
    text = page.read_text().replace("\\\n", "")
    lines = re.findall(r"(?m)^(?: {4,})?keras-amp (.*)$", text)
    inline = re.findall(r"`keras-amp (\w+ [^`\n]+)`", text)
    return [shlex.split(command, comments=True) for command in (*lines, *inline)]


def run_programs(page, folder, after=None):
    """Runs a page's programs in a folder; returns their namespace.

    Only programs that compile are traced, and those of `TRACED`.

    Args:
        page: Path of the page.
        folder: Path of the folder, which they may write to.
        after: Called after each program with its text and the namespace.
    """
    programs = programs_of(page)
    for module, extra in (("keras_hub", "hub"), ("sklearn", "experiments")):
        if any(f"{module}" in program for program in programs):
            pytest.importorskip(module, reason=f'pip install "keras-amp[{extra}]"')
    names = {}
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        if name_of(page) in UNTRAINED:
            patch.setattr("keras_amp.experiments.worker.fit_and_test", fit_and_test)
        for i, program in enumerate(programs):
            traced = name_of(page) in TRACED or "jit_compile=True" in program
            with (
                contextlib.nullcontext() if traced else traced_nothing(),
                warnings.catch_warnings(),
            ):
                warnings.simplefilter("error", UserWarning)
                exec(compile(program, f"{name_of(page)}, program {i}", "exec"), names)
            if after is not None:
                after(program, names)
    return names
