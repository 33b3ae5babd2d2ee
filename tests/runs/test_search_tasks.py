import dataclasses

import pytest
import tensorflow as tf

from tf_darts import CifarNetwork, multiply_adds, weight_count
from tf_darts.cells.published import PUBLISHED
from tf_darts.config import presets as config
from tf_darts.errors import UserError
from tf_darts.runs.search_tasks import search_task
from tf_darts.runtime.precision import set_precision


def task_of(dataset, **settings):
    return search_task(dataclasses.replace(config.PRESETS["search", dataset], **settings))


def test_a_recurrent_cell_is_counted_at_the_size_that_is_trained():
    task = task_of("pydoc", units=8, batch_size=4, bptt=6)
    cell, words = PUBLISHED["recurrent"]["darts_v2"], task.supernet.model.words
    assert task.counts(cell) == {
        "weights": 20 * 850**2 + 850 * words + words,
        "multiply-adds a word": 20 * 850**2 + 850 * words,
    }


@pytest.mark.slow
def test_convolutional_cells_are_counted_at_the_size_that_is_trained():
    task = task_of("digits", channels=2, layers=3, batch_size=8)
    for name in ("darts_v1", "darts_v2"):
        cell = PUBLISHED["convolutional"][name]
        trained = CifarNetwork(cell, classes=10)
        assert task.counts(cell) == {
            "weights": weight_count(trained, image_channels=1),
            "multiply-adds an image": multiply_adds(trained, 8, image_channels=1),
        }


def test_a_precision_without_effect_is_refused(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    set_precision("mixed_bfloat16")
    try:
        with pytest.raises(UserError, match="without a GPU no product of 8 units"):
            task_of("pydoc", units=8, batch_size=4, bptt=6)
    finally:
        set_precision("float32")
