"""A whole training: a configuration in, a finished run directory out."""

import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from tf_darts.cells import genotype, genotype_files, references
from tf_darts.config.presets import legacy_settings
from tf_darts.config.training import TrainingConfig
from tf_darts.report.page.document import check_plotly
from tf_darts.report.training_report import TrainingReport
from tf_darts.runs.data_record import check_data, data_flag
from tf_darts.runs.memory_estimates import training_memory
from tf_darts.runs.opening import (
    announce_memory,
    check_directory,
    kept_graphs,
    on_devices,
    opened_run,
    record_or_check_data,
    set_arithmetic,
    settings_of,
)
from tf_darts.runs.training_tasks import training_task
from tf_darts.runtime.busy import busy
from tf_darts.runtime.callback import Callback
from tf_darts.runtime.console import say, warn
from tf_darts.runtime.environment import record_start
from tf_darts.runtime.extension import Extendable
from tf_darts.runtime.garbage import beginning
from tf_darts.runtime.progress import Progress
from tf_darts.runtime.signals import StopRequest
from tf_darts.training.engine import TrainingEngine


class TrainingRun(NamedTuple):
    """A finished training.

    Attributes:
      path: its run directory.
      result: the record of the epoch whose weights count.
      seconds: how long all epochs took.
      score: the name of the score; `result` has `validation_{score}` where `validates`.
      counts: how large the network is, by what is counted.
      baseline: name and validation score of something trivial to compare with, or None.
      validates: whether there was a validation part.
    """

    path: pathlib.Path
    result: dict[str, Any]
    seconds: float
    score: str
    counts: dict[str, int]
    baseline: tuple[str, float] | None
    validates: bool


def in_words(counts: dict[str, int]) -> str:
    """Counts as people read them: "3,349,342 weights and 528,359,040 multiply-adds an image"."""
    return " and ".join(f"{count:,} {name}" for name, count in counts.items())


@beginning()
def run_training(
    config: TrainingConfig,
    cell: genotype.Genotype,
    stop: StopRequest,
    label: str = "",
    callbacks: Sequence[Callback] = (),
) -> TrainingRun:
    """Trains a network of `cell` in `config.run_dir`; see `run_search`."""
    check_plotly()
    set_arithmetic(config)
    config, replicas = on_devices(config, label)
    settings = settings_of(config, replicas) | {"cell": cell.to_dict()}
    extendable = Extendable({"epochs": config.why_no_more_epochs})
    if replicas.is_chief:
        check_directory(config.run_dir, settings, extendable, legacy_settings())
    with busy(f"{label}Reading the data and building the network"):
        task = training_task(config, cell)
    objective = task.objective
    if replicas.is_chief:
        # Before the run is held: one that goes on with more epochs gives its result up.
        path = pathlib.Path(config.run_dir).expanduser()
        check_data(path, task.data, data_flag(config), task.data.assets())
    with opened_run(config, settings, replicas, extendable) as run:
        record_or_check_data(run, task.data, config, replicas, task.data.assets())
        if replicas.is_chief:
            record_start(run.path)  # not before: what is refused leaves a run as it is
        provenance = references.provenance(config.genotype, cell)
        genotype_files.save(run.path / "genotype.json", cell, provenance)
        counts = objective.counts()
        run.write_json("counts.json", counts)
        say(f"{label}The network has {in_words(counts)}.")
        if blocked := cell.blocked():
            warn(f"{label}{blocked} The training goes on, but this network can only guess.")
        own = [
            Progress(objective.score, config.epochs, label),
            TrainingReport(run.path, objective, cell, settings, task.baseline),
        ]
        watched = [*own, *callbacks] if replicas.is_chief else []
        longest = task.data.longest
        variables = [*objective.weights, *objective.statistics]
        with kept_graphs(config, variables, cell=cell.to_dict()):
            with busy(f"{label}Counting the memory that it will need"):
                need = training_memory(objective, config, longest, replicas)
            announce_memory(need, config, label)
            engine = TrainingEngine(config, objective, task.data, run, watched, replicas)
            result = engine.train(stop)
        seconds = run.read_history()[-1]["seconds"]
    path, validates = pathlib.Path(config.run_dir).expanduser(), task.data.validates
    return TrainingRun(path, result, seconds, objective.score, counts, task.baseline, validates)
