"""The notebooks as pages: their cells, and what is stored of what these show."""

import base64
import json
import re
from pathlib import Path
from typing import Any

# What a page shows of an output, the first of these that it has.
_KINDS = ("image/png", "text/markdown", "text/html", "text/plain")


def as_page(path: Path) -> tuple[str, dict[str, bytes]]:
    """Returns a notebook as Markdown, and the pictures that it shows.

    Args:
        path: Path of the notebook.

    Returns:
        A tuple of the page's Markdown and a dict from names of files, which are to lie
        beside the page, to their bytes.
    """
    parts, pictures = [], {}
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            name = f"{path.stem}-{len(pictures)}.png"
            shown, picture = _output(output, name)
            parts.append(shown)
            if picture is not None:
                pictures[name] = picture
    return "\n\n".join(parts) + "\n", pictures


def _output(output: dict[str, Any], name: str) -> tuple[str, bytes | None]:
    """What a page shows of a cell's output, and the picture that it names."""
    if "text" in output:
        return _block("".join(output["text"])), None
    data = {kind: output["data"].get(kind) for kind in _KINDS}
    kind = next(kind for kind in _KINDS if data[kind] is not None)
    text = "".join(data[kind])
    if kind == "image/png":
        return f"![What the cell above draws]({name})", base64.b64decode(text)
    if kind == "text/html":
        # pandas' own style is for a page without one.
        return re.sub(r"<style.*?</style>\n?", "", text, flags=re.DOTALL), None
    return (text if kind == "text/markdown" else _block(text)), None


def _block(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```"
