"""What MkDocs calls while it makes the site; ``mkdocs.yml`` names this file."""

import logging
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from tools.site import checks, command_line, house, notebooks, places

ROOT = Path(__file__).parents[2]
# A warning of these ends a strict build.
LOG = logging.getLogger("mkdocs.hooks")
# What a page shows in place of a line such as `<!-- made: house -->`.
MADE = {
    "benchmarks": (ROOT / "benchmarks" / "README.md").read_text,
    "command line": command_line.page,
    "house": house.picture,
    "rooms": house.table,
}


def on_files(files: Files, config: Any) -> Files:
    """Adds the notebooks, and the pictures that pages show from outside of ``docs/``."""
    for path in sorted((ROOT / places.NOTEBOOKS).glob("*.ipynb")):
        page, drawn = notebooks.as_page(path)
        name = f"{places.NOTEBOOKS}/{path.stem}.md"
        files.append(File.generated(config, name, content=page))
        for name, picture in drawn.items():
            place = f"{places.NOTEBOOKS}/{name}"
            files.append(File.generated(config, place, content=picture))
    shown = {
        path
        for page in files.documentation_pages()
        for path in places.pictures(page.src_uri, page.content_string)
    }
    for path in sorted(filter(_is_there, shown)):
        place = f"{places.FOLDER}/{path}"
        files.append(File.generated(config, place, abs_src_path=str(ROOT / path)))
    return files


def _is_there(path: str) -> bool:
    return (ROOT / path).exists()


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Puts what is made in its place, and links to files where the site has them."""
    source = page.file.src_uri
    for path in places.named(source, markdown):
        if not _is_there(path):
            LOG.warning("%s names %s, which is not there.", source, path)
    markdown = re.sub(
        r"^<!-- made: (.*) -->$",
        lambda match: MADE[match[1]](),
        markdown,
        flags=re.MULTILINE,
    )
    return places.as_on_the_site(source, markdown)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Warns of what a page loads from elsewhere, and of links that lead nowhere."""
    for wrong in checks.page_errors(output):
        LOG.warning("%s %s.", page.file.src_uri, wrong)
    return output


def on_post_build(config: Any) -> None:
    """Warns of what a style sheet loads from elsewhere."""
    for path in sorted(Path(config["site_dir"]).rglob("*.css")):
        for wrong in checks.style_errors(path.read_text("utf-8")):
            LOG.warning("%s %s.", path.name, wrong)
