"""Somebody who watches a run: progress bars and reports are told, and tell the run nothing."""

from collections.abc import Sequence
from typing import Any


class Callback:
    """The events of a run; every method may be left as it is."""

    def on_start(self, step: int, total_steps: int) -> None:
        """The run begins, or goes on after `step` of about `total_steps` steps."""

    def on_step(self, step: int, metrics: dict[str, float]) -> None:
        """A step was taken, the `step`-th of the run."""

    def on_rollback(self, step: int, reason: str) -> None:
        """The run went back to where it was after `step` steps; why is a sentence's beginning."""

    def on_epoch(self, record: dict[str, Any], history: Sequence[dict[str, Any]]) -> None:
        """An epoch ended; `record` is the last of `history`."""

    def on_checkpoint(self) -> None:
        """The state is about to be saved: what was told until now will not be told again."""

    def on_finish(self, history: Sequence[dict[str, Any]]) -> None:
        """The run has come to its end, which may be before the last epoch that it was given.

        A run that is killed right after this tells it again when it goes on.
        """

    def on_end(self) -> None:
        """The process leaves the run, in whatever way."""
