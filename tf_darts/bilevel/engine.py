"""The loop around the bilevel step."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from tf_darts.bilevel import relaxation
from tf_darts.bilevel.step import BilevelStep
from tf_darts.bilevel.strongest_edges import derive
from tf_darts.cells import genotype, genotype_files
from tf_darts.config.search import SearchConfig
from tf_darts.data.batches import EpochData, SearchBatch
from tf_darts.optimization.schedule import cosine
from tf_darts.runtime import files
from tf_darts.runtime.callback import Callback
from tf_darts.runtime.replicas import SINGLE_REPLICA, Replicas
from tf_darts.runtime.run_directory import RESULT, RunDirectory
from tf_darts.runtime.run_loop import RunLoop, Scalars, StepResult
from tf_darts.runtime.signals import StopRequest
from tf_darts.spaces.supernet import Supernet


class SearchData(EpochData, Protocol):
    """What the loop reads: see `data/texts/search_batches.py` for one that does it."""

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[SearchBatch]:
        """The epoch's batches from `start_step` on, the same ones at every call."""


class SearchEngine(RunLoop):
    """Runs a search in its run directory, from where it stands to its last epoch.

    Besides what every run has, the directory holds `genotype.json`: the cell at the last
    checkpoint, rewritten where the cell or its score is another; and at the end `result.json` with
    the last record's score and cell.
    """

    activity: ClassVar[str] = "search"
    rate_flag: ClassVar[str] = "weight_learning_rate"

    def __init__(
        self,
        config: SearchConfig,
        supernet: Supernet,
        data: SearchData,
        run: RunDirectory,
        callbacks: Sequence[Callback] = (),
        replicas: Replicas = SINGLE_REPLICA,
        make_step: type[BilevelStep] = BilevelStep,
    ) -> None:
        self._config = config
        self._supernet = supernet
        self._data = data
        self._step = make_step(supernet, config, replicas=replicas)
        self._saved_genotype: Any = None
        super().__init__(
            run,
            callbacks,
            epochs=config.epochs,
            checkpoint_steps=config.checkpoint_steps,
            max_rollbacks=config.max_rollbacks,
            variables=self._step.variables,
            measures=dict.fromkeys(("train", "validation"), supernet.measures),
            replicas=replicas,
        )

    def search(self, stop: StopRequest) -> list[dict[str, Any]]:
        """Searches until the last epoch's end; see `RunLoop._run_all`."""
        history = self._run_all(stop)
        if self._run.read_result() is None:
            names = ("epoch", "step", f"validation_{self._supernet.score}", "cell", "genotype")
            result = {name: history[-1][name] for name in names} | {"epochs": len(history)}
            self._run.write_json(RESULT, result)
        return history

    def _finished(self) -> list[dict[str, Any]] | None:
        # Where the cell's file is gone, it is made anew from the checkpoint.
        return super()._finished() if files.exists(self._run.path / "genotype.json") else None

    def _steps(self, epoch: int) -> int:
        return self._data.steps(epoch)

    def _batches(self, epoch: int, start_step: int) -> Iterator[SearchBatch]:
        return self._data.epoch(epoch, start_step)

    def _rate(self, epoch: int) -> float:
        config = self._config
        first, last = config.weight_learning_rate, config.final_weight_learning_rate
        return cosine(first, last, epoch, config.epochs)

    def _take_step(self, epoch: int, batch: SearchBatch) -> StepResult:
        if batch.starts_pass:
            self._step.reset_states()
        learning_rate = self._rate(epoch) * batch.learning_rate_scale
        metrics = self._step(batch.train, batch.validation, learning_rate)
        finite = bool(metrics.pop("finite"))
        means = {stream: metrics.pop(stream) for stream in ("train", "validation")}
        return StepResult(finite, means, metrics | {"learning_rate": learning_rate})

    def _scores(self, means: Scalars) -> Scalars:
        return self._supernet.scores(means)

    def _evaluate(self, stop: StopRequest) -> Scalars | None:
        batches, size = self._data.evaluation(), self._data.evaluation_batch_size
        return self._step.score(batches, size, lambda: bool(stop))

    def _record(
        self, epoch: int, batch_scores: dict[str, Scalars], scores: Scalars
    ) -> dict[str, Any]:
        # Both streams in training mode: the batches' own statistics, dropout. Evaluation mode has
        # the running statistics, and may score much worse than the same text in training mode.
        mixing = self._step.mixing()
        cell = self._genotype(mixing)
        return {
            "learning_rate": self._rate(epoch),
            **{f"train_{name}": value for name, value in batch_scores["train"].items()},
            **{
                f"validation_batch_{name}": value
                for name, value in batch_scores["validation"].items()
            },
            **{f"validation_{name}": value for name, value in scores.items()},
            "entropy": float(relaxation.entropy(mixing)),
            "cell": str(cell),
            "genotype": cell.to_dict(),
            "mixing": {name: table.tolist() for name, table in mixing.items()},
        }

    def _genotype(self, mixing: Mapping[str, np.ndarray]) -> genotype.Genotype:
        cells = derive(mixing, self._supernet.cells)
        return self._supernet.genotype_class.from_cells(cells)

    def _write_artefacts(self) -> None:
        """Rewrites `genotype.json` where the cell or its validation score is another."""
        cell = self._genotype(self._step.mixing())
        last = self._history[-1] if self._history else None
        score = f"validation_{self._supernet.score}"
        validation = {"epoch": last["epoch"], score: last[score]} if last else None
        if self._saved_genotype == (cell, validation):
            return
        provenance = {
            "mode": self._config.mode,
            "method": self._config.method,
            "dataset": self._config.dataset,
            "optimization": self._config.optimization,
            "hypergradient": self._config.hypergradient,
            "seed": self._config.seed,
            "step": int(self._step.steps),
            # Of the supernet with its shared weights, not of the discrete cell.
            "supernet": validation,
            # Until the end of the epoch whose score stands here; all replicas took as long.
            "search_seconds": last["seconds"] if last else 0.0,
            "replicas": self._replicas.count,
            "settings": self._run.settings,
        }
        genotype_files.save(self._run.path / "genotype.json", cell, provenance)
        self._saved_genotype = (cell, validation)
