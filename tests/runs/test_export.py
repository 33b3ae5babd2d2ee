"""An export reads a finished training, which others may read meanwhile."""

import contextlib

import pytest

from tf_darts.errors import StateError
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
