"""A table of texts, which every format shows."""

from dataclasses import dataclass, replace

import pandas as pd
from rich.table import Table as RichTable


@dataclass(frozen=True)
class Table:
    """A table of texts; the first column names the rows.

    Attributes:
        caption: What it shows.
        frame: ``pandas.DataFrame`` of strings.
        words: Tuple of the columns that hold words, not numbers, besides the first.
        note: What a reader needs to know about it, sentences; "" for nothing.
        empty: The sentence that takes its place if it has no rows.
    """

    caption: str
    frame: pd.DataFrame
    words: tuple = ()
    note: str = ""
    empty: str = ""

    @classmethod
    def of(cls, caption, headings, rows, **others):
        """Make a table of rows.

        Args:
            caption: What it shows.
            headings: Sequence of strings.
            rows: List of sequences of strings, as long as ``headings``.
            **others: Other attributes.
        """
        return cls(
            caption, pd.DataFrame(rows, columns=list(headings), dtype=object), **others
        )

    @property
    def headings(self):
        """The headings, a list of strings."""
        return list(self.frame.columns)

    @property
    def rows(self):
        """The rows, a list of tuples of strings."""
        return list(self.frame.itertuples(index=False, name=None))

    def is_words(self, place):
        """Return whether a column holds words, by its place from 0."""
        return place == 0 or self.frame.columns[place] in self.words

    def without(self, headings):
        """Return the table without some of its columns."""
        return replace(self, frame=self.frame.drop(columns=list(headings)))

    def as_markdown(self):
        """Return the table in Markdown, or the sentence that takes its place."""
        if not self.rows:
            return self.empty
        words = map(self.is_words, range(len(self.headings)))
        marks = ["---" if is_words else "---:" for is_words in words]
        escaped = [
            [text.replace("|", "\\|") for text in line]
            for line in (self.headings, *self.rows)
        ]
        lines = [escaped[0], marks, *escaped[1:]]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def as_rich(self, shown, caption=None):
        """Return the table for a terminal, a ``rich.table.Table``.

        Args:
            shown: Sequence of the headings of the columns to show.
            caption: A text below the table, or None.
        """
        table = RichTable(caption=caption, caption_justify="left")
        chosen = self.frame[list(shown)]
        for place, heading in enumerate(chosen.columns):
            justify = "right" if place else "left"
            table.add_column(heading, justify=justify, no_wrap=not place)
        for row in chosen.itertuples(index=False, name=None):
            table.add_row(*row)
        return table
