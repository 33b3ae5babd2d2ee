"""The loop around the bilevel step."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import keras
import numpy as np

from tf_darts.bilevel.epoch_rules import Directions, Return, SearchFacts, SearchProbe
from tf_darts.bilevel.search_rules import SearchRules
from tf_darts.bilevel.step import BilevelStep
from tf_darts.cells import answers, genotype_files
from tf_darts.cells.genotype import Genotype
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

# The scores of trained cells by name, of a cell that a search held.
Judge = Callable[[Genotype], Mapping[str, float]]


class SearchData(EpochData, Protocol):
    """What the loop reads: see `data/texts/search_batches.py` for one that does it."""

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[SearchBatch]:
        """The epoch's batches from `start_step` on, the same ones at every call."""

    def sample(self) -> Iterator[Any]:
        """Those of `evaluation`, in an order in which the first ones stand for all."""


class SearchEngine(RunLoop):
    """Runs a search in its run directory, from where it stands to its last epoch.

    Besides what every run has, the directory holds `genotype.json`: the cell at the last
    checkpoint, rewritten where the cell or its score is another; and at the end `result.json` with
    the score and cell of the epoch that counts: the last, unless a rule of the method stops the
    search and says another.

    A judge looks the cell of each epoch up in a table of trained cells. What it says is kept in the
    record, under "table".

    The seconds of a search count on from `seconds_before`, which the stages before it took.
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
        judge: Judge | None = None,
        seconds_before: float = 0.0,
    ) -> None:
        self._config = config
        self._judge = judge
        self._supernet = supernet
        self._data = data
        self._step = make_step(supernet, config, replicas=replicas)
        self._facts: SearchFacts = self._step.mixture.facts
        self._rules = SearchRules(config, self._facts)
        self._saved_genotype: Any = None
        self._given_rate: float | None = None
        super().__init__(
            run,
            callbacks,
            epochs=config.all_epochs(supernet.cells),
            checkpoint_steps=config.checkpoint_steps,
            max_rollbacks=config.max_rollbacks,
            variables=self._step.variables,
            measures=dict.fromkeys(("train", "validation"), supernet.measures),
            replicas=replicas,
        )
        self._seconds.assign(seconds_before)  # where the run begins; a checkpoint has its own

    @property
    def supernet(self) -> Supernet:
        """What is searched."""
        return self._supernet

    @property
    def alphas(self) -> Mapping[str, keras.Variable]:
        """The architecture parameters by name, see `Mixture`."""
        return self._step.alphas

    def search(self, stop: StopRequest) -> list[dict[str, Any]]:
        """Searches until the last epoch's end; see `RunLoop._run_all`."""
        history = self._run_all(stop)
        if self._run.read_result() is None:
            record, reason = self._rules.chosen_record(self._history)
            names = ("epoch", "step", f"validation_{self._supernet.score}", "cell", "genotype")
            result = {name: record[name] for name in names} | {"epochs": len(history)}
            cell = self._supernet.genotype_class.from_dict(record["genotype"])
            answer = answers.match_answer(cell, self._config.operations)
            if answer is not None:
                result["found"] = answer._asdict()
            self._write_artefacts()
            self._run.write_json(RESULT, result | ({"stopped": reason} if reason else {}))
        return history

    def _directions(self) -> Directions:
        return self._rules.directions(self._history)

    def _has_next_epoch(self) -> bool:
        directions = self._directions()
        if directions.stop is None and directions.back is not None:
            self._go_back(directions.back)
        return super()._has_next_epoch() and self._directions().stop is None

    def _go_back(self, back: Return) -> None:
        """Goes to an earlier epoch's end, and saves that at once.

        A kill before leaves the record by which the same is said again.
        """
        self._tick()
        seconds, rollbacks = float(self._seconds), int(self._rollbacks)
        self._state.restore_kept(back.epoch)
        self._replicas.barrier()  # before the chief keeps another state
        self._seconds.assign(seconds)
        self._rollbacks.assign(rollbacks)
        self._history[-1]["monitors"] |= back.measured
        self._save(anchor=True)
        self._run.write_history(self._history)
        self._notify("on_rollback", int(self._step.steps), back.reason)

    def _save(self, *, anchor: bool = False) -> None:
        epoch = int(self._epoch)
        kept = self._rules.kept(epoch)
        if anchor and kept and self._replicas.is_chief:
            # Before what a killed search goes on from: it would not come here again.
            self._state.keep(epoch, int(self._step.steps), kept)
        super()._save(anchor=anchor)

    def _begin(self) -> None:
        super()._begin()
        # What stands there before the first step is read by the directions of its epoch, too.
        self._begin_epoch(int(self._epoch))

    def _begin_epoch(self, epoch: int) -> None:
        directions = self._directions()
        self._step.alphas_frozen = directions.freeze_alphas
        self._given_rate = directions.weight_learning_rate
        own, given = self._config.weight_decay, directions.weight_decay
        self._step.set_weight_decay(own if given is None else given)
        self._step.mixture.begin_epoch(epoch, directions.allowed, directions.numbers)

    def _streams(self) -> tuple[str, ...]:
        return ("train",) if self._step.alphas_frozen else ("train", "validation")

    def _finished(self) -> list[dict[str, Any]] | None:
        # Where the cell's file is gone, it is made anew from the checkpoint.
        return super()._finished() if files.exists(self._run.file("genotype.json")) else None

    def _steps(self, epoch: int) -> int:
        return self._data.steps(epoch)

    def _batches(self, epoch: int, start_step: int) -> Iterator[SearchBatch]:
        return self._data.epoch(epoch, start_step)

    def _rate(self, epoch: int) -> float:
        if self._given_rate is not None:
            return self._given_rate
        config = self._config
        first, last = config.weight_learning_rate, config.final_weight_learning_rate
        # In epochs that a derivation adds it is that of the last of the search's own.
        return cosine(first, last, min(epoch, config.epochs - 1), config.epochs)

    def _take_step(self, epoch: int, batch: SearchBatch) -> StepResult:
        if batch.starts_pass:
            self._step.reset_states()
        learning_rate = self._rate(epoch) * batch.learning_rate_scale
        metrics = self._step(batch.train, batch.validation, learning_rate)
        finite = bool(metrics.pop("finite"))
        means = {stream: metrics.pop(stream) for stream in self._streams()}
        return StepResult(finite, means, metrics | {"learning_rate": learning_rate})

    def _scores(self, means: Scalars) -> Scalars:
        return self._supernet.scores(means)

    def _evaluate(self, stop: StopRequest) -> Scalars | None:
        return self._score(stop)

    def _score(
        self, stop: StopRequest, mixing: Mapping[str, np.ndarray] | None = None
    ) -> Scalars | None:
        batches, size = self._data.evaluation(), self._data.evaluation_batch_size
        return self._step.mixture.score(batches, size, lambda: bool(stop), mixing)

    def _record(
        self, epoch: int, batch_scores: dict[str, Scalars], scores: Scalars
    ) -> dict[str, Any]:
        # Both streams in training mode: the batches' own statistics, dropout. Evaluation mode has
        # the running statistics, and may score much worse than the same text in training mode.
        mixing = self._step.mixture.tables()
        monitors, edges = self._rules.measure(self._probe(epoch, mixing), self._history)
        cell = self._supernet.genotype_class.from_cells(edges)
        return {
            "learning_rate": self._rate(epoch),
            **{f"train_{name}": value for name, value in batch_scores["train"].items()},
            **{  # none where α stood still, and no validation batch was taken
                f"validation_batch_{name}": value
                for name, value in batch_scores.get("validation", {}).items()
            },
            **{f"validation_{name}": value for name, value in scores.items()},
            "entropy": float(self._step.mixture.entropy()),
            "monitors": monitors,
            "cell": str(cell),
            "genotype": cell.to_dict(),
            "mixing": {name: table.tolist() for name, table in mixing.items()},
            **({} if self._judge is None else {"table": dict(self._judge(cell))}),
        }

    def _announce(self, record: dict[str, Any]) -> None:
        super()._announce(record)
        before = self._history[-2]["genotype"] if len(self._history) > 1 else None
        if record["genotype"] != before:
            cell = self._supernet.genotype_class.from_dict(record["genotype"])
            self._notify("on_cell", record["epoch"], cell)

    def _probe(self, epoch: int, mixing: dict[str, np.ndarray]) -> SearchProbe:
        """What rules and derivation may ask of the epoch that ends; without the cell's edges."""

        def evaluate(mixing: Mapping[str, np.ndarray] | None = None) -> Scalars:
            return self._score(StopRequest(), mixing)

        def hessian_products(batches: int) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
            # The first ones of the first epoch, whichever epoch ends.
            for number, batch in enumerate(itertools.islice(self._data.epoch(0), batches)):
                yield self._step.hessian_product(batch.validation, number)

        def worth(mixing: Mapping[str, np.ndarray], batches: int) -> float:
            some = itertools.islice(self._data.sample(), batches or None)
            size = self._data.evaluation_batch_size
            scores = self._step.mixture.score_in_training_mode(some, size, mixing)
            score = scores[self._supernet.score]
            if math.isnan(score):
                return -math.inf  # nothing is worse, and no rule takes it for the best
            return score if self._supernet.score_mode == "max" else -score

        facts, parameters = self._facts, sum(math.prod(v.shape) for v in self.alphas.values())
        return SearchProbe(
            facts.cells,
            epoch + 1,
            facts.epochs,
            mixing,
            {},  # not chosen yet
            evaluate,
            hessian_products,
            parameters,
            self._step.mixture.reading(),
            worth,
            tuple(self._history),
        )

    def _write_artefacts(self) -> None:
        """Rewrites `genotype.json` where the cell or its validation score is another."""
        last = self._history[-1] if self._history else None
        record, step = last, int(self._step.steps)
        if last is not None and int(self._step_in_epoch) == 0:
            record, _ = self._rules.chosen_record(self._history)
            cell, step = self._supernet.genotype_class.from_dict(record["genotype"]), record["step"]
        else:
            edges = self._rules.edges(self._step.mixture.tables(), self._history)
            cell = self._supernet.genotype_class.from_cells(edges)
        score = f"validation_{self._supernet.score}"
        validation = {"epoch": record["epoch"], score: record[score]} if record else None
        if self._saved_genotype == (cell, validation):
            return
        provenance = {
            "mode": self._config.mode,
            "method": self._config.label,
            "dataset": self._config.dataset,
            "hypergradient": self._config.hypergradient,
            "seed": self._config.seed,
            "step": step,
            # Of the supernet with its shared weights, not of the discrete cell.
            "supernet": validation,
            # Until the end of the epoch whose score stands here; all replicas took as long.
            "search_seconds": last["seconds"] if last else 0.0,
            "replicas": self._replicas.count,
            "settings": self._run.settings,
        }
        genotype_files.save(self._run.path / "genotype.json", cell, provenance)
        self._saved_genotype = (cell, validation)
