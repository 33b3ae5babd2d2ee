"""Run directories as a report's entries: searches, trainings, and studies of many of both."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tf_darts.cells.genotype import SPACES
from tf_darts.cells.published import PUBLISHED
from tf_darts.errors import StateError, UserError
from tf_darts.report.candidate_rows import is_number
from tf_darts.report.entries import SEARCH_PREFIX, SUPERNET, TRAINED, Entry
from tf_darts.report.run_files import (
    need,
    read_cell,
    read_counts,
    read_provenance,
    read_ranking,
    read_records,
    read_result,
    read_test,
)
from tf_darts.runtime import files
from tf_darts.runtime.run_directory import RunDirectory
from tf_darts.spaces.convolutional.derived.objective import ImageClassification
from tf_darts.spaces.objective import TrainingObjective
from tf_darts.spaces.recurrent.derived.objective import NextWordPrediction

# By their scores people judge; the records of a run have one of them.
_NETWORKS: tuple[type[TrainingObjective], ...] = (NextWordPrediction, ImageClassification)
# Settings that do not tell groups apart: seeds, what `Entry` has otherwise, how many candidates.
_NO_SETTINGS = {"mode", "dataset", "seed", "cell", "optimization", "hypergradient"}
_NO_SETTINGS |= {"candidates", "count", "snapshots", "trials", "tuner"}

# What to do about the file of the search that found a training's cell.
_GIVEN = "move this file away, and the report takes the cell as given"


def read_entries(run_dirs: Sequence[str]) -> list[Entry]:
    """The entries of some runs, in their order.

    Raises:
      UserError: a directory has no run, or one that has not finished or cannot be read.
    """
    paths = [pathlib.Path(path).expanduser() for path in run_dirs]
    for path in paths:
        if paths.count(path) > 1:
            raise UserError(f"--run_dir: {path} is given twice; give it once.")
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        names = ["_".join(path.absolute().parts[1:]) for path in paths]
    return [entry for path, name in zip(paths, names, strict=True) for entry in _read(path, name)]


def _read(path: pathlib.Path, name: str) -> list[Entry]:
    with _opened(path) as (run, settings):
        mode = settings.get("mode")
        if not isinstance(mode, str) or mode not in _READERS:
            raise UserError(
                f"--run_dir={path}: holds a {mode}; a report takes the runs of"
                f" {', '.join(f'--mode={known}' for known in _READERS)}; leave this run out."
            )
        try:
            return _READERS[mode](name, run, settings)
        except (ValueError, KeyError, TypeError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise StateError(
                f"--run_dir={path}: its files are of another tf_darts, or were changed ({reason});"
                " leave this run out of the report."
            ) from error


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[tuple[RunDirectory, dict[str, Any]]]:
    run, settings = RunDirectory.read(path)
    try:
        yield run, settings
    finally:
        run.close()


def _finished(run: RunDirectory, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The history of a search or training; raises `UserError` before its last epoch's end."""
    need(settings, ("epochs",), run.path)
    history, epochs = read_records(run.path), settings["epochs"]
    ended = settings["mode"] != "train" or files.exists(run.path / "result.json")
    if len(history) < epochs or not ended:
        raise UserError(
            f"--run_dir={run.path}: this {settings['mode']} run has finished {len(history)} of"
            f" {epochs} epochs; go on with the same --mode={settings['mode']} command first, or"
            " leave it out."
        )
    need(settings, ("dataset", "seed"), run.path)
    return history


def _device_seconds(settings: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> float:
    return history[-1]["seconds"] * settings.get("replicas", 1)


def _score(run: RunDirectory, record: Mapping[str, Any]) -> dict[str, str]:
    """Name and mode of the score by which people judge a run with such records."""
    for kind in _NETWORKS:
        if is_number(record.get(f"train_{kind.score}")):
            return {"score": kind.score, "score_mode": kind.score_mode}
    known = " or ".join(kind.score for kind in _NETWORKS)
    raise StateError(
        f"{run.path / 'history.jsonl'}: has no score that reports know ({known}); leave this run"
        " out of the report."
    )


def _settings(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    return {f"{prefix}{k}": v for k, v in settings.items() if k not in _NO_SETTINGS}


def _searched_by(found: Mapping[str, Any]) -> str:
    """The kind of a search, from its settings or from what its genotype was `found_by`."""
    optimization = found.get("optimization", "bilevel")
    return found["hypergradient"] if optimization == "bilevel" else optimization


def _animation(search: pathlib.Path) -> pathlib.Path | None:
    file = search / "plots" / "cell.gif"
    return file if files.is_file(file) else None


def _search_entry(name: str, run: RunDirectory, settings: Mapping[str, Any]) -> list[Entry]:
    history = _finished(run, settings)
    score = _score(run, history[-1])
    value = history[-1].get(f"validation_{score['score']}")
    entry = Entry(
        name=name,
        way=SUPERNET,
        dataset=settings["dataset"],
        **score,
        source=_searched_by(settings),
        origin=name,
        seed=settings["seed"],
        value=value,
        cell=read_cell(run.path),
        search_seconds=_device_seconds(settings, history),
        training_seconds=None,
        settings=_settings(settings),
        history=history,
        animation=_animation(run.path),
    )
    return [entry]


def _training_entry(name: str, run: RunDirectory, settings: Mapping[str, Any]) -> list[Entry]:
    history = _finished(run, settings)
    score = _score(run, history[-1])
    cell = read_cell(run.path)
    given = pathlib.Path(
        str(read_provenance(run.path / "genotype.json").get("given", run.path.name))
    )
    found_by = read_provenance(given, _GIVEN) if files.is_file(given) else {}
    published = str(given) in PUBLISHED[cell.space]
    found: dict[str, Any] = {
        "source": str(given) if published else found_by.get("source", "given"),
        "search_seconds": None,
        "settings": _settings(settings),
    }
    if "hypergradient" in found_by:
        found["source"] = _searched_by(found_by)
        found |= _search_of(given.parent, found["settings"])
    entry = Entry(
        name=name,
        way=TRAINED,
        dataset=settings["dataset"],
        **score,
        origin=str(given),
        seed=settings["seed"],
        value=read_result(run.path, score["score"]),
        cell=cell,
        counts=read_counts(run.path),
        training_seconds=_device_seconds(settings, history),
        test=read_test(run.path, score["score"]),
        history=history,
        **found,
    )
    return [entry]


def _search_of(path: pathlib.Path, training: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry has of the search in a directory; nothing where the search is gone."""
    if not files.exists(path / "config.json"):
        return {}
    with _opened(path) as (run, settings):
        if settings.get("mode") != "search":
            return {}
        history = _finished(run, settings)
    return {
        "search_seconds": _device_seconds(settings, history),
        "settings": {**training, **_settings(settings, SEARCH_PREFIX)},
        "animation": _animation(path),
    }


def _study_entries(name: str, run: RunDirectory, settings: Mapping[str, Any]) -> list[Entry]:
    if not files.exists(run.path / "ranking.json"):
        raise UserError(
            f"--run_dir={run.path}: this study has no ranking yet; go on with the same"
            f" --mode={settings['mode']} command first, or leave it out."
        )
    ranking = read_ranking(run.path)
    shared = _settings(settings)
    return [
        _candidate_entry(f"{name}/{candidate['name']}", run.path, shared, ranking, candidate)
        for candidate in ranking["candidates"]
    ]


def _candidate_entry(
    name: str,
    study: pathlib.Path,
    study_settings: Mapping[str, Any],
    ranking: Mapping[str, Any],
    candidate: Mapping[str, Any],
) -> Entry:
    """A candidate's entry; where its own runs are gone, the study's settings stand for them."""
    home = study / "candidates" / candidate["name"]
    training, cell = home / "train", candidate["genotype"]
    completed = candidate["status"] == "completed"
    found: dict[str, Any] = {"settings": study_settings}
    if completed and files.exists(training / "config.json"):
        with _opened(training) as (run, settings):
            history = read_records(run.path)
            need(settings, ("epochs",), run.path)
            if len(history) < settings["epochs"]:
                raise StateError(
                    f"{run.path / 'history.jsonl'}: has {len(history)} of {settings['epochs']}"
                    " epochs, although this candidate has a score; restore it from a copy, or leave"
                    " this run out of the report."
                )
            found = {"settings": _settings(settings), "history": history}
        found |= _search_of(home / "search", found["settings"])
    return Entry(
        name=name,
        way=TRAINED,
        dataset=ranking["dataset"],
        score=ranking["score"],
        score_mode=ranking["score_mode"],
        source=candidate["source"],
        origin=name,
        seed=candidate["seed"],
        value=candidate["score"],
        reason="" if completed else candidate["reason"] or "no reason was recorded",
        cell=SPACES[candidate["space"]].from_dict(cell) if cell else None,
        counts=candidate["counts"] or {},
        training_seconds=candidate["training_seconds"],
        test=read_test(training, ranking["score"]),
        tuned=candidate["settings"],
        snapshots=candidate["snapshots"],
        **found | {"search_seconds": candidate["search_seconds"]},
    )


_READERS: dict[str, Callable[[str, RunDirectory, Mapping[str, Any]], list[Entry]]] = {
    "search": _search_entry,
    "train": _training_entry,
    **dict.fromkeys(("select", "black_box", "tune"), _study_entries),
}
