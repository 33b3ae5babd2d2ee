"""What a run keeps of its data: to be used without them, and to know them when they come again."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any, Protocol

from tf_darts.data.fingerprint import Fingerprint, differences, different_moments
from tf_darts.errors import StateError
from tf_darts.runtime import files
from tf_darts.training.recorded_names import DATA_FILE, FILES, checksums, differs, read_description

RESTORE = "restore it from a copy, or give another --run_dir"
ANOTHER_RUN = "give the data as they were, or another --run_dir"
ANOTHER_TRAINING = "give the data as they were, or train on these in another --run_dir"


class Data(Protocol):
    """Data that a run learns from."""

    def description(self) -> dict[str, Any]:
        """The data set's name, its counts and moments, as JSON types."""

    def fingerprint(self) -> Fingerprint:
        """What they are, see `data/fingerprint.py`."""


def data_flag(config: Any) -> str:
    """How the data of a configuration were named on the command line."""
    return f"--data_dir={config.data_dir}" if config.data_dir else f"--dataset={config.dataset}"


def record_data(
    path: pathlib.Path, data: Data, flag: str, assets: Mapping[str, str] | None = None
) -> None:
    """Writes what the data are into a new run; compares with it in one that was begun before.

    A run that has weights is left as it is: what an old one does not know of its data is not
    guessed from the data of today.

    Args:
      path: the run's directory, held.
      data: what it learns from.
      flag: by which the data are given, see `data_flag`, the beginning of the error.
      assets: the names of classes or words as files of the run by name.

    Raises:
      StateError: the run learnt from other data, or what it knows of them cannot be read.
      StorageError: the files cannot be written.
    """
    check_data(path, data, flag, assets)
    if not _has_weights(path):
        write_missing(path, data, assets)


def check_data(
    path: pathlib.Path,
    data: Data,
    flag: str,
    assets: Mapping[str, str] | None = None,
    advice: str = ANOTHER_RUN,
) -> None:
    """Compares data with those of a run, as far as it knows them; see `record_data`.

    Args:
      path: the run's directory.
      data: what it is to be used with.
      flag: see `record_data`.
      assets: as in `record_data`; read where the run has no fingerprint.
      advice: what to do where they differ, the end of the error.
    """
    recorded = read_description(path, RESTORE)
    if "fingerprint" in recorded:
        try:
            differing = differences(recorded["fingerprint"], data.fingerprint())
        except ValueError as error:
            raise StateError(f"{path / DATA_FILE}: cannot be read ({error}); {RESTORE}.") from error
    else:
        differing = _old_differences(path, recorded, data.description(), assets or {})
    if differing:
        raise StateError(
            f"{flag}: these are not the data that this run learnt from: {'; '.join(differing)};"
            f" {advice}."
        )


def write_missing(path: pathlib.Path, data: Data, assets: Mapping[str, str] | None = None) -> None:
    """Writes what a run lacks of its data; what is there stays."""
    for name, content in (assets or {}).items():
        if not files.exists(path / name):
            files.write_atomically(path / name, content)
    # The last one: a run that has it has the others.
    if not files.exists(path / DATA_FILE):
        document = data.description() | {FILES: checksums(assets or {})}
        document |= {"fingerprint": data.fingerprint()}
        files.write_atomically(path / DATA_FILE, json.dumps(document, indent=2) + "\n")


def _old_differences(
    path: pathlib.Path,
    recorded: Mapping[str, Any],
    current: Mapping[str, Any],
    assets: Mapping[str, str],
) -> list[str]:
    """What differs from the data of a run from before there were fingerprints, in words."""
    shared = [name for name in recorded if name in current and name not in ("mean", "std")]
    changes = [
        f"{name} was {recorded[name]} and is now {current[name]}"
        for name in shared
        if recorded[name] != current[name]
    ]
    if "mean" in recorded:
        changes += different_moments(recorded, current)
    for name, content in assets.items():
        if differs(path, name, content):
            changes.append(f"the names in {name} are others, or in another order")
    return changes


def _has_weights(path: pathlib.Path) -> bool:
    """Whether there is a checkpoint, of any kind."""
    checkpoints = path / "checkpoints"
    folders = files.entries(checkpoints) if files.is_directory(checkpoints) else []
    return any(
        file.suffix == ".index"
        for folder in folders
        if files.is_directory(folder)
        for file in files.entries(folder)
    )
