"""Run directories as a report's entries: searches, trainings, and studies of many of both."""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tf_darts.cells.answers import AnswerMatch
from tf_darts.cells.published import published_cells
from tf_darts.cells.references import identifier
from tf_darts.cells.space import find_space
from tf_darts.config.method_names import label
from tf_darts.config.recorded import KINDS, kind_of, space_of
from tf_darts.errors import StateError, UserError
from tf_darts.report.candidate_rows import is_number
from tf_darts.report.cell_provenance import (
    animation_of,
    cell_method,
    group_settings,
    holds,
    search_in,
    search_seed,
)
from tf_darts.report.entries import GIVEN, SUPERNET, TRAINED, Entry
from tf_darts.report.file_names import FreeNames
from tf_darts.report.learnt_data import learnt_data
from tf_darts.report.opened_runs import device_seconds, finished, opened_run, search_of
from tf_darts.report.read_study import study_entries
from tf_darts.report.run_files import (
    need,
    read_cell,
    read_counts,
    read_provenance,
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
    resolved = [path.resolve() for path in paths]  # "." has no name of its own
    for place, path in enumerate(paths):
        if resolved[place] in resolved[:place]:
            raise UserError(f"--run_dir: {path} is given twice; give it once.")
    names = [path.name for path in resolved]
    if len(set(names)) < len(names):
        free = FreeNames()
        names = [free.take("_".join(path.parts[1:])) for path in resolved]
    return [
        entry for path, name in zip(paths, names, strict=True) for entry in _read_run(path, name)
    ]


def single_run(run_dirs: Sequence[str]) -> dict[str, str] | None:
    """Kind and space of the one search or training that was given; None for anything else."""
    if len(run_dirs) > 1:
        return None
    with opened_run(pathlib.Path(run_dirs[0]).expanduser()) as (run, _):
        kind = str(kind_of(run))
        return {"kind": kind, "space": space_of(run)} if kind in ("search", "training") else None


def _read_run(path: pathlib.Path, name: str) -> list[Entry]:
    with opened_run(path) as (run, settings):
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
    history = finished(run, settings)
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
        search_seconds=device_seconds(settings, history),
        training_seconds=None,
        settings=group_settings(settings),
        history=history,
        data=learnt_data(run.path, settings),
        animation=animation_of(run.path),
        answer=AnswerMatch(**result["found"]) if "found" in result else None,
    )
    return [entry]


def _training_entry(name: str, run: RunDirectory, settings: Mapping[str, Any]) -> list[Entry]:
    history = finished(run, settings)
    score = _score(run, history[-1])
    cell, file = read_cell(run.path), run.path / "genotype.json"
    provenance = cell.provenance
    cell_source = pathlib.Path(str(provenance.get("given", run.path.resolve().name)))
    if cell_method(provenance) is None and files.is_file(cell_source):
        # Trainings of commit 517e77a say only where their cell was.
        known = read_provenance(cell_source, _CELL_ADVICE)
        if holds(cell_source, cell):
            provenance, file = known, cell_source
    published = str(cell_source) in published_cells(cell.space)
    fields: dict[str, Any] = {
        "method": cell_method(provenance) or (str(cell_source) if published else GIVEN),
        "search_seconds": None,
        "settings": group_settings(settings),
        "search_seed": search_seed(provenance),
    }
    search_fields = search_in(provenance, fields["settings"], file)
    if search_fields is not None:
        # The pictures are the search's own: they are shown as long as it is where it was.
        animation = animation_of(cell_source.parent) if holds(cell_source, cell) else None
        fields |= search_fields | {"animation": animation}
    elif "hypergradient" in provenance and holds(cell_source, cell):
        fields |= search_of(cell_source.parent, fields["settings"])
    # Not where it lies: a path has several spellings, and a file may be written over.
    cell_id = f"{identifier(cell)}, {fields['method']}, {fields['search_seed']}"
    entry = Entry(
        name=name,
        scored_by=TRAINED,
        dataset=settings["dataset"],
        **score,
        cell_id=cell_id,
        cell_label=str(cell_source),
        seed=settings["seed"],
        value=read_result(run.path, score["score"]),
        cell=cell,
        counts=read_counts(run.path),
        training_seconds=device_seconds(settings, history),
        test=read_test(run.path, score["score"]),
        history=history,
        data=learnt_data(run.path, settings),
        **fields,
    )
    return [entry]


_READERS: dict[str, Callable[[str, RunDirectory, Mapping[str, Any]], list[Entry]]] = {
    "search": _search_entry,
    "training": _training_entry,
    "study": study_entries,
}
