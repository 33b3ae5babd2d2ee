"""A report's entries as sessions of TensorBoard's HParams."""

import pathlib
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import api, api_pb2, summary

from tf_darts.report.entries import Entry, differing


def write_sessions(directory: pathlib.Path, entries: Sequence[Entry]) -> None:
    """Writes a session an entry: its source, its seed, the settings that differ, and its scores.

    A failed entry is a failed session without a score. TensorBoard finds the columns by itself.

    Args:
      directory: for `tensorboard --logdir`; each session has a folder in it.
      entries: of distinct names.
    """
    for entry in entries:
        names = differing([e for e in entries if e.way == entry.way and not e.reason])
        writer = tf.summary.create_file_writer(str(directory / entry.name))
        with writer.as_default():
            api.hparams(_shown(entry, names), trial_id=entry.name)
            for part, value in (("validation", entry.value), ("test", entry.test)):
                if value is not None:
                    tf.summary.scalar(f"{part}/{entry.score}", value, step=0)
            status = api_pb2.STATUS_FAILURE if entry.reason else api_pb2.STATUS_SUCCESS
            end = summary.session_end_pb(status).SerializeToString()
            tf.summary.experimental.write_raw_pb(end, step=0)
        writer.close()


def _shown(entry: Entry, names: Sequence[str]) -> dict[str, Any]:
    """What the table shows of an entry; what it does not have is left out."""
    values = {
        "source": entry.source,
        "seed": entry.seed,
        "dataset": entry.dataset,
        "score of": entry.way,
        **{name: entry.settings.get(name) for name in names},
    }
    return {name: value for name, value in values.items() if value is not None}
