"""Run directories as a report's entries: searches, trainings, and studies of many of both."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tf_darts.cells.answers import AnswerMatch
from tf_darts.cells.genotype import SPACES
from tf_darts.cells.published import published_cells
from tf_darts.cells.space import find_space
from tf_darts.config.method_names import current_name, label
from tf_darts.config.recorded import KINDS, kind_of, space_of
from tf_darts.errors import StateError, UserError
from tf_darts.report.candidate_rows import is_number
from tf_darts.report.cell_provenance import (
    animation_of,
    cell_method,
    group_settings,
    search_in,
)
from tf_darts.report.entries import GIVEN, LOOKED_UP, SEARCH_PREFIX, SUPERNET, TRAINED, Entry
from tf_darts.report.run_files import (
    need,
    read_cell,
    read_counts,
    read_finished,
    read_provenance,
    read_ranking,
    read_records,
    read_result,
    read_test,
)
from tf_darts.runtime import files
from tf_darts.runtime.run_directory import RunDirectory

# What to do about the file of the search that found a training's cell.
_CELL_ADVICE = "move this file away, and the report takes the cell as given"


def read_entries(run_dirs: Sequence[str]) -> list[Entry]:
    """The entries of some runs, in their order.

    Raises:
      UserError: a directory has no run, or one that has not finished or cannot be read.
    """
    paths = [pathlib.Path(path).expanduser() for path in run_dirs]
    seen: set[pathlib.Path] = set()
    for path in paths:
        resolved = path.resolve()
        if resolved in seen:
            raise UserError(f"--run_dir: {path} is given twice; give it once.")
        seen.add(resolved)
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        names = ["_".join(path.absolute().parts[1:]) for path in paths]
    return [
        entry for path, name in zip(paths, names, strict=True) for entry in _read_run(path, name)
    ]


def single_run(run_dirs: Sequence[str]) -> dict[str, str] | None:
    """Kind and space of the one search or training that was given; None for anything else."""
    if len(run_dirs) > 1:
        return None
    with _opened_run(pathlib.Path(run_dirs[0]).expanduser()) as (run, _):
        kind = str(kind_of(run))
        return {"kind": kind, "space": space_of(run)} if kind in ("search", "training") else None


def _read_run(path: pathlib.Path, name: str) -> list[Entry]:
    with _opened_run(path) as (run, settings):
        kind = kind_of(run)
        if kind not in _READERS:
            modes = [
                f"--mode={mode}"
                for mode, recorded_kind in KINDS.items()
                if recorded_kind in _READERS
            ]
            raise UserError(
                f"--run_dir={path}: holds a {kind or settings.get('mode')}; a report takes the runs"
                f" of {', '.join(modes)}; leave this run out."
            )
        need(settings, ("mode",), path)
        try:
            return _READERS[kind](name, run, settings)
        except (ValueError, KeyError, TypeError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise StateError(
                f"--run_dir={path}: its files are of another tf_darts, or were changed ({reason});"
                " leave this run out of the report."
            ) from error


@contextlib.contextmanager
def _opened_run(path: pathlib.Path) -> Iterator[tuple[RunDirectory, dict[str, Any]]]:
    run, settings = RunDirectory.read(path)
    try:
        yield run, settings
    finally:
        run.close()


def _finished(run: RunDirectory, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The history of a search or training; raises `UserError` where it has not finished."""
    need(settings, ("mode", "epochs"), run.path)
    mode, epochs = settings["mode"], settings["epochs"]
    history = read_finished(run.path, kind_of(run), epochs)
    if history is None:
        raise UserError(
            f"--run_dir={run.path}: this {mode} run has finished {len(read_records(run.path))} of"
            f" {epochs} epochs; go on with the same --mode={mode} command first, or leave it out."
        )
    if not history:
        raise UserError(
            f"--run_dir={run.path}: this run has no epochs, as where weights are imported; leave it"
            " out of the report."
        )
    need(settings, ("dataset", "seed"), run.path)
    return history


def _device_seconds(settings: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> float:
    return history[-1]["seconds"] * settings.get("replicas", 1)


def _score(run: RunDirectory, record: Mapping[str, Any]) -> dict[str, str]:
    """Name and mode of the score by which people judge a run with such records."""
    score, mode = find_space(space_of(run)).judged_by
    if is_number(record.get(f"train_{score}")):
        return {"score": score, "score_mode": mode}
    raise StateError(
        f"{run.path / 'history.jsonl'}: has no score that reports know ({score}); leave this run"
        " out of the report."
    )


def _search_entry(name: str, run: RunDirectory, settings: Mapping[str, Any]) -> list[Entry]:
    history = _finished(run, settings)
    score = _score(run, history[-1])
    # Of the epoch whose cell counts: the last, unless a rule of the method said another.
    result = run.read_result() or {}
    record = next((r for r in history if r["epoch"] == result.get("epoch")), history[-1])
    value = record.get(f"validation_{score['score']}")
    entry = Entry(
        name=name,
        scored_by=SUPERNET,
        dataset=settings["dataset"],
        **score,
        method=label(settings),
        cell_id=name,
        seed=settings["seed"],
        value=value,
        cell=read_cell(run.path),
        search_seconds=_device_seconds(settings, history),
        training_seconds=None,
        settings=group_settings(settings),
        history=history,
        animation=animation_of(run.path),
        answer=AnswerMatch(**result["found"]) if "found" in result else None,
    )
    return [entry]


def _training_entry(name: str, run: RunDirectory, settings: Mapping[str, Any]) -> list[Entry]:
    history = _finished(run, settings)
    score = _score(run, history[-1])
    cell, file = read_cell(run.path), run.path / "genotype.json"
    provenance = cell.provenance
    cell_source = pathlib.Path(str(provenance.get("given", run.path.name)))
    if cell_method(provenance) is None and files.is_file(cell_source):
        # Trainings of commit 517e77a say only where their cell was.
        provenance, file = read_provenance(cell_source, _CELL_ADVICE), cell_source
    published = str(cell_source) in published_cells(cell.space)
    fields: dict[str, Any] = {
        "method": cell_method(provenance) or (str(cell_source) if published else GIVEN),
        "search_seconds": None,
        "settings": group_settings(settings),
    }
    search_fields = search_in(provenance, fields["settings"], file)
    if search_fields is not None:
        # The pictures are the search's own: they are shown as long as it is where it was.
        animation = animation_of(cell_source.parent) if files.is_file(cell_source) else None
        fields |= search_fields | {"animation": animation}
    elif "hypergradient" in provenance:
        fields |= _search_of(cell_source.parent, fields["settings"])
    entry = Entry(
        name=name,
        scored_by=TRAINED,
        dataset=settings["dataset"],
        **score,
        cell_id=str(cell_source),
        seed=settings["seed"],
        value=read_result(run.path, score["score"]),
        cell=cell,
        counts=read_counts(run.path),
        training_seconds=_device_seconds(settings, history),
        test=read_test(run.path, score["score"]),
        history=history,
        **fields,
    )
    return [entry]


def _search_of(path: pathlib.Path, training: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry has of the search in a directory; nothing where the search is gone."""
    if not files.exists(path / "config.json"):
        return {}
    with _opened_run(path) as (run, settings):
        if kind_of(run) != "search":
            return {}
        history = _finished(run, settings)
    return {
        "search_seconds": _device_seconds(settings, history),
        "settings": {**training, **group_settings(settings, SEARCH_PREFIX)},
        "animation": animation_of(path),
    }


def _study_entries(name: str, run: RunDirectory, settings: Mapping[str, Any]) -> list[Entry]:
    if not files.exists(run.path / "ranking.json"):
        raise UserError(
            f"--run_dir={run.path}: this study has no ranking yet; go on with the same"
            f" --mode={settings['mode']} command first, or leave it out."
        )
    ranking = read_ranking(run.path)
    shared = group_settings(settings)
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
    fields: dict[str, Any] = {"settings": study_settings}
    trained_by, searched_by = 1, _replicas(home / "search")
    if completed and files.exists(training / "config.json"):
        with _opened_run(training) as (run, settings):
            need(settings, ("epochs",), run.path)
            history = read_finished(run.path, "training", settings["epochs"])
            if history is None:
                raise StateError(
                    f"{run.path / 'history.jsonl'}: has {len(read_records(run.path))} of"
                    f" {settings['epochs']} epochs, although this candidate has a score; restore it"
                    " from a copy, or leave this run out of the report."
                )
            fields = {"settings": group_settings(settings), "history": history}
            trained_by = settings.get("replicas", 1)
        search, file = home / "search", training / "genotype.json"
        searched = files.exists(file) and candidate["search_seconds"] > 0  # a given cell did not
        provenance = read_provenance(file) if searched else {}
        if not files.exists(search / "config.json"):
            searched_by = provenance.get("replicas", 1)
        search_fields = search_in(provenance, fields["settings"], file)
        if search_fields is None:
            fields |= _search_of(search, fields["settings"])
        else:
            fields |= search_fields | {"animation": animation_of(search)}
    return Entry(
        name=name,
        scored_by=LOOKED_UP if "table" in ranking else TRAINED,
        dataset=ranking["dataset"],
        score=ranking["score"],
        score_mode=ranking["score_mode"],
        method=current_name(candidate["source"]),
        cell_id=name,
        seed=candidate["seed"],
        value=candidate["score"],
        reason="" if completed else candidate["reason"] or "no reason was recorded",
        cell=SPACES[candidate["space"]].from_dict(cell) if cell else None,
        counts=candidate["counts"] or {},
        training_seconds=candidate["training_seconds"] * trained_by,
        test=read_test(training, ranking["score"]),
        tuned=candidate["settings"],
        snapshots=[
            point | {"search_seconds": point["search_seconds"] * searched_by}
            for point in candidate["snapshots"]
        ],
        **fields | {"search_seconds": candidate["search_seconds"] * searched_by},
    )


def _replicas(path: pathlib.Path) -> int:
    """On how many devices at once a run computed; 1 where it is gone."""
    if not files.exists(path / "config.json"):
        return 1
    with _opened_run(path) as (_, settings):
        return settings.get("replicas", 1)


_READERS: dict[str, Callable[[str, RunDirectory, Mapping[str, Any]], list[Entry]]] = {
    "search": _search_entry,
    "training": _training_entry,
    "study": _study_entries,
}
