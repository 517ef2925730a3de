"""The templates of the pages, filled in."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from keras_amp.analysis import looks
from keras_amp.experiments.pages.svg import ON_DARK, variable
from keras_amp.version import __version__

_COLORS = (*looks.COLORS, looks.FAINT, looks.SHADE)
_ENVIRONMENT = Environment(
    loader=PackageLoader("keras_amp.experiments.pages"),
    autoescape=lambda name: name.endswith(".html"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# The version and the variables of the figures' colours, for a light and a dark page.
_ENVIRONMENT.globals |= {
    "version": __version__,
    "light": {variable(color): color for color in _COLORS},
    "dark": {variable(color): ON_DARK[color] for color in _COLORS if color in ON_DARK},
}


def render(template, page):
    """Return a template filled in.

    Args:
        template: Name of the template, such as ``"comparison.html"``.
        page: Dict of its variables.
    """
    return _ENVIRONMENT.get_template(template).render(page)


def render_blocks(template, page, names):
    """Return blocks of a template filled in, a dict of texts without empty ends.

    Args:
        template: Name of the template.
        page: Dict of its variables.
        names: Names of the blocks.
    """
    template = _ENVIRONMENT.get_template(template)
    return {
        name: "".join(template.blocks[name](template.new_context(page))).strip("\n")
        for name in names
    }
