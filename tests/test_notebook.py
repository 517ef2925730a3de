"""The notebooks: every cell of each runs, and shows what is stored of it.

They are stored with what they show, as the site and other readers run nothing. All run in
one process, which has imported Keras already: a kernel of their own would take most of
the time to begin.
"""

import base64
import io
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
BY_NAME = pytest.mark.parametrize("name", [path.stem for path in NOTEBOOKS])
LARGEST = 150_000  # bytes

# Prints what the cells of notebooks show.
RUN = """
import json, sys
from pathlib import Path
sys.path[:0] = sys.argv[1], sys.argv[1] + "/tests"
import tensorflow as tf, untrained
from keras_amp.experiments import worker
from keras_amp.training.tensorflow import compilation
from tools import notebooks

# What takes time and is tested elsewhere: XLA, graphs' optimizer, the study's trainings.
compilation.step_pays = compilation.update_pays = lambda _: False
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
worker.fit_and_test = untrained.fit_and_test
print(json.dumps(notebooks.run([Path(path) for path in sys.argv[2:]])))
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory, fresh):
    """What the code cells show: a dict from names to lists of outputs of each."""
    for module in ("IPython", "matplotlib_inline"):
        pytest.importorskip(module, reason='pip install "keras-amp[dev]"')
    for module in ("pandas", "sklearn"):
        pytest.importorskip(module, reason='pip install "keras-amp[experiments]"')
    folder = tmp_path_factory.mktemp("notebooks")
    # Nothing may need the network or data of the machine.
    proxies = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    alone = {"IPYTHONDIR": str(folder / "ipython"), "KERAS_AMP_DATA": ""}
    printed = fresh.run(RUN, ROOT, *NOTEBOOKS, folder=folder, **proxies, **alone)
    return json.loads(printed)


def data_of(cells, kind):
    """What the cells show of a kind, as texts."""
    outputs = [output.get("data", {}) for cell in cells for output in cell]
    return ["".join(data[kind]) for data in outputs if kind in data]


def table(html):
    """The rows of an HTML table, lists of texts."""
    (body,) = re.findall(r"<tbody>(.*)</tbody>", html, re.DOTALL)
    rows = body.split("</tr>")[:-1]
    return [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in rows]


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ["images", "mixing", "study"]


@BY_NAME
def test_what_is_stored_is_what_the_cells_show(name, shown):
    """Of the same kinds: the numbers are those of another machine."""
    nbformat = pytest.importorskip("nbformat", reason='pip install "keras-amp[dev]"')
    path = ROOT / "notebooks" / f"{name}.ipynb"
    nbformat.validate(notebook := nbformat.read(path, as_version=4))
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell, now in zip(cells, shown[name], strict=True):
        kinds = [(o["output_type"], o.get("name"), set(o.get("data", ()))) for o in now]
        assert kinds == [
            (o.output_type, o.get("name"), set(o.get("data", ()))) for o in cell.outputs
        ], cell.source
        assert "stderr" not in {kind for _, kind, _ in kinds}
    text = path.read_text()
    assert len(text) < LARGEST
    assert not re.search(r"Warning|/home/|/root/|/tmp/|/work/", text)


@BY_NAME
def test_figures_are_not_blank(name, shown):
    image = pytest.importorskip("matplotlib.image")
    figures = [base64.b64decode(png) for png in data_of(shown[name], "image/png")]
    assert len(figures) >= 2
    for figure in figures:
        pixels = image.imread(io.BytesIO(figure))
        assert min(pixels.shape[:2]) > 100
        assert pixels[..., :3].std() > 0.01


def test_the_curves_of_texts_are_as_the_text_says(shown):
    """Without mixing least at the ends, largest between."""
    rows = table(data_of(shown["mixing"], "text/html")[-1])
    assert [row[0] for row in rows] == ["0.00", "0.25", "0.50", "0.75", "1.00"]
    for lam, none, *mixing in ([float(cell) for cell in row] for row in rows):
        assert none < min(mixing) if lam in (0, 1) else none > max(mixing)


def test_the_networks_of_images_learn_and_mixing_lowers_the_loss_between(shown):
    rows = table(data_of(shown["images"], "text/html")[-1])
    learned = {name: [float(cell) for cell in cells] for name, *cells in rows}
    assert list(learned) == ["none", "mixup", "CutMix"]
    assert min(accuracy for accuracy, *_ in learned.values()) > 0.6
    assert max(learned["mixup"][2], learned["CutMix"][2]) < learned["none"][2]


def test_the_study_keeps_its_cells_and_decides_nothing_by_two_seeds(shown):
    assert "True" in data_of(shown["study"], "text/plain")  # the same cells again
    errors, verdict = data_of(shown["study"], "text/markdown")
    assert errors.count("(2) |") == 2
    assert "undecided" in verdict
