"""Tables as LaTeX, with booktabs."""

from dataclasses import replace

from keras_amp.report.tables import DASH, MINUS, SPACE

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
    r"""Returns a text for LaTeX, its special characters escaped.

    Example:
    >>> from keras_amp.tables.latex import escape
    >>> print(escape("a_b & 5% ± 1"))
    a\_b \& 5\% $\pm$ 1
    """
    return text.translate(ESCAPED)


def floating(table, label):
    r"""Returns a ``Table`` as a ``table``, shrunk where it is wider than the text.

    Args:
        table: ``Table``.
        label: What ``\ref`` calls it.
    """
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape(table.caption)}.}}",
            rf"\label{{{label}}}",
            FITTED,
            rf"\begin{{tabular}}{{{_alignment(table)}}}",
            r"\toprule",
            _line(table.headings),
            r"\midrule",
            *map(_line, table.rows),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
            "",
        ]
    )


def long(table, label, left_out=()):
    r"""Returns a ``Table`` as a ``longtable``, which may break across pages.

    Args:
        table: ``Table``.
        label: What ``\ref`` calls it.
        left_out: Headings of columns that a page has no room for.
    """
    kept = [i for i, heading in enumerate(table.headings) if heading not in left_out]
    table = replace(
        table,
        headings=tuple(table.headings[i] for i in kept),
        rows=[tuple(row[i] for i in kept) for row in table.rows],
    )
    return "\n".join(
        [
            r"\begingroup",
            r"\scriptsize",
            r"\setlength{\tabcolsep}{3pt}",
            # In the middle, also where it is wider than the text.
            r"\setlength{\LTleft}{0pt plus 1fill minus 1fill}",
            r"\setlength{\LTright}{0pt plus 1fill minus 1fill}",
            rf"\begin{{longtable}}{{{_alignment(table)}}}",
            rf"\caption{{{escape(table.caption)}.}} \label{{{label}}} \\",
            r"\toprule",
            _line(table.headings),
            r"\midrule",
            r"\endfirsthead",
            r"\toprule",
            _line(table.headings),
            r"\midrule",
            r"\endhead",
            r"\bottomrule",
            r"\endfoot",
            *map(_line, table.rows),
            r"\end{longtable}",
            r"\endgroup",
            "",
        ]
    )


def _alignment(table):
    words = {table.headings[0], *table.words}
    return "".join("l" if heading in words else "r" for heading in table.headings)


def _line(cells):
    return " & ".join(map(escape, cells)) + r" \\"
