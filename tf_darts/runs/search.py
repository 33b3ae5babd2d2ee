"""A whole search: a configuration in, a finished run directory out."""

import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from tf_darts.benchmarks import CellTable
from tf_darts.bilevel.engine import SearchEngine
from tf_darts.cells import answers, genotype, genotype_files
from tf_darts.config.methods import find_method
from tf_darts.config.search import SearchConfig
from tf_darts.report.search_report import SearchReport
from tf_darts.report.table_judgement import search_document
from tf_darts.runs.memory_estimates import search_memory
from tf_darts.runs.opening import (
    announce_memory,
    opened_run,
    record_or_check_data,
    replicas_of,
    set_arithmetic,
    settings_of,
)
from tf_darts.runs.search_tasks import search_task
from tf_darts.runtime.busy import busy
from tf_darts.runtime.callback import Callback
from tf_darts.runtime.environment import record_start
from tf_darts.runtime.progress import Progress
from tf_darts.runtime.signals import StopRequest
from tf_darts.spaces.convolutional.operations.registry import ADDED
from tf_darts.spaces.supernet import Supernet


class SearchRun(NamedTuple):
    """A finished search.

    Attributes:
      path: its run directory.
      history: a record for each epoch.
      record: that of the epoch whose cell was found: the last, unless the search stopped early.
      stopped: why it stopped early; "" where it did not.
      cell: what was found.
      found: what it has of its space's answer; None where nobody knows one.
      score: the name of the score; records have `validation_{score}`.
      baseline: name and validation score of something trivial to compare with.
      counts: how large the network is that `--mode=train` makes of the cell by default.
      table: where the cells of its epochs were looked up (`--table`), or None.
    """

    path: pathlib.Path
    history: list[dict[str, Any]]
    record: dict[str, Any]
    stopped: str
    cell: genotype.Genotype
    found: answers.Found | None
    score: str
    baseline: tuple[str, float]
    counts: dict[str, int]
    table: CellTable | None = None


def cell_settings(config: SearchConfig, supernet: Supernet) -> dict[str, Any]:
    """What of the cells is a setting of the run, since files that are loaded may change.

    That is the operations that `add_operation` added, and in a space that is not a usual one the
    topologies.
    """
    if config.usual_space:
        return added_operations(supernet)
    topologies = {kind: cell.get_config() for kind, cell in supernet.cells.items()}
    return added_operations(supernet) | {"cells": topologies}


def added_operations(supernet: Supernet) -> dict[str, list[str]]:
    """The candidates that `add_operation` added, if there are any."""
    candidates = (o for cell in supernet.cells.values() for o in cell.all_operations)
    added = [operation for operation in dict.fromkeys(candidates) if operation in ADDED]
    return {"added_operations": added} if added else {}


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
    table = CellTable(config.table, config.space) if config.table else None
    set_arithmetic(config)
    replicas = replicas_of(config)
    with busy(f"{label}Reading the data and building the supernet"):
        task = search_task(config)
    supernet = task.supernet
    settings = settings_of(config, replicas) | cell_settings(config, supernet)
    with opened_run(config, settings, replicas) as run:
        record_or_check_data(run, task.data, config, replicas)
        if replicas.is_chief:
            record_start(run.path)  # not before: what is refused leaves a run as it is
        own = [
            Progress(supernet.score, config.all_epochs(supernet.cells), label),
            SearchReport(run.path, supernet, settings, task.baseline, table),
        ]
        watched = [*own, *callbacks] if replicas.is_chief else []
        longest = task.data.longest
        with busy(f"{label}Counting the memory that it will need"):
            need = search_memory(supernet, config, longest, replicas)
        announce_memory(need, config, label)
        make_step = find_method(config.method).step_class
        judge = None if table is None else table.found
        engine = SearchEngine(config, supernet, task.data, run, watched, replicas, make_step, judge)
        history = engine.search(stop)
        cell = genotype_files.load(run.path / "genotype.json")
        result = run.read_result() or {}
        if table is not None and replicas.is_chief:
            run.write_json("table.json", search_document(table, cell))
    path = pathlib.Path(config.run_dir).expanduser()
    return SearchRun(
        path,
        history,
        record=next((r for r in history if r["epoch"] == result.get("epoch")), history[-1]),
        stopped=result.get("stopped", ""),
        cell=cell,
        found=answers.found(cell, supernet.cells),
        score=supernet.score,
        baseline=task.baseline,
        counts=task.counts(cell),
        table=table,
    )
