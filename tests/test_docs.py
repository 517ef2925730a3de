"""The documentation's examples run, and the public names are the documented ones."""

import doctest
import importlib
import inspect
import pkgutil
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from pages import README, all_pages, commands_of, programs_of, run_programs

import keras_amp
from keras_amp.runtime import former_modules
from tools.site import docstrings

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(keras_amp.__path__, "keras_amp.")
    if not module.name.endswith("__main__")
)


def load(name):
    """Imports a module; skips where one of the extras is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if "keras-amp[" not in str(error):
            raise
        pytest.skip(f"{name}: {error}")


@pytest.mark.filterwarnings("ignore:Even though the `tf.config")
@pytest.mark.parametrize("name", ["keras_amp", *MODULES])
def test_examples_run(name, tmp_path, monkeypatch):
    module = load(name)
    monkeypatch.chdir(tmp_path)  # what an example writes, it writes there
    names = {"np": np, "keras": keras, "keras_amp": keras_amp}
    options = doctest.NORMALIZE_WHITESPACE
    # Tracing takes most of the time; an exported model is nothing but traces.
    tf.config.run_functions_eagerly("export" not in name)
    try:
        result = doctest.testmod(module, extraglobs=names, optionflags=options)
    finally:
        tf.config.run_functions_eagerly(False)
    assert result.failed == 0, "see the output above"


def test_the_readmes_programs_run(tmp_path, capsys):
    def check(program, names):
        if "classifier.save" in program:
            trained = keras.models.load_model(tmp_path / "classifier.keras")
            for loaded, own in zip(
                trained.get_weights(), names["classifier"].get_weights(), strict=True
            ):
                np.testing.assert_array_equal(loaded, own)

    assert len(programs_of(README)) >= 1
    run_programs(README, tmp_path, check)
    assert " lam: 0." in capsys.readouterr().out


def test_every_command_on_a_page_can_be_given():
    pytest.importorskip("cyclopts", reason='pip install "keras-amp[experiments]"')
    from keras_amp.cli import application

    application = application()
    commands = [command for page in all_pages() for command in commands_of(page)]
    assert len(commands) > 50
    for command in commands:  # raises what is wrong with it
        application.parse_args(command, exit_on_error=False, print_error=False)


def test_the_readme_is_one_screens_patience():
    assert len(README.read_text().splitlines()) <= 150


def test_examples_exist():
    """The test above would pass if no example were found."""
    finder = doctest.DocTestFinder()
    tests = finder.find(keras_amp.policies.operators, extraglobs={})
    assert sum(len(test.examples) for test in tests) >= 8


@pytest.mark.parametrize("name", ["keras_amp", *MODULES])
def test_every_module_says_what_it_is_for(name):
    assert load(name).__doc__.strip()


def test_all_is_the_public_namespace():
    public = {
        name
        for name, value in vars(keras_amp).items()
        if not name.startswith("_")
        # Modules that the package is made of appear in it once they are imported.
        and not (isinstance(value, types.ModuleType) and name not in keras_amp.__all__)
    }
    # These appear once they are asked for.
    former = set(former_modules.FORMER) & set(keras_amp.__all__)
    assert public | former | {"__version__"} == set(keras_amp.__all__)
    assert list(keras_amp.__all__) == sorted(keras_amp.__all__)


def test_public_names_are_the_promised_ones():
    promised = {"AdversarialMixing", "MixLayer", "Mixup", "MixupAMPModel", "data"}
    assert promised | {"insert_mix_layer", "policy"} <= set(keras_amp.__all__)
    for operator in ("mix", "rand_op", "max_op", "min_op"):
        assert callable(getattr(keras_amp.policies, operator))


def public_objects():
    """What a user calls: the package's names, and those of its public modules."""
    for name in keras_amp.__all__:
        value = getattr(keras_amp, name)
        if callable(value):
            yield f"keras_amp.{name}", value
        elif isinstance(value, types.ModuleType):
            listed = getattr(value, "__all__", None)
            for n, v in vars(value).items():
                own = getattr(v, "__module__", None) == value.__name__
                if callable(v) and (n in listed if listed else own and n[0] != "_"):
                    yield f"keras_amp.{name}.{n}", v


def test_every_public_name_is_on_a_page_of_the_reference():
    shown = {}
    for name in docstrings.documented():
        module, _, attribute = name.rpartition(".")
        found = getattr(load(module), attribute)
        assert not isinstance(found, types.ModuleType), f"{name} is a module"
        shown[id(found)] = name
    public = dict(public_objects())
    for name in ("backbones", "experiments", "paper"):
        module = load(f"keras_amp.{name}")
        public |= {f"keras_amp.{name}.{n}": getattr(module, n) for n in module.__all__}
    missing = [name for name, value in public.items() if id(value) not in shown]
    assert not missing, f"add `::: NAME` to a page of docs/reference: {missing}"


@pytest.mark.parametrize(
    "named", [pytest.param(v, id=n) for n, v in dict(public_objects()).items()]
)
def test_every_public_name_is_documented_with_an_example(named):
    assert "Example:\n" in (inspect.getdoc(named) or "").replace("Examples:", "Example:")
    assert ">>> " in inspect.getdoc(named)
