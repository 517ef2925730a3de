"""Tables as LaTeX with booktabs, by pandas' Styler."""

from keras_amp.experiments.summary.texts import DASH, MINUS, SPACE

PACKAGES = ("booktabs", "graphicx", "longtable")
ESCAPED = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "$": r"\$",
        "&": r"\&",
        "#": r"\#",
        "_": r"\_",
        "%": r"\%",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "±": r"$\pm$",
        MINUS: "$-$",
        DASH: "--",
        SPACE: "~",
    }
)
# Shrinks what is wider than the text, and nothing else.
FITTED = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


def escape(text):
    r"""Return a text for LaTeX, its special characters escaped.

    Example:
    >>> from keras_amp.experiments.pages.latex import escape
    >>> print(escape("a_b & 5% ± 1"))
    a\_b \& 5\% $\pm$ 1
    """
    return text.translate(ESCAPED)


def floating(table, label):
    r"""Return a ``Table`` as a ``table``, shrunk where it is wider than the text.

    Args:
        table: ``Table``.
        label: The name by which ``\ref`` finds it.
    """
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_caption(table)}}}",
            rf"\label{{{label}}}",
            FITTED,
            f"{_styled(table)}}}",
            r"\end{table}",
            "",
        ]
    )


def long(table, label):
    r"""Return a ``Table`` as a ``longtable``, which may break across pages.

    Args:
        table: ``Table``.
        label: The name by which ``\ref`` finds it.
    """
    return "\n".join(
        [
            r"\begingroup",
            r"\scriptsize",
            r"\setlength{\tabcolsep}{3pt}",
            # In the middle, also where it is wider than the text.
            r"\setlength{\LTleft}{0pt plus 1fill minus 1fill}",
            r"\setlength{\LTright}{0pt plus 1fill minus 1fill}",
            _styled(table, environment="longtable", caption=_caption(table), label=label),
            r"\endgroup",
            "",
        ]
    )


def _caption(table):
    return f"{escape(table.caption)}."


def _styled(table, **how):
    places = range(len(table.headings))
    alignment = "".join("l" if table.is_words(place) else "r" for place in places)
    style = table.frame.style.hide(axis="index").format(escape)
    style = style.format_index(escape, axis="columns")
    return style.to_latex(column_format=alignment, hrules=True, **how).rstrip("\n")
