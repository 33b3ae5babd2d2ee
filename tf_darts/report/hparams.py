"""Sessions of TensorBoard's HParams: a report's entries, and single runs.

A run writes no list of columns. TensorBoard would take that of the first run that it finds for all
of them; without one it makes the columns of all sessions, those that differ first.
"""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import api, api_pb2, summary

from tf_darts.report.entries import Entry, differing
from tf_darts.report.file_names import FreeNames, safe
from tf_darts.report.learnt_data import differ

_PARTS = ("validation", "test")


def write_sessions(directory: pathlib.Path, entries: Sequence[Entry]) -> None:
    """Writes a session an entry: its source, its seed, the settings that differ, and its scores.

    Settings differ among entries whose scores compare. A failed entry is a failed session without
    a score.

    Args:
      directory: for `tensorboard --logdir`; each session has a folder in it, of its entry's name.
      entries: of distinct names.
    """
    shown = [_shown(entry, entries) for entry in entries]
    scores = dict.fromkeys(entry.score for entry in entries)
    writer = tf.summary.create_file_writer(str(directory))
    with writer.as_default():
        api.hparams_config(
            hparams=[api.HParam(name, domain) for name, domain in _domains(shown).items()],
            metrics=[api.Metric(f"{part}/{score}") for score in scores for part in _PARTS],
        )
    writer.close()
    folders = FreeNames()
    for entry, values in zip(entries, shown, strict=True):
        folder = folders.take("/".join(map(safe, entry.name.split("/"))))
        writer = tf.summary.create_file_writer(str(directory / folder))
        with writer.as_default():
            api.hparams(values, trial_id=entry.name)
            for part, score in zip(_PARTS, (entry.value, entry.test), strict=True):
                if score is not None:
                    tf.summary.scalar(f"{part}/{entry.score}", score, step=0)
            status = api_pb2.STATUS_FAILURE if entry.reason else api_pb2.STATUS_SUCCESS
            end = summary.session_end_pb(status).SerializeToString()
            tf.summary.experimental.write_raw_pb(end, step=0)
        writer.close()


def session_start(settings: Mapping[str, Any], name: str) -> bytes:
    """A session of a single run, to stand among the run's own curves, which are its metrics.

    Args:
      settings: of the run; nested ones are no columns.
      name: sessions of one name are shown as one, with the mean of their metrics.
    """
    values = {n: v for n, v in settings.items() if isinstance(v, bool | int | float | str)}
    return api.hparams_pb(values, trial_id=name).SerializeToString()


def session_end() -> bytes:
    """The end of a run that has come to it; one that was killed is shown as unfinished."""
    return summary.session_end_pb(api_pb2.STATUS_SUCCESS).SerializeToString()


def _shown(entry: Entry, entries: Sequence[Entry]) -> dict[str, Any]:
    """What the table shows of an entry; what it does not have is left out."""
    comparable = [
        peer
        for peer in entries
        if (peer.dataset, peer.scored_by) == (entry.dataset, entry.scored_by) and not peer.reason
    ]
    values = {
        "source": entry.method,
        "seed": entry.seed,
        "dataset": entry.dataset,
        "data": entry.data.digest if differ(peer.data for peer in comparable) else None,
        "score of": entry.scored_by,
        **{name: entry.settings.get(name) for name in differing(comparable)},
        **{name: value for name, value in entry.tuned.items() if name == "epochs"},
    }
    return {
        name: value if isinstance(value, bool | int | float | str) else json.dumps(value)
        for name, value in values.items()
        if value is not None
    }


def _domains(shown: Sequence[dict[str, Any]]) -> dict[str, api.Discrete | api.RealInterval]:
    """What the values of each column may be: a range of numbers, or a list of texts."""
    columns: dict[str, list[Any]] = {}
    for values in shown:
        for name, value in values.items():
            columns.setdefault(name, []).append(value)
    return {
        name: api.RealInterval(float(min(values)), float(max(values)))
        if all(isinstance(value, int | float) for value in values)
        else api.Discrete(sorted({str(value) for value in values}))
        for name, values in columns.items()
    }
