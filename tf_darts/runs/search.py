"""A whole search: a configuration in, a finished run directory out."""

import gc
import pathlib
import types
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tf_darts.benchmarks import CellTable
from tf_darts.bilevel.engine import SearchEngine
from tf_darts.bilevel.epoch_rules import SearchFacts
from tf_darts.bilevel.part_checks import asking
from tf_darts.cells import answers, genotype, genotype_files
from tf_darts.cells.topology import CellTopology
from tf_darts.config.methods import find_method
from tf_darts.config.presets import legacy_settings
from tf_darts.config.search import SearchConfig
from tf_darts.errors import StateError, UserError
from tf_darts.report.page.document import check_plotly
from tf_darts.report.search_report import SearchReport
from tf_darts.report.table_judgement import search_document
from tf_darts.runs.memory_estimates import search_memory
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
from tf_darts.runs.search_tasks import SearchTask, search_task
from tf_darts.runs.stages import Stage
from tf_darts.runtime.busy import busy
from tf_darts.runtime.callback import Callback
from tf_darts.runtime.environment import record_start
from tf_darts.runtime.garbage import beginning
from tf_darts.runtime.progress import Progress
from tf_darts.runtime.replicas import Replicas
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.signals import StopRequest
from tf_darts.spaces.supernet import Supernet


class SearchRun(NamedTuple):
    """A finished search.

    Attributes:
      path: its run directory.
      history: a record for each epoch.
      record: that of the epoch whose cell was found: the last, unless the search stopped early.
      stopped: why it stopped early; "" where it did not.
      cell: what was found.
      answer: what it has of its space's answer; None where nobody knows one.
      score: the name of the score; records have `validation_{score}`.
      baseline: name and validation score of something trivial to compare with.
      counts: how large the network is that `--mode=train` makes of the cell.
      table: where the cells of its epochs were looked up (`--table`), or None.
      training: the settings that `--mode=train` needs, whose defaults are too large for the data.
    """

    path: pathlib.Path
    history: list[dict[str, Any]]
    record: dict[str, Any]
    stopped: str
    cell: genotype.Genotype
    answer: answers.AnswerMatch | None
    score: str
    baseline: tuple[str, float]
    counts: dict[str, int]
    table: CellTable | None = None
    training: Mapping[str, Any] = types.MappingProxyType({})


def cell_settings(config: SearchConfig, cells: Mapping[str, CellTopology]) -> dict[str, Any]:
    """What of the cells is a setting of the run, since files that are loaded may change.

    That is the operations that were added to its space, and in a space that is not a usual one the
    topologies.
    """
    if config.usual_space:
        return added_operations(cells)
    topologies = {kind: cell.get_config() for kind, cell in cells.items()}
    return added_operations(cells) | {"cells": topologies}


def added_operations(cells: Mapping[str, CellTopology]) -> dict[str, list[str]]:
    """The candidates that `add_operation` or `add_activation` added, if there are any."""
    candidates = (o for cell in cells.values() for o in cell.all_operations)
    names = genotype.added_primitives()
    added = [operation for operation in dict.fromkeys(candidates) if operation in names]
    return {"added_operations": added} if added else {}


@beginning()
def run_search(
    config: SearchConfig, stop: StopRequest, label: str = "", callbacks: Sequence[Callback] = ()
) -> SearchRun:
    """Searches in `config.run_dir`, from where it stands to the end.

    Args:
      config: the settings.
      stop: asked after every step.
      label: what every line of its progress begins with.
      callbacks: are told what happens, besides ours.

    Raises:
      Stopped: `stop` was set; the same call goes on from there.
      UserError: the data or the directory are not right, or the data are not those that the
        search began with, or it diverged.
    """
    check_plotly()
    table = CellTable(config.table, config.space) if config.table else None
    set_arithmetic(config)
    config, replicas = on_devices(config, label)
    stage = Stage.of(config)
    settings = settings_of(config, replicas) | cell_settings(config, stage.cells[0])
    if replicas.is_chief:
        check_directory(config.run_dir, settings, legacy=legacy_settings())
    with busy(f"{label}Reading the data and building the supernet"):
        task = search_task(stage.config, stage.cells[-1])
    with opened_run(config, settings, replicas) as run:
        while not stage.is_last:
            stage.write(run)
            own = settings_of(stage.config, replicas) | stage.settings
            with opened_run(stage.config, own, replicas) as stage_run:
                history, result = _searched(
                    stage, task, stage_run, replicas, stop, label, table, callbacks
                )
            chosen = _with_needed(_chosen(history, result), stage.config, task.supernet)
            stage = stage.after(chosen, history[-1]["seconds"])
            task = None  # before the next one needs memory
            gc.collect()
            with busy(f"{label}Building the supernet of the next stage"):
                task = search_task(stage.config, stage.cells[-1])
        if stage.number > 1:
            stage.write(run)
        history, result = _searched(stage, task, run, replicas, stop, label, table, callbacks)
        cell = _found(run.file("genotype.json"))
        if table is not None and replicas.is_chief:
            run.write_json("table.json", search_document(table, cell))
    path = pathlib.Path(config.run_dir).expanduser()
    with busy(f"{label}Counting the weights of the network that --mode=train makes of the cell"):
        network = task.trained(cell)
    return SearchRun(
        path,
        history,
        record=_chosen(history, result),
        stopped=result.get("stopped", ""),
        cell=cell,
        answer=answers.match_answer(cell, config.operations),
        score=task.supernet.score,
        baseline=task.baseline,
        counts=network.counts,
        table=table,
        training=network.settings,
    )


def _searched(
    stage: Stage,
    task: SearchTask,
    run: RunDirectory,
    replicas: Replicas,
    stop: StopRequest,
    label: str,
    table: CellTable | None,
    callbacks: Sequence[Callback],
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Searches in a run directory; a record for each epoch, and the result."""
    config, supernet, label = stage.config, task.supernet, label + stage.label
    record_or_check_data(run, task.data, config, replicas)
    if replicas.is_chief:
        record_start(run.path)  # not before: what is refused leaves a run as it is
    own = [
        Progress(supernet.score, config.all_epochs(supernet.cells), label),
        SearchReport(run.path, supernet, run.settings, task.baseline, table),
    ]
    watched = [*own, *callbacks] if replicas.is_chief else []
    longest = task.data.longest
    cells = {kind: cell.get_config() for kind, cell in supernet.cells.items()}
    with kept_graphs(config, [*supernet.weights, *supernet.statistics], cells=cells):
        with busy(f"{label}Counting the memory that it will need"):
            need = search_memory(supernet, config, longest, replicas)
        announce_memory(need, config, label)
        engine = SearchEngine(
            config,
            supernet,
            task.data,
            run,
            watched,
            replicas,
            find_method(config.method).step_class,
            None if table is None else table.scores_of,
            stage.seconds[-1],
        )
        return engine.search(stop), run.read_result() or {}


def _found(file: pathlib.Path) -> genotype.Genotype:
    try:
        return genotype_files.load(file)
    except UserError as error:
        reason = str(error).removeprefix(f"{file}: ").partition(";")[0]  # without its advice
        raise StateError(
            f"{file}: cannot be read ({reason}); remove it and repeat the command, which writes it"
            " anew."
        ) from error


def _chosen(history: list[dict[str, Any]], result: Mapping[str, Any]) -> dict[str, Any]:
    """The record of the epoch whose cell is the result."""
    return next((r for r in history if r["epoch"] == result.get("epoch")), history[-1])


def _with_needed(
    record: Mapping[str, Any], config: SearchConfig, supernet: Supernet
) -> Mapping[str, Any]:
    """The record, with the largest mixing weights where the derivation needs an operation."""
    (derivation,) = config.make_parts("derivation")
    tables = {kind: np.array(table) for kind, table in record["mixing"].items()}
    derivation = derivation.of(SearchFacts.of(supernet, config))
    with asking(derivation, "needed"):
        for kind, table in derivation.needed(tables, supernet.cells).items():
            tables[kind][table] = np.inf
    return {**record, "mixing": tables}
