"""What each kind of study does: its oracle, and the candidate of each trial."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras_tuner
from keras_tuner.engine.trial import Trial

from tf_darts.cells.genotype import Genotype, genotype_class
from tf_darts.cells.random_cells import random_cells
from tf_darts.cells.space import find_space
from tf_darts.config.given_cell import find_cell
from tf_darts.config.search import SearchConfig
from tf_darts.config.study import BlackBoxConfig, SelectConfig, StudyConfig, TuneConfig
from tf_darts.config.training import TrainingConfig
from tf_darts.runtime.extension import Extendable
from tf_darts.runtime.seeds import sub_seed
from tf_darts.study.candidates import Candidate, select_candidates
from tf_darts.study.cell_choices import chosen_cells
from tf_darts.study.oracles import CANDIDATE, black_box_oracle, candidate_oracle
from tf_darts.study.settings import run_settings, training_config
from tf_darts.study.tuning import check_tuned, configs_of, parse_tuned, refusal

EPOCHS = "tuner/epochs"  # hyperband's: how long a trial's training is


class Plan(NamedTuple):
    """What a study does.

    Attributes:
      oracle: makes the oracle, given the score's mode.
      make_candidate: the candidate of a trial.
      example: a candidate like all others, for checking before any long work.
      settings: what decides the results, beside the study's own settings.
      snapshots: see `train_candidate`.
      extendable: of the settings, those with which a study goes on where they have grown.
      listed: all candidates, where they are known before: one process needs no oracle then.
    """

    oracle: Callable[[str], keras_tuner.Oracle]
    make_candidate: Callable[[Trial], Candidate]
    example: Candidate
    settings: dict[str, Any]
    snapshots: int = 0
    extendable: Extendable = Extendable()
    listed: Sequence[Candidate] | None = None


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
    added: dict[str, Any] = {}
    for source, search in searches.items():
        added |= run_settings(source, dataclasses.replace(search, seed=config.seed))
    cells = {c.name: c.cell.to_dict() for c in candidates.values() if c.source == "given"}
    settings |= added | _operations(config) | {"candidates": list(candidates)}
    settings |= {"cells": cells} if cells else {}
    # Each candidate is for itself: what is done stays, and others are added.
    extendable = Extendable({"candidates": "", "cells": ""}, added.keys())
    example = next((c for c in candidates.values() if c.search), next(iter(candidates.values())))
    return Plan(
        functools.partial(candidate_oracle, list(candidates)),
        lambda trial: candidates[trial.hyperparameters.get(CANDIDATE)],
        example,
        settings,
        config.snapshots,
        extendable,
        list(candidates.values()),
    )


@plan.register
def _(config: BlackBoxConfig) -> Plan:
    training = training_config(config)
    topologies = find_space(training.space).narrowed(config.operations)
    cell_class = genotype_class(training.space)
    hyperparameters = keras_tuner.HyperParameters()
    chosen_cells(hyperparameters, topologies)

    def make_candidate(trial: Trial) -> Candidate:
        cell = cell_class.from_cells(chosen_cells(trial.hyperparameters, topologies))
        return _trial_candidate(trial, config.tuner, cell, None, training)

    cell = cell_class.from_cells(random_cells(topologies, config.seed))
    example = Candidate("example", config.tuner, None, cell, None, training)
    settings = run_settings("train", training) | _operations(config)
    return _black_box(config, hyperparameters, make_candidate, example, settings)


@plan.register
def _(config: TuneConfig) -> Plan:
    training = training_config(config)
    cell = None
    if config.genotype:
        cell = find_cell(dataclasses.replace(training, genotype=config.genotype))
    configs = configs_of(config, {})
    search = configs.get("search")
    tuned = parse_tuned(config.tune, configs)
    check_tuned(config, tuned)
    hyperparameters = keras_tuner.HyperParameters()
    for setting in tuned:
        setting.value(hyperparameters)

    def make_candidate(trial: Trial) -> Candidate:
        values = {setting: setting.value(trial.hyperparameters) for setting in tuned}
        refused = refusal(config, values)
        chosen = configs if refused else configs_of(config, values)
        candidate = _trial_candidate(
            trial, config.tuner, cell, chosen.get("search"), chosen["train"]
        )
        settings = candidate.settings | {s.name: v for s, v in values.items()}
        return dataclasses.replace(candidate, settings=settings, refused=refused)

    example = Candidate("example", config.tuner, None, cell, search, training)
    settings = {k: v for part, c in configs.items() for k, v in run_settings(part, c).items()}
    settings |= {"tune": config.tune, "cell": cell.to_dict() if cell else None}
    return _black_box(config, hyperparameters, make_candidate, example, settings)


def _operations(config: StudyConfig) -> dict[str, str]:
    """The operations of a study's cells as a setting, where some are named."""
    return {"operations": config.operations} if config.operations else {}


def _black_box(
    config: BlackBoxConfig | TuneConfig,
    hyperparameters: keras_tuner.HyperParameters,
    make_candidate: Callable[[Trial], Candidate],
    example: Candidate,
    settings: dict[str, Any],
) -> Plan:
    # keras-tuner draws every choice with a seed of its own, which it counts up from the one that it
    # is given: studies of the seeds 0 and 6 would have nearly all cells in common. Those that train
    # go on as they began; where seeds are many and together say something, they are unrelated.
    looked_up = bool(getattr(config, "table", ""))
    seed = sub_seed(config.seed, "tuner") if looked_up else config.seed

    def oracle(score_mode: str) -> keras_tuner.Oracle:
        return black_box_oracle(
            config.tuner,
            hyperparameters,
            score_mode=score_mode,
            trials=config.trials,
            epochs=example.training.epochs,
            seed=seed,
        )

    tuner_settings = {"tuner": config.tuner, "trials": config.trials}
    # What is proposed does not depend on how many trials there will be.
    extendable = Extendable({"trials": ""})
    return Plan(oracle, make_candidate, example, settings | tuner_settings, extendable=extendable)


def _trial_candidate(
    trial: Trial,
    source: str,
    cell: Genotype | None,
    search: SearchConfig | None,
    training: TrainingConfig,
) -> Candidate:
    """The candidate of a black-box trial; hyperband's have fewer epochs, always from the start."""
    epochs = trial.hyperparameters.values.get(EPOCHS)
    if epochs is not None:
        training = dataclasses.replace(training, epochs=int(epochs))
    name = f"trial_{trial.trial_id}"
    settings = {"epochs": training.epochs} if epochs is not None else {}
    return Candidate(name, source, None, cell, search, training, settings)
