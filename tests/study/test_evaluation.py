"""A list of candidates that cost nothing: order, failures, resuming."""

import dataclasses
import errno
import os

import pytest
import tensorflow as tf

from tests.support.toy_study import row as toy_row
from tf_darts.cells.published import PUBLISHED
from tf_darts.config.presets import configure
from tf_darts.errors import StateError, StorageError, UserError
from tf_darts.runtime.signals import Stopped
from tf_darts.study.candidates import Candidate
from tf_darts.study.evaluation import Evaluation
from tf_darts.study.settings import training_config
from tf_darts.study.train_candidate import load_rows

NAMES = ["b", "a", "d", "c"]
TRAINING = training_config(configure({"mode": "select", "dataset": "pydoc"}))
CELLS = PUBLISHED["recurrent"]
LIST = [Candidate(name, "given", None, CELLS["darts_v1"], None, TRAINING) for name in NAMES]


def run(directory, candidates=LIST, **answers):
    """The names that were evaluated; `answers` are raised."""
    seen = run.seen = []

    def evaluate(candidate, folder):
        assert folder == directory / candidate.name
        seen.append(candidate.name)
        if candidate.name in answers:
            raise answers[candidate.name]
        return toy_row(candidate, score=float(len(seen)))

    evaluation = Evaluation(directory, evaluate)
    for candidate in evaluation.missing(candidates):
        evaluation.evaluate(candidate)
    return seen


def test_each_candidate_once_in_order(tmp_path):
    assert run(tmp_path) == NAMES
    scores = {row["name"]: row["score"] for row in load_rows(tmp_path)}
    assert scores == {"b": 1.0, "a": 2.0, "d": 3.0, "c": 4.0}
    assert run(tmp_path) == []


def test_failed_candidates_are_kept_and_the_others_go_on(tmp_path, capsys):
    diverged = UserError("The training diverged.")
    assert run(tmp_path, a=diverged, d=diverged) == NAMES
    rows = {row["name"]: row for row in load_rows(tmp_path)}
    assert (rows["a"]["status"], rows["a"]["reason"]) == ("failed", "The training diverged.")
    assert rows["a"]["score"] is None and rows["c"]["status"] == "completed"
    out, err = capsys.readouterr()
    assert "[a] failed: The training diverged." in out and "[c] score 4.00" in out
    assert "Traceback" not in out + err
    assert run(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Stopped(15, "Stopped."), Stopped),
        (TypeError("a bug"), TypeError),
        (StateError("runs/x/history.jsonl: cannot be read."), StateError),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/x/result.json"), StorageError),
        (tf.errors.ResourceExhaustedError(None, None, "x; No space left on device"), StorageError),
        (tf.errors.OutOfRangeError(None, None, "x; File too large"), StorageError),
    ],
)
def test_what_is_no_failure_of_a_candidate_ends_it(tmp_path, error, kind):
    with pytest.raises(kind):
        run(tmp_path, a=error)
    assert run.seen == ["b", "a"]
    assert not (tmp_path / "a" / "candidate.json").exists()
    assert run(tmp_path) == ["a", "d", "c"]


def test_what_needs_too_much_memory_has_failed(tmp_path):
    error = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
    assert run(tmp_path, a=error) == NAMES
    row = next(row for row in load_rows(tmp_path) if row["name"] == "a")
    assert row["status"] == "failed" and "needs more memory than there is" in row["reason"]


def test_data_that_are_gone_are_no_failure_of_a_candidate(tmp_path):
    """Whoever mends them types the command again, and the candidate is evaluated."""
    there = True

    def evaluate(candidate, folder):
        raise UserError("--data_dir=DIR: there is no such directory; give another one.")

    def check():
        if not there:
            raise UserError("--data_dir=DIR: there is no such directory; give another one.")

    evaluation = Evaluation(tmp_path, evaluate, check_data=check)
    assert evaluation.evaluate(LIST[0])["status"] == "failed"
    there = False
    with pytest.raises(StateError, match=r"another one\. The study stops here"):
        evaluation.evaluate(LIST[1])
    assert [row["name"] for row in load_rows(tmp_path)] == ["b"]


def test_the_folder_of_another_is_found_before_any_work(tmp_path):
    run(tmp_path, [LIST[-1]])
    others = [*LIST[:-1], Candidate("c", "given", None, CELLS["enas"], None, TRAINING)]
    with pytest.raises(StateError, match=f"^{tmp_path / 'c'}: holds the result of another"):
        run(tmp_path, others)
    assert run.seen == []


def test_what_does_not_go_together_has_failed_without_any_work(tmp_path):
    refused = dataclasses.replace(LIST[0], refused="these rates do not fall")
    assert run(tmp_path, [refused]) == []
    (row,) = load_rows(tmp_path)
    assert (row["status"], row["reason"]) == ("failed", "these rates do not fall")
