"""ONNX models of a network, run before they are there."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.export.model_card import write_card
from tf_darts.export.serving_model import ServingModel
from tf_darts.export.versions import new_version

ONNX_FILE = "model.onnx"
_OPSET = 17  # of the operations; what reads it need not be of today
_TOLERANCE = 1e-5  # of a probability


def write_onnx(
    served: ServingModel,
    card: Mapping[str, Any],
    assets: Sequence[pathlib.Path],
    export_dir: pathlib.Path,
    version: int,
) -> None:
    """Writes `export_dir`/`version` with `model.onnx` and a model card.

    Args:
      served: the network, of which `served.portable()` is written.
      card: what the model card says, as JSON types.
      assets: files that are put beside the model.
      export_dir: the directory of all versions.
      version: a number of `next_version`.

    Raises:
      UserError: tf2onnx or onnxruntime is not installed, or the written model does not answer as
        the network does; then nothing is left.
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
    with new_version(export_dir, version) as staged:
        path = staged / ONNX_FILE
        tf2onnx.convert.from_function(
            function, input_signature=[spec], opset=_OPSET, output_path=str(path)
        )
        session = onnxruntime.InferenceSession(path.read_bytes())
        for request in portable.examples:
            (answer,) = session.run(None, dict(request))
            (expected,) = portable.concrete(**portable.tensors(request)).values()
            difference = float(np.max(np.abs(answer - expected.numpy())))
            if not difference <= _TOLERANCE:
                raise UserError(
                    f"The ONNX model answers otherwise than the network, by {difference:.3g};"
                    " nothing was exported. Please report this with the run's config.json."
                )
        for asset in assets:
            (staged / asset.name).write_bytes(asset.read_bytes())
        write_card(staged, dict(card) | {"version": version, "model": portable.description})
