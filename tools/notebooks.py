"""Runs the notebooks, and stores in them what their cells show.

They are stored with that, as the site and other readers run nothing. In the root of the
repository,

    python -m tools.notebooks

runs all of ``notebooks/`` and writes them anew (or those that are named).
"""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
Output = dict[str, Any]


def run(paths: list[Path]) -> dict[str, list[list[Output]]]:
    """Runs notebooks one after the other in this process, each with names of its own.

    A kernel of its own would do the same, but for the seconds until it begins.

    Args:
        paths: Paths of notebooks.

    Returns:
        A dict from the notebooks' names to lists of what each code cell shows, outputs as
        a notebook has them.
    """
    shell, found = _shell(), {}
    for path in paths:
        shell.reset()
        code = (cell for cell in read(path)["cells"] if cell["cell_type"] == "code")
        found[path.stem] = [_shown(shell, "".join(cell["source"])) for cell in code]
    return found


def store(path: Path, shown: list[list[Output]]) -> None:
    """Writes a notebook anew, with what its code cells show.

    Args:
        path: Path of the notebook.
        shown: As of ``run``.
    """
    notebook = read(path)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for i, (cell, outputs) in enumerate(zip(code, shown, strict=True)):
        cell.update(execution_count=i + 1, outputs=outputs)
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")


def read(path: Path) -> dict[str, Any]:
    """Returns a notebook."""
    notebook: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return notebook


def _shell() -> Any:
    """A shell that publishes a cell's value as it does what the cell displays."""
    from IPython.core.displayhook import DisplayHook
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class Hook(DisplayHook):  # type: ignore[misc]
        def write_output_prompt(self) -> None:
            pass

        def write_format_data(self, data: Any, metadata: Any = None) -> None:
            self.shell.display_pub.publish(data, metadata)

        def finish_displayhook(self) -> None:
            pass

    class Shell(InteractiveShell):  # type: ignore[misc]
        displayhook_class = Hook

        def enable_gui(self, gui: Any = None) -> None:
            """Do nothing: figures are drawn into the notebook."""

    return Shell.instance(config=Config(HistoryManager={"enabled": False}))


def _shown(shell: Any, source: str) -> list[Output]:
    """What a cell shows; raises what it raises."""
    from IPython.utils.capture import capture_output

    with capture_output() as captured:
        ended = shell.run_cell(source, store_history=True)
    ended.raise_error()
    texts = {"stdout": captured.stdout, "stderr": captured.stderr}
    printed = [
        {"output_type": "stream", "name": name, "text": text.splitlines(keepends=True)}
        for name, text in texts.items()
        if text
    ]
    shown = [
        {"output_type": "display_data", "metadata": {}, "data": _lines(output.data)}
        for output in captured.outputs
    ]
    return printed + shown


def _lines(data: dict[str, str]) -> dict[str, Any]:
    """Data with texts as lists of lines, which a difference between versions can show."""
    return {
        kind: value.splitlines(keepends=True) if kind.startswith("text/") else value
        for kind, value in data.items()
    }


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    """A new folder, in which notebooks may write files."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["IPYTHONDIR"] = folder
        with contextlib.chdir(folder):
            yield


if __name__ == "__main__":
    given = map(Path, sys.argv[1:])
    paths = [path.resolve() for path in given] or sorted(NOTEBOOKS.glob("*.ipynb"))
    with _elsewhere():
        shown = run(paths)
    for path in paths:
        store(path, shown[path.stem])
