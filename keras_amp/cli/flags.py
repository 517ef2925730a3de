"""How flags behave on all command lines."""

from cyclopts import Parameter

# `--mix word sentence`, and no `--empty-mix`.
SEVERAL = Parameter(consume_multiple=True, negative_iterable=())


def flattened(title):
    """The fields of a class as flags of their own, in a panel of the help page."""
    return Parameter(name="*", group=title)
