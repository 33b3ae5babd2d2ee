"""ONNX models of a network, run before they are there."""

import contextlib
import logging
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.formats.model_card import write_card
from tf_darts.formats.serving_model import ServingModel
from tf_darts.formats.versions import NewVersion, storing
from tf_darts.runtime.files import read_bytes

ONNX_FILE = "model.onnx"
_OPSET = 17  # of the operations; what reads it need not be of today
_TOLERANCE = 1e-5  # of a probability


def write_onnx(
    served: ServingModel,
    card: Mapping[str, Any],
    assets: Sequence[pathlib.Path],
    version: NewVersion,
) -> None:
    """Writes a version with `model.onnx` and a model card.

    Args:
      served: the network, of which `served.portable()` is written.
      card: what the model card says, as JSON types.
      assets: files that are put beside the model.
      version: where it is written.

    Raises:
      StorageError: it cannot be written.
      UserError: tf2onnx or onnxruntime is not installed, or the written model does not answer as
        the network does.
    """
    portable = served.portable()
    try:
        # The optional extra: nothing else needs it.
        import onnxruntime
        import tf2onnx
    except ImportError as error:
        raise UserError(
            "--format=onnx needs tf2onnx, and onnxruntime to check what it wrote: pip install"
            " 'tf_darts[onnx]'."
        ) from error
    (name,) = portable.inputs
    spec = tf.TensorSpec(portable.inputs[name].shape, portable.inputs[name].dtype, name)
    function = tf.function(portable.function, autograph=False)
    path = version.folder / ONNX_FILE
    with storing(version.folder), _without_warnings():
        tf2onnx.convert.from_function(
            function, input_signature=[spec], opset=_OPSET, output_path=str(path)
        )
    session = onnxruntime.InferenceSession(read_bytes(path))
    for request in portable.examples:
        (answer,) = session.run(None, dict(request))
        (expected,) = portable.unguarded(**portable.tensors(request)).values()
        difference = float(np.max(np.abs(answer - expected.numpy())))
        if not difference <= _TOLERANCE:
            raise UserError(
                f"The ONNX model answers otherwise than the network, by {difference:.3g};"
                " nothing was exported. Please report this with the run's config.json."
            )
    for asset in assets:
        with storing(version.folder):
            (version.folder / asset.name).write_bytes(read_bytes(asset))
    card = dict(card) | {"version": version.number, "model": portable.types}
    write_card(version.folder, card)


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Inside, TensorFlow does not warn of parts of a graph that ONNX has not."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
