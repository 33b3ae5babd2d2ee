"""LiteRT models (`.tflite`) of a network, in three precisions, each run before it is there."""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.formats.model_card import write_card
from tf_darts.formats.serving_model import ServingModel
from tf_darts.formats.versions import NewVersion, storing
from tf_darts.runtime.files import read_bytes

PRECISIONS = ("float32", "float16", "int8")
_TOLERANCE = 1e-4  # of a probability in float32; the others are rounded


def write_litert(
    served: ServingModel,
    card: Mapping[str, Any],
    assets: Sequence[pathlib.Path],
    representative: Callable[[], np.ndarray],
    version: NewVersion,
) -> dict[str, dict[str, Any]]:
    """Writes a version with a model for each of `PRECISIONS` and a model card.

    Inputs and outputs are float32 in all of them; int8 has weights and activations of 8 bits.

    Args:
      served: the network.
      card: what the model card says, as JSON types.
      assets: files that are put beside the models.
      representative: reads inputs of `served.portable()`, one example a row, by which the ranges
        of int8 are chosen and all models are compared with the network.
      version: where it is written.

    Returns:
      By precision: `bytes` of the file, whether it `runs_with_xnnpack`, the `largest_difference` of
      an output from the network's, and the share of the examples with the `same_likeliest`.

    Raises:
      StorageError: it cannot be written.
      UserError: LiteRT is not installed, or its float32 model does not answer as the network does.
    """
    portable = served.portable()
    _litert()  # before the data are read
    (name,) = portable.inputs
    inputs = representative()
    expected = next(iter(portable.unguarded(**{name: tf.constant(inputs)}).values()))
    reports = {}
    for precision in PRECISIONS:
        content = _converted(served, portable.unguarded, precision, inputs)
        with storing(version.folder):
            (version.folder / f"model_{precision}.tflite").write_bytes(content)
        answers, delegate = _run(content, inputs)
        reports[precision] = {
            "bytes": len(content),
            "runs_with_xnnpack": delegate,
            **_compared(answers, expected.numpy()),
        }
    difference = reports["float32"]["largest_difference"]
    if not difference <= _TOLERANCE:
        raise UserError(
            f"LiteRT's float32 model answers otherwise than the network, by {difference:.3g};"
            " nothing was exported. Please report this with the run's config.json."
        )
    for path in assets:
        with storing(version.folder):
            (version.folder / path.name).write_bytes(read_bytes(path))
    extra = {"version": version.number, "litert": reports, "model": portable.types}
    write_card(version.folder, dict(card) | extra)
    return reports


def _litert() -> Any:
    try:
        # The optional extra: nothing else needs it.
        from ai_edge_litert import interpreter
    except ImportError as error:
        raise UserError(
            "--format=litert runs what it writes and needs LiteRT for it: pip install"
            " 'tf_darts[litert]'."
        ) from error
    return interpreter


def opened(content: bytes, threads: int | None = None) -> tuple[Callable[..., np.ndarray], bool]:
    """A model that can be asked.

    Args:
      content: of a `.tflite` file with one input and one output.
      threads: with how many it runs; None is LiteRT's default.

    Returns:
      What answers an example (`[1, …]`), and whether LiteRT's fast kernels for CPUs, its default,
      run it.

    Raises:
      UserError: LiteRT is not installed.
    """
    litert = _litert()
    kinds = litert.OpResolverType
    for kind in (kinds.AUTO, kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES):
        interpreter = litert.Interpreter(
            model_content=content, experimental_op_resolver_type=kind, num_threads=threads
        )
        try:
            interpreter.allocate_tensors()
        except RuntimeError:
            # XNNPACK refuses some 8-bit scales, while the plain kernels take them.
            if kind != kinds.AUTO:
                raise
            continue
        break
    place, result = (
        details[0]["index"]
        for details in (interpreter.get_input_details(), interpreter.get_output_details())
    )

    def answer(example: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(place, example)
        interpreter.invoke()
        return interpreter.get_tensor(result)

    return answer, kind == kinds.AUTO


def _run(content: bytes, inputs: np.ndarray) -> tuple[np.ndarray, bool]:
    answer, delegate = opened(content)
    return np.concatenate([answer(row[np.newaxis]) for row in inputs]), delegate


def _converted(served: ServingModel, function: Any, precision: str, inputs: np.ndarray) -> bytes:
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], served)
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        converter.representative_dataset = lambda: ([row[np.newaxis]] for row in inputs)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return converter.convert()


def _compared(answers: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    agreement = np.argmax(answers, axis=-1) == np.argmax(expected, axis=-1)
    difference = float(np.max(np.abs(answers - expected)))
    return {"largest_difference": difference, "same_likeliest": float(np.mean(agreement))}
