"""What is recorded of the environment, and that deterministic kernels come and go."""

import subprocess

import keras
import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("cyclopts", reason='pip install "keras-amp[experiments]"')

from keras_amp.experiments import environment


def git(folder, *arguments):
    who = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    done = subprocess.run(
        ["git", "-C", folder, *who, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path):
    """A package under version control, in a folder of its repository."""
    folder = tmp_path / "repository" / "package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    git(folder.parent, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    environment.source.cache_clear()
    return folder


def test_the_commit_and_whether_something_differs_from_it(package):
    commit = git(package, "rev-parse", "HEAD")
    assert len(commit) == 40
    assert environment.source(package) == {"commit": commit, "changed": False}
    (package.parent / "results.txt").write_text("beside the package")
    environment.source.cache_clear()
    assert environment.source(package)["changed"] is False
    (package / "new.py").write_text("")
    environment.source.cache_clear()
    assert environment.source(package) == {"commit": commit, "changed": True}


def test_a_package_that_is_not_under_version_control_has_no_commit(package, tmp_path):
    installed = package.parent / "site-packages" / "package"  # inside somebody's own
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    nothing = {"commit": None, "changed": None}
    assert environment.source(installed) == nothing
    assert environment.source(tmp_path / "nowhere") == nothing


def test_no_git_is_no_commit(package, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert environment.source(package) == {"commit": None, "changed": None}


def test_variables_are_those_that_a_result_may_depend_on(monkeypatch):
    for name in ("TF_NUM_X", "TF_XLA_X", "XLA_X", "ONEDNN_X", "TF_CPP_X", "OTHER_X"):
        monkeypatch.setenv(name, "1")
    for name in ("TF_VAR_X", "TF_TOKEN_X", "TF_CLI_X"):  # Terraform's
        monkeypatch.setenv(name, "1")
    assert {n for n in environment.variables() if n.endswith("_X")} == {
        "TF_NUM_X",
        "TF_XLA_X",
        "XLA_X",
        "ONEDNN_X",
    }
    assert environment.machine()["variables"] == environment.variables()


def test_the_users_word_on_deterministic_operations_holds(monkeypatch):
    monkeypatch.setenv("TF_DETERMINISTIC_OPS", "0")
    with environment.deterministic_operations():
        assert not environment.machine()["deterministic"]


def test_deterministic_operations_end_with_an_error():
    def interrupted():
        with environment.deterministic_operations():
            assert environment.machine()["deterministic"]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not environment.machine()["deterministic"]


def test_deterministic_operations_leave_what_a_step_computes():
    """To rounding; and XLA compiles, as it does without them."""

    def losses(jit_compile):
        keras.utils.set_random_seed(3)
        inputs = keras.Input((6,), dtype="int32")
        hidden = keras.layers.Embedding(20, 4)(inputs)
        hidden = keras.layers.Conv1D(5, 3, activation="relu")(hidden)
        hidden = keras.layers.GlobalMaxPooling1D()(hidden)
        model = keras.Model(inputs, keras.layers.Dense(3, "softmax")(hidden))
        loss = "sparse_categorical_crossentropy"
        model.compile(keras.optimizers.SGD(0.5), loss, jit_compile=jit_compile)
        x = np.arange(120).reshape(20, 6) * 7 % 20
        fit = model.fit, (x, np.arange(20) % 3)
        return lambda: fit[0](*fit[1], epochs=3, shuffle=False, verbose=0).history["loss"]

    expected = losses(jit_compile=False)()
    for other in (losses(jit_compile=True), losses(jit_compile=False)):
        with environment.deterministic_operations():
            np.testing.assert_allclose(other(), expected, rtol=1e-5)


def test_threads_are_fixed_before_tensorflow_computes():
    tf.zeros(1) + 1
    with pytest.raises(ValueError, match="before TensorFlow computes.*threads=77, too"):
        environment.use_threads(77)
    with pytest.raises(ValueError, match="`threads`.*>= 1.*threads=0"):
        environment.use_threads(0)
