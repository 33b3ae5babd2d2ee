"""An export reads a finished training, which others may read meanwhile."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.config.presets import configure
from tf_darts.errors import StateError
from tf_darts.runs.export import run_export
from tf_darts.training.finished import FinishedTraining


def test_exports_share_a_run_and_write_nothing_there(tmp_path, finished):
    path = tmp_path / "run"
    finished(path, "pydoc")
    (path / ".lock").unlink()  # as of a copy, or where nothing can be written
    before = sorted(path.rglob("*"))
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            training = FinishedTraining.open(str(path), for_reading=True)
            stack.callback(training.run.close)
            assert training.result["epoch"] == 3
    assert sorted(path.rglob("*")) == before


def test_a_run_that_is_written_is_not_exported(tmp_path, finished, opened):
    finished(tmp_path, "pydoc")
    with opened(tmp_path), pytest.raises(StateError, match="another process is running there"):
        FinishedTraining.open(str(tmp_path), for_reading=True)


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["pydoc", "cifar10"])
def test_without_fast_forms_an_export_answers_alike(tmp_path, finished, dataset):
    answers = []
    for accelerate in ("auto", "off"):
        run = tmp_path / accelerate
        finished(run, dataset, accelerate=accelerate)
        asked = {
            "mode": "export",
            "run_dir": str(run),
            "export_dir": str(tmp_path / f"{accelerate}s"),
        }
        loaded = tf.saved_model.load(str(run_export(configure(asked)).path))
        signature = loaded.signatures["serving_default"]
        requests = {
            "pydoc": {
                "tokens": tf.constant([[0, 1, 3], [2, 5, 1]]),
                "lengths": tf.constant([3, 2]),
            },
            "cifar10": {
                "images": tf.cast(
                    tf.reshape(tf.range(2 * 32 * 32 * 3) % 251, [2, 32, 32, 3]), tf.uint8
                )
            },
        }
        answers.append(signature(**requests[dataset]))
    assert answers[0].keys() == answers[1].keys()
    compared = [name for name, value in answers[0].items() if value.dtype.is_floating]
    assert compared
    for name in compared:
        np.testing.assert_allclose(answers[1][name], answers[0][name], rtol=1e-4, atol=1e-5)
