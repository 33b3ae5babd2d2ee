"""TensorBoard logs that agree with the checkpoints of a run that is killed and resumed."""

import errno
import functools
import os
import pathlib
import re
import time
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf
from tensorboard.compat.proto import summary_pb2
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalars
from tensorboard.plugins.scalar.summary_v2 import scalar_pb

from tf_darts.runtime import files

_FILES = "events.out.tfevents"
# Of older runs, whose events are not beside their other files.
_OLD_FOLDER = "tensorboard"


def events_of(run: pathlib.Path) -> pathlib.Path:
    """The folder with a run's events: the run directory, so that TensorBoard names the run by it.

    A run of an older version has them in `tensorboard/`, and goes on there.
    """
    old = run / _OLD_FOLDER
    return old if files.is_directory(old) else run


def _write_image(name: str, png: bytes, step: int) -> None:
    tf.summary.image(name, tf.io.decode_png(png, channels=4)[None], step=step)


class TensorBoardLog:
    """Scalars, figures and texts for TensorBoard.

    Nothing reaches the disk before `flush`. A search flushes right before it saves a checkpoint;
    if it is then killed, no point after the checkpoint is on disk (`close` flushes too, but a
    killed process does not get there), and the resumed run writes them once. The one gap, a kill
    between the two, is what `purge_from` is for.

    The wall time that TensorBoard knows of a point is that of its flush.

    Args:
      log_dir: a folder that is there; other files in it are left alone.
    """

    def __init__(self, log_dir: pathlib.Path | str) -> None:
        self._folder = pathlib.Path(log_dir)
        # Not left to the writer's own queue: it empties itself by size, by time and when the
        # interpreter exits.
        self._pending: list[Callable[[], object]] = []
        self._writer: tf.summary.SummaryWriter | None = None
        self._foreign_files: set[pathlib.Path] = set()  # files that are not the writer's
        self._record_end = 0  # bytes of the writer's that are whole records

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """One point of each named curve, all in one event: one for each takes ten times as long."""
        points = summary_pb2.Summary()
        for name, value in values.items():
            points.MergeFrom(scalar_pb(name, value))
        if points.value:
            self.raw(points.SerializeToString(), step)

    def picture(self, name: str, png: bytes, step: int) -> None:
        """A picture, given as a PNG file's content."""
        self._pending.append(functools.partial(_write_image, name, png, step))

    def text(self, name: str, markdown: str, step: int) -> None:
        """A text, shown as Markdown."""
        self._pending.append(functools.partial(tf.summary.text, name, markdown, step=step))

    def charts(self, panels: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        """Says which curves share a chart, by heading and chart, in the tab "Custom scalars"."""
        layout = layout_pb2.Layout(
            category=[
                layout_pb2.Category(
                    title=heading,
                    chart=[
                        layout_pb2.Chart(
                            title=title,
                            multiline=layout_pb2.MultilineChartContent(
                                tag=[f"^{re.escape(name)}$" for name in names]
                            ),
                        )
                        for title, names in charts.items()
                    ],
                )
                for heading, charts in panels.items()
            ]
        )
        self.raw(custom_scalars.pb(layout).SerializeToString(), 0)

    def raw(self, summary: bytes, step: int) -> None:
        """A summary of one of TensorBoard's plugins, as a message of its own."""
        write = tf.summary.experimental.write_raw_pb
        self._pending.append(functools.partial(write, summary, step=step))

    def flush(self) -> None:
        """Writes all that was logged since the last flush to the disk.

        Raises:
          StorageError, OSError, tf.errors.OpError: the system refuses; what was logged is lost, and
            the next flush begins another file.
        """
        pending, self._pending = self._pending, []
        if not pending:
            return
        try:
            if self._writer is None:
                # Of a folder that is gone this raises; TensorFlow would make it again.
                self._foreign_files = set(self._event_files())
                self._record_end = 0
                self._writer = tf.summary.create_file_writer(str(self._folder))
            with self._writer.as_default():
                for write in pending:
                    write()
            self._writer.flush()
            self._check_record_end()
        except BaseException:
            self._writer = None
            raise

    def _check_record_end(self) -> None:
        """Raises `OSError` where the file ends within a record: TensorFlow tells nobody."""
        for path in set(self._event_files()) - self._foreign_files:
            with path.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                while self._record_end < end:
                    # A record: its length, twice four bytes, its content.
                    file.seek(self._record_end)
                    self._record_end += 16 + int.from_bytes(file.read(8), "little")
            if self._record_end > end:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    def _event_files(self) -> list[pathlib.Path]:
        return [p for p in files.entries(self._folder) if p.name.startswith(f"{_FILES}.")]

    def close(self) -> None:
        """Flushes and closes the file; logging again would begin another.

        Raises: as `flush`.
        """
        self.flush()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def purge_from(self, step: int) -> None:
        """Tells TensorBoard to forget the points at `step` and later that are in the folder.

        A resumed run calls this with the first step that it will log again. The files stay as they
        are: a "session start" at that step, in a file of its own, is read after theirs and before
        those that this log writes next. TensorBoard reads files by name, and names begin with the
        second; this waits for the next one where a file already has it.

        Raises: as `flush`.
        """
        self.close()
        existing = self._event_files() if files.exists(self._folder) else []
        names = [path.name.split(".") for path in existing]
        stamps = [int(name[3]) for name in names if name[3].isdigit()]
        if not stamps:
            return
        wait = max(stamps) + 1 - time.time()
        if 0 < wait <= 2:  # longer: the clock was put back, and no waiting helps
            time.sleep(wait)
        timestamp = time.time()
        start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        # "-" sorts before the host's name, which is next in the names of other files.
        path = self._folder / f"{_FILES}.{int(timestamp):010d}.-start"
        with tf.io.TFRecordWriter(str(path)) as file:
            version = tf.compat.v1.Event(wall_time=timestamp, file_version="brain.Event:2")
            restart = tf.compat.v1.Event(wall_time=timestamp, step=step, session_log=start)
            # Twice, because the first start that TensorBoard meets is no restart to it.
            for event in (version, restart, restart):
                file.write(event.SerializeToString())
