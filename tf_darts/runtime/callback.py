"""Somebody who watches a run: progress bars and reports are told, and tell the run nothing."""

import copy
import pathlib
from collections.abc import Sequence
from typing import Any

from tf_darts.errors import UserError


class Callback:
    """The events of a run; every method may be left as it is.

    Those of a search, of a training or of all runs of a selection are given one with
    `callbacks=[...]`. Of several workers only the chief's are told. A run that is finished already
    tells nothing. What a method raises ends the run, whose state is that of its last checkpoint;
    the same call goes on from there.
    """

    def on_run(self, activity: str, path: pathlib.Path) -> None:
        """A run begins or goes on in a directory; its activity is "search" or "training"."""

    def on_start(self, step: int, total_steps: int) -> None:
        """The run begins, or goes on after `step` of about `total_steps` steps."""

    def on_step(self, step: int, metrics: dict[str, float]) -> None:
        """A step was taken, the `step`-th of the run."""

    def on_rollback(self, step: int, reason: str) -> None:
        """The run went back to where it was after `step` steps; why is a sentence's beginning."""

    def on_epoch(self, record: dict[str, Any], history: Sequence[dict[str, Any]]) -> None:
        """An epoch ended; `record` is the last of `history`."""

    def on_cell(self, epoch: int, cell: Any) -> None:
        """A search has another cell, a `Genotype`, than at the end of the epoch before."""

    def on_checkpoint(self) -> None:
        """The state is about to be saved: what was told until now will not be told again."""

    def on_finish(self, history: Sequence[dict[str, Any]]) -> None:
        """The run has come to its end, which may be before the last epoch that it was given.

        A run that is killed right after this tells it again when it goes on.
        """

    def on_end(self) -> None:
        """The process leaves the run, in whatever way."""


class Guest(Callback):
    """A callback of somebody else, who is given copies: the run's own records stay as they are."""

    def __init__(self, callback: Callback) -> None:
        self._callback = callback

    def on_run(self, activity: str, path: pathlib.Path) -> None:
        self._callback.on_run(activity, path)

    def on_start(self, step: int, total_steps: int) -> None:
        self._callback.on_start(step, total_steps)

    def on_step(self, step: int, metrics: dict[str, float]) -> None:
        self._callback.on_step(step, dict(metrics))

    def on_rollback(self, step: int, reason: str) -> None:
        self._callback.on_rollback(step, reason)

    def on_epoch(self, record: dict[str, Any], history: Sequence[dict[str, Any]]) -> None:
        copied = copy.deepcopy(list(history))
        self._callback.on_epoch(copied[-1], copied)

    def on_cell(self, epoch: int, cell: Any) -> None:
        self._callback.on_cell(epoch, cell)

    def on_checkpoint(self) -> None:
        self._callback.on_checkpoint()

    def on_finish(self, history: Sequence[dict[str, Any]]) -> None:
        self._callback.on_finish(copy.deepcopy(list(history)))

    def on_end(self) -> None:
        self._callback.on_end()


def guests(callbacks: Sequence[Callback]) -> list[Callback]:
    """Callbacks of somebody else as a run takes them.

    Raises:
      UserError: something is no callback.
    """
    listed = list(callbacks) if isinstance(callbacks, Sequence) else [callbacks]
    for callback in listed:
        if not isinstance(callback, Callback):
            raise UserError(
                f"callbacks: {type(callback).__name__} is no callback; give a list of objects whose"
                " classes are subclasses of tf_darts.Callback."
            )
    return [Guest(callback) for callback in listed]
