"""What a report takes from the provenance of a cell: its method, and the search that found it."""

import pathlib
from collections.abc import Mapping
from typing import Any

from tf_darts.cells import genotype_files
from tf_darts.cells.genotype import Genotype
from tf_darts.config.method_names import current_name, label
from tf_darts.config.methods import KINDS
from tf_darts.errors import StateError, UserError
from tf_darts.report.candidate_rows import is_number
from tf_darts.report.entries import SEARCH_PREFIX
from tf_darts.report.run_files import ADVICE
from tf_darts.runtime import files

# Settings that do not tell groups apart: seeds, what `Entry` has otherwise, how many candidates.
_NO_SETTINGS = {
    "mode",
    "dataset",
    "seed",
    "cell",
    "cells",
    "optimization",
    "method",
    "hypergradient",
}
_NO_SETTINGS |= {*KINDS, "step_order"}
_NO_SETTINGS |= {"candidates", "count", "snapshots", "trials", "tuner"}


def group_settings(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The settings of a run that tell groups of entries apart.

    Args:
      settings: the run's.
      prefix: to their names. A search has one, and its data set is a setting of the cell that it
        found, which may be trained on another.
    """
    left_out = _NO_SETTINGS - {"dataset"} if prefix else _NO_SETTINGS
    return {f"{prefix}{k}": v for k, v in settings.items() if k not in left_out}


def cell_method(provenance: Mapping[str, Any]) -> str | None:
    """What found a cell; None where its provenance does not say it.

    A cell that somebody took from a search's history is none that the method ended with.
    """
    if "method" in provenance:
        epoch = f" (epoch {provenance['of_epoch']})" if "of_epoch" in provenance else ""
        return current_name(str(provenance["method"])) + epoch
    # Version 0.1 had no such name: its searches wrote these, and its studies "source".
    if "hypergradient" in provenance:
        return label(provenance)
    source = provenance.get("source")
    return None if source is None else current_name(str(source))


def search_in(
    provenance: Mapping[str, Any], training: Mapping[str, Any], file: pathlib.Path
) -> dict[str, Any] | None:
    """What the entry of a trained cell has of its search; None where the provenance has no search.

    Args:
      provenance: of the cell.
      training: the settings of the entry's training.
      file: where the provenance stands, for the sentence.

    Raises:
      StateError: the provenance of a search lacks what it must have.
    """
    if "settings" not in provenance:
        return None
    settings, seconds = provenance["settings"], provenance.get("search_seconds")
    replicas = provenance.get("replicas", 1)
    if not (isinstance(settings, Mapping) and is_number(seconds) and is_number(replicas)):
        raise StateError(
            f"{file}: cannot be read as a run's file (its provenance is no search's); {ADVICE}."
        )
    return {
        "search_seconds": seconds * replicas,
        "settings": {**training, **group_settings(settings, SEARCH_PREFIX)},
    }


def search_seed(provenance: Mapping[str, Any]) -> int | None:
    """The seed of what found a cell; None where its provenance has none."""
    seed = provenance.get("seed")
    return seed if isinstance(seed, int) else None


def holds(file: pathlib.Path, cell: Genotype) -> bool:
    """Whether a genotype file is there and has this cell: another may have been written there."""
    try:
        return files.is_file(file) and genotype_files.load(file) == cell
    except UserError:
        return False


def animation_of(search: pathlib.Path) -> pathlib.Path | None:
    """The animation in the run directory of a search; None where there is none."""
    file = search / "plots" / "cell.gif"
    return file if files.is_file(file) else None
