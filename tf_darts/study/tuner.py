"""The keras-tuner tuner of studies whose candidates are proposed, or shared: a trial is one."""

import math
import pathlib
from collections.abc import Callable
from typing import Any

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.errors import FailedTrialError, FatalError

from tf_darts.errors import StateError, UserError
from tf_darts.runtime import files
from tf_darts.runtime.console import say, warn
from tf_darts.study.candidates import Candidate
from tf_darts.study.cluster import VARIABLES, Role, chief_address, role
from tf_darts.study.evaluation import Evaluation
from tf_darts.study.oracles import OBJECTIVE, STATE
from tf_darts.study.train_candidate import RESULT, Row, load_row


class StudyTuner(BaseTuner):
    """Evaluates the candidates that an oracle proposes.

    Where a candidate fails the study goes on. Any other error is a `FatalError`, whose cause it is.

    Args:
      oracle: proposes.
      directory: the study's; keras-tuner's files are in its folder `tuner`.
      make_candidate: the candidate of a trial.
      evaluation: of a candidate; what it keeps is the truth, whatever the oracle knows.
      after_trial: is called after each trial, in a chief after each of its workers'.

    Raises:
      StateError: files of the study cannot be read, or do not go together.
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        directory: pathlib.Path,
        make_candidate: Callable[[Trial], Candidate],
        evaluation: Evaluation,
        after_trial: Callable[[], None],
    ) -> None:
        oracle.verbose = 0
        self._make_candidate = make_candidate
        self._evaluation = evaluation
        self._after_trial = after_trial
        files.make_directory(directory / "tuner")  # keras-tuner does not look what is there
        super().__init__(oracle, directory=str(directory), project_name="tuner")
        if not self._is_worker():
            self._take_results()
        if role() is Role.CHIEF:
            oracle.on_begin, oracle.on_end = self._tell_begin, self._tell_end

    def tell_start(self) -> None:
        """Says, in a chief, where it listens and how far the study is."""
        if role() is Role.CHIEF:
            address, port = chief_address()
            say(
                f"The chief listens at {address}:{port}; {self._progress()}. A worker is the same"
                f" command with another {VARIABLES[0]}."
            )

    def tell_end(self) -> None:
        """Says, but in a worker, where the study ends before it had all its trials."""
        if role() is Role.WORKER or not self.oracle.max_trials:
            return
        done, most = len(self.oracle.end_order), self.oracle.max_trials
        if done < most:
            warn(
                f"The study ends after {done} of {most} trials: its tuner found no other candidate"
                " in twenty draws. Those that there are have nearly all been tried."
            )

    def _progress(self) -> str:
        done, most = len(self.oracle.end_order), self.oracle.max_trials
        return f"{done} of {most} candidates are done" if most else f"{done} candidates are done"

    def _tell_begin(self, trial: Trial, worker: str) -> None:
        say(f"[{self._candidate_name(trial)}] goes to {worker}")

    def _tell_end(self, trial: Trial) -> None:
        try:
            name = self._candidate_name(trial)
            if trial.status == TrialStatus.COMPLETED:
                outcome = f"score {trial.score:.2f}"
            else:  # why, its worker does not send
                row = load_row(self._evaluation.folder / name)
                outcome = f"failed: {row['reason']}" if row else "failed"
            say(f"[{name}] {outcome}; {self._progress()}")
            self._after_trial()
        except Exception as error:  # a worker waits for the answer, and its trial has ended
            warn(f"The ranking is not up to date ({error}); it is made again with the next one.")

    def _take_results(self) -> None:
        """Makes the oracle agree with the candidates' folders."""
        for trial in [self.oracle.trials[name] for name in self.oracle.end_order]:
            name = self._candidate_name(trial)
            folder = self._evaluation.folder / name
            row = load_row(folder)
            if row is None:
                say(f"[{name}] has no {RESULT}; it is evaluated again")
                self.oracle.repeat(trial)
            elif not _matches_trial(row, trial):
                raise StateError(
                    f"{folder / RESULT}: has another result than keras-tuner's"
                    f" trial {trial.trial_id}; remove this file: the same command makes it again"
                    " from the candidate's runs."
                )

    def _candidate_name(self, trial: Trial) -> str:
        """The name of a trial's candidate; raises `StateError` where none can be made of it."""
        try:
            return self._make_candidate(trial).name
        except (KeyError, ValueError, UserError) as error:
            raise StateError(
                f"{self.oracle.folder / f'trial_{trial.trial_id}'}: its trial is no candidate of"
                f" this study; {self.oracle.advice}."
            ) from error

    def run_trial(self, trial: Trial) -> dict[str, float]:
        """The score of the trial's candidate."""
        candidate = self._make_candidate(trial)
        try:
            row = self._evaluation.recorded_row(candidate)
            if row is None or row["status"] == "failed":
                row = self._evaluation.evaluate(candidate)
        except Exception as error:
            raise FatalError("a study stops") from error
        if row["status"] == "failed":
            raise FailedTrialError(row["reason"])
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
        self._after_trial()

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


def _matches_trial(row: Row, trial: Trial) -> bool:
    """Whether a trial ended as its candidate; between processes scores are in single precision."""
    score, reported = row["score"], trial.score
    if row["status"].upper() != trial.status:
        return False
    if score is None or reported is None:
        return score is reported
    return math.isclose(score, reported, rel_tol=1e-6)
