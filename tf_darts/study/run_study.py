"""A study from its configuration to its ranking, alone or with others (see `cluster.py`)."""

import contextlib
import os
import pathlib
import signal
from collections.abc import Callable, Sequence
from typing import Any

import grpc
from keras_tuner.errors import FatalError

from tf_darts.bilevel.engine import SearchData
from tf_darts.cells import genotype_files
from tf_darts.cells.genotype import Genotype, genotype_class
from tf_darts.cells.random_cells import random_cells
from tf_darts.cells.space import find_space
from tf_darts.config.recorded import about
from tf_darts.config.study import StudyConfig
from tf_darts.errors import UserError
from tf_darts.report.page.document import check_plotly
from tf_darts.report.ranking import write_ranking
from tf_darts.report.table_judgement import judged_ranking
from tf_darts.report.write_warnings import WriteWarnings
from tf_darts.runs.data_record import check_data, data_flag, write_missing
from tf_darts.runs.opening import check_directory, set_arithmetic
from tf_darts.runs.search_tasks import search_task
from tf_darts.runs.training_tasks import training_task
from tf_darts.runtime import files
from tf_darts.runtime.callback import Callback
from tf_darts.runtime.console import telling_once
from tf_darts.runtime.devices import take_own_gpu
from tf_darts.runtime.environment import record_start
from tf_darts.runtime.many_runs import without_retracing_warnings
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.runtime.signals import Stopped, StopRequest, graceful_stop
from tf_darts.study.candidates import Candidate
from tf_darts.study.cluster import VARIABLES, Role, check_address, lost_chief, role, wait_for_chief
from tf_darts.study.evaluation import Evaluation
from tf_darts.study.looked_up import TableScores, table_scores
from tf_darts.study.plan import plan
from tf_darts.study.settings import naming
from tf_darts.study.train_candidate import Row, load_rows, ranked, train_candidate
from tf_darts.study.tuner import StudyTuner
from tf_darts.training.engine import TrainingData


def run_study(
    config: StudyConfig,
    callbacks: Sequence[Callback] = (),
    before_candidate: Callable[[], None] = lambda: None,
) -> dict[str, Any] | None:
    """Evaluates all candidates of a study and ranks them, or goes on with that.

    Args:
      config: the settings.
      callbacks: are told what happens in the candidates' searches and trainings.
      before_candidate: is called before each candidate; the process may end there, and the same
        call goes on.

    Returns:
      The ranking as in `ranking.json`; None in a worker, which leaves it to its chief.

    Raises:
      UserError: the configuration cannot be, no candidate is left, or the chief is not there.
      Stopped: a signal came; the same command goes on from there.
    """
    check_plotly()
    with telling_once(), contextlib.ExitStack() as stack:
        return _run(config, callbacks, before_candidate, stack)


def _run(
    config: StudyConfig,
    callbacks: Sequence[Callback],
    before_candidate: Callable[[], None],
    stack: contextlib.ExitStack,
) -> dict[str, Any] | None:
    """See `run_study`; the stack closes the run directory."""
    part = role()
    if part is Role.WORKER:
        take_own_gpu(os.environ[VARIABLES[0]])
    planned = plan(config)
    looked_up = table_scores(config, planned.example.training)
    settings = {"mode": config.mode, "dataset": config.dataset, "seed": config.seed}
    settings |= planned.settings | ({} if looked_up is None else looked_up.settings)
    if part is not Role.WORKER:
        check_directory(config.run_dir, settings, planned.extendable)
    check = _check if looked_up is None else _check_search
    score, score_mode, data = check(config, planned.example)
    training = planned.example.training
    if part is Role.WORKER:
        wait_for_chief(config.chief_patience)
        path = RunDirectory.join(config.run_dir, settings)
    else:
        if part is Role.CHIEF:
            check_address()
        if data is not None:  # before a study that goes on with more candidates says so
            check_data(pathlib.Path(config.run_dir).expanduser(), data, data_flag(training))
        run = RunDirectory(
            config.run_dir,
            settings,
            planned.extendable,
            about=about(config.mode, planned.example.training.space),
        )
        path = stack.enter_context(contextlib.closing(run)).path
    # Scores of other data are not to be ranked with those that are here.
    if data is not None:
        check_data(path, data, data_flag(training))
        if part is not Role.WORKER and not files.exists(path / "candidates"):
            write_missing(path, data)

    def check_again() -> None:
        """Raises `UserError` where the data cannot be read any more, or are others."""
        *_, found = check(config, planned.example)
        if found is not None:
            check_data(path, found, data_flag(training))

    warnings = WriteWarnings("study")

    def rank() -> dict[str, Any]:
        rows = ranked(load_rows(path / "candidates"), score_mode)
        ranking = {
            "score": score,
            "score_mode": score_mode,
            "dataset": config.dataset,
            "mode": config.mode,
            "candidates": rows,
        }
        if looked_up is not None:
            ranking["table"] = _judged(looked_up, rows)
        write_ranking(path, ranking, warnings)
        _save_best(path, config, rows)
        return ranking

    with without_retracing_warnings(), _stops(part) as stop:

        def before() -> None:
            if not stop:  # a program that begins anew would not know of it
                before_candidate()

        how = (planned.snapshots, stop, *([] if looked_up is None else [looked_up]))
        evaluation = Evaluation(
            path / "candidates",
            lambda candidate, folder: train_candidate(candidate, folder, *how, callbacks=callbacks),
            before,
            check_again,
        )
        # Where a candidate takes no time, pictures of what is done so far would take all of it.
        rank_often = looked_up is None or planned.example.search is not None
        if part is Role.SINGLE_REPLICA and planned.listed is not None:
            missing, tuner = evaluation.missing(planned.listed), None
        else:
            after_trial = rank if part is not Role.WORKER and rank_often else lambda: None
            oracle = planned.oracle(score_mode)
            tuner = StudyTuner(oracle, path, planned.make_candidate, evaluation, after_trial)
            missing = []
        if part is not Role.WORKER and load_rows(path / "candidates"):
            rank()  # anew, of what is done: what cannot be written is found before any long work
        if part is not Role.WORKER:
            record_start(path)  # not before: what is refused leaves a study as it is
        for candidate in missing:
            evaluation.evaluate(candidate)
            if rank_often:
                rank()
        if tuner is not None:
            _search(tuner)
    if part is Role.WORKER:
        return None
    ranking = rank()
    rows = ranking["candidates"]
    if not any(row["status"] == "completed" for row in rows):
        reasons = "; ".join(f"{row['name']}: {row['reason']}" for row in rows[:3])
        raise UserError(
            f"--run_dir={path}: all {len(rows)} candidates failed ({reasons}); give settings that"
            " can be trained, and another --run_dir."
        )
    return ranking


def _search(tuner: StudyTuner) -> None:
    """Evaluates what the tuner's oracle proposes, or a chief's."""
    tuner.save()
    tuner.tell_start()
    try:
        tuner.search()
        tuner.tell_end()
    except KeyboardInterrupt:
        if role() is not Role.CHIEF:
            raise
        message = "the chief was stopped; the same command goes on with the study."
        raise Stopped(signal.SIGINT, message) from None
    except FatalError as error:
        raise error.__cause__ or error from None
    except grpc.RpcError as error:
        raise lost_chief(error) from error


def _check(config: StudyConfig, example: Candidate) -> tuple[str, str, TrainingData]:
    """Makes what a candidate is made of, so that wrong input is found before any long work.

    Returns:
      The name of the score, "min" or "max", and what the candidates are trained on.
    """
    set_arithmetic(example.training)
    if example.search is not None:
        with naming("search_settings", config):
            search_task(example.search)
    cell = example.cell
    if cell is None:
        space = find_space(example.training.space)
        cell = genotype_class(space.name).from_cells(random_cells(space.topologies, 0))
    with naming("train_settings", config):
        task = training_task(example.training, cell)
    return task.objective.score, task.objective.score_mode, task.data


def _check_search(config: StudyConfig, example: Candidate) -> tuple[str, str, SearchData | None]:
    """As `_check` where cells are looked up: only what searches are made of is made."""
    data = None
    if example.search is not None:
        set_arithmetic(example.search)
        with naming("search_settings", config):
            data = search_task(example.search).data
    return *find_space(example.training.space).judged_by, data


def _judged(looked_up: TableScores, rows: list[Row]) -> dict[str, Any]:
    """What the table says of the candidates that completed."""
    completed = [row for row in rows if row["status"] == "completed"]
    cells = [
        (row["name"], row["source"], genotype_class(row["space"]).from_dict(row["genotype"]))
        for row in completed
    ]
    seeded = any(row["seed"] is not None for row in completed)
    return judged_ranking(looked_up.table, looked_up.column, cells, seeded)


def _save_best(path: pathlib.Path, config: StudyConfig, rows: list[Row]) -> None:
    """Leaves the best cell so far as `genotype.json`."""
    if not rows or rows[0]["status"] != "completed":
        return
    best = rows[0]
    file = path / "candidates" / best["name"] / "genotype.json"
    study = {"mode": config.mode, "dataset": config.dataset, "score": best["score"]}
    cell = genotype_class(best["space"]).from_dict(best["genotype"])
    provenance = _load_provenance(best, cell, file)
    study_fields = {"study": study, "candidate": best["name"]}
    genotype_files.save(path / "genotype.json", cell, provenance | study_fields)


def _load_provenance(row: Row, cell: Genotype, file: pathlib.Path) -> dict[str, Any]:
    """Where a candidate's cell is from, as its folder says; where that is gone, as its row does."""
    try:
        saved = genotype_files.load(file)
        if saved == cell and saved.provenance:
            return dict(saved.provenance)
    except UserError:
        pass  # the ranking is made of the rows, which need no such file
    return {"method": row["source"], "seed": row["seed"]}


def _stops(part: Role) -> contextlib.AbstractContextManager[StopRequest]:
    """A chief's loop asks nobody whether to stop, and has nothing to lose: signals end it."""
    return contextlib.nullcontext(StopRequest()) if part is Role.CHIEF else graceful_stop()
