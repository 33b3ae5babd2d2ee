"""The keras-tuner tuner of all studies: a trial is one candidate."""

import math
import pathlib
from collections.abc import Callable
from typing import Any

import keras_tuner
import tensorflow as tf
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.errors import FailedTrialError, FatalError

from tf_darts.errors import StateError, StorageError, UserError
from tf_darts.runtime import files
from tf_darts.runtime.console import say
from tf_darts.study.candidates import Candidate
from tf_darts.study.oracles import OBJECTIVE, STATE
from tf_darts.study.train_candidate import (
    RESULT,
    Row,
    failure,
    is_of,
    load_row,
    save_row,
)

# What TensorFlow makes of the file system's refusals.
_FILE_ERRORS = (
    tf.errors.NotFoundError,
    tf.errors.AlreadyExistsError,
    tf.errors.PermissionDeniedError,
    tf.errors.FailedPreconditionError,
    tf.errors.UnavailableError,
    tf.errors.DataLossError,
)


class StudyTuner(BaseTuner):
    """Evaluates the candidates that an oracle proposes.

    A candidate that diverges, or cannot be made of the data, has failed: the study goes on. Any
    other error is a `FatalError`, whose cause it is: one of the file system too, which would be the
    next candidate's as well.

    What is in the candidates' folders is the truth: a candidate whose `candidate.json` is there is
    not evaluated again, and one whose file was removed is.

    Args:
      oracle: proposes.
      directory: the study's; keras-tuner's files are in its folder `tuner`.
      candidate_of: the candidate of a trial.
      train_candidate: its row, given the candidate and its folder.
      done: is called after each trial.

    Raises:
      StateError: files of the study cannot be read, or do not go together.
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        directory: pathlib.Path,
        candidate_of: Callable[[Trial], Candidate],
        train_candidate: Callable[[Candidate, pathlib.Path], Row],
        done: Callable[[], None],
    ) -> None:
        oracle.verbose = 0
        self._candidates = directory / "candidates"
        self._candidate_of = candidate_of
        self._train_candidate = train_candidate
        self._done = done
        files.make_directory(directory / "tuner")  # keras-tuner does not look what is there
        super().__init__(oracle, directory=str(directory), project_name="tuner")
        if not self._is_worker():
            self._take_results()

    def _take_results(self) -> None:
        """Makes the oracle agree with the candidates' folders."""
        for trial in [self.oracle.trials[name] for name in self.oracle.end_order]:
            name = self._name_of(trial)
            row = load_row(self._candidates / name)
            if row is None:
                say(f"[{name}] has no {RESULT}; it is evaluated again")
                self.oracle.repeat(trial)
            elif row["status"].upper() != trial.status or not _is_same(row["score"], trial.score):
                raise StateError(
                    f"{self._candidates / name / RESULT}: has another result than keras-tuner's"
                    f" trial {trial.trial_id}; remove this file: the same command makes it again"
                    " from the candidate's runs."
                )

    def _name_of(self, trial: Trial) -> str:
        """The name of a trial's candidate; raises `StateError` where none can be made of it."""
        try:
            return self._candidate_of(trial).name
        except (KeyError, ValueError, UserError) as error:
            raise StateError(
                f"{self.oracle.folder / f'trial_{trial.trial_id}'}: its trial is no candidate of"
                f" this study; {self.oracle.advice}."
            ) from error

    def run_trial(self, trial: Trial) -> dict[str, float]:
        """The score of the trial's candidate."""
        candidate = self._candidate_of(trial)
        folder = self._candidates / candidate.name
        try:
            row = self._row(candidate, folder)
        except (StateError, StorageError) as error:
            raise FatalError("a study stops") from error
        except UserError as error:
            save_row(folder, failure(candidate, str(error)))
            say(f"[{candidate.name}] failed: {error}")
            raise FailedTrialError(str(error)) from error
        except (OSError, *_FILE_ERRORS) as error:
            raise FatalError("a study stops") from _refusal(folder, error)
        except Exception as error:
            raise FatalError("a study stops") from error
        say(f"[{candidate.name}] score {row['score']:.2f}")
        return {OBJECTIVE: row["score"]}

    def _row(self, candidate: Candidate, folder: pathlib.Path) -> Row:
        """The candidate's row: the one that is there, or what its evaluation gives."""
        row = load_row(folder)
        if row is not None and row["status"] == "completed":
            if not is_of(row, candidate):
                raise StateError(
                    f"{folder}: holds the result of another candidate than the study proposes now;"
                    " move this folder away, and the same command evaluates the candidate anew."
                )
            return row
        row = self._train_candidate(candidate, folder)
        save_row(folder, row)
        return row

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

    def _get_tuner_fname(self) -> str:
        """The file by which keras-tuner knows that there is something to go on with.

        That is the oracle's: a tuner has no state of its own.
        """
        return str(
            pathlib.Path(self.project_dir)
            / (f"{self.tuner_id}.json" if self._is_worker() else STATE)
        )

    def save(self) -> None:
        if not self._is_worker():
            self.oracle.save()

    def reload(self) -> None:
        if not self._is_worker():
            self.oracle.reload()


def _is_same(score: float | None, told: float | None) -> bool:
    """Whether a trial has a candidate's score; between processes it is told in single precision."""
    if score is None or told is None:
        return score is told
    return math.isclose(score, told, rel_tol=1e-6)


def _refusal(folder: pathlib.Path, error: Exception) -> StorageError:
    """What the system refused, as a sentence."""
    path = getattr(error, "filename", None) or folder
    reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
    return StorageError(
        f"{path}: cannot be read or written ({reason}); make room or give rights there, and the"
        " same command goes on."
    )
