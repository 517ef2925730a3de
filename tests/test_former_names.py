"""Modules that have moved: their former names work, and say what the new ones are."""

import importlib
import sys

import pytest

FORMER = {
    "experimental": "AuthorsProgram",
    "figures": "learning_curves",
    "grid": "run_grid",
    "policy": "rand_op",
    "report": "write_report",
    "sampling": "symmetric_beta",
    "significance": "holm",
    "tables": "paper_table",
}


@pytest.mark.parametrize("name", FORMER)
def test_former_names_warn_and_have_what_they_had(name, monkeypatch):
    monkeypatch.delitem(sys.modules, f"keras_amp.{name}", raising=False)
    try:
        with pytest.warns(DeprecationWarning, match=f"`keras_amp.{name}` is now `keras"):
            module = importlib.import_module(f"keras_amp.{name}")
    except ImportError as error:
        if "keras-amp[" not in str(error):
            raise
        pytest.skip(str(error))  # one of the extras is not installed
    present = getattr(module, FORMER[name])
    assert present is getattr(sys.modules[present.__module__], FORMER[name])
