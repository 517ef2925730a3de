"""Imports run one way, few files import a backend, every folder introduces itself."""

import ast
import re

import pytest

from tools.architecture import FLOOR, PACKAGE, ROOT, imported, room_of, sources

# Rooms that may import less than what stands below them.
NO_ENGINE = {
    "backbones": {"data", "validation", "runtime"},
    "data": {"validation", "runtime"},
    "saving": {"graph"},  # for `keras_compat`
    "runtime": set(),  # it sets up the process before TensorFlow is imported
}

# Folders and files that may import TensorFlow; the list should become shorter. All others
# work on any backend: `policies`, `layers` and `graph` use `keras.ops` alone.
TENSORFLOW = (
    "training/tensorflow/",  # tapes, compilation, replicas, assertions
    "training/input_check.py",  # data sets, ragged and sparse tensors
    "training/label_check.py",  # labels of data sets
    "training/label_checks.py",  # the same of several outputs
    "data/",  # tf.data, and words of texts by tf.strings
    "callbacks/",  # TensorBoard
    "experiments/",  # threads and devices of a process, and what it runs on
    "analysis/examples.py",  # data sets of pairs
    "models.py",  # the decorators of Keras' trainer for TensorFlow
    "runtime/notes.py",  # imports it while its notes are hidden
)


def wrong_imports(name, source):
    """What a file imports though its room may not, a sentence each."""
    room = room_of(name)
    if room in ("__init__", "__main__"):
        return
    assert room in FLOOR, (
        f"{name}: which floor does {room!r} stand on? See tools.architecture."
    )
    allowed = {other for other, floor in FLOOR.items() if floor > FLOOR[room]}
    allowed = NO_ENGINE.get(room, allowed)
    for module in imported(name, source):
        package, _, rest = module.partition(".")
        other = rest.partition(".")[0]
        if package == "keras_amp" and other != room and other not in allowed:
            few = ", ".join(sorted(allowed, key=FLOOR.get)) or "nothing of the package"
            yield f"{name} imports {module}; {room} may import {few}."


@pytest.mark.parametrize(
    ("name", "source", "wrong"),
    [
        ("graph/a.py", "from keras_amp.models import A", "keras_amp.models"),
        ("graph/a.py", "def f():\n    import keras_amp.models.b", "keras_amp.models.b"),
        ("graph/a.py", "from keras_amp import models", "keras_amp.models"),
        ("graph/a.py", "from keras_amp import MixLayer", "keras_amp.MixLayer"),
        ("graph/a.py", "from ..models import A", "keras_amp.models"),
        ("graph/a.py", "from keras_amp.policy import mix", "keras_amp.policy"),
        ("graph/a/b.py", "from keras_amp.graph.c import d", None),
        ("graph/a.py", "from keras_amp.layers import MixLayer", None),
        ("layers.py", "from keras_amp.graph import lookup", "keras_amp.graph"),
        ("data/a.py", "from keras_amp.policies import mix", "keras_amp.policies"),
        ("runtime/a.py", "from keras_amp.validation import b", "keras_amp.validation"),
        ("callbacks/a.py", "from keras_amp.paper import b", "keras_amp.paper"),
        ("cli/a.py", "import keras\nfrom keras_amp.data import load", None),
    ],
)
def test_the_check_itself(name, source, wrong):
    found = list(wrong_imports(f"keras_amp/{name}", source))
    assert [text.partition(";")[0] for text in found] == (
        [f"keras_amp/{name} imports {wrong}"] if wrong else []
    )


@pytest.mark.parametrize("folder", ["keras_amp", "recipes"])
def test_imports_run_one_way(folder):
    wrong = [
        text
        for name, source in sources(ROOT / folder)
        for text in wrong_imports(name, source)
    ]
    assert not wrong, "\n".join(["", *wrong])


@pytest.mark.parametrize(
    ("backend", "listed"),
    [("tensorflow", TENSORFLOW), ("jax", ("training/jax/",))],
)
def test_only_listed_files_import_a_backend(backend, listed):
    wrong = [
        f"{name} imports {module}, and is not listed."
        for name, source in sources(PACKAGE)
        for module in imported(name, source)
        if module.partition(".")[0] == backend
        and not name.removeprefix("keras_amp/").startswith(listed)
    ]
    assert not wrong, "\n".join(["", *wrong])


def test_every_folder_introduces_itself():
    """What lives there, what it may import, and what may import it."""
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        init = path.parent / "__init__.py"
        if not init.exists():
            wrong.append(f"{path.parent.relative_to(ROOT)} has no __init__.py.")
        elif path == init and path.parent != PACKAGE:
            text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
            _, _, paragraph = text.partition("\n\n")
            if len(re.findall(r"\bimports?\b", paragraph)) < 2:
                wrong.append(
                    f"{path.relative_to(ROOT)}: its docstring has no paragraph that says "
                    "what the folder imports and what imports it."
                )
    assert not wrong, "\n".join(["", *wrong])


# What runs code that a file brings; SECURITY.md promises that nothing of it occurs.
UNSAFE_MODULES = {"cloudpickle", "dill", "marshal", "pickle", "shelve"}
UNSAFE_CALLS = {"eval", "exec", "torch.load", "joblib.load", "yaml.load"}
UNSAFE_VALUES = {"allow_pickle": True, "safe_mode": False}


def unsafe(source):
    """What of a source would run code that a file brings, a list of texts."""
    found = [m for m in imported("a.py", source) if m.split(".")[0] in UNSAFE_MODULES]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found += [name] * (name in UNSAFE_CALLS)
            found += [
                f"{k.arg}={ast.unparse(k.value)}"
                for k in node.keywords
                if ast.unparse(k.value) == str(UNSAFE_VALUES.get(k.arg, "safe"))
            ]
    return found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import pickle", ["pickle"]),
        ("def f(x):\n    return eval(x)", ["eval"]),
        ("np.load(path, allow_pickle=True)", ["allow_pickle=True"]),
        ("load_model(path, safe_mode=False)", ["safe_mode=False"]),
        ("np.load(path)\nmodel.eval()", []),
    ],
)
def test_what_is_unsafe_is_seen(source, expected):
    assert unsafe(source) == expected


def test_nothing_that_is_read_is_run():
    words = [*UNSAFE_MODULES, *UNSAFE_CALLS, *UNSAFE_VALUES]
    found = {
        name: unsafe(source)
        for name, source in sources(PACKAGE)
        if any(word in source for word in words)  # few are parsed
    }
    assert not any(found.values()), found
