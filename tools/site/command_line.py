"""The page of the command line, made from the commands' own help."""

import re


def page() -> str:
    """Returns the help of ``keras-amp`` and of each of its commands, as Markdown."""
    from keras_amp.cli import application  # imports TensorFlow: only where it is shown

    return tidied(application().generate_docs(heading_level=1))


def tidied(markdown: str) -> str:
    """Returns what Cyclopts writes as a part of a page that has a title of its own.

    Args:
        markdown: What ``cyclopts.App.generate_docs`` returns.
    """
    _, _, text = markdown.partition("\n")  # its title
    text = re.sub(r"^## Table of Contents\n.*?(?=^#)", "", text, flags=re.M | re.S)
    return text.strip()
