"""What begins the tests: which come first, and where the others' fixtures are."""

import jax_lane
import pytest

# The files that take longest, which begin first: so several workers end together.
LONGEST = """
    jax finished_grid grid compilation cli models bert noise saving training tensorboard
    comparison_run runs notebook guides packaging schedule side_effects affine overrides
""".split()


def pytest_configure(config):
    """Import the fixtures, and TensorFlow with them, where tests run.

    The process that hands them out to several workers runs none: it need not wait.
    """
    hands_out = getattr(config.option, "dist", "no") != "no"
    if not hands_out or hasattr(config, "workerinput"):
        config.pluginmanager.import_plugin("shared_fixtures")


def pytest_ignore_collect(collection_path):
    """Collect on JAX the engine's tests only."""
    return jax_lane.ignores(collection_path) or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Put the tests of the longest files first."""
    jax_lane.select(config, items)
    place = {f"test_{name}": i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.module.__name__.split(".")[-1], 99))
