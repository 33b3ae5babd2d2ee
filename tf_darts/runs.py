"""Whole runs: a configuration in, a finished run directory out."""

import pathlib
from typing import Any, NamedTuple

import tensorflow as tf

from tf_darts import genotype
from tf_darts.config import computed_settings
from tf_darts.configuration.search import SearchConfig
from tf_darts.configuration.training import TrainingConfig
from tf_darts.report.search_report import SearchReport
from tf_darts.report.training_report import TrainingReport
from tf_darts.runtime.precision import set_precision
from tf_darts.runtime.progress import Progress
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.signals import StopRequest
from tf_darts.search.engine import SearchEngine
from tf_darts.search_tasks import search_task
from tf_darts.training.engine import TrainingEngine
from tf_darts.training.kept_data import keep_data
from tf_darts.training_tasks import training_task


class SearchRun(NamedTuple):
    """A finished search.

    Attributes:
      path: its run directory.
      history: a record for each epoch.
      cell: what was found.
      score: the name of the score; records have `validation_{score}`.
      baseline: name and validation score of something trivial to compare with.
      counts: how large the network is that `--mode=train` makes of the cell by default.
    """

    path: pathlib.Path
    history: list[dict[str, Any]]
    cell: genotype.Genotype
    score: str
    baseline: tuple[str, float]
    counts: dict[str, int]


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


def set_arithmetic(config: SearchConfig | TrainingConfig) -> None:
    """Precision and determinism of all that is made from now on."""
    set_precision(config.precision)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()


def run_search(config: SearchConfig, stop: StopRequest, label: str = "") -> SearchRun:
    """Searches in `config.run_dir`, from where it stands to the end.

    Args:
      config: the settings.
      stop: asked after every step.
      label: what every line of its progress begins with.

    Raises:
      Stopped: `stop` was set; the same call goes on from there.
      UserError: the data or the directory are not right, or the search diverged.
    """
    set_arithmetic(config)
    task = search_task(config)
    supernet, settings = task.supernet, computed_settings(config)
    run = RunDirectory(config.run_dir, settings)
    try:
        observers = [
            Progress(supernet.score, config.epochs, label),
            SearchReport(run.path, supernet, settings, task.baseline),
        ]
        history = SearchEngine(config, supernet, task.data, run, observers).search(stop)
        cell = genotype.load(run.path / "genotype.json")
    finally:
        run.close()
    return SearchRun(run.path, history, cell, supernet.score, task.baseline, task.counts(cell))


def run_training(
    config: TrainingConfig, cell: genotype.Genotype, stop: StopRequest, label: str = ""
) -> TrainingRun:
    """Trains a network of `cell` in `config.run_dir`; see `run_search`."""
    set_arithmetic(config)
    task = training_task(config, cell)
    network, settings = task.network, computed_settings(config) | {"cell": cell.to_dict()}
    run = RunDirectory(config.run_dir, settings)
    try:
        genotype.save(run.path / "genotype.json", cell, {"mode": "train", "given": config.genotype})
        keep_data(run, task.data)
        counts = network.counts()
        run.write_json("counts.json", counts)
        print(f"{label}The network has {in_words(counts)}.", flush=True)
        observers = [
            Progress(network.score, config.epochs, label),
            TrainingReport(run.path, network, cell, settings, task.baseline),
        ]
        result = TrainingEngine(config, network, task.data, run, observers).train(stop)
        seconds = run.read_history()[-1]["seconds"]
    finally:
        run.close()
    validates = task.data.validates
    return TrainingRun(run.path, result, seconds, network.score, counts, task.baseline, validates)
