"""Rows of candidates, and who may work on one."""

import fcntl
import signal
import threading

import pytest

from tests.support.toy_study import row as toy_row
from tf_darts.cells.published import PUBLISHED
from tf_darts.config.presets import configure
from tf_darts.runtime import busy
from tf_darts.runtime.signals import Stopped, StopRequest
from tf_darts.study.candidates import Candidate
from tf_darts.study.settings import training_config
from tf_darts.study.train_candidate import held, load_rows, ranked, save_row, snapshot_epochs

CELL = PUBLISHED["recurrent"]["darts_v1"]
TRAINING = training_config(configure({"mode": "select", "dataset": "pydoc"}))


@pytest.mark.parametrize(
    ("epochs", "snapshots", "expected"),
    [
        (4, 0, []),
        (4, 1, [4]),
        (4, 2, [2, 4]),
        (5, 2, [2, 5]),
        (3, 9, [1, 2, 3]),
        (10, 3, [3, 7, 10]),
    ],
)
def test_snapshots_are_spread_and_end_with_the_last_epoch(epochs, snapshots, expected):
    assert snapshot_epochs(epochs, snapshots) == expected


def test_rows_come_back_and_are_ranked(tmp_path):
    scores = {"a": 3.0, "b": 1.0, "c": None, "d": 2.0}
    for name, score in scores.items():
        status = "failed" if score is None else "completed"
        candidate = Candidate(name, "given", None, CELL, None, TRAINING)
        save_row(tmp_path / name, toy_row(candidate, score=score, status=status))
    rows = load_rows(tmp_path)
    assert [row["name"] for row in rows] == list("abcd")
    assert [row["name"] for row in ranked(rows, "min")] == list("bdac")
    assert [row["name"] for row in ranked(rows, "max")] == list("adbc")


def test_a_candidate_that_another_holds_is_waited_for(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(busy, "PATIENCE", 0.1)
    other = (tmp_path / ".lock").open("w")
    fcntl.flock(other, fcntl.LOCK_EX)
    threading.Timer(0.5, other.close).start()
    with held(tmp_path, StopRequest()):
        assert other.closed
    assert f"Waiting for the process that is at {tmp_path} …" in capsys.readouterr().out


def test_waiting_can_be_stopped(tmp_path):
    stop = StopRequest()
    stop.receive(signal.SIGTERM, None)
    with (tmp_path / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Stopped, match="another process is at"), held(tmp_path, stop):
            pass
