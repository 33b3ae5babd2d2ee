"""kill -9 at any moment of a study: every state of its directory goes on to the same ranking."""

import contextlib
import os
import shutil
import signal

import pytest
from keras_tuner.errors import FatalError

from tests.support.crash_states import crash_states
from tests.support.toy_study import BLACK_BOX, SELECTION, row
from tf_darts.config.presets import configure
from tf_darts.errors import UserError
from tf_darts.runtime.signals import Stopped
from tf_darts.study import run_study

TUNING = {
    "mode": "tune",
    "dataset": "pydoc",
    "genotype": "darts_v2",
    "tune": "learning_rate=1:40:log",
}
STUDIES = {
    "select": SELECTION | {"count": 1},
    "random": BLACK_BOX | {"trials": 2},
    "bayesian": TUNING | {"trials": 4, "tuner": "bayesian"},  # one after its three random points
    "hyperband": TUNING | {"tuner": "hyperband", "train_settings": "epochs=3"},
}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize(
    ("name", "every"),
    [
        *((name, 3) for name in STUDIES if name != "bayesian"),
        pytest.param("bayesian", 3, marks=pytest.mark.long),
        *(pytest.param(name, 1, marks=pytest.mark.long) for name in STUDIES),
    ],
)
def test_every_state_goes_on_to_the_same_ranking(toy, tmp_path, name, every):
    study = STUDIES[name]
    with crash_states(tmp_path / "study", tmp_path / "states") as states:
        if name == "select":  # one fails, and more are added
            toy.answers["random_seed0"] = UserError("It diverged.")
            toy.run(tmp_path / "study", **study)
            study = study | {"count": 2}
        whole = toy.run(tmp_path / "study", **study)
    born = [state for state in states if not (state / "config.json").exists()]
    assert any(entry.name.endswith(".partial") for state in born for entry in state.iterdir())
    begun = states[len(born) :]
    if name in ("bayesian", "hyperband"):  # the end alone: the beginning is random search
        begun = begun[-30:]
    assert len(begun) >= 30
    for state in [*born, *begun[::every]]:
        assert toy.run(state, **study) == whole, state
        # A candidate is evaluated once, but for the one at which it was killed.
        assert len(set(toy.evaluated)) == len(toy.evaluated)


@pytest.mark.usefixtures("as_chief")
def test_a_chief_that_is_interrupted_says_how_to_go_on(toy, tmp_path, monkeypatch):
    def interrupted(tuner):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_study.StudyTuner, "search", interrupted)
    with pytest.raises(Stopped, match="the same command goes on with the study") as stopped:
        toy.run(tmp_path / "study", **SELECTION)
    assert stopped.value.signal_number == signal.SIGINT


@pytest.mark.parametrize(
    ("study", "lost"),
    [
        pytest.param(study, lost, id=f"{name}-{lost}")
        for name, study in STUDIES.items()
        for lost in ("tuner", "candidates", "ranking.json", "tuner/oracle.json")
        if not (name == "select" and lost.startswith("tuner"))  # it has no such folder
    ],
)
def test_what_is_lost_is_made_again(toy, tmp_path, study, lost):
    """What our sentences advise: moving keras-tuner's folder away."""
    whole = toy.run(tmp_path, **study)
    found = tmp_path / lost
    if found.is_dir():
        shutil.rmtree(found)
    else:
        found.unlink()
    assert toy.run(tmp_path, **study) == whole
    if lost == "candidates":
        assert len(toy.evaluated) == len(whole["candidates"])
    else:
        assert toy.evaluated == []


def test_a_trial_whose_result_is_removed_is_evaluated_again(toy, tmp_path, capsys):
    toy.answers["trial_1"] = UserError("It diverged.")
    failed = toy.run(tmp_path, **BLACK_BOX)
    assert toy.run(tmp_path, **BLACK_BOX) == failed and toy.evaluated == []
    toy.answers.clear()
    (tmp_path / "candidates" / "trial_1" / "candidate.json").unlink()
    again = toy.run(tmp_path, **BLACK_BOX)
    assert toy.evaluated == ["trial_1"]
    assert {row["status"] for row in again["candidates"]} == {"completed"}
    assert "[trial_1] has no candidate.json; it is evaluated again" in capsys.readouterr().out


def test_a_candidate_whose_result_is_removed_is_evaluated_again(toy, tmp_path):
    toy.answers["random_seed1"] = UserError("It diverged.")
    failed = toy.run(tmp_path, **SELECTION)
    assert [row["name"] for row in failed["candidates"]][-1] == "random_seed1"
    assert toy.run(tmp_path, **SELECTION) == failed and toy.evaluated == []
    toy.answers.clear()
    (tmp_path / "candidates" / "random_seed1" / "candidate.json").unlink()
    again = toy.run(tmp_path, **SELECTION)
    assert toy.evaluated == ["random_seed1"]
    assert {row["status"] for row in again["candidates"]} == {"completed"}
    assert not (tmp_path / "tuner").exists(), "a list needs no tuner"


def test_a_selection_that_a_tuner_began_goes_on(toy, tmp_path):
    """As of older versions, or of a chief and its workers: the candidates' folders count."""
    whole = toy.run(tmp_path, **SELECTION)
    (tmp_path / "tuner" / "trial_0").mkdir(parents=True)
    for file in ("oracle.json", "tuner0.json", "trial_0/trial.json"):
        (tmp_path / "tuner" / file).write_text("{")
    (tmp_path / "candidates" / "random_seed0" / "candidate.json").unlink()
    assert toy.run(tmp_path, **SELECTION) == whole
    assert toy.evaluated == ["random_seed0"]


class _Renewed(Exception):
    """In place of a program that begins anew, which ends this one."""


@pytest.mark.parametrize("name", ["select", "random"])
def test_a_study_that_begins_anew_before_each_candidate(toy, tmp_path, name):
    study = configure(STUDIES[name] | {"run_dir": str(tmp_path / "study")})
    whole = toy.run(tmp_path / "whole", **STUDIES[name])
    ranking, calls = None, 0

    def renew():
        nonlocal calls
        calls += 1
        if calls % 2 == 0:
            raise _Renewed

    evaluated = []
    while ranking is None:
        toy.evaluated.clear()
        with contextlib.suppress(_Renewed, FatalError):
            ranking = run_study.run_study(study, before_candidate=renew)
        evaluated += toy.evaluated
    assert ranking == whole and calls > 2
    assert len(set(evaluated)) == len(evaluated)


def test_who_was_asked_to_stop_does_not_begin_anew(toy, tmp_path, monkeypatch):
    """The new program would not know of it, and go on."""
    asked = []

    def evaluate(candidate, *arguments, **settings):
        os.kill(os.getpid(), signal.SIGTERM)
        return row(candidate)

    monkeypatch.setattr(run_study, "train_candidate", evaluate)
    study = configure(SELECTION | {"count": 2, "run_dir": str(tmp_path / "study")})
    run_study.run_study(study, before_candidate=lambda: asked.append("anew"))
    assert asked == ["anew"]
