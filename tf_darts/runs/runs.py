"""Whole runs: a configuration in, a finished run directory out."""

import contextlib
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from tf_darts.cells import genotype
from tf_darts.cells import references as given_cells
from tf_darts.config.presets import (computed_settings, legacy_settings, preset_for)
from tf_darts.config.export import ExportConfig
from tf_darts.config.search import SearchConfig
from tf_darts.config.testing import RunTestConfig
from tf_darts.config.training import TrainingConfig
from tf_darts.formats.versions import new_version
from tf_darts.runs.export_tasks import (FORMATS, export_task)
from tf_darts.report.search_report import SearchReport
from tf_darts.report.training_report import TrainingReport
from tf_darts.runtime.memory import estimate as memory
from tf_darts.runtime.console import say
from tf_darts.runtime.distribution import open_replicas
from tf_darts.runtime.extension import Extendable
from tf_darts.runtime.precision import set_precision
from tf_darts.runtime.progress import Progress
from tf_darts.runtime.replicas import Replicas
from tf_darts.runtime.run_directory import NOTHING, FollowedRun, RunDirectory
from tf_darts.runtime.signals import StopRequest
from tf_darts.bilevel.engine import SearchEngine
from tf_darts.runs.search_memory import need_of_search
from tf_darts.runs.search_tasks import search_task
from tf_darts.spaces.fast_forms import set_acceleration
from tf_darts.spaces.supernet import Supernet
from tf_darts.training.engine import TrainingEngine
from tf_darts.runs.data_record import (ANOTHER_TRAINING, Data, check_data, keep_data, named)
from tf_darts.runs.training_memory import need_of_training
from tf_darts.training.finished import FinishedTraining
from tf_darts.runs.training_tasks import (test_task, training_task)


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


class Exported(NamedTuple):
    """An exported version of a network, checked.

    Attributes:
      path: its directory.
      notes: what there is to say of it, sentences.
    """

    path: pathlib.Path
    notes: list[str]


def added_operations(supernet: Supernet) -> dict[str, list[str]]:
    """The candidates that are not the paper's, as a setting of the run, if there are any."""
    papers = {*genotype.RECURRENT_PRIMITIVES, *genotype.CONVOLUTIONAL_PRIMITIVES}
    candidates = dict.fromkeys(o for cell in supernet.cells.values() for o in cell.operations)
    added = [operation for operation in candidates if operation not in papers]
    return {"added_operations": added} if added else {}


def in_words(counts: dict[str, int]) -> str:
    """Counts as people read them: "3,349,342 weights and 528,359,040 multiply-adds an image"."""
    return " and ".join(f"{count:,} {name}" for name, count in counts.items())


def set_arithmetic(config: SearchConfig | TrainingConfig) -> None:
    """Precision, fast forms and determinism of all that is made from now on."""
    set_precision(config.precision)
    set_acceleration(config.accelerate)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()


def replicas_of(config: SearchConfig | TrainingConfig) -> Replicas:
    """The replicas that a configuration asks for; raises `UserError` where they cannot be."""
    replicas = open_replicas(
        config.distribution, config.cpu_replicas, config.micro_batches, config.check_replicas
    )
    replicas.check_batch(config.batch_size)
    return replicas


def settings_of(config: SearchConfig | TrainingConfig, replicas: Replicas) -> dict[str, Any]:
    """What decides a run's results: on other devices it is another run."""
    settings = computed_settings(config)
    if config.distribution == "auto":
        settings["distribution"] = "mirrored" if replicas.count > 1 else "one_device"
    return settings | ({"replicas": replicas.count} if replicas.count > 1 else {})


def announce_memory(
    need: memory.Need | None, config: SearchConfig | TrainingConfig, label: str
) -> None:
    """Says what a run will need, where that is known."""
    if need is not None:
        advice = memory.advice(config.batch_size, config.micro_batches, config.rematerialize)
        memory.announce(need, advice, label)


@contextlib.contextmanager
def opened_run(
    path: str, settings: dict[str, Any], replicas: Replicas, extendable: Extendable = NOTHING
) -> Iterator[RunDirectory | FollowedRun]:
    """The run directory, of which only the chief of several workers has the keeping.

    `extendable` says with which settings the run may go on where they have grown.
    """
    legacy = legacy_settings()
    with replicas.guarded(), contextlib.ExitStack() as stack:
        if replicas.is_chief:
            run = RunDirectory(path, settings, extendable, legacy)
            stack.enter_context(contextlib.closing(run))
        replicas.meet()
        if not replicas.is_chief:
            run = stack.enter_context(contextlib.closing(FollowedRun(path, settings, legacy)))
        yield run


def keep_what_is_learnt_from(
    run: RunDirectory | FollowedRun,
    data: Data,
    config: SearchConfig | TrainingConfig,
    replicas: Replicas,
    assets: Mapping[str, str] | None = None,
) -> None:
    """See `keep_data`; of several workers the chief writes, and the others compare."""
    if replicas.is_chief:
        keep_data(run.path, data, named(config), assets)
    replicas.meet()
    if not replicas.is_chief:
        check_data(pathlib.Path(config.run_dir).expanduser(), data, named(config), assets)


def run_search(config: SearchConfig, stop: StopRequest, label: str = "") -> SearchRun:
    """Searches in `config.run_dir`, from where it stands to the end.

    Args:
      config: the settings.
      stop: asked after every step.
      label: what every line of its progress begins with.

    Raises:
      Stopped: `stop` was set; the same call goes on from there.
      UserError: the data or the directory are not right, or the data are not those that the
        search began with, or it diverged.
    """
    set_arithmetic(config)
    replicas = replicas_of(config)
    task = search_task(config)
    supernet = task.supernet
    settings = settings_of(config, replicas) | added_operations(supernet)
    with opened_run(config.run_dir, settings, replicas) as run:
        keep_what_is_learnt_from(run, task.data, config, replicas)
        observers = [
            Progress(supernet.score, config.epochs, label),
            SearchReport(run.path, supernet, settings, task.baseline),
        ]
        watched = observers if replicas.is_chief else []
        longest = getattr(task.data, "longest", 1)
        announce_memory(need_of_search(supernet, config, longest, replicas), config, label)
        history = SearchEngine(config, supernet, task.data, run, watched, replicas).search(stop)
        cell = genotype.load(run.path / "genotype.json")
    path = pathlib.Path(config.run_dir).expanduser()
    return SearchRun(path, history, cell, supernet.score, task.baseline, task.counts(cell))


def run_training(
    config: TrainingConfig, cell: genotype.Genotype, stop: StopRequest, label: str = ""
) -> TrainingRun:
    """Trains a network of `cell` in `config.run_dir`; see `run_search`."""
    set_arithmetic(config)
    replicas = replicas_of(config)
    task = training_task(config, cell)
    network, settings = task.network, settings_of(config, replicas) | {"cell": cell.to_dict()}
    extendable = Extendable({"epochs": config.why_no_more_epochs})
    with opened_run(config.run_dir, settings, replicas, extendable) as run:
        keep_what_is_learnt_from(run, task.data, config, replicas, task.data.assets())
        found_by = {"mode": "train", **given_cells.origin(config.genotype, cell)}
        genotype.save(run.path / "genotype.json", cell, found_by)
        counts = network.counts()
        run.write_json("counts.json", counts)
        say(f"{label}The network has {in_words(counts)}.")
        observers = [
            Progress(network.score, config.epochs, label),
            TrainingReport(run.path, network, cell, settings, task.baseline),
        ]
        watched = observers if replicas.is_chief else []
        longest = getattr(task.data, "longest", 1)
        announce_memory(need_of_training(network, config, longest, replicas), config, label)
        result = TrainingEngine(config, network, task.data, run, watched, replicas).train(stop)
        seconds = run.read_history()[-1]["seconds"]
    path, validates = pathlib.Path(config.run_dir).expanduser(), task.data.validates
    return TrainingRun(path, result, seconds, network.score, counts, task.baseline, validates)


def run_test(config: RunTestConfig) -> dict[str, Any]:
    """What the test of a finished training found, as in `test.json`; it is taken once.

    Raises:
      UserError: there is no finished training, or its data are not to be had, or are others.
    """
    training = FinishedTraining.open(config.run_dir)
    try:
        if training.tested is None:
            preset = preset_for("train", training.settings["dataset"])
            trained = training.config(type(preset), data_dir=config.data_dir)
            set_arithmetic(trained)
            cell = genotype.SPACES[trained.space].from_dict(training.settings["cell"])
            task = test_task(trained, cell)
            path, assets = training.run.path, task.data.assets()
            check_data(path, task.data, named(trained), assets, ANOTHER_TRAINING)
            training.test(task)
        return training.tested
    finally:
        training.run.close()


def run_export(config: ExportConfig) -> Exported:
    """Writes the network of a finished training in another format, and checks it.

    Raises:
      UserError: there is no finished training, the version is there already, or what was written
        does not answer as the trained network does.
    """
    training = FinishedTraining.open(config.run_dir)
    try:
        export_dir = pathlib.Path(config.export_dir).expanduser()
        with new_version(export_dir, config.version) as version:
            task = export_task(training, config.data_dir)
            notes = FORMATS[config.format](task, version)
    finally:
        training.run.close()
    return Exported(export_dir / str(version.number), notes)
