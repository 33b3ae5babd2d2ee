"""The export of a finished training."""

import contextlib
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf

from tf_darts.config.export import ExportConfig
from tf_darts.formats.versions import new_version
from tf_darts.runs.export_tasks import FORMATS, export_task
from tf_darts.runtime.busy import busy
from tf_darts.runtime.start_up import without_chatter
from tf_darts.training.finished import FinishedTraining


class Exported(NamedTuple):
    """An exported version of a network, checked.

    Attributes:
      path: its directory.
      notes: what there is to say of it, sentences.
    """

    path: pathlib.Path
    notes: list[str]


def run_export(config: ExportConfig) -> Exported:
    """Writes the network of a finished training in another format, and checks it.

    Raises:
      UserError: there is no finished training, the version is there already, or what was written
        does not answer as the trained network does.
    """
    training = FinishedTraining.open(config.run_dir, for_reading=True)
    try:
        export_dir = pathlib.Path(config.export_dir).expanduser()
        with new_version(export_dir, config.export_version) as version:
            with busy("Building the trained network"):
                task = export_task(training, config.data_dir, config.license)
            with without_chatter(), _exact_products():
                notes = FORMATS[config.format](task, version)
    finally:
        training.run.close()
    return Exported(export_dir / str(version.number), notes)


@contextlib.contextmanager
def _exact_products() -> Iterator[None]:
    """Inside, a GPU multiplies in float32: answers are compared with those of other programs.

    By itself it rounds factors to 10 bits (TF32), which moves a probability by more than may be.
    """
    config = tf.config.experimental
    before = config.tensor_float_32_execution_enabled()
    config.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        config.enable_tensor_float_32_execution(before)
