"""Evaluating a candidate: its search, where it has one, and trainings from scratch.

Where a study has a table, its cells are looked up in place of their trainings (`looked_up.py`).
"""

import contextlib
import dataclasses
import fcntl
import functools
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tf_darts.cells import genotype_files
from tf_darts.cells.genotype import Genotype
from tf_darts.config.training import TrainingConfig
from tf_darts.errors import StateError
from tf_darts.report.candidate_rows import check_row
from tf_darts.runs.search import run_search
from tf_darts.runs.training import run_training
from tf_darts.runtime import files
from tf_darts.runtime.busy import busy
from tf_darts.runtime.callback import Callback
from tf_darts.runtime.many_runs import give_back_memory
from tf_darts.runtime.signals import Stopped, StopRequest
from tf_darts.study.candidates import Candidate
from tf_darts.study.sealed import load_sealed, save_sealed

RESULT = "candidate.json"

Row = dict[str, Any]  # of the ranking, see `train_candidate`


class CellScore(NamedTuple):
    """What a cell is worth to a study.

    Attributes:
      score: by which it is ranked.
      epoch: of the training, whose weights have that score; None where nothing was trained.
      counts: how large its network is; {} where it is not known.
      seconds: of the training.
      table: its scores in a table by column; {} where there is no table.
    """

    score: float
    epoch: int | None
    counts: Mapping[str, int] = {}
    seconds: float = 0.0
    table: Mapping[str, float] = {}


# The score of a cell, of the settings of its training; asks `stop`, and begins lines with a label.
ScoreCell = Callable[[TrainingConfig, Genotype, StopRequest, str], CellScore]


def trained_score(
    training: TrainingConfig,
    cell: Genotype,
    stop: StopRequest,
    label: str,
    callbacks: Sequence[Callback] = (),
) -> CellScore:
    """Trains the cell from scratch, or goes on with that; raises as `run_training`."""
    run = run_training(training, cell, stop, label, callbacks)
    give_back_memory()
    score = run.result[f"validation_{run.score}"]
    return CellScore(score, run.result["epoch"], run.counts, run.seconds)


def snapshot_epochs(epochs: int, snapshots: int) -> list[int]:
    """At the end of which epochs of a search its cell is taken, the last one among them.

    Evenly spaced, counted from 1; no more than there are epochs.
    """
    count = min(snapshots, epochs)
    return [round(epochs * (i + 1) / count) for i in range(count)]


@contextlib.contextmanager
def held(directory: pathlib.Path, stop: StopRequest) -> Iterator[None]:
    """Holds a candidate's folder; waits while another process does.

    A chief that was killed and started again proposes what its workers are still at. Whoever gets
    it second waits, and finds it finished.

    Raises:
      Stopped: `stop` was set while waiting.
      StorageError: the folder cannot be written.
    """
    files.make_directory(directory)
    with files.writing(directory / ".lock"):
        opened = (directory / ".lock").open("w")
    with opened as lock:
        with busy(f"Waiting for the process that is at {directory}"):
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if stop:
                        raise Stopped(
                            stop.signal_number or 0,
                            f"Stopped while another process is at {directory}; the same command"
                            " goes on from there.",
                        ) from None
                    time.sleep(0.2)
        yield


def description(candidate: Candidate) -> Row:
    """What a row of the ranking says of a candidate before it is evaluated."""
    return {
        "name": candidate.name,
        "source": candidate.source,
        "seed": candidate.seed,
        "space": candidate.training.space,
        "settings": candidate.settings,
    }


def train_candidate(
    candidate: Candidate,
    directory: pathlib.Path,
    snapshots: int,
    stop: StopRequest,
    score_cell: ScoreCell | None = None,
    callbacks: Sequence[Callback] = (),
) -> Row:
    """Finds the cell and trains it, or goes on with that.

    Args:
      candidate: which one.
      directory: where its runs are: `search/`, `train/`, and `train_epoch{e}/` for snapshots.
      snapshots: how many cells of its search are trained, see `snapshot_epochs`.
      stop: asked after every step.
      score_cell: does what stands for training a cell; None trains it.
      callbacks: are told what happens in its search and trainings.

    Returns:
      The candidate's row: `description`, score, cell, genotype, counts, seconds of the search and
      of the last training, the snapshots' scores by epoch and search cost, and the cell's scores
      in a table, where it was looked up in one.

    Raises:
      UserError: something diverged, or cannot be made of the data, or is in no table.
      Stopped: `stop` was set; the same call goes on from there.
    """
    with held(directory, stop):
        here = candidate.in_directory(directory)
        score_cell = score_cell or functools.partial(trained_score, callbacks=callbacks)
        return _evaluated(here, directory, snapshots, stop, score_cell, callbacks)


def _evaluated(
    candidate: Candidate,
    directory: pathlib.Path,
    snapshots: int,
    stop: StopRequest,
    score_cell: ScoreCell,
    callbacks: Sequence[Callback],
) -> Row:
    label = f"[{candidate.name}] "
    history: list[dict[str, Any]] = []
    cell = candidate.cell
    if candidate.search is not None:
        search_run = run_search(candidate.search, stop, label, callbacks)
        history, cell = search_run.history, search_run.cell
        give_back_memory()
    cell = candidate.with_provenance(cell)
    run_path = pathlib.Path(candidate.training.run_dir)
    genotype_files.save(directory / "genotype.json", cell)  # beside the candidate's runs
    scored = score_cell(candidate.training, cell, stop, label)
    scores = {cell: scored.score}
    points = []
    for epoch in snapshot_epochs(len(history), snapshots) if history else []:
        record = history[epoch - 1]
        snapshot = genotype_files.at_epoch(cell, record)
        if snapshot not in scores:
            name = f"train_epoch{epoch}"
            training = dataclasses.replace(
                candidate.training, run_dir=str(run_path.with_name(name))
            )
            own_label = f"[{candidate.name}, epoch {epoch}] "
            scores[snapshot] = score_cell(training, snapshot, stop, own_label).score
        row_score = scores[snapshot]
        points.append({"epoch": epoch, "search_seconds": record["seconds"], "score": row_score})
    return {
        **description(candidate),
        "status": "completed",
        "reason": "",
        "score": scored.score,
        "epoch": scored.epoch,
        "cell": str(cell),
        "genotype": cell.to_dict(),
        "counts": dict(scored.counts),
        "search_seconds": history[-1]["seconds"] if history else 0.0,
        "training_seconds": scored.seconds,
        "snapshots": points,
        **({"table": dict(scored.table)} if scored.table else {}),
    }


def failure(candidate: Candidate, reason: str) -> Row:
    """The row of a candidate that has no score."""
    nothing = {"score": None, "epoch": None, "cell": "", "genotype": None, "counts": {}}
    costs: Mapping[str, Any] = {"search_seconds": 0.0, "training_seconds": 0.0, "snapshots": []}
    return {
        **description(candidate),
        "status": "failed",
        "reason": reason,
        **nothing,
        **costs,
    }


def matches_candidate(row: Row, candidate: Candidate) -> bool:
    """Whether a row is of this candidate; a failed row, or a search to be done, names no cell."""
    expected = description(candidate)
    if any(row[name] != value for name, value in expected.items()):
        return False
    if row["status"] == "failed" or candidate.cell is None:
        return True
    return row["genotype"] == candidate.cell.to_dict()


def save_row(directory: pathlib.Path, row: Row) -> None:
    """Leaves a candidate's row in its folder, for whoever makes the ranking."""
    files.make_directory(directory)
    save_sealed(directory / RESULT, row)


def load_row(directory: pathlib.Path) -> Row | None:
    """The row in a candidate's folder; None where there is none yet.

    Raises:
      StateError: it cannot be read.
    """
    file = directory / RESULT
    if files.is_file(directory):
        raise StateError(
            f"{directory}: is a file in the place of a candidate's folder; move this file away, and"
            " the same command evaluates the candidate anew."
        )
    if not files.exists(file):
        return None
    advice = "remove this file: the same command makes it again from the candidate's runs"
    row = load_sealed(file, advice)
    check_row(row, str(file), advice)
    if row["name"] != directory.name:
        raise StateError(f"{file}: is the result of {row['name']!r}, another candidate; {advice}.")
    return row


def load_rows(directory: pathlib.Path) -> list[Row]:
    """The rows of all candidates in the folders of a directory, by name; raises `StateError`."""
    folders = files.entries(directory) if files.exists(directory) else []
    rows = [load_row(folder) for folder in folders if files.is_directory(folder)]
    return [row for row in rows if row is not None]


def ranked(rows: list[Row], score_mode: str) -> list[Row]:
    """The rows best first, failed ones last; equals stay in their order."""
    sign = 1.0 if score_mode == "min" else -1.0
    good = [row for row in rows if row["status"] == "completed"]
    failed = [row for row in rows if row["status"] != "completed"]
    return sorted(good, key=lambda row: sign * row["score"]) + failed
