"""What a run is, as its `config.json` says it: its kind, and the space of its cells.

This is the only place that guesses, for runs of commit 517e77a: they say neither.
"""

from collections.abc import Mapping

from tf_darts.cells import genotype_files
from tf_darts.cells.foreign import space_with
from tf_darts.cells.space import find_space
from tf_darts.config.layers import preset_for
from tf_darts.config.training import TrainingConfig
from tf_darts.errors import StateError, UserError
from tf_darts.runtime.files import exists
from tf_darts.runtime.run_directory import RunDirectory

# The kinds of runs, by the mode that makes them.
KINDS: Mapping[str, str] = {
    "search": "search",
    "train": "training",
    "select": "study",
    "black_box": "study",
    "tune": "study",
    "report": "report",
}
_ADVICE = "restore it from a copy, or leave this run out"


def about(mode: str, space: str) -> dict[str, str]:
    """What `config.json` says of a run beside its settings."""
    return {"kind": KINDS[mode], "space": space}


def kind_of(run: RunDirectory) -> str | None:
    """The kind of a run, one of `KINDS`; None where it is none that this version knows."""
    kind = run.about.get("kind")
    if kind is None:
        kind = KINDS.get(str(run.settings.get("mode")))
    return kind if kind in KINDS.values() else None


def space_of(run: RunDirectory) -> str:
    """The space of a run's cells; raises `StateError` where there is no such space."""
    space = run.about.get("space")
    if space is None:
        space = _guessed_space(run)
    try:
        find_space(space)
    except UserError as error:
        file, reason = run.path / "config.json", str(error).rstrip(".")
        raise StateError(f"{file}: cannot be read ({reason}); {_ADVICE}.") from error
    return space


def training_class(run: RunDirectory) -> type[TrainingConfig]:
    """The class of a training's configuration; raises `StateError` where none has its space."""
    return type(find_space(space_of(run)).training)


def _guessed_space(run: RunDirectory) -> str:
    """The space of a run that does not say it: its cell's, or else its data set's."""
    cell = run.settings.get("cell")
    if isinstance(cell, Mapping) and (space := space_with(cell)) is not None:
        return space
    file = run.path / "genotype.json"
    if exists(file):
        try:
            return genotype_files.load(file).space
        except UserError:
            pass  # whoever needs the cell says what is wrong with its file
    mode = "search" if kind_of(run) == "search" else "train"
    return preset_for(mode, str(run.settings.get("dataset"))).space
