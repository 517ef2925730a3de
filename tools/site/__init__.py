"""What ``make docs`` does beyond MkDocs: pages that are made, and checks of the rest.

``hooks`` is what MkDocs calls; ``checks`` reads the pages that come out of it; ``places``
finds what a page names outside of ``docs/``; ``docstrings`` turns those of the package
into Markdown; ``command_line`` and ``house`` make what their pages show, and
``notebooks`` makes pages of notebooks.
"""
