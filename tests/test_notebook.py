"""The notebook of the documents: its cells of code are run one after the other, at toy size.

That is in this process, which has imported TensorFlow; functions are not compiled until the export,
which is all about graphs. What takes long and has tests of its own is left out: the count of
memory, and the check of the export in a fresh process.
"""

import matplotlib.pyplot as plt
import nbformat
import pytest
import tensorflow as tf

from tests.support.paths import ROOT
from tf_darts.formats import saved_model
from tf_darts.runs import search, training

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
TOY = {"channels": 2, "batch_size": 60, "epochs": 1, "steps_per_epoch": 1}

pytestmark = pytest.mark.skipif(not NOTEBOOK.exists(), reason="not in a checkout")


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_is_a_notebook_without_outputs(notebook):
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) > 5 and not any(cell.outputs or cell.execution_count for cell in code)
    assert notebook.cells[0].source.startswith("# ")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning")
def test_its_cells_run_one_after_the_other(notebook, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shown = []
    monkeypatch.setattr(search, "search_memory", lambda *arguments: None)
    monkeypatch.setattr(training, "training_memory", lambda *arguments: None)
    monkeypatch.setattr(saved_model, "_check", lambda folder: None)
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.gcf()) or plt.close("all"))
    names = {"__name__": "__main__"}
    tf.config.run_functions_eagerly(True)
    try:
        for cell in notebook.cells:
            if cell.cell_type != "code":
                continue
            if cell.id == "export":
                tf.config.run_functions_eagerly(False)
            exec(compile(cell.source, f"the notebook's cell {cell.id}", "exec"), names)
            if "parameters" in cell.metadata.get("tags", []):
                names["SEARCH"] |= TOY | {"operations": "skip_connect,sep_conv_3x3"}
                names["NETWORK"] |= TOY
    finally:
        tf.config.run_functions_eagerly(False)
    out = capsys.readouterr().out
    assert len(shown) == 4 and str(names["found"].cell) in out
    label, _, probability = out.splitlines()[-6].partition(": ")
    assert label.startswith("digit_") and 0.1 <= float(probability) <= 1  # of ten classes
    assert "The file is pictures/test/digit_" in out
