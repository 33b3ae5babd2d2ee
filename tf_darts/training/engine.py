"""The loop around the training step."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Protocol

from tf_darts.config.training import TrainingConfig
from tf_darts.data.batches import EpochData, TrainingBatch
from tf_darts.optimization.averaging import should_start_averaging
from tf_darts.optimization.schedule import cosine, exponential
from tf_darts.runtime.callback import Callback
from tf_darts.runtime.replicas import SINGLE_REPLICA, Replicas
from tf_darts.runtime.run_directory import RESULT, RunDirectory
from tf_darts.runtime.run_loop import RunLoop, Scalars, StepResult
from tf_darts.runtime.signals import StopRequest
from tf_darts.spaces.objective import TrainingObjective
from tf_darts.training.evaluator import Evaluator
from tf_darts.training.step import TrainingStep

ANCHORS = {True: "best", False: "epoch"}  # by whether there is a validation part


class TrainingData(EpochData, Protocol):
    """What the loop reads: see `data/texts/training_batches.py` for one that does it."""

    validates: bool  # whether there is a validation part

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[TrainingBatch]:
        """The epoch's batches from `start_step` on, the same ones at every call."""

    def assets(self) -> dict[str, str]:
        """What a trained network must keep of its data, as files of its run by name."""


class TrainingEngine(RunLoop):
    """Trains a network in its run directory, from where it stands to its last epoch.

    The checkpoints are the latest state and the best by validation (`checkpoints/best`), to which
    a diverged training goes back. Without a validation part it is the last epoch's end
    (`checkpoints/epoch`). At the end `result.json` says which epoch counts, and its scores.
    """

    activity: ClassVar[str] = "training"
    rate_flag: ClassVar[str] = "learning_rate"

    def __init__(
        self,
        config: TrainingConfig,
        objective: TrainingObjective,
        data: TrainingData,
        run: RunDirectory,
        callbacks: Sequence[Callback] = (),
        replicas: Replicas = SINGLE_REPLICA,
    ) -> None:
        self._config = config
        self._objective = objective
        self._data = data
        self._patience = config.averaging_patience
        self._step = TrainingStep(
            objective, config, averages=bool(self._patience), replicas=replicas
        )
        self._evaluator = Evaluator(objective, self._step.average)
        super().__init__(
            run,
            callbacks,
            epochs=config.epochs,
            checkpoint_steps=config.checkpoint_steps,
            max_rollbacks=config.max_rollbacks,
            variables=self._step.variables,
            measures={"train": objective.measures},
            anchor=ANCHORS[data.validates],
            replicas=replicas,
        )

    def train(self, stop: StopRequest) -> dict[str, Any]:
        """Trains until the last epoch's end; see `RunLoop._run_all`.

        Returns:
          What `result.json` holds: the record of the epoch whose weights count.
        """
        history = self._run_all(stop)
        result = self._run.read_result()
        if result is None:
            chosen = self._best(history) if self._data.validates else history[-1]
            folder = f"checkpoints/{ANCHORS[self._data.validates]}"
            result = {"checkpoint": folder, **chosen, "epochs": len(history)}
            self._run.write_json(RESULT, result)
        return result

    def _best(self, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The record with the best validation score, the first of equals."""
        name = f"validation_{self._objective.score}"
        choose = min if self._objective.score_mode == "min" else max
        return choose(records, key=lambda record: record[name])

    def _steps(self, epoch: int) -> int:
        return self._data.steps(epoch)

    def _batches(self, epoch: int, start_step: int) -> Iterator[TrainingBatch]:
        return self._data.epoch(epoch, start_step)

    def _rate(self, epoch: int, step: int = 0) -> float:
        """The learning rate of a step of an epoch, both counted from 0."""
        rate = self._config.learning_rate
        match self._config.schedule:
            case "cosine":
                return cosine(rate, 0.0, epoch, self._config.epochs)
            case "cosine_by_step":
                place = epoch + step / self._steps(epoch)
                return cosine(rate, 0.0, place, self._config.epochs)
            case "exponential":
                return exponential(rate, self._config.learning_rate_decay, epoch)
        return rate

    def _take_step(self, epoch: int, batch: TrainingBatch) -> StepResult:
        if batch.starts_pass:
            self._step.reset_state()
        learning_rate = self._rate(epoch, int(self._step_in_epoch)) * batch.learning_rate_scale
        metrics = self._step(batch.batch, learning_rate, epoch / self._config.epochs)
        finite = bool(metrics.pop("finite"))
        means = {"train": metrics.pop("train")}
        return StepResult(finite, means, metrics | {"learning_rate": learning_rate})

    def _scores(self, means: Scalars) -> Scalars:
        return self._objective.scores(means)

    def _evaluate(self, stop: StopRequest) -> Scalars | None:
        if not self._data.validates:
            return {}
        averaged = self._evaluator.averaged
        scores = self._scored(stop, averaged)
        if scores is not None and averaged:
            last = self._scored(stop, averaged=False)
            return last and scores | {f"unaveraged_{name}": value for name, value in last.items()}
        return scores

    def _scored(self, stop: StopRequest, averaged: bool) -> Scalars | None:
        batches, size = self._data.evaluation(), self._data.evaluation_batch_size
        return self._evaluator.scores(batches, size, lambda: bool(stop), averaged=averaged)

    def _record(
        self, epoch: int, batch_scores: dict[str, Scalars], scores: Scalars
    ) -> dict[str, Any]:
        averaged = self._evaluator.averaged
        if self._step.average is not None and not averaged:
            losses = [record["validation_loss"] for record in self._history]
            if should_start_averaging(losses, scores["loss"], self._patience):
                self._step.average.start()
        return {
            "learning_rate": self._rate(epoch),
            **{f"train_{name}": value for name, value in batch_scores["train"].items()},
            **{f"validation_{name}": value for name, value in scores.items()},
            "averaged": averaged,
        }

    def _is_anchor(self, record: dict[str, Any]) -> bool:
        return not self._data.validates or self._best([*self._history, record]) is record
