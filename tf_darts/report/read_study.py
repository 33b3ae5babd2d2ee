"""The candidates of a study as a report's entries."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from tf_darts.cells.genotype import SPACES
from tf_darts.config.method_names import current_name
from tf_darts.errors import StateError, UserError
from tf_darts.report.cell_provenance import animation_of, group_settings, search_in
from tf_darts.report.entries import LOOKED_UP, SEARCH_PREFIX, TRAINED, Entry
from tf_darts.report.learnt_data import UNKNOWN, LearntData, learnt_data
from tf_darts.report.opened_runs import opened_run, search_of
from tf_darts.report.run_files import (
    need,
    read_finished,
    read_provenance,
    read_ranking,
    read_records,
    read_test,
)
from tf_darts.report.statistics import of_all_epochs
from tf_darts.runtime import files
from tf_darts.runtime.run_directory import RunDirectory


def study_entries(name: str, run: RunDirectory, settings: Mapping[str, Any]) -> list[Entry]:
    """The entries of a study's candidates, in the order of its ranking.

    Args:
      name: of the study, the beginning of its entries' names.
      run: its directory.
      settings: the study's.

    Raises:
      UserError: it has no ranking yet, or its files cannot be read.
    """
    if not files.exists(run.path / "ranking.json"):
        raise UserError(
            f"--run_dir={run.path}: this study has no ranking yet; go on with the same"
            f" --mode={settings['mode']} command first, or leave it out."
        )
    ranking = read_ranking(run.path)
    shared = group_settings(settings)
    # A table's score does not depend on what a search learnt from, which is a setting of the cell.
    data = UNKNOWN if "table" in ranking else learnt_data(run.path, settings, "train.")
    candidates = ranking["candidates"]
    entries = [
        _candidate_entry(f"{name}/{candidate['name']}", run.path, shared, data, ranking, candidate)
        for candidate in candidates
    ]
    return [
        dataclasses.replace(entry, short=not whole)
        for entry, whole in zip(entries, of_all_epochs(candidates), strict=True)
    ]


def _candidate_entry(
    name: str,
    study: pathlib.Path,
    study_settings: Mapping[str, Any],
    data: LearntData,
    ranking: Mapping[str, Any],
    candidate: Mapping[str, Any],
) -> Entry:
    """A candidate's entry; where its own runs are gone, what the study says stands for them."""
    home = study / "candidates" / candidate["name"]
    training, cell = home / "train", candidate["genotype"]
    completed = candidate["status"] == "completed"
    fields: dict[str, Any] = {"settings": study_settings}
    trained_by, searched_by, searched_on = 1, 1, UNKNOWN
    if files.exists(home / "search" / "config.json"):
        with opened_run(home / "search") as (run, settings):
            searched_by, searched_on = settings.get("replicas", 1), learnt_data(run.path, settings)
    if "table" in ranking and searched_on.digest:
        fields = {"settings": {**study_settings, f"{SEARCH_PREFIX}data": searched_on.digest}}
    if completed and files.exists(training / "config.json"):
        with opened_run(training) as (run, settings):
            need(settings, ("epochs",), run.path)
            history = read_finished(run.path, "training", settings["epochs"])
            if history is None:
                raise StateError(
                    f"{run.path / 'history.jsonl'}: has {len(read_records(run.path))} of"
                    f" {settings['epochs']} epochs, although this candidate has a score; restore it"
                    " from a copy, or leave this run out of the report."
                )
            fields = {"settings": group_settings(settings), "history": history}
            own_data = learnt_data(run.path, settings)
            data = own_data if own_data.digest else data
            trained_by = settings.get("replicas", 1)
        search, file = home / "search", training / "genotype.json"
        searched = files.exists(file) and candidate["search_seconds"] > 0  # a given cell did not
        provenance = read_provenance(file) if searched else {}
        if not files.exists(search / "config.json"):
            searched_by = provenance.get("replicas", 1)
        search_fields = search_in(provenance, fields["settings"], file)
        if search_fields is None:
            fields |= search_of(search, fields["settings"])
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
        data=data,
        snapshots=[
            point | {"search_seconds": point["search_seconds"] * searched_by}
            for point in candidate["snapshots"]
        ],
        **fields
        | {
            "search_seconds": candidate["search_seconds"] * searched_by,
            "search_seed": candidate["seed"],
        },
    )
