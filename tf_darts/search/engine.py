"""The loop around the bilevel step: epochs, records, checkpoints, stopping, divergence."""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import tensorflow as tf

from tf_darts import genotype
from tf_darts.config import SearchConfig
from tf_darts.data.batches import SearchBatch
from tf_darts.errors import UserError
from tf_darts.runtime.checkpoints import Checkpoints
from tf_darts.runtime.observer import Observer
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.signals import Stopped, StopRequest
from tf_darts.search import relaxation
from tf_darts.search.derive import derive
from tf_darts.search.schedule import cosine
from tf_darts.search.step import BilevelStep
from tf_darts.spaces.supernet import Supernet


class SearchData(Protocol):
    """What the loop reads: see `data/streams.py` for one that does it."""

    evaluation_batch_size: int

    def steps(self, epoch: int) -> int:
        """How many batches an epoch has."""

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[SearchBatch]:
        """The epoch's batches from `start_step` on, the same ones at every call."""

    def evaluation(self) -> Iterator[Any]:
        """The whole validation part, once."""


class SearchEngine:
    """Runs a search in its run directory, from where it stands to its last epoch.

    The run directory holds `genotype.json` (the current cell, rewritten whenever the cell or its
    score changes), `history.jsonl` (a record for each epoch) and `checkpoints/`.
    """

    def __init__(
        self,
        config: SearchConfig,
        supernet: Supernet,
        data: SearchData,
        run: RunDirectory,
        observers: Sequence[Observer] = (),
    ) -> None:
        self._config = config
        self._supernet = supernet
        self._data = data
        self._run = run
        self._observers = observers
        self._step = BilevelStep(supernet, config)
        # The place in the run, and this epoch's sums over both streams: part of the state.
        self._epoch = tf.Variable(0, dtype=tf.int64)
        self._step_in_epoch = tf.Variable(0, dtype=tf.int64)
        self._sums = {
            stream: {name: tf.Variable(0.0, dtype=tf.float64) for name in supernet.measures}
            for stream in ("train", "validation")
        }
        self._seconds = tf.Variable(0.0, dtype=tf.float64)
        self._checkpoints = Checkpoints(
            run.path / "checkpoints",
            self._step.variables
            | {
                "epoch": self._epoch,
                "step_in_epoch": self._step_in_epoch,
                "sums": self._sums,
                "seconds": self._seconds,
            },
        )
        self._history: list[dict[str, Any]] = []
        self._saved_genotype: Any = None
        self._clock = 0.0

    def search(self, stop: StopRequest) -> list[dict[str, Any]]:
        """Searches until the last epoch's end.

        Args:
          stop: asked after every step.

        Returns:
          The history, a record for each epoch.

        Raises:
          Stopped: `stop` was set; the state is saved.
          UserError: the search diverged, and may not roll back (any more).
        """
        self._restore()
        steps = [self._data.steps(epoch) for epoch in range(self._config.epochs)]
        self._notify("on_start", int(self._step.steps), sum(steps))
        try:
            while int(self._epoch) < self._config.epochs:
                self._run_epoch(int(self._epoch), stop)
        finally:
            self._notify("on_end")
        return self._history

    def _restore(self) -> None:
        """Goes to the last checkpoint, and forgets records that were written after it."""
        if not self._checkpoints.restore():
            self._checkpoints.save_epoch(0)
        self._history = self._run.read_history()[: int(self._epoch)]
        self._run.write_history(self._history)
        self._save_genotype()

    def _run_epoch(self, epoch: int, stop: StopRequest) -> None:
        """The rest of an epoch, its evaluation and its record."""
        self._clock = time.monotonic()
        rate = cosine(
            self._config.weight_learning_rate,
            self._config.final_weight_learning_rate,
            epoch,
            self._config.epochs,
        )
        for batch in self._data.epoch(epoch, int(self._step_in_epoch)):
            if batch.starts_pass:
                self._step.reset_states()
            learning_rate = rate * batch.learning_rate_scale
            metrics = self._step(batch.train, batch.validation, learning_rate)
            finite = metrics.pop("finite")
            for stream, totals in self._sums.items():
                means = metrics.pop(stream)
                if finite:
                    for name, total in totals.items():
                        total.assign_add(means[name])
                    means = self._supernet.scores(means)
                metrics |= {f"{stream}_{name}": value for name, value in means.items()}
            if not finite:
                self._diverged(epoch, metrics)
                return
            self._step_in_epoch.assign_add(1)
            step = int(self._step.steps)
            self._notify("on_step", step, metrics | {"learning_rate": learning_rate})
            self._save_genotype()
            if stop:
                self._stop(stop)
            if step % self._config.checkpoint_steps == 0:
                self._save(self._checkpoints.save)
        scores = self._step.evaluate(
            self._data.evaluation(), self._data.evaluation_batch_size, lambda: bool(stop)
        )
        if scores is None:
            self._stop(stop)
        if not math.isfinite(scores["loss"]):
            self._diverged(epoch, {"validation loss in evaluation mode": scores["loss"]})
            return
        self._finish_epoch(epoch, rate, scores)

    def _finish_epoch(self, epoch: int, rate: float, scores: dict[str, float]) -> None:
        """Records an epoch, tells the observers, moves on to the next and saves."""
        self._tick()
        steps = max(1, int(self._step_in_epoch))
        # Both streams in training mode: the batches' own statistics, dropout. Evaluation mode has
        # the running statistics, and may score much worse than the same text in training mode.
        train, search = (
            self._supernet.scores({name: float(sum_) / steps for name, sum_ in sums.items()})
            for sums in self._sums.values()
        )
        mixing = self._step.mixing()
        record = {
            "epoch": epoch + 1,
            "step": int(self._step.steps),
            "seconds": round(float(self._seconds), 3),
            "learning_rate": rate,
            **{f"train_{name}": value for name, value in train.items()},
            **{f"validation_batch_{name}": value for name, value in search.items()},
            **{f"validation_{name}": value for name, value in scores.items()},
            "entropy": float(relaxation.entropy(mixing)),
            "rollbacks": int(self._step.rollbacks),
            "cell": str(self._genotype()),
            "genotype": self._genotype().to_dict(),
            "mixing": {name: table.tolist() for name, table in mixing.items()},
        }
        self._history.append(record)
        self._run.write_history(self._history)
        self._save_genotype()
        self._notify("on_epoch", record, self._history)
        self._epoch.assign(epoch + 1)
        self._step_in_epoch.assign(0)
        for total in tf.nest.flatten(self._sums):
            total.assign(0.0)
        self._save(self._checkpoints.save_epoch)

    def _genotype(self) -> genotype.Genotype:
        cells = derive(self._step.mixing(), self._supernet.cells)
        return self._supernet.genotype_class.from_cells(cells)

    def _save_genotype(self) -> None:
        """Rewrites `genotype.json` where the cell or its validation score is another."""
        cell = self._genotype()
        last = self._history[-1] if self._history else None
        score = f"validation_{self._supernet.score}"
        validation = {"epoch": last["epoch"], score: last[score]} if last else None
        if self._saved_genotype == (cell, validation):
            return
        found_by = {
            "mode": self._config.mode,
            "dataset": self._config.dataset,
            "hypergradient": self._config.hypergradient,
            "seed": self._config.seed,
            "step": int(self._step.steps),
            # Of the supernet with its shared weights, not of the discrete cell.
            "supernet": validation,
        }
        genotype.save(self._run.path / "genotype.json", cell, found_by)
        self._saved_genotype = (cell, validation)

    def _diverged(self, epoch: int, metrics: dict[str, float]) -> None:
        """Rolls back to the last epoch's end where that is allowed, otherwise gives up."""
        names = [name for name, value in metrics.items() if not math.isfinite(value)]
        what = (
            f"step {int(self._step.steps)} (epoch {epoch + 1}): {', '.join(names)} became"
            " infinite or not a number"
        )
        rollbacks = int(self._step.rollbacks)
        if rollbacks >= self._config.max_rollbacks:
            raise UserError(
                f"The search diverged at {what}, after {rollbacks} rollbacks; lower"
                " --weight_learning_rate, or allow more with --max_rollbacks in the same"
                f" --run_dir={self._run.path}, whose checkpoints are good."
            )
        self._tick()
        seconds = float(self._seconds)
        self._checkpoints.restore_epoch()
        self._step.rollbacks.assign(rollbacks + 1)
        self._seconds.assign(seconds)
        # Saved at once, so that a kill between here and the next checkpoint forgets nothing.
        self._save(self._checkpoints.save_epoch)
        self._notify("on_rollback", int(self._step.steps), what)

    def _stop(self, stop: StopRequest) -> None:
        self._save(self._checkpoints.save)
        raise Stopped(
            stop.signal_number or 0,
            f"Stopped after step {int(self._step.steps)} (epoch {int(self._epoch) + 1} of"
            f" {self._config.epochs}); the same command goes on from there.",
        )

    def _save(self, save: Any) -> None:
        self._tick()
        self._notify("on_checkpoint")
        save(int(self._step.steps))

    def _tick(self) -> None:
        """Adds the time since the last tick to the run's own."""
        now = time.monotonic()
        self._seconds.assign_add(now - self._clock)
        self._clock = now

    def _notify(self, event: str, *arguments: Any) -> None:
        for observer in self._observers:
            getattr(observer, event)(*arguments)
