"""The files of runs as reports read them: each is checked, and what is wrong is one sentence."""

import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from tf_darts.cells.genotype import Genotype
from tf_darts.cells.genotype_files import load, provenance_in
from tf_darts.errors import StateError, UserError
from tf_darts.report.candidate_rows import check_row, is_number
from tf_darts.runtime import files

ADVICE = "restore it from a copy, or leave this run out of the report"


def read_records(run: pathlib.Path) -> list[dict[str, Any]]:
    """The records of a run's epochs, oldest first; none where no epoch has ended.

    Metrics that nobody here knows are kept as they are.

    Raises:
      StateError: `history.jsonl` cannot be read, or its lines are not those of the epochs 1, 2, ….
    """
    file = run / "history.jsonl"
    records = files.read_json_lines(file, ADVICE) if files.exists(file) else []
    for number, record in enumerate(records, start=1):
        if record.get("epoch") != number or isinstance(record["epoch"], bool):
            raise _state_error(file, f"line {number} is not the record of epoch {number}")
        if not is_number(record.get("seconds")):
            raise _state_error(file, f"line {number}: 'seconds' is no number")
        for name, value in record.items():
            if name.startswith(("train_", "validation_")) and not is_number(value, allow_none=True):
                raise _state_error(file, f"line {number}: {name!r} is no number")
    return records


def read_finished(run: pathlib.Path, kind: str, epochs: int) -> list[dict[str, Any]] | None:
    """The records of a search or training that has finished; None where it has not.

    Args:
      run: its directory.
      kind: "search" or "training".
      epochs: how many it has where it does not end early.

    Raises:
      StateError: its files cannot be read, or do not go together.
    """
    records, file = read_records(run), run / "result.json"
    if files.exists(file):
        # A result of commit 517e77a has no such number: there were as many epochs as were wanted.
        ended = files.read_json(file, ADVICE).get("epochs", epochs)
        if len(records) != ended:
            reason = f"it has {len(records)} records, and the run ended after {ended} epochs"
            raise _state_error(run / "history.jsonl", reason)
        return records
    # Searches of commit 517e77a wrote no result: they had finished when all records were there.
    return records if kind == "search" and len(records) >= epochs else None


def read_result(run: pathlib.Path, score: str) -> float | None:
    """The validation score of a finished training; None where it had no validation part.

    Raises:
      StateError: `result.json` cannot be read.
    """
    file = run / "result.json"
    value = files.read_json(file, ADVICE).get(f"validation_{score}")
    if not is_number(value, allow_none=True):
        raise _state_error(file, f"'validation_{score}' is no number")
    return value


def read_test(run: pathlib.Path, score: str) -> float | None:
    """The test score of a training; None where it was not taken.

    Raises:
      StateError: `test.json` cannot be read, or holds no such score.
    """
    file = run / "test.json"
    if not files.exists(file):
        return None
    scores = files.read_json(file, ADVICE).get("scores")
    if not (isinstance(scores, Mapping) and is_number(scores.get(score))):
        raise _state_error(file, f"it holds no test {score}")
    return scores[score]


def read_counts(run: pathlib.Path) -> dict[str, int]:
    """How large a training's network is; nothing where that was not kept.

    Raises:
      StateError: `counts.json` cannot be read.
    """
    file = run / "counts.json"
    if not files.exists(file):
        return {}
    counts = files.read_json(file, ADVICE)
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool):
            raise _state_error(file, f"{name!r} is no count")
    return counts


def read_cell(run: pathlib.Path) -> Genotype:
    """The cell of a search or training.

    Raises:
      StateError: `genotype.json` cannot be read.
    """
    file = run / "genotype.json"
    try:
        return load(file)
    except UserError as error:
        raise _state_error(file, str(error).removeprefix(f"{file}: ").rstrip(".")) from error


def read_provenance(file: pathlib.Path, advice: str = ADVICE) -> dict[str, Any]:
    """Where the cell in a genotype file is from; {} where the file does not say it.

    Raises:
      StateError: it cannot be read.
    """
    try:
        return provenance_in(files.read_json(file, advice))
    except StateError:
        raise
    except UserError as error:
        raise _state_error(file, str(error).rstrip("."), advice) from error


def read_ranking(study: pathlib.Path) -> dict[str, Any]:
    """The ranking of a study, as `ranking.py` describes it.

    Raises:
      StateError: `ranking.json` cannot be read.
    """
    file = study / "ranking.json"
    advice = "repeat the study's command, which makes it anew, or leave this run out of the report"
    ranking = files.read_json(file, advice)
    for name, kind in (("dataset", str), ("score", str), ("candidates", list)):
        if not isinstance(ranking.get(name), kind):
            raise _state_error(file, f"it has no {name!r}", advice)
    if ranking.get("score_mode") not in ("min", "max"):
        raise _state_error(file, "its 'score_mode' is neither min nor max", advice)
    for place, row in enumerate(ranking["candidates"], start=1):
        check_row(row, f"{file}, candidate {place}", advice)
    return ranking


def need(settings: Mapping[str, Any], names: Iterable[str], run: pathlib.Path) -> None:
    """Raises `StateError` where a run's settings lack one of these."""
    missing = [name for name in names if settings.get(name) is None]
    if missing:
        raise _state_error(run / "config.json", f"its settings have no {missing[0]!r}")


def _state_error(file: pathlib.Path, reason: str, advice: str = ADVICE) -> StateError:
    return StateError(f"{file}: cannot be read as a run's file ({reason}); {advice}.")
