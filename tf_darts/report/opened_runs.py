"""Run directories that a report opens: what is said of those that cannot be in one."""

import contextlib
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tf_darts.config.recorded import kind_of
from tf_darts.errors import UserError
from tf_darts.report.cell_provenance import animation_of, group_settings
from tf_darts.report.entries import SEARCH_PREFIX
from tf_darts.report.run_files import need, read_finished, read_records
from tf_darts.runtime import files
from tf_darts.runtime.run_directory import RunDirectory


@contextlib.contextmanager
def opened_run(path: pathlib.Path) -> Iterator[tuple[RunDirectory, dict[str, Any]]]:
    """A run that is only read, and its settings; raises `UserError` where there is none."""
    run, settings = RunDirectory.read(path)
    try:
        yield run, settings
    finally:
        run.close()


def finished(run: RunDirectory, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
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


def device_seconds(settings: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> float:
    """How long a run took, of all its devices together."""
    return history[-1]["seconds"] * settings.get("replicas", 1)


def search_of(path: pathlib.Path, training: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry has of the search in a directory; nothing where the search is gone."""
    if not files.exists(path / "config.json"):
        return {}
    with opened_run(path) as (run, settings):
        if kind_of(run) != "search":
            return {}
        history = finished(run, settings)
    return {
        "search_seconds": device_seconds(settings, history),
        "settings": {**training, **group_settings(settings, SEARCH_PREFIX)},
        "animation": animation_of(path),
        "search_seed": settings["seed"],
    }
