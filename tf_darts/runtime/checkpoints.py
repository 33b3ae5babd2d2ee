"""Saving and restoring everything a run is made of."""

import pathlib
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_darts.errors import UserError


class Checkpoints:
    """Two series of checkpoints of the same variables.

    `latest` is saved every so many steps and when a run is stopped: a killed run goes on from it.
    The anchor is a state at an epoch's end, the last one or the best: a diverged run goes back to
    it, to the same place however often it had been stopped in between. TensorFlow makes a
    checkpoint visible only when it is whole.

    Args:
      directory: where the series are, each in its folder.
      variables: what is saved.
      anchor: the name of the anchor's folder.
    """

    def __init__(
        self, directory: pathlib.Path, variables: Mapping[str, Any], anchor: str = "epoch"
    ) -> None:
        self._checkpoint = tf.train.Checkpoint(**variables)
        self._latest, self._anchor = (
            tf.train.CheckpointManager(self._checkpoint, str(directory / name), max_to_keep=keep)
            for name, keep in (("latest", 2), (anchor, 1))
        )

    def save(self, step: int, *, anchor: bool = False) -> None:
        """Saves the state after `step` steps, as the anchor too if so asked."""
        if anchor:
            self._anchor.save(checkpoint_number=step)
        self._latest.save(checkpoint_number=step)

    def restore(self) -> bool:
        """Goes to the latest checkpoint; False where there is none."""
        return self._restore(self._latest)

    def restore_anchor(self) -> bool:
        """Goes back to the anchor; False where there is none."""
        return self._restore(self._anchor)

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
