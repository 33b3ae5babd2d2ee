"""An export reads a finished training, which others may read meanwhile."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.errors import StateError
from tf_darts.formats.serving_model import DEFAULT
from tf_darts.runs.export_tasks import export_task
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
def test_without_fast_forms_an_export_answers_alike(tmp_path, finished, opened, dataset):
    requests = {
        "pydoc": {"tokens": tf.constant([[0, 1, 3], [2, 5, 1]]), "lengths": tf.constant([3, 2])},
        "cifar10": {"images": tf.fill([2, 32, 32, 3], tf.constant(77, tf.uint8))},
    }
    answers = []
    for accelerate in ("auto", "off"):
        finished(tmp_path / accelerate, dataset, accelerate=accelerate)
        with opened(tmp_path / accelerate) as training:
            signature = export_task(training).served.signatures()[DEFAULT]
            answers.append(tf.function(signature.function)(**requests[dataset]))
    assert answers[0].keys() == answers[1].keys()
    compared = [name for name, value in answers[0].items() if value.dtype.is_floating]
    assert compared
    for name in compared:
        np.testing.assert_allclose(answers[1][name], answers[0][name], rtol=1e-4, atol=1e-5)
