import logging.handlers
import sys

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.formats.onnx_model import write_onnx
from tf_darts.formats.versions import new_version
from tf_darts.runs.export_tasks import export_task


@pytest.fixture(scope="module")
def task(finished, opened, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    finished(path, "cifar10", auxiliary_weight=0.0)
    with opened(path) as training:
        yield export_task(training)


def test_a_model(tmp_path, task):
    onnxruntime = pytest.importorskip("onnxruntime", reason="the optional extra onnx is missing")
    pytest.importorskip("tf2onnx", reason="the optional extra onnx is missing")
    warnings = logging.handlers.BufferingHandler(100)
    tf.get_logger().addHandler(warnings)
    with new_version(tmp_path, 2) as version:
        write_onnx(task.served, task.card, [task.names], version)
    tf.get_logger().removeHandler(warnings)
    assert not warnings.buffer, "nobody can act on them"
    folder = tmp_path / "2"
    assert {path.name for path in folder.iterdir()} == {
        *("labels.txt", "model.onnx", "model_card.json", "model_card.md")
    }
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    images = np.random.default_rng(3).integers(0, 256, (7, 32, 32, 3)).astype(np.uint8)
    (found,) = session.run(["probabilities"], {"images": images.astype(np.float32)})
    np.testing.assert_allclose(found, task.served.answer_pixels(images)["probabilities"], atol=1e-5)


def test_without_tf2onnx(tmp_path, task, monkeypatch):
    for name in ("onnxruntime", "tf2onnx"):
        monkeypatch.setitem(sys.modules, name, None)
    sentence = r"pip install 'tf_darts\[onnx\]'"
    with pytest.raises(UserError, match=sentence), new_version(tmp_path) as version:
        write_onnx(task.served, task.card, [task.names], version)
    assert not list(tmp_path.iterdir())
