"""The loop of every run: epochs, sums, records, checkpoints, stopping, divergence."""

import abc
import contextlib
import math
import signal
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import tensorflow as tf

from tf_darts.errors import StateError, UserError
from tf_darts.runtime.busy import busy
from tf_darts.runtime.callback import Callback
from tf_darts.runtime.files import shown
from tf_darts.runtime.garbage import begun
from tf_darts.runtime.replicas import SINGLE_REPLICA, Replicas
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.run_state import RunState
from tf_darts.runtime.signals import Stopped, StopRequest

Scalars = dict[str, float]


class StepResult(NamedTuple):
    """What a step of a run reports.

    Attributes:
      finite: whether everything that it computed is a number.
      means: by stream, the batch's means of what is measured; not read unless `finite`.
      metrics: what the callbacks see besides.
    """

    finite: bool
    means: Mapping[str, Scalars]
    metrics: Scalars


class RunLoop(abc.ABC):
    """Goes through the epochs of a run in its run directory, from where it stands to the last.

    The directory holds `history.jsonl` (a record for each epoch) and `checkpoints/`. A run that
    was killed goes on from its latest checkpoint, exactly; one that diverged goes back to the
    anchor: the state at an epoch's end that `_is_anchor` chose last.

    Args:
      run: where the run lives.
      callbacks: are told what happens.
      epochs: how many there are.
      checkpoint_steps: steps between checkpoints, besides one at every epoch's end.
      max_rollbacks: how often a diverged run goes back.
      variables: everything else that a checkpoint must hold to go on exactly; "steps" and
        "rollbacks" among them are the run's counters.
      measures: by stream, the names of what is summed over an epoch.
      anchor: the name of the anchors' folder under `checkpoints/`.
      replicas: of the run; of several workers only the chief saves, and all stop together.
    """

    activity: ClassVar[str]  # "search": what diverges, in messages
    rate_flag: ClassVar[str]  # the flag of the learning rate to lower

    def __init__(
        self,
        run: RunDirectory,
        callbacks: Sequence[Callback],
        *,
        epochs: int,
        checkpoint_steps: int,
        max_rollbacks: int,
        variables: Mapping[str, Any],
        measures: Mapping[str, Sequence[str]],
        anchor: str = "epoch",
        replicas: Replicas = SINGLE_REPLICA,
    ) -> None:
        self._run = run
        self._callbacks = callbacks
        self._epochs = epochs
        self._checkpoint_steps = checkpoint_steps
        self._max_rollbacks = max_rollbacks
        self._steps_done: tf.Variable = variables["steps"]
        self._rollbacks: tf.Variable = variables["rollbacks"]
        # The place in the run, and this epoch's sums: part of the state.
        self._epoch = tf.Variable(0, dtype=tf.int64)
        self._step_in_epoch = tf.Variable(0, dtype=tf.int64)
        self._sums = {
            stream: {name: tf.Variable(0.0, dtype=tf.float64) for name in names}
            for stream, names in measures.items()
        }
        self._seconds = tf.Variable(0.0, dtype=tf.float64)
        place = {
            "epoch": self._epoch,
            "step_in_epoch": self._step_in_epoch,
            "sums": self._sums,
            "seconds": self._seconds,
        }
        self._replicas = replicas
        self._stepped = self._evaluated = False  # by this process: it compiles what it does first
        self._state = RunState(run, {**variables, **place}, anchor)
        self._clock = 0.0

    def _begin_epoch(self, epoch: int) -> None:  # noqa: B027, not every run has something to do
        """Called before an epoch's first step, or the first one that is left of it."""

    def _streams(self) -> Collection[str]:
        """The streams of which this epoch's steps report means."""
        return self._sums

    @abc.abstractmethod
    def _steps(self, epoch: int) -> int:
        """How many steps an epoch has."""

    @abc.abstractmethod
    def _batches(self, epoch: int, start_step: int) -> Iterator[Any]:
        """What the steps of an epoch from `start_step` on take, the same at every call."""

    @abc.abstractmethod
    def _take_step(self, epoch: int, batch: Any) -> StepResult:
        """Takes one step, and counts it in the variable "steps"."""

    @abc.abstractmethod
    def _scores(self, means: Scalars) -> Scalars:
        """Means of what is measured as what people read."""

    @abc.abstractmethod
    def _evaluate(self, stop: StopRequest) -> Scalars | None:
        """The scores in evaluation mode at an epoch's end ({} if none); None if stopped."""

    @abc.abstractmethod
    def _record(
        self, epoch: int, batch_scores: dict[str, Scalars], scores: Scalars
    ) -> dict[str, Any]:
        """What the history keeps of an epoch, besides its number, steps, seconds, rollbacks.

        Args:
          epoch: counted from 0.
          batch_scores: by stream, `_scores` of the epoch's mean over batches.
          scores: of `_evaluate`.
        """

    @property
    def _history(self) -> list[dict[str, Any]]:
        """The records of the epochs that are done: a part of the state, like the variables."""
        return self._state.history

    def _is_anchor(self, record: dict[str, Any]) -> bool:
        """Whether a diverged run should go back to this epoch's end."""
        del record
        return True

    def _write_artefacts(self) -> None:  # noqa: B027, not every run has some
        """Called where the run begins or goes on, and before every checkpoint."""

    def _run_all(self, stop: StopRequest) -> list[dict[str, Any]]:
        """Runs until there is no other epoch, see `_has_next_epoch`.

        Args:
          stop: asked after every step.

        Returns:
          The history, a record for each epoch.

        Raises:
          Stopped: `stop` was set; the state is saved.
          UserError: the run diverged, and may not roll back (any more).
        """
        records = self._finished()
        if records is not None:
            return records
        self._begin()
        self._run.forget_result()
        self._state.write_history(int(self._epoch))
        self._write_artefacts()
        total = sum(self._steps(epoch) for epoch in range(self._epochs))
        self._notify("on_run", self.activity, self._run.path)
        self._notify("on_start", int(self._steps_done), total)
        self._clock = time.monotonic()  # a rule may go back before there is an epoch
        try:
            while self._has_next_epoch():
                self._run_epoch(int(self._epoch), stop)
            self._notify("on_finish", self._history)
        finally:
            self._notify("on_end")
        return self._history

    def _begin(self) -> None:
        """Goes to the state that was saved last, or to that which the run begins with.

        The latter is made of the settings, and not saved: of many variables that takes seconds, and
        all wait for the first step. Of several workers the others read what the chief has.
        """
        alone = self._replicas.workers == 1
        if alone and self._max_rollbacks:
            self._state.remember_first()
        if self._replicas.is_chief and not self._state.restore() and not alone:
            self._state.save(0, anchor=True)
        self._replicas.barrier()
        if not self._replicas.is_chief:
            self._state.restore()
        if int(self._epoch) > 0:
            self._state.forget_first()

    def _has_next_epoch(self) -> bool:
        """Whether there is another epoch; a run that can end early asks its own state besides."""
        return int(self._epoch) < self._epochs

    def _finished(self) -> list[dict[str, Any]] | None:
        """The history of a finished run, of which nothing is left to do; else None."""
        return self._state.finished(self._epochs)

    def _run_epoch(self, epoch: int, stop: StopRequest) -> None:
        """The rest of an epoch, its evaluation and its record."""
        self._clock = time.monotonic()
        self._begin_epoch(epoch)
        for batch in self._batches(epoch, int(self._step_in_epoch)):
            with contextlib.nullcontext() if self._stepped else self._nothing_to_save(stop):
                result = self._take_step(epoch, batch)
            self._stepped = True
            begun()
            metrics = dict(result.metrics)
            for stream in self._streams():
                means, totals = result.means[stream], self._sums[stream]
                if result.finite:
                    for name, total in totals.items():
                        total.assign_add(means[name])
                    means = self._scores(means)
                metrics |= {f"{stream}_{name}": value for name, value in means.items()}
            if not result.finite:
                self._diverged(epoch, metrics)
                return
            self._step_in_epoch.assign_add(1)
            step = int(self._steps_done)
            self._notify("on_step", step, metrics)
            if self._replicas.any(bool(stop)):
                self._stop(stop)
            if step % self._checkpoint_steps == 0:
                self._save()
        # Workers evaluate each for themselves; none may stop alone there, and the chief's counts.
        asked = stop if self._replicas.workers == 1 else StopRequest()
        with contextlib.nullcontext() if self._evaluated else busy("Evaluating for the first time"):
            scores = self._replicas.chiefs(self._evaluate(asked))
        self._evaluated = True
        if scores is None:
            self._stop(stop)
        if not math.isfinite(scores.get("loss", 0.0)):
            self._diverged(epoch, {"validation loss in evaluation mode": scores["loss"]})
            return
        self._finish_epoch(epoch, scores)

    def _finish_epoch(self, epoch: int, scores: Scalars) -> None:
        """Records an epoch, tells the callbacks, moves on to the next and saves."""
        self._tick()
        steps = max(1, int(self._step_in_epoch))
        batch_scores = {
            stream: self._scores(
                {name: float(total) / steps for name, total in self._sums[stream].items()}
            )
            for stream in self._streams()
        }
        record = self._replicas.chiefs(
            {
                "epoch": epoch + 1,
                "step": int(self._steps_done),
                "seconds": round(float(self._seconds), 3),
                **self._record(epoch, batch_scores, scores),
                "rollbacks": int(self._rollbacks),
            }
        )

        anchor = self._is_anchor(record)
        if self._replicas.is_chief and not self._state.is_saved():
            self._save()  # a record without any checkpoint is that of a run which has lost its own
        self._state.append(record)
        self._announce(record)
        self._epoch.assign(epoch + 1)
        self._step_in_epoch.assign(0)
        for total in tf.nest.flatten(self._sums):
            total.assign(0.0)
        self._save(anchor=anchor)

    def _announce(self, record: dict[str, Any]) -> None:
        """Tells the callbacks that an epoch ended."""
        self._notify("on_epoch", record, self._history)

    def _diverged(self, epoch: int, metrics: Scalars) -> None:
        """Goes back to the anchor where that is allowed, otherwise gives up."""
        names = [name for name, value in metrics.items() if not math.isfinite(value)]
        divergence = (
            f"step {int(self._steps_done)} (epoch {epoch + 1}): {', '.join(names)} became"
            " infinite or not a number"
        )
        rollbacks = int(self._rollbacks)
        if rollbacks >= self._max_rollbacks:
            raise UserError(
                f"The {self.activity} diverged at {divergence}, after {rollbacks} rollbacks; lower"
                f" --{self.rate_flag} in another --run_dir, or repeat the command with"
                f" --max_rollbacks={rollbacks + 1} or more, which goes on from the last checkpoint."
            )
        self._tick()
        seconds = float(self._seconds)
        try:
            self._state.restore_anchor()
        except StateError as error:
            raise StateError(
                f"The {self.activity} diverged at {divergence}, and cannot go back. {error}"
            ) from error
        self._replicas.barrier()  # before the chief saves another anchor
        self._rollbacks.assign(rollbacks + 1)
        self._seconds.assign(seconds)
        # Saved at once, so that a kill between here and the next checkpoint forgets nothing; and
        # before the history's file, which a kill may leave ahead of the state, not behind it.
        self._save(anchor=True)
        self._state.write_history(int(self._epoch))
        self._notify("on_rollback", int(self._steps_done), f"Diverged at {divergence}")

    def _stop(self, stop: StopRequest) -> None:
        self._save()
        raise Stopped(
            stop.signal_number or signal.SIGTERM,  # another worker was asked to
            f"Stopped after step {int(self._steps_done)} (epoch {int(self._epoch) + 1} of"
            f" {self._epochs}) in {shown(self._run.path)}; the same command goes on from there.",
        )

    def _nothing_to_save(self, stop: StopRequest) -> contextlib.AbstractContextManager[None]:
        """Until this process has taken a step a signal ends it: compiling may take minutes.

        Not one of several workers: the others would wait for it.
        """
        if self._replicas.workers > 1:
            return contextlib.nullcontext()
        done = int(self._steps_done)
        return stop.nothing_to_save(
            f"Stopped before step {done + 1} in {shown(self._run.path)}; the same command"
            f" {'goes on' if done else 'begins'} there."
        )

    def _save(self, *, anchor: bool = False) -> None:
        self._tick()
        self._notify("on_checkpoint")
        self._write_artefacts()
        if self._replicas.is_chief:
            self._state.save(int(self._steps_done), anchor=anchor)

    def _tick(self) -> None:
        """Adds the time since the last tick to the run's own."""
        now = time.monotonic()
        self._seconds.assign_add(now - self._clock)
        self._clock = now

    def _notify(self, event: str, *arguments: Any) -> None:
        for callback in self._callbacks:
            getattr(callback, event)(*arguments)
