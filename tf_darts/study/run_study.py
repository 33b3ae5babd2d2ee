"""A study from its configuration to its ranking, alone or with others (see `cluster.py`)."""

import contextlib
import dataclasses
import functools
import logging
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import keras_tuner
import tensorflow as tf
from keras_tuner.engine.trial import Trial
from keras_tuner.errors import FatalError

from tf_darts import genotype
from tf_darts.configuration.study import (
    RandomSearchConfig,
    SelectConfig,
    StudyConfig,
    TuneConfig,
)
from tf_darts.configuration.training import TrainingConfig
from tf_darts.errors import UserError
from tf_darts.genotype import SPACES
from tf_darts.report.ranking import write_ranking
from tf_darts.runs import set_arithmetic
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.signals import StopRequest, graceful_stop
from tf_darts.search.random_cells import random_cells
from tf_darts.search_tasks import search_task
from tf_darts.spaces.topologies import TOPOLOGIES
from tf_darts.study.candidates import Candidate, select_candidates
from tf_darts.study.cell_choices import chosen_cells
from tf_darts.study.cluster import Role, check_address, role, wait_for_chief
from tf_darts.study.evaluation import Row, evaluate, load_rows, ranked
from tf_darts.study.oracles import CANDIDATE, black_box_oracle, candidate_oracle
from tf_darts.study.settings import (
    parse_tuned,
    run_settings,
    search_config,
    training_config,
)
from tf_darts.study.tuner import StudyTuner
from tf_darts.training_tasks import find_cell, training_task

EPOCHS = "tuner/epochs"  # hyperband's: how long a trial's training is


class Plan(NamedTuple):
    """What a study does.

    Attributes:
      oracle: makes the oracle, given the score's mode.
      candidate_of: the candidate of a trial.
      example: a candidate like all others, for checking before any long work.
      settings: what decides the results, beside the study's own settings.
      snapshots: see `evaluate`.
    """

    oracle: Callable[[str], keras_tuner.Oracle]
    candidate_of: Callable[[Trial], Candidate]
    example: Candidate
    settings: dict[str, Any]
    snapshots: int = 0


@functools.singledispatch
def plan(config: StudyConfig) -> Plan:
    """The plan of a configuration; raises `UserError` where it cannot be."""
    raise TypeError(f"no study is known for {type(config).__name__}")


@plan.register
def _(config: SelectConfig) -> Plan:
    training = training_config(config)
    candidates = {c.name: c for c in select_candidates(config, training)}
    settings = run_settings("train", training) | {"snapshots": config.snapshots}
    searches = {c.source: c.search for c in candidates.values() if c.search is not None}
    for source, search in searches.items():
        settings |= run_settings(source, dataclasses.replace(search, seed=config.seed))
    cells = {c.name: c.cell.to_dict() for c in candidates.values() if c.source == "given"}
    settings |= {"candidates": list(candidates)} | ({"cells": cells} if cells else {})
    example = next((c for c in candidates.values() if c.search), next(iter(candidates.values())))
    return Plan(
        functools.partial(candidate_oracle, list(candidates)),
        lambda trial: candidates[trial.hyperparameters.get(CANDIDATE)],
        example,
        settings,
        config.snapshots,
    )


@plan.register
def _(config: RandomSearchConfig) -> Plan:
    training = training_config(config)
    topologies, cell_class = TOPOLOGIES[training.space], SPACES[training.space]
    hyperparameters = keras_tuner.HyperParameters()
    chosen_cells(hyperparameters, topologies)

    def candidate_of(trial: Trial) -> Candidate:
        cell = cell_class.from_cells(chosen_cells(trial.hyperparameters, topologies))
        return _trial_candidate(trial, config.tuner, cell, None, training)

    cell = cell_class.from_cells(random_cells(topologies, config.seed))
    example = Candidate("example", config.tuner, None, cell, None, training)
    settings = run_settings("train", training)
    return _black_box(config, hyperparameters, candidate_of, example, settings)


@plan.register
def _(config: TuneConfig) -> Plan:
    training = training_config(config)
    cell = search = None
    if config.genotype:
        cell = find_cell(dataclasses.replace(training, genotype=config.genotype))
        configs: dict[str, Any] = {"train": training}
    else:
        search = search_config(config)
        configs = {"train": training, "search": search}
    tuned = parse_tuned(config.tune, configs)
    hyperparameters = keras_tuner.HyperParameters()
    for setting in tuned:
        setting.value(hyperparameters)

    def candidate_of(trial: Trial) -> Candidate:
        values = {setting: setting.value(trial.hyperparameters) for setting in tuned}
        parts = {}
        for part, base in configs.items():
            chosen = {s.field: value for s, value in values.items() if s.part == part}
            parts[part] = dataclasses.replace(base, **chosen)
        candidate = _trial_candidate(trial, config.tuner, cell, parts.get("search"), parts["train"])
        return dataclasses.replace(candidate, settings={s.name: v for s, v in values.items()})

    example = Candidate("example", config.tuner, None, cell, search, training)
    settings = {k: v for part, c in configs.items() for k, v in run_settings(part, c).items()}
    settings |= {"tune": config.tune, "cell": cell.to_dict() if cell else None}
    return _black_box(config, hyperparameters, candidate_of, example, settings)


def _black_box(
    config: RandomSearchConfig | TuneConfig,
    hyperparameters: keras_tuner.HyperParameters,
    candidate_of: Callable[[Trial], Candidate],
    example: Candidate,
    settings: dict[str, Any],
) -> Plan:
    def oracle(score_mode: str) -> keras_tuner.Oracle:
        return black_box_oracle(
            config.tuner,
            hyperparameters,
            score_mode=score_mode,
            trials=config.trials,
            epochs=example.training.epochs,
            seed=config.seed,
        )

    own = {"tuner": config.tuner, "trials": config.trials}
    return Plan(oracle, candidate_of, example, settings | own)


def _trial_candidate(
    trial: Trial, source: str, cell: Any, search: Any, training: TrainingConfig
) -> Candidate:
    """The candidate of a black-box trial; hyperband's have fewer epochs, always from the start."""
    epochs = trial.hyperparameters.values.get(EPOCHS)
    if epochs is not None:
        training = dataclasses.replace(training, epochs=int(epochs))
    name = f"trial_{trial.trial_id}"
    settings = {"epochs": training.epochs} if epochs is not None else {}
    return Candidate(name, source, None, cell, search, training, settings)


def run_study(config: StudyConfig) -> dict[str, Any] | None:
    """Evaluates all candidates of a study and ranks them, or goes on with that.

    Returns:
      The ranking as in `ranking.json`; None in a worker, which leaves it to its chief.

    Raises:
      UserError: the configuration cannot be, no candidate is left, or the chief is not there.
      Stopped: a signal came; the same command goes on from there.
    """
    with contextlib.ExitStack() as stack:
        return _run(config, stack)


def _run(config: StudyConfig, stack: contextlib.ExitStack) -> dict[str, Any] | None:
    """See `run_study`; the stack closes the run directory."""
    part, planned = role(), plan(config)
    score, score_mode = _check(planned.example)
    settings = {"mode": config.mode, "dataset": config.dataset, "seed": config.seed}
    settings |= planned.settings
    if part is Role.WORKER:
        wait_for_chief(config.chief_patience)
        path = RunDirectory.join(config.run_dir, settings)
    else:
        if part is Role.CHIEF:
            check_address()
        path = stack.enter_context(contextlib.closing(RunDirectory(config.run_dir, settings))).path

    def rank() -> dict[str, Any]:
        rows = ranked(load_rows(path / "candidates"), score_mode)
        ranking = {
            "score": score,
            "score_mode": score_mode,
            "dataset": config.dataset,
            "mode": config.mode,
            "candidates": rows,
        }
        write_ranking(path, ranking)
        _save_best(path, config, rows)
        return ranking

    tf.get_logger().addFilter(_is_no_retracing)
    with _stops(part) as stop:
        tuner = StudyTuner(
            planned.oracle(score_mode),
            path,
            planned.candidate_of,
            lambda candidate, folder: evaluate(candidate, folder, planned.snapshots, stop),
            rank if part is Role.ALONE else lambda: None,
        )
        tuner.save()
        try:
            tuner.search()
        except FatalError as error:
            raise error.__cause__ or error from None
    if part is Role.WORKER:
        return None
    ranking = rank()
    rows = ranking["candidates"]
    if not any(row["status"] == "completed" for row in rows):
        reasons = "; ".join(f"{row['name']}: {row['reason']}" for row in rows[:3])
        raise UserError(f"--run_dir={path}: all {len(rows)} candidates failed ({reasons}).")
    return ranking


def _is_no_retracing(record: logging.LogRecord) -> bool:
    """Every candidate is another graph: TensorFlow's warning of that is no news."""
    return "triggered tf.function retracing" not in record.getMessage()


def _check(example: Candidate) -> tuple[str, str]:
    """Makes what a candidate is made of, so that wrong input is found before any long work.

    Returns:
      The name of the score, and "min" or "max".
    """
    set_arithmetic(example.training)
    if example.search is not None:
        search_task(example.search)
    cell = example.cell
    if cell is None:
        space = example.training.space
        cell = SPACES[space].from_cells(random_cells(TOPOLOGIES[space], 0))
    network = training_task(example.training, cell).network
    return network.score, network.score_mode


def _save_best(path: pathlib.Path, config: StudyConfig, rows: list[Row]) -> None:
    """Leaves the best cell so far as `genotype.json`."""
    if not rows or rows[0]["status"] != "completed":
        return
    best = rows[0]
    found_by = {
        "mode": config.mode,
        "dataset": config.dataset,
        **{name: best[name] for name in ("name", "source", "seed", "score")},
    }
    cell = SPACES[best["space"]].from_dict(best["genotype"])
    genotype.save(path / "genotype.json", cell, found_by)


def _stops(part: Role) -> contextlib.AbstractContextManager[StopRequest]:
    """A chief's loop asks nobody whether to stop, and has nothing to lose: signals end it."""
    return contextlib.nullcontext(StopRequest()) if part is Role.CHIEF else graceful_stop()
