"""LiteRT models of a small network: what is written answers as the network does."""

import json
import sys

import numpy as np
import pytest

from tf_darts.errors import UserError
from tf_darts.formats import litert
from tf_darts.formats.litert import PRECISIONS, write_litert
from tf_darts.formats.versions import new_version
from tf_darts.runs.export_tasks import export_task


@pytest.fixture(scope="module")
def task(finished, opened, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    finished(path, "cifar10", auxiliary_weight=0.0)
    with opened(path) as training:
        yield export_task(training)


def pixels():
    return np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3)).astype(np.float32)


@pytest.mark.long  # test_export_command.py compares the three, of a network that was trained
def test_three_precisions(tmp_path, task):
    pytest.importorskip("ai_edge_litert", reason="the optional extra litert is not installed")
    with new_version(tmp_path, 3) as version:
        found = write_litert(task.served, task.card, [task.names], pixels, version)
    assert tuple(found) == PRECISIONS
    assert found["float32"]["largest_difference"] < 1e-5
    assert found["float16"]["largest_difference"] < 0.05
    assert found["float32"]["runs_with_xnnpack"] and found["float16"]["runs_with_xnnpack"]
    assert found["int8"]["largest_difference"] < 0.2
    assert {path.name for path in (tmp_path / "3").iterdir()} == {
        *("labels.txt", "model_card.json", "model_card.md"),
        *(f"model_{precision}.tflite" for precision in PRECISIONS),
    }
    card = json.loads((tmp_path / "3" / "model_card.json").read_text())
    assert card["litert"] == found
    assert card["model"]["inputs"] == {"images": "float32 [?, 32, 32, 3]"}


def test_another_answer_leaves_nothing(tmp_path, task, monkeypatch):
    monkeypatch.setattr(litert, "_litert", lambda: None)
    monkeypatch.setattr(litert, "_converted", lambda *_: b"a model")
    monkeypatch.setattr(litert, "_run", lambda *_: (np.ones([6, 3]), True))
    sentence = "float32 model answers otherwise than the network"
    with pytest.raises(UserError, match=sentence), new_version(tmp_path) as version:
        write_litert(task.served, task.card, [task.names], pixels, version)
    assert not list(tmp_path.iterdir())


def test_without_litert(tmp_path, task, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    sentence = r"pip install 'tf_darts\[litert\]'"
    with pytest.raises(UserError, match=sentence), new_version(tmp_path) as version:
        write_litert(task.served, task.card, [task.names], pixels, version)
    assert not list(tmp_path.iterdir())


def test_language_models_have_no_such_form(tmp_path, finished, opened):
    finished(tmp_path / "run", "pydoc")
    with opened(tmp_path / "run") as training:
        task = export_task(training)
    sentence = "litert and onnx are for image classifiers"
    with pytest.raises(UserError, match=sentence), new_version(tmp_path / "out") as version:
        write_litert(task.served, task.card, [task.names], task.representative, version)
    assert not (tmp_path / "out").exists()
