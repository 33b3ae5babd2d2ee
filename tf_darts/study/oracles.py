"""keras-tuner's oracles: who proposes the trials of a study."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

import keras_tuner
from keras_tuner import oracles
from keras_tuner.engine.trial import Trial, TrialStatus

from tf_darts.runtime.files import write_atomically

OBJECTIVE = "score"
CANDIDATE = "candidate"  # the hyperparameter of a selection: the candidate's name


class AtomicSaves:
    """Saves an oracle so that a kill never leaves half a file, from which nothing could resume."""

    def save(self) -> None:
        write_atomically(self._get_oracle_fname(), json.dumps(self.get_state()))

    def _save_trial(self, trial: Trial) -> None:
        file = pathlib.Path(self._get_trial_dir(trial.trial_id)) / "trial.json"
        write_atomically(file, json.dumps(trial.get_state()))


class CandidateOracle(AtomicSaves, keras_tuner.Oracle):
    """Proposes each of some named candidates once, in their order.

    Args:
      names: the candidates'.
      options: for `keras_tuner.Oracle`.
    """

    def __init__(self, names: Sequence[str], **options: Any) -> None:
        hyperparameters = keras_tuner.HyperParameters()
        hyperparameters.Choice(CANDIDATE, list(names))
        super().__init__(max_trials=len(names), hyperparameters=hyperparameters, **options)
        self._names = list(names)

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The first candidate that has not been proposed yet; see keras-tuner."""
        del trial_id
        proposed = {trial.hyperparameters.values[CANDIDATE] for trial in self.trials.values()}
        for name in self._names:
            if name not in proposed:
                return {"status": TrialStatus.RUNNING, "values": {CANDIDATE: name}}
        return {"status": TrialStatus.STOPPED, "values": None}


class _Random(AtomicSaves, oracles.RandomSearchOracle):
    pass


class _Bayesian(AtomicSaves, oracles.BayesianOptimizationOracle):
    pass


class _Hyperband(AtomicSaves, oracles.HyperbandOracle):
    pass


def _options(score_mode: str) -> dict[str, Any]:
    """What all oracles have: a study goes on whatever fails, and says so in the end."""
    return {
        "objective": keras_tuner.Objective(OBJECTIVE, score_mode),
        "max_retries_per_trial": 0,
        "max_consecutive_failed_trials": 10**9,
    }


def candidate_oracle(names: Sequence[str], score_mode: str) -> keras_tuner.Oracle:
    """The oracle of a selection; `score_mode` is "min" or "max"."""
    return CandidateOracle(names, **_options(score_mode))


def black_box_oracle(
    tuner: str,
    hyperparameters: keras_tuner.HyperParameters,
    *,
    score_mode: str,
    trials: int,
    epochs: int,
    seed: int,
) -> keras_tuner.Oracle:
    """The oracle of a black-box search.

    Args:
      tuner: random, bayesian or hyperband.
      hyperparameters: what it chooses, declared.
      score_mode: "min" or "max".
      trials: how many; hyperband does not take it.
      epochs: of the longest training, for hyperband.
      seed: of its draws.
    """
    options = _options(score_mode) | {"hyperparameters": hyperparameters}
    options["seed"] = seed + 1  # keras-tuner takes 0 for none, and draws one
    if tuner == "hyperband":
        return _Hyperband(max_epochs=epochs, **options)
    kind = {"random": _Random, "bayesian": _Bayesian}[tuner]
    return kind(max_trials=trials, **options)
