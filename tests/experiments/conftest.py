"""Fixtures of the tests of experiments; the helpers of these tests are beside it."""

import html

import pytest


@pytest.fixture
def without_drawings(monkeypatch):
    """Have figures made, but not drawn, which takes longest; their texts are there."""
    pages = pytest.importorskip("keras_amp.experiments.pages")

    def named(figure, name, alt):
        return f'<svg role="img" aria-label="{html.escape(alt)}"></svg>'

    monkeypatch.setattr(pages.galleries, "inline_svg", named)
    monkeypatch.setattr(pages.grid_files, "as_file", lambda figure: "<svg/>")
