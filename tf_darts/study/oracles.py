"""keras-tuner's oracles: who proposes the trials of a study."""

import functools
import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner import oracles
from keras_tuner.engine.trial import Trial, TrialStatus

from tf_darts.errors import StateError
from tf_darts.runtime import files
from tf_darts.study.sealed import load_sealed, save_sealed

OBJECTIVE = "score"
CANDIDATE = "candidate"  # the hyperparameter of a selection: the candidate's name
STATE = "oracle.json"

# What an oracle's state has, by type.
_KINDS = {
    "ongoing_trials": dict,
    "hyperparameters": dict,
    "start_order": list,
    "end_order": list,
    "run_times": dict,
    "retry_queue": list,
    "seed": int,
    "seed_state": int,
    "tried_so_far": list,
    "id_to_hash": dict,
    "display": dict,
}


def _one_at_a_time(method: Callable[..., Any]) -> Callable[..., Any]:
    """As `keras_tuner.synchronized`, which keeps its lock where something is raised.

    All workers would wait for ever for a chief whose disk was full once.
    """

    @functools.wraps(method)
    def caught(*arguments: Any, **keywords: Any) -> tuple[Any, Exception | None]:
        try:
            return method(*arguments, **keywords), None
        except Exception as error:
            return None, error

    locked = keras_tuner.synchronized(caught)

    @functools.wraps(method)
    def called(*arguments: Any, **keywords: Any) -> Any:
        result, error = locked(*arguments, **keywords)
        if error is not None:
            raise error
        return result

    return called


class KeptState:
    """Saves an oracle so that it goes on exactly after a kill at any moment.

    keras-tuner writes its files in place, loses the trial that was proposed right before a kill,
    and takes the directory's name as a pattern.

    Attributes:
      on_begin: is called with each trial that is proposed, and who evaluates it.
      on_end: is called with each trial that has ended.
    """

    on_begin: Callable[[Trial, str], None] | None = None
    on_end: Callable[[Trial], None] | None = None

    @_one_at_a_time
    def create_trial(self, tuner_id: str) -> Trial:
        """See keras-tuner."""
        trial = super().create_trial(tuner_id)
        if self.on_begin is not None and trial.status == TrialStatus.RUNNING:
            self.on_begin(trial, tuner_id)
        return trial

    @_one_at_a_time
    def update_trial(self, *arguments: Any, **keywords: Any) -> Trial:
        """See keras-tuner."""
        return super().update_trial(*arguments, **keywords)

    @_one_at_a_time
    def end_trial(self, trial: Trial) -> None:
        """See keras-tuner."""
        super().end_trial(trial)
        if self.on_end is not None:
            self.on_end(self.trials[trial.trial_id])

    @property
    def folder(self) -> pathlib.Path:
        """Where the files are."""
        return pathlib.Path(self._directory) / self._project_name

    @property
    def advice(self) -> str:
        """What to do where a file there cannot be used."""
        return (
            f"move the folder {self.folder} away: the same command proposes the candidates again,"
            " and takes the results of those that are done"
        )

    @property
    def _project_dir(self) -> str:
        files.make_directory(self.folder)
        return str(self.folder)

    def _get_trial_dir(self, trial_id: str) -> str:
        folder = self.folder / f"trial_{trial_id}"
        files.make_directory(folder)
        return str(folder)

    def save(self) -> None:
        save_sealed(self.folder / STATE, self.get_state())

    def _save_trial(self, trial: Trial) -> None:
        file = pathlib.Path(self._get_trial_dir(trial.trial_id)) / "trial.json"
        save_sealed(file, trial.get_state())

    def reload(self) -> None:
        """Goes on from the saved state; what was not evaluated to its end is proposed again.

        A trial that the state does not know was proposed right before a kill: it is forgotten, and
        the state proposes it again.

        Raises:
          StateError: a file cannot be read, or they do not go together.
        """
        file = self.folder / STATE
        state = load_sealed(file, self.advice)
        try:
            mistyped = [n for n, kind in _KINDS.items() if not isinstance(state[n], kind)]
            if mistyped:
                raise ValueError(f"its {mistyped[0]!r}")
            started, ended = state["start_order"], state["end_order"]
            going = {*state["ongoing_trials"].values(), *state["retry_queue"]}
            if len({*started}) != len(started) or {*started} != {*ended} | going:
                raise ValueError("the trials that it names")
            self.trials = {name: self._loaded(name) for name in started}
            self.set_state(state)
            unfinished = [name for name in ended if not _is_finished(self.trials[name])]
            if unfinished:
                raise ValueError(f"the trial {unfinished[0]}, which has not ended")
        except StateError:
            raise
        except Exception as error:  # keras-tuner's readers raise whatever comes
            raise StateError(
                f"{file}: does not hold the state of this study ({_reason(error)}); {self.advice}."
            ) from error
        self.ongoing_trials = {}
        self._retry_queue = []
        for name in started:
            if name not in ended:
                self._restart_trial(self.trials[name])

    def _loaded(self, name: str) -> Trial:
        file = self.folder / f"trial_{name}" / "trial.json"
        state = load_sealed(file, self.advice)
        try:
            trial = Trial.from_state(state)
        except Exception as error:  # as above
            raise StateError(
                f"{file}: does not hold a trial ({_reason(error)}); {self.advice}."
            ) from error
        if trial.trial_id != name:
            raise StateError(f"{file}: holds another trial, {trial.trial_id!r}; {self.advice}.")
        return trial

    def repeat(self, trial: Trial) -> None:
        """Proposes a trial again that has ended."""
        self.end_order.remove(trial.trial_id)
        self._restart_trial(trial)

    def _restart_trial(self, trial: Trial) -> None:
        trial.metrics, trial.score, trial.best_step = type(trial.metrics)(), None, 0
        trial.status, trial.message = TrialStatus.RUNNING, None
        self._retry_queue.append(trial.trial_id)


def _is_finished(trial: Trial) -> bool:
    if trial.status == TrialStatus.COMPLETED:
        return isinstance(trial.score, int | float) and math.isfinite(trial.score)
    return trial.status == TrialStatus.FAILED


def _reason(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)[:100]


class CandidateOracle(KeptState, keras_tuner.Oracle):
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

    def set_state(self, state: dict[str, Any]) -> None:
        # The names of now: a selection may have been extended.
        super().set_state(state | {"hyperparameters": self.hyperparameters.get_config()})


class _Random(KeptState, oracles.RandomSearchOracle):
    pass


class _Bayesian(KeptState, oracles.BayesianOptimizationOracle):
    """As keras-tuner's, which begins its draws anew when it goes on."""

    def get_state(self) -> dict[str, Any]:
        draws = self._random_state.get_state(legacy=False)
        key = draws["state"]["key"].tolist()
        return super().get_state() | {"draws": draws | {"state": draws["state"] | {"key": key}}}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if "draws" in state:  # studies of older versions have none
            draws = state["draws"]
            key = np.array(draws["state"]["key"], dtype=np.uint32)
            self._random_state.set_state(draws | {"state": draws["state"] | {"key": key}})


class _Hyperband(KeptState, oracles.HyperbandOracle):
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
