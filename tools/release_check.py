"""Build what is published, and try it as a newcomer would: ``make release-check``.

    python tools/release_check.py [--extras search jax] [--tag v0.2.0]

Builds the source distribution, and of that the wheel, into ``dist/``; checks their
metadata and contents; then installs the wheel in clean environments, one an extra, and
runs an example in each. It needs a package index, some gigabytes and a quarter of an
hour, and nothing but Python's own library. What GPUs need is not tried.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
# What the source distribution holds beside the package and what pip needs.
READ = {"CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md", "MANIFEST.in"}
NEEDED = {"PKG-INFO", "pyproject.toml", "setup.cfg"}
# A link or a picture of Markdown that leads to a file beside it.
RELATIVE = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)")
# What the examples must not see of this machine.
HIDDEN = ("PYTHONPATH", "KERAS_BACKEND", "KERAS_AMP_DATA", "VIRTUAL_ENV")

TINY = shlex.split("""
    --embedding-dim 4 --filters 2 --kernel-sizes 2 --steps 2 --seeds 1 --mix none word
    --policy mixup --train-per-class 6 --batch-size 36
""")

HUB = """
import keras, keras_amp, keras_hub, numpy as np
encoder = keras_hub.models.BertBackbone(
    vocabulary_size=20, num_layers=1, num_heads=2, hidden_dim=16, intermediate_dim=32,
    max_sequence_length=8,
)
task = keras_hub.models.BertTextClassifier(encoder, num_classes=2)
model = keras_amp.MixupAMPModel(task, mix_at="embeddings_dropout")
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile("adam", loss, run_eagerly=True)
ids = np.random.randint(20, size=(8, 8))
x = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": 0 * ids + 1}
model.fit(x, np.arange(8) % 2)
"""

SEARCH = """
import keras, keras_amp, numpy as np

def build_classifier(units):
    model = keras.Sequential([
        keras.Input((5,), name="numbers"),
        keras.layers.Dense(units, "relu", name="hidden"),
        keras.layers.Dense(2, "softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    return model

x = np.random.default_rng(0).normal(size=(60, 5))
found = keras_amp.search(
    build_classifier, (x, (x[:, 0] > 0).astype(int)), trials=4, policy="mixup",
    mix_at="hidden", space={"units": [4, 8]}, epochs=1, seeds=5,
)
print(found.recommendation)
"""

GRID = """
seeds = 1
[settings]
backbone = "cnn"
filters = 2
embedding_dim = 4
kernel_sizes = [2]
steps = 2
train_per_class = 6
mix = ["none", "word"]
policy = "mixup"
"""


def main(arguments=None):
    """Builds, checks, installs and tries; the exit status says whether all went well."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--extras", nargs="*", default=[*EXAMPLES], choices=[*EXAMPLES])
    parser.add_argument("--tag", help="the tag, such as v0.2.0, that the version must be")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        source, wheel = build(Path(folder))
        check(source, wheel, given.tag)
        for extra in given.extras:
            attempt(extra, wheel, Path(folder))


def build(folder):
    """Builds both distributions from a copy of the sources, and checks their metadata.

    Args:
        folder: Path of an empty folder.

    Returns:
        A tuple of the paths of the source distribution and of the wheel, in ``dist/``.
    """
    ignored = shutil.ignore_patterns(
        ".*", "__pycache__", "build", "dist", "site", "*.egg-info"
    )
    copy = shutil.copytree(ROOT, folder / "source", ignore=ignored)
    readme, version = copy / "README.md", (copy / "keras_amp" / "version.py").read_text()
    tag = "v" + re.search(r'__version__ = "(.*)"', version)[1]
    readme.write_text(for_other_places(readme.read_text("utf-8"), tag), "utf-8")
    python = environment(folder / "tools", "build", "twine")
    shutil.rmtree(DIST, ignore_errors=True)
    run(python, "-m", "build", "--outdir", DIST, copy, quiet=True)
    source, wheel = next(DIST.glob("*.tar.gz")), next(DIST.glob("*.whl"))
    run(python, "-m", "twine", "check", "--strict", source, wheel)
    return source, wheel


def for_other_places(text, tag):
    """Returns the README as it is read elsewhere: what it links to is in the repository.

    Args:
        text: The README, whose links are relative.
        tag: String, the release's tag.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    def leading(match):
        mark, label, target = match.groups()
        place = f"{project['urls']['Repository']}/{'raw' if mark else 'blob'}/{tag}"
        return f"{mark}[{label}]({place}/{target})"

    return RELATIVE.sub(leading, text)


def check(source, wheel, tag=None):
    """Checks what the distributions hold, and says how large they are.

    Args:
        source: Path of the source distribution.
        wheel: Path of the wheel.
        tag: String, such as ``"v0.2.0"``, whose version they must have; None for any.

    Raises:
        SystemExit: If something is missing, or too much.
    """
    name = source.name.removesuffix(".tar.gz")
    version = name.removeprefix("keras_amp-")
    if tag not in (None, f"v{version}"):
        sys.exit(f"Expected the version of the tag {tag}. Received: {version}")
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "keras_amp").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(n for n in names if n.endswith("/METADATA")))
    held = {n for n in names if ".dist-info/" not in n}
    if found := RELATIVE.search(metadata.decode()):
        sys.exit(f"Expected links that lead somewhere on PyPI. Received: {found[0]}")
    same(wheel.name, held, package)
    with tarfile.open(source) as archive:
        files = {each.name.removeprefix(f"{name}/") for each in archive if each.isfile()}
    held = {n for n in files if not n.startswith("keras_amp.egg-info/")}
    same(source.name, held, package | READ | NEEDED)
    for path, number in ((wheel, len(package)), (source, len(held))):
        print(f"{path.name}: {path.stat().st_size / 1024:.0f} kB, {number} files")


def same(name, held, expected):
    """Ends the program where a distribution holds other files than it should."""
    if held != expected:
        sys.exit(
            f"Expected {name} to hold the package and what is read. Received: too much: "
            f"{sorted(held - expected)}; missing: {sorted(expected - held)}"
        )


def attempt(extra, wheel, folder):
    """Installs the wheel with an extra in a clean environment, and runs its example.

    Args:
        extra: Name of the extra, a key of ``EXAMPLES``; empty for none.
        wheel: Path of the wheel.
        folder: Path of a folder; what is made there is removed.
    """
    place, began = folder / (extra or "none"), time.time()
    python = environment(place, f"{wheel}[{extra}]" if extra else wheel)
    run(python, "-m", "pip", "check")
    installed, work = time.time(), place / "work"
    work.mkdir()
    for command in EXAMPLES[extra](python, work):
        run(*command, folder=work)
    print(
        f"keras-amp[{extra}]: installed in {installed - began:.0f} s, tried in "
        f"{time.time() - installed:.0f} s",
        flush=True,
    )
    shutil.rmtree(place)


def environment(folder, *requirements):
    """Makes a clean environment with requirements; returns the path of its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", *requirements)
    return python


def run(*command, folder=None, quiet=False):
    """Runs a command; ends the program with its output where it fails."""
    variables = {n: v for n, v in os.environ.items() if n not in HIDDEN}
    assigned = [part for part in command if re.match(r"[A-Z_]+=", str(part))]
    variables |= dict(each.split("=", 1) for each in assigned)
    command = [str(part) for part in command if part not in assigned]
    ended = subprocess.run(
        command, env=variables, cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if ended.returncode:
        sys.exit(f"{ended.stdout}\n{' '.join(command)}: status {ended.returncode}")
    if not quiet:
        print("\n".join(ended.stdout.strip().splitlines()[-3:]), flush=True)


def readme(python, work):
    """The README's first program."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    program = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    return [(python, "-c", program)]


def on_jax(python, work):
    """The same on JAX."""
    return [("KERAS_BACKEND=jax", *readme(python, work)[0])]


def experiments(python, work):
    """A comparison from texts to a report, by the command."""
    return [(python.parent / "keras-amp", "train", "cnn", *TINY)]


def hub(python, work):
    """A KerasHub task with a tiny random encoder."""
    return [(python, "-c", HUB)]


def searching(python, work):
    """A search of two trials a method, with a tiny network."""
    return [(python, "-c", SEARCH)]


def cluster(python, work):
    """A grid of two cells on a Ray cluster of this machine."""
    (work / "tiny.toml").write_text(GRID)
    return [(python.parent / "keras-amp", "grid", "tiny.toml", "--cluster", "local")]


def everything(python, work):
    """What the extras of ``all`` do."""
    return [*experiments(python, work), *hub(python, work), *searching(python, work)]


EXAMPLES = {
    "": readme,
    "experiments": experiments,
    "hub": hub,
    "search": searching,
    "jax": on_jax,
    "cluster": cluster,
    "all": everything,
}

if __name__ == "__main__":
    main()
