"""Saving and restoring everything a run is made of."""

import contextlib
import json
import pathlib
import shutil
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_darts.errors import StateError, StorageError
from tf_darts.runtime import files
from tf_darts.runtime.checkpoint_files import (
    DATA,
    INDEX,
    STATE,
    is_ahead,
    names,
    number_of,
    plain_path,
    read,
    saved,
)
from tf_darts.runtime.console import warn


class History(tf.train.experimental.PythonState):
    """The records of a run's epochs as a part of its checkpoints.

    Attributes:
      records: one for each epoch, oldest first.
    """

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def serialize(self) -> str:
        """Called when a checkpoint is written."""
        return json.dumps(self.records)

    def deserialize(self, string_value: str) -> None:
        """Called when a checkpoint is read."""
        self.records = json.loads(string_value)


class Checkpoints:
    """Two series of checkpoints of the same variables.

    `latest` is saved every so many steps and when a run is stopped: a killed run goes on from it.
    The anchor is a state at an epoch's end, the last one or the best: a diverged run goes back to
    it, to the same place however often it had been stopped in between.

    Of the two the anchor is saved first. Where its history is the longer one the same state could
    not be written into `latest` any more, and is now: what an epoch measured once stays.

    A checkpoint is named after its step, or by the next number where that one is taken: what can
    be read is never written over. It is written in a folder of its own and then moved in, the
    index last, so that a kill leaves the ones before it.

    Args:
      directory: where the series are, each in its folder.
      variables: what is saved.
      anchor: the name of the anchor's folder.

    Attributes:
      history: the records that are saved, and restored, with the variables.
    """

    def __init__(
        self, directory: pathlib.Path, variables: Mapping[str, Any], anchor: str = "epoch"
    ) -> None:
        self.history = History()
        self._variables = dict(variables)
        self._checkpoint = tf.train.Checkpoint(**self._variables, history=self.history)
        self._latest, self._anchor = directory / "latest", directory / anchor
        self._kept = directory / "kept"
        self._first: list[tuple[tf.Variable | keras.Variable, np.ndarray]] = []

    def save(self, step: int, *, anchor: bool = False) -> None:
        """Saves the state after `step` steps, as the anchor too if so asked.

        Raises:
          StorageError: it cannot be written; what was saved before is whole.
        """
        same = self._write(self._anchor, step, max_to_keep=1) if anchor else None
        if anchor:
            self.forget_first()
        self._write(self._latest, step, max_to_keep=2, same=same)

    def keep(self, epoch: int, step: int) -> None:
        """Keeps the state at an epoch's end, beside the two series; raises `StorageError`."""
        with _saving(self._kept):
            self._kept.mkdir(parents=True, exist_ok=True)
        self._write(self._kept / str(epoch), step, max_to_keep=1)

    def keep_only(self, epochs: Collection[int]) -> None:
        """Removes what is kept of other epochs."""
        for folder in files.entries(self._kept) if files.is_directory(self._kept) else []:
            if folder.name.isdecimal() and int(folder.name) not in epochs:
                shutil.rmtree(folder, ignore_errors=True)

    def restore_kept(self, epoch: int) -> None:
        """Goes to a state that was kept; raises `StateError` where it cannot be read any more."""
        self._restore_from(self._kept / str(epoch))

    def restore(self) -> pathlib.Path | None:
        """Goes to the latest state that can be read, and says so where it is not the last saved.

        Returns:
          The checkpoint, or None where none was ever saved.

        Raises:
          StateError: there are files of checkpoints, and none can be read.
          StorageError: an anchor that is ahead cannot be written into `latest`.
        """
        for folder in (self._latest, self._anchor):
            _check_kinds(folder)
        latest, anchors = saved(self._latest), saved(self._anchor)
        candidates = [*latest, *anchors]
        if not candidates:
            self._refuse_lost_checkpoints()
            return None
        if latest and anchors and is_ahead(anchors[0], latest[0]):
            latest = [self._write(self._latest, number_of(anchors[0]), 2, same=anchors[0]), *latest]
            candidates = [*latest, *anchors]
        first_error: StateError | None = None
        for prefix in candidates:
            try:
                self._read(prefix)
            except StateError as error:
                first_error = first_error or error
                continue
            if first_error or not latest:
                lost = candidates[0] if first_error else self._latest
                warn(f"{lost} cannot be read; going on from {prefix}.")
            return prefix
        raise first_error

    def is_saved(self) -> bool:
        """Whether any state is."""
        return bool(saved(self._latest) or saved(self._anchor))

    def remember_first(self) -> None:
        """Keeps the state as it is in memory: the anchor until one is saved."""
        if not saved(self._anchor):
            found = tf.train.TrackableView(self._checkpoint).descendants()
            kinds = tf.Variable, keras.Variable
            self._first = [(v, v.numpy()) for v in found if isinstance(v, kinds)]

    def forget_first(self) -> None:
        """The state that is remembered is no anchor any more."""
        self._first = []

    def restore_anchor(self) -> None:
        """Goes back to the anchor; raises `StateError` where there is none that can be read."""
        if not self._first:
            self._restore_from(self._anchor)
        for variable, value in self._first:
            variable.assign(value)

    def _restore_from(self, folder: pathlib.Path) -> None:
        for prefix in saved(folder)[:1]:
            self._read(prefix)
            return
        raise StateError(f"{folder}: the checkpoint to go back to is gone; restore it from a copy.")

    def _read(self, prefix: pathlib.Path) -> None:
        self.history.records = []
        has_history = any(name.startswith("history/") for name in names(prefix))
        read(prefix, self._variables | ({"history": self.history} if has_history else {}))

    def _refuse_lost_checkpoints(self) -> None:
        """Raises `StateError` where half of a checkpoint is all that is left of some."""
        for folder in (self._latest, self._anchor):
            entries = files.entries(folder) if files.is_directory(folder) else []
            if any(file.name == STATE or file.suffix == INDEX for file in entries):
                raise StateError(
                    f"{folder}: its checkpoints are gone or cannot be read; restore it from a copy,"
                    " or give another --run_dir to begin again."
                )

    def _write(
        self,
        folder: pathlib.Path,
        step: int,
        max_to_keep: int,
        same: pathlib.Path | None = None,
    ) -> pathlib.Path:
        """Writes the state, or copies the same: many variables take seconds to write."""
        with _saving(folder):
            for parent in (folder.parent, folder):
                parent.mkdir(exist_ok=True)  # not the run's own: it may have been removed
            previous = saved(folder)
            number = max(step, *(number_of(prefix) + 1 for prefix in previous), 0)
            prefix = folder / f"ckpt-{number}"
            staged = folder / f".{prefix.name}{files.PARTIAL}"
            shutil.rmtree(staged, ignore_errors=True)
            try:
                staged.mkdir()
                if same is None:
                    with plain_path(staged) as plain:
                        self._checkpoint.write(str(plain / prefix.name))
                for ending in (DATA, INDEX):
                    if same is not None:
                        shutil.copyfile(f"{same}{ending}", staged / f"{prefix.name}{ending}")
                    files.flush(staged / f"{prefix.name}{ending}")
                    (staged / f"{prefix.name}{ending}").replace(f"{prefix}{ending}")
                files.flush(folder)  # before an older one is removed
            finally:
                shutil.rmtree(staged, ignore_errors=True)
            prefixes = [prefix, *previous][:max_to_keep]
            names = [checkpoint.name for checkpoint in reversed(prefixes)]
            lines = [f'all_model_checkpoint_paths: "{name}"' for name in names]
            state = "\n".join([f'model_checkpoint_path: "{prefix.name}"', *lines, ""])
            files.write_atomically(folder / STATE, state)
            _remove_stale(folder, prefixes)
        return prefix


def _check_kinds(folder: pathlib.Path) -> None:
    """Raises `StateError` where a file and a folder have changed places: nothing could be saved."""
    for parent in (folder.parent, folder):
        files.check_kind(parent, directory=True)
    for entry in files.entries(folder) if files.is_directory(folder) else []:
        if entry.name == STATE or entry.name.startswith("ckpt-"):
            files.check_kind(entry, directory=False)


def _remove_stale(folder: pathlib.Path, prefixes: list[pathlib.Path]) -> None:
    """Removes older checkpoints, and what kills have left of some; the index first."""
    names = {f"{prefix.name}{ending}" for prefix in prefixes for ending in (INDEX, DATA)}
    stale = [file for file in folder.iterdir() if file.name not in names | {STATE}]
    for file in sorted(stale, key=lambda file: file.suffix != INDEX):
        if file.name.startswith(".") and file.name.endswith(files.PARTIAL) and file.is_dir():
            shutil.rmtree(file, ignore_errors=True)
        elif file.name.startswith(("ckpt-", f".{STATE}.")) and file.is_file():
            file.unlink()


@contextlib.contextmanager
def _saving(folder: pathlib.Path) -> Iterator[None]:
    """Makes a `StorageError` of whatever refuses a checkpoint."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        message = getattr(error, "strerror", None) or str(getattr(error, "message", error))
        reason = message.split(" [Op:")[0].rsplit("; ", 1)[-1]
        raise StorageError(
            f"{folder}: a checkpoint cannot be written ({reason}); make room or give rights there,"
            " then repeat the command: it goes on from the last whole one."
        ) from error
