"""Generated parts of a file that is written by hand."""

import re
from pathlib import Path

from keras_amp.runtime.files import whole_file

BEGIN, END = "<!-- results: {} -->", "<!-- end -->"


def embed(path, parts):
    r"""Replace what stands between markers in a Markdown file.

    A part begins after the line ``<!-- results: NAME -->`` and ends before the next line
    ``<!-- end -->``; both stay. The file is left as it is where nothing changes.

    Args:
        path: Path of the file.
        parts: Dict from names to texts, in Markdown.

    Returns:
        Whether the file changed.

    Raises:
        ValueError: If a marker is missing, or stands there twice.
        FileNotFoundError: If there is no such file.

    Example:
    >>> from pathlib import Path
    >>> from keras_amp.experiments.pages import embed
    >>> _ = Path("a.md").write_text("<!-- results: mine -->\nold\n<!-- end -->\n")
    >>> embed("a.md", {"mine": "new"}), Path("a.md").read_text()
    (True, '<!-- results: mine -->\n\nnew\n\n<!-- end -->\n')
    """
    path = Path(path)
    before = path.read_text(encoding="utf-8")
    text = before
    for name, part in parts.items():
        text = _replaced(text, name, part.strip("\n"), path)
    if text == before:
        return False
    with whole_file(path) as file:
        file.write(text)
    return True


def _replaced(text, name, part, path):
    begin = BEGIN.format(name)
    pattern = re.compile(
        rf"^{re.escape(begin)}\n(?:(?!<!-- results: ).*\n)*?{re.escape(END)}$",
        re.MULTILINE,
    )
    found = len(pattern.findall(text))
    if found != 1 or text.count(begin) != 1:
        raise ValueError(
            f"Expected {path} to hold the line {begin} once, and a line {END} after it. "
            f"Received: {text.count(begin)} such lines, {found} with an end."
        )
    block = f"{begin}\n\n{part}\n\n{END}" if part else f"{begin}\n{END}"
    return pattern.sub(lambda _: block, text)
