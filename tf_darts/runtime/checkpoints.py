"""Saving and restoring everything a run is made of."""

import pathlib
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_darts.errors import UserError


class Checkpoints:
    """Two series of checkpoints of the same variables.

    `latest` is saved every so many steps and when a run is stopped: a killed run goes on from
    it. `epoch` is saved at the end of every epoch: a diverged run goes back to it, to the same
    place however often it had been stopped in between. TensorFlow makes a checkpoint visible
    only when it is whole.
    """

    def __init__(self, directory: pathlib.Path, variables: Mapping[str, Any]) -> None:
        self._checkpoint = tf.train.Checkpoint(**variables)
        self._latest = tf.train.CheckpointManager(
            self._checkpoint, str(directory / "latest"), max_to_keep=2
        )
        self._epoch = tf.train.CheckpointManager(
            self._checkpoint, str(directory / "epoch"), max_to_keep=1
        )

    def save(self, step: int) -> None:
        """Saves the state after `step` steps to the series that resuming uses."""
        self._latest.save(checkpoint_number=step)

    def save_epoch(self, step: int) -> None:
        """Saves the state at an epoch's end to both series."""
        self._epoch.save(checkpoint_number=step)
        self._latest.save(checkpoint_number=step)

    def restore(self) -> bool:
        """Goes to the latest checkpoint; False where there is none."""
        return self._restore(self._latest)

    def restore_epoch(self) -> bool:
        """Goes back to the last epoch's end; False where there is none."""
        return self._restore(self._epoch)

    def _restore(self, manager: tf.train.CheckpointManager) -> bool:
        path = manager.latest_checkpoint
        if path is None:
            return False
        try:
            self._checkpoint.restore(path).assert_existing_objects_matched()
        except (AssertionError, IndexError, ValueError, tf.errors.OpError) as error:
            raise UserError(
                f"{path}: this checkpoint is broken or of another model; move"
                f" {manager.directory} away to begin again."
            ) from error
        return True
