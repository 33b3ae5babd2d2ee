"""The keras-tuner tuner of all studies: a trial is one candidate."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.errors import FailedTrialError, FatalError

from tf_darts.errors import UserError
from tf_darts.runtime.files import write_atomically
from tf_darts.study.candidates import Candidate
from tf_darts.study.evaluation import Row, failure, save_row
from tf_darts.study.oracles import OBJECTIVE


class StudyTuner(BaseTuner):
    """Evaluates the candidates that an oracle proposes.

    A candidate that diverges, or cannot be made of the data, has failed: the study goes on. Any
    other error is a `FatalError`, whose cause it is.

    Args:
      oracle: proposes.
      directory: the study's; keras-tuner's files are in its folder `tuner`.
      candidate_of: the candidate of a trial.
      evaluate: its row, given the candidate and its folder.
      done: is called after each trial.
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        directory: pathlib.Path,
        candidate_of: Callable[[Trial], Candidate],
        evaluate: Callable[[Candidate, pathlib.Path], Row],
        done: Callable[[], None],
    ) -> None:
        oracle.verbose = 0
        self._candidates = directory / "candidates"
        self._candidate_of = candidate_of
        self._evaluate = evaluate
        self._done = done
        super().__init__(oracle, directory=str(directory), project_name="tuner")

    def run_trial(self, trial: Trial) -> dict[str, float]:
        """The score of the trial's candidate."""
        candidate = self._candidate_of(trial)
        folder = self._candidates / candidate.name
        try:
            row = self._evaluate(candidate, folder)
        except UserError as error:
            save_row(folder, failure(candidate, str(error)))
            print(f"[{candidate.name}] failed: {error}", flush=True)
            raise FailedTrialError(str(error)) from error
        except Exception as error:
            raise FatalError("a study stops") from error
        save_row(folder, row)
        print(f"[{candidate.name}] score {row['score']:.2f}", flush=True)
        return {OBJECTIVE: row["score"]}

    def _try_run_and_update_trial(self, trial: Trial, *arguments: Any, **keywords: Any) -> None:
        """As keras-tuner's, which prints a traceback of a candidate that failed as foreseen."""
        try:
            self._run_and_update_trial(trial, *arguments, **keywords)
            trial.status = TrialStatus.COMPLETED
        except FailedTrialError as error:
            trial.status = TrialStatus.FAILED
            trial.message = str(error)

    def on_trial_end(self, trial: Trial) -> None:
        super().on_trial_end(trial)
        self._done()

    def save(self) -> None:
        """Saves the oracle, where it is here, and the tuner; atomically."""
        if not self._is_worker():
            self.oracle.save()
        write_atomically(self._get_tuner_fname(), json.dumps(self.get_state()))
