"""The page of the command line, made from the commands' own help."""

import os
import re


def page() -> str:
    """Returns the help of ``keras-amp`` and of each of its commands, as Markdown."""
    # TensorFlow is imported, as the command imports it: without its notes.
    os.environ.setdefault("KERAS_AMP_WORKER", "1")
    from keras_amp.cli import application

    return tidied(application().generate_docs(heading_level=1))


def tidied(markdown: str) -> str:
    """Returns what Cyclopts writes as a part of a page that has a title of its own.

    Args:
        markdown: What ``cyclopts.App.generate_docs`` returns.
    """
    _, _, text = markdown.partition("\n")  # its title
    text = re.sub(r"^## Table of Contents\n.*?(?=^#)", "", text, flags=re.M | re.S)
    # Cyclopts takes a name from the program that runs: here `python -m mkdocs`.
    text = re.sub(r"^(keras-amp(?: [a-z]+)*) -m \S+", r"\1", text, flags=re.M)
    return text.strip()
