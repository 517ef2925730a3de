"""Missing extras name the command that installs them."""

import sys

import pytest

from keras_amp.runtime.extras import require


def test_what_is_installed_passes():
    require("experiments", "json", "numpy")


def test_what_is_missing_names_its_command(monkeypatch):
    with pytest.raises(ImportError, match=r'no_such_module.*pip install "keras-amp\[hub'):
        require("hub", "no_such_module")


def test_comparisons_say_what_they_need(monkeypatch):
    for name in list(sys.modules):
        if name.startswith("keras_amp.experiments") or name == "keras_amp.cli":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)  # as if it were not installed
    with pytest.raises(ImportError, match=r"Expected rich .*keras-amp\[experiments\]"):
        import keras_amp.cli  # noqa: F401


def test_an_error_inside_a_module_is_not_hidden(tmp_path, monkeypatch):
    (tmp_path / "needs_another.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_module'"):
        require("hub", "needs_another")
