"""What a run has done: its checkpoints and its history, kept as one."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tf_darts.errors import StateError
from tf_darts.runtime import files
from tf_darts.runtime.checkpoints import Checkpoints
from tf_darts.runtime.console import warn
from tf_darts.runtime.run_directory import HISTORY, RESULT, RunDirectory

Records = list[dict[str, Any]]


class RunState:
    """The state of a run in its directory.

    The records of the epochs are saved with the variables, so that neither is ever behind the
    other. `history.jsonl` is a copy for people: written before the state it is of, so that a kill
    leaves it ahead, with epochs that will end again in the same way.

    Args:
      run: the directory.
      variables: what a checkpoint holds beside the history.
      anchor: the name of the anchors' folder, see `Checkpoints`.
    """

    def __init__(self, run: RunDirectory, variables: Mapping[str, Any], anchor: str) -> None:
        self._run = run
        self._checkpoints = Checkpoints(run.checkpoints, variables, anchor)

    @property
    def history(self) -> Records:
        """A record for each epoch that is done, oldest first."""
        return self._checkpoints.history.records

    def finished(self, epochs: int) -> Records | None:
        """The history of a run that has its result, whose checkpoints may be gone; else None.

        Args:
          epochs: how many the run has where it does not end early.

        Raises:
          StateError: the result's file is broken.
        """
        result = self._run.read_result()
        if result is None:
            return None
        try:
            records = self._run.read_history()
        except StateError:
            return None  # the checkpoint may have it
        # A result of commit 517e77a has no such number: there were as many epochs as were wanted.
        return records if len(records) == result.get("epochs", epochs) else None

    def restore(self) -> bool:
        """Goes to the state that was saved last; False where the run begins.

        Raises:
          StateError: there was a state, and it cannot be read any more.
        """
        if self._checkpoints.restore() is not None:
            return True
        for name in (HISTORY, RESULT):  # neither is there before the first checkpoint is
            if files.exists(self._run.path / name):
                raise StateError(
                    f"--run_dir={self._run.path}: has a {name}, and no checkpoint to go on from;"
                    " restore its folder checkpoints from a copy, or give another --run_dir to"
                    " begin again."
                )
        return False

    def is_saved(self) -> bool:
        """Whether there is a checkpoint."""
        return self._checkpoints.is_saved()

    def remember_first(self) -> None:
        """See `Checkpoints.remember_first`."""
        self._checkpoints.remember_first()

    def forget_first(self) -> None:
        """See `Checkpoints.forget_first`."""
        self._checkpoints.forget_first()

    def restore_anchor(self) -> None:
        """Goes back to the anchor; raises `StateError` where there is none that can be read."""
        self._checkpoints.restore_anchor()

    def keep(self, epoch: int, step: int, kept: Collection[int]) -> None:
        """Keeps the state at an epoch's end where it is one of `kept`, and no others than those."""
        if epoch in kept:
            self._checkpoints.keep(epoch, step)
        self._checkpoints.keep_only(kept)

    def restore_kept(self, epoch: int) -> None:
        """See `Checkpoints.restore_kept`."""
        self._checkpoints.restore_kept(epoch)

    def save(self, step: int, *, anchor: bool = False) -> None:
        """See `Checkpoints.save`."""
        self._checkpoints.save(step, anchor=anchor)

    def append(self, record: dict[str, Any]) -> None:
        """Takes the record of one epoch more; raises `StorageError`."""
        self.history.append(record)
        self._run.write_history(self.history)

    def write_history(self, epochs: int) -> None:
        """Makes `history.jsonl` agree with the restored state, and says so where it did not.

        Checkpoints of older versions have no history: the file's counts for them.

        Args:
          epochs: how many the state has done.

        Raises:
          StateError: neither the state nor the file has the records of these epochs.
          StorageError: the file cannot be written.
        """
        file = self._run.path / HISTORY
        try:
            recorded, reason = self._run.read_history(), f"{file}: is not the history of this run."
        except StateError as error:
            if len(self.history) < epochs:
                raise
            recorded, reason = None, str(error)
        if len(self.history) < epochs:
            if len(recorded) < epochs:
                raise StateError(
                    f"{file}: has {len(recorded)} records, and the run has done {epochs} epochs;"
                    " restore it from a copy."
                )
            self._checkpoints.history.records = recorded[:epochs]
        if recorded is None or not _same_records(recorded[:epochs], self.history):
            warn(f"{reason} It is written anew from the checkpoint.")
        if recorded is None or not _same_records(recorded, self.history):
            self._run.write_history(self.history)


def _same_records(first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]]) -> bool:
    return [json.dumps(record) for record in first] == [json.dumps(record) for record in second]
