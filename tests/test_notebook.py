"""The notebook: stored without outputs, and every cell of it runs."""

import base64
import io
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_there_is_a_notebook():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stored_without_outputs(path):
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_of_a_notebook_runs_and_shows_what_it_says(
    path, tmp_path, monkeypatch
):
    nbclient = pytest.importorskip("nbclient", reason='pip install "keras-amp[dev]"')
    pytest.importorskip("ipykernel", reason='pip install "keras-amp[dev]"')
    pytest.importorskip("pandas", reason='pip install "keras-amp[experiments]"')
    nbformat = pytest.importorskip("nbformat")
    image = pytest.importorskip("matplotlib.image")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    # Nothing of it may need the network or data of the machine.
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("KERAS_AMP_DATA", raising=False)

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()

    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [o for o in outputs if "Warning" in str(o.get("text", ""))]
    figures = [
        base64.b64decode(output.data["image/png"])
        for output in outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(figures) >= 2
    for figure in figures:
        pixels = image.imread(io.BytesIO(figure))
        assert min(pixels.shape[:2]) > 100
        assert pixels[..., :3].std() > 0.01  # not blank
    assert {path.name for path in tmp_path.iterdir()} <= {"ipython"}
    # What the text says of the curves: without mixing least at the ends, largest between.
    (html,) = re.findall(r"<tbody>.*</tbody>", outputs[-1].data["text/html"], re.DOTALL)
    rows = [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in html.split("</tr>")[:-1]]
    assert [row[0] for row in rows] == ["0.00", "0.25", "0.50", "0.75", "1.00"]
    for lam, none, *mixing in ([float(cell) for cell in row] for row in rows):
        assert none < min(mixing) if lam in (0, 1) else none > max(mixing)
