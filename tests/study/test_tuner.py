"""Studies with candidates that cost nothing: failures, resuming, files."""

import errno
import json
import os
import threading

import keras_tuner
import pytest
import tensorflow as tf
from keras_tuner.errors import FatalError

from tests.support.toy_study import row as toy_row
from tf_darts.cells.published import PUBLISHED
from tf_darts.config.presets import configure
from tf_darts.errors import StateError, StorageError, UserError
from tf_darts.runtime.signals import Stopped
from tf_darts.study.candidates import Candidate
from tf_darts.study.evaluation import Evaluation
from tf_darts.study.oracles import CANDIDATE, black_box_oracle, candidate_oracle
from tf_darts.study.settings import training_config
from tf_darts.study.train_candidate import failure, load_rows, save_row
from tf_darts.study.tuner import StudyTuner

NAMES = ["a", "b", "c", "d", "e"]
TRAINING = training_config(configure({"mode": "select", "dataset": "pydoc"}))
CELL = PUBLISHED["recurrent"]["darts_v1"]


class Study:
    """What is evaluated, with scores by name; an exception in place of a score is raised."""

    def __init__(self, directory, scores):
        self.directory, self.scores, self.seen, self.ended = directory, scores, [], 0

    def evaluate(self, candidate, folder):
        assert folder == self.directory / "candidates" / candidate.name
        self.seen.append(candidate.name)
        score = self.scores[candidate.name]
        if isinstance(score, BaseException):
            raise score
        return toy_row(candidate, score=score)

    def done(self):
        self.ended += 1

    def tuner(self):
        candidates = {name: Candidate(name, "given", None, CELL, None, TRAINING) for name in NAMES}
        return StudyTuner(
            candidate_oracle(NAMES, "min"),
            self.directory,
            lambda trial: candidates[trial.hyperparameters.get(CANDIDATE)],
            Evaluation(self.directory / "candidates", self.evaluate),
            self.done,
        )


def scores(**others):
    return {name: float(i) for i, name in enumerate(NAMES)} | others


def test_each_candidate_once_in_order(tmp_path):
    study = Study(tmp_path, scores())
    study.tuner().search()
    assert study.seen == NAMES and study.ended == 5
    assert [row["score"] for row in load_rows(tmp_path / "candidates")] == [0, 1, 2, 3, 4]


def evaluated_by(oracle, worker, score=None):
    """A trial that a worker takes and ends, failed without a score; its message is not sent."""
    trial = oracle.create_trial(worker)
    if score is not None:
        oracle.update_trial(trial.trial_id, {"score": score})
    trial.status = "FAILED" if score is None else "COMPLETED"
    oracle.end_trial(trial)


@pytest.mark.usefixtures("as_chief")
def test_a_chief_says_who_does_what_and_ranks_what_is_done(tmp_path, capsys):
    study = Study(tmp_path, scores())
    tuner = study.tuner()
    tuner.tell_start()
    evaluated_by(tuner.oracle, "worker0", score=7.25)
    candidate = Candidate("b", "given", None, CELL, None, TRAINING)
    save_row(tmp_path / "candidates" / "b", failure(candidate, "it diverged"))
    evaluated_by(tuner.oracle, "worker1")
    evaluated_by(tuner.oracle, "worker1")
    assert capsys.readouterr().out.splitlines() == [
        "The chief listens at 127.0.0.1:4321; 0 of 5 candidates are done. A worker is the same"
        " command with another KERASTUNER_TUNER_ID.",
        "[a] goes to worker0",
        "[a] score 7.25; 1 of 5 candidates are done",
        "[b] goes to worker1",
        "[b] failed: it diverged; 2 of 5 candidates are done",
        "[c] goes to worker1",
        "[c] failed; 3 of 5 candidates are done",
    ]
    assert study.ended == 3


@pytest.mark.usefixtures("as_chief")
def test_a_ranking_that_cannot_be_made_stops_no_worker(tmp_path, capsys, monkeypatch):
    study = Study(tmp_path, scores())
    monkeypatch.setattr(study, "done", lambda: (tmp_path / "gone").read_text())
    tuner = study.tuner()
    evaluated_by(tuner.oracle, "worker0", score=7.25)
    assert "The ranking is not up to date (" in capsys.readouterr().err
    waiting = threading.Thread(target=evaluated_by, args=(tuner.oracle, "worker1", 8.0))
    waiting.start()
    waiting.join(timeout=10)
    assert not waiting.is_alive(), "keras-tuner's lock was kept"


@pytest.mark.parametrize("method", ["create_trial", "end_trial"])
def test_a_full_disk_leaves_no_lock_behind(tmp_path, monkeypatch, method):
    """Else all other workers would wait for ever."""
    oracle = candidate_oracle(NAMES, "min")
    oracle._set_project_dir(str(tmp_path), "oracle")
    trial = oracle.create_trial("worker_1")
    trial.status, trial.score = "COMPLETED", 1.0
    oracle.update_trial(trial.trial_id, {"score": 1.0})

    def full():
        raise StorageError("no room")

    asked = {"create_trial": lambda: oracle.create_trial("worker_2")}
    asked["end_trial"] = lambda: oracle.end_trial(trial)
    with monkeypatch.context() as patch:
        patch.setattr(oracle, "save", full)
        with pytest.raises(StorageError, match="no room"):
            asked[method]()
    answered = threading.Thread(target=lambda: oracle.create_trial("worker_3"), daemon=True)
    answered.start()
    answered.join(20)
    assert not answered.is_alive()


def test_failed_candidates_are_reported_and_the_study_goes_on(tmp_path, capsys):
    diverged = UserError("The training diverged.")
    study = Study(tmp_path, scores(a=diverged, b=diverged, c=diverged, d=diverged))
    tuner = study.tuner()
    tuner.search()
    assert study.seen == NAMES, "four failures in a row are no reason to stop"
    rows = {row["name"]: row for row in load_rows(tmp_path / "candidates")}
    assert rows["b"]["status"] == "failed" and rows["b"]["reason"] == "The training diverged."
    assert rows["b"]["score"] is None
    best = tuner.oracle.get_best_trials(5)
    assert [trial.status for trial in best] == ["COMPLETED", *["FAILED"] * 4]
    out, err = capsys.readouterr()
    assert "[b] failed: The training diverged." in out
    assert "Traceback" not in out + err
    assert best[1].message == "The training diverged."


@pytest.mark.parametrize(
    "error",
    [
        Stopped(15, "Stopped."),
        TypeError("a bug"),
        StorageError("runs/x: cannot be written (No space left on device); make room."),
        StateError("runs/x/history.jsonl: cannot be read (line 3: Expecting value)."),
    ],
)
def test_what_is_no_failure_of_a_candidate_ends_the_study(tmp_path, error):
    study = Study(tmp_path, scores(b=error))
    with pytest.raises(FatalError) as raised:
        study.tuner().search()
    assert raised.value.__cause__ is error
    assert study.seen == ["a", "b"]
    assert not (tmp_path / "candidates" / "b" / "candidate.json").exists()


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/x/train/result.json"),
        tf.errors.PermissionDeniedError(None, None, "runs/x/train; Permission denied"),
    ],
)
def test_what_the_system_refuses_is_one_sentence_and_ends_the_study(tmp_path, error):
    study = Study(tmp_path, scores(b=error))
    with pytest.raises(FatalError) as raised:
        study.tuner().search()
    sentence = str(raised.value.__cause__)
    assert isinstance(raised.value.__cause__, StorageError) and "\n" not in sentence
    assert "runs/x/train" in sentence and "the same command goes on" in sentence
    again = Study(tmp_path, scores())
    again.tuner().search()
    assert again.seen == ["b", "c", "d", "e"], "what was refused is tried again"


def test_a_stopped_study_goes_on_where_it_was(tmp_path):
    first = Study(tmp_path, scores(c=Stopped(15, "Stopped.")))
    tuner = first.tuner()
    tuner.save()
    with pytest.raises(FatalError):
        tuner.search()
    second = Study(tmp_path, scores())
    second.tuner().search()
    assert second.seen == ["c", "d", "e"]
    third = Study(tmp_path, scores())
    third.tuner().search()
    assert third.seen == []


def test_a_trial_of_another_study_is_named(tmp_path):
    Study(tmp_path, scores()).tuner().search()
    file = tmp_path / "tuner" / "trial_1" / "trial.json"
    trial = json.loads(file.read_text())
    del trial["sha256"]  # as an older version wrote it
    trial["hyperparameters"]["values"][CANDIDATE] = "x"
    file.write_text(json.dumps(trial))
    words = f"{file.parent}: its trial is no candidate of this study; move the folder .* away"
    with pytest.raises(StateError, match=words):
        Study(tmp_path, scores()).tuner()


def test_killed_before_anything_was_saved_it_begins_again(tmp_path):
    """A kill between the first proposal and the first save of the tuner."""
    oracle = candidate_oracle(NAMES, "min")
    oracle._set_project_dir(str(tmp_path), "tuner")
    oracle.verbose = 0
    assert oracle.create_trial("tuner0").hyperparameters.get(CANDIDATE) == "a"
    study = Study(tmp_path, scores())
    study.tuner().search()
    assert study.seen == NAMES


def test_its_files_are_whole(tmp_path):
    Study(tmp_path, scores()).tuner().search()
    files = list((tmp_path / "tuner").rglob("*"))
    assert not [file for file in files if file.name.startswith(".")], "no temporary ones are left"
    for file in files:
        if file.suffix == ".json":
            json.loads(file.read_text())


@pytest.mark.parametrize("tuner", ["random", "bayesian", "hyperband"])
def test_black_box_tuners_find_the_better_half(tmp_path, tuner):
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.Float("x", 0.0, 1.0)
    oracle = black_box_oracle(tuner, hyperparameters, score_mode="max", trials=12, epochs=9, seed=0)
    seen = []

    def candidate_of(trial):
        seen.append((trial.hyperparameters.get("x"), trial.hyperparameters.values))
        return Candidate(f"t{trial.trial_id}", tuner, None, CELL, None, TRAINING)

    def evaluate(candidate, folder):
        return toy_row(candidate, score=seen[-1][0])

    evaluation = Evaluation(tmp_path / "candidates", evaluate)
    study = StudyTuner(oracle, tmp_path, candidate_of, evaluation, lambda: None)
    study.search()
    assert study.oracle.get_best_trials(1)[0].score == max(x for x, _ in seen) > 0.7
    if tuner == "hyperband":
        epochs = {values["tuner/epochs"] for _, values in seen}
        assert max(epochs) == 9 and len(epochs) > 1
    else:
        assert len(seen) == 12


def test_the_seed_decides_what_is_proposed(tmp_path):
    def first(seed, folder):
        hyperparameters = keras_tuner.HyperParameters()
        hyperparameters.Float("x", 0.0, 1.0)
        oracle = black_box_oracle(
            "random", hyperparameters, score_mode="max", trials=2, epochs=9, seed=seed
        )
        oracle.verbose = 0
        oracle._set_project_dir(str(tmp_path / folder), "tuner")
        return oracle.create_trial("t").hyperparameters.get("x")

    assert first(0, "a") == first(0, "b") != first(1, "c")


def test_a_study_whose_candidates_are_all_tried_says_so(tmp_path, capsys):
    """Two cells are all that there are; keras-tuner ends there without a word."""
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.Int("x", 0, 1)
    oracle = black_box_oracle(
        "random", hyperparameters, score_mode="max", trials=9, epochs=1, seed=0
    )

    def candidate(trial):
        return Candidate(f"t{trial.trial_id}", "random", None, CELL, None, TRAINING)

    evaluation = Evaluation(tmp_path / "candidates", lambda c, folder: toy_row(c, score=1.0))
    tuner = StudyTuner(oracle, tmp_path, candidate, evaluation, lambda: None)
    tuner.search()
    assert capsys.readouterr().err == ""
    tuner.tell_end()
    assert "ends after 2 of 9 trials" in capsys.readouterr().err
    whole = Study(tmp_path / "whole", scores()).tuner()
    whole.search()
    whole.tell_end()
    assert capsys.readouterr().err == ""
