"""Requests in the JSON of TF Serving's REST interface, answered in this process.

What a server answers to `POST /v1/models/NAME:predict`, without a server: for trying an exported
model, and for tests of what clients send.
"""

import base64
import binascii
import pathlib
import re
import shlex
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.formats.refusals import shape_in_words
from tf_darts.formats.serving_model import DEFAULT
from tf_darts.runtime.files import entries, is_directory, is_file, shown

_PLACES = "[[{{"  # where in a graph something happened

_MODEL = "saved_model.pb"
_MOST_LEVELS = 254  # of lists in lists: of one with more TensorFlow ends the whole process


def newest_version(path: pathlib.Path) -> pathlib.Path:
    """The SavedModel that a server would load: `path` itself, or its highest version.

    Raises:
      UserError: there is none.
    """
    if is_file(path / _MODEL):
        return path
    numbered = entries(path) if is_directory(path) else []
    versions = [p for p in numbered if p.name.isdecimal() and is_file(p / _MODEL)]
    if not versions:
        raise UserError(
            f"{shown(path)} has no exported SavedModel in it; write one with --mode=export"
            f" --run_dir=RUN --export_dir={shlex.quote(str(path))}."
        )
    return max(versions, key=lambda version: int(version.name))


def load(path: pathlib.Path) -> Any:
    """The SavedModel that a server would load from there; raises `UserError`.

    The signatures live as long as what is returned.
    """
    version = newest_version(path)
    try:
        return tf.saved_model.load(str(version))
    except Exception as error:  # TensorFlow's reader raises whatever it stumbles over
        raise UserError(
            f"{shown(version)}: cannot be loaded ({type(error).__name__}), for it is broken or of a"
            " newer TensorFlow; export the run again."
        ) from error


def answer(signatures: Mapping[str, Any], document: Any) -> dict[str, Any]:
    """Answers a request.

    Args:
      signatures: of a loaded SavedModel.
      document: the decoded JSON: `instances` (a list with one entry for each example) or `inputs`
        (for each input the values of all examples), and `signature_name` unless it is the default.
        Bytes are written as `{"b64": "..."}`.

    Returns:
      `predictions` for `instances`, `outputs` for `inputs`, as JSON types.

    Raises:
      UserError: the request is none, or the model refuses it.
    """
    if not isinstance(document, dict) or ("instances" in document) == ("inputs" in document):
        raise UserError('A request is a JSON object with either "instances" or "inputs".')
    name = document.get("signature_name", DEFAULT)
    if not isinstance(name, str) or name not in signatures:
        raise UserError(
            f"{shown(repr(name))} is no signature of this model; it has {', '.join(signatures)}."
        )
    function = signatures[name]
    specs = function.structured_input_signature[1]
    row_wise = "instances" in document
    values = _columns(document["instances"], specs) if row_wise else document["inputs"]
    if len(specs) == 1 and not (isinstance(values, dict) and values.keys() == specs.keys()):
        values = {next(iter(specs)): values}
    if not isinstance(values, dict) or values.keys() != specs.keys():
        raise UserError(
            f"The signature {name} takes {', '.join(sorted(specs))}, each exactly once."
        )
    inputs = {key: _tensor(key, values[key], spec) for key, spec in specs.items()}
    try:
        outputs = {key: value.numpy() for key, value in function(**inputs).items()}
    except tf.errors.OpError as error:
        # Of TensorFlow's account of where it happened, what happened is enough.
        refused = re.search(r"assertion failed: \[(.*)\]", error.message)
        lines = [line.split(" [Op:")[0].strip() for line in error.message.splitlines()]
        told = [line for line in lines if line and not line.startswith(_PLACES)]
        reason = refused[1] if refused else (told or ["TensorFlow does not say why."])[-1]
        raise UserError(f"The model refuses the request: {reason}") from error
    # TensorFlow gives them in any order: the likeliest first, then the rest, by name.
    names = sorted(outputs, key=lambda key: (not key.startswith("top_"), key))
    plain = {key: _plain(outputs[key]) for key in names}
    single_output = next(iter(plain.values())) if len(plain) == 1 else None
    if not row_wise:
        return {"outputs": plain if single_output is None else single_output}
    rows = [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]
    return {"predictions": rows if single_output is None else single_output}


def _tensor(name: str, value: Any, spec: tf.TensorSpec) -> tf.Tensor:
    """An input; raises `UserError` where the value is none."""
    try:
        tensor = tf.constant(_raw(value), spec.dtype)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise UserError(
            f"The values of {name} cannot be read as {spec.dtype.name}, rows of one length."
        ) from error
    if spec.dtype.is_integer and tensor.shape.num_elements():
        # TensorFlow takes 300 as the uint8 44, and so does a server: nobody would notice.
        array, least, most = np.asarray(value), spec.dtype.min, spec.dtype.max
        if not (least <= array.min() and array.max() <= most):
            raise UserError(
                f"The values of {name} must be whole numbers from {least} to {most}, as"
                f" {spec.dtype.name} has them."
            )
    if not spec.shape.is_compatible_with(tensor.shape):
        actual, expected = shape_in_words(tensor), shape_in_words(spec)
        raise UserError(f"The values of {name} have the shape {actual} in place of {expected}.")
    return tensor


def _columns(instances: Any, specs: Mapping[str, Any]) -> Any:
    """Rows as columns."""
    if not isinstance(instances, list) or not instances:
        raise UserError('"instances" is a list with an entry for each example.')
    named = [row for row in instances if isinstance(row, dict) and row.keys() != {"b64"}]
    if not named:
        return instances
    if len(named) < len(instances) or any(row.keys() != specs.keys() for row in named):
        raise UserError(f'Each of "instances" has {", ".join(sorted(specs))} in it.')
    return {name: [row[name] for row in named] for name in specs}


def _raw(value: Any, levels: int = _MOST_LEVELS) -> Any:
    """JSON with `{"b64": ...}` as Python values; raises `ValueError` below so many levels."""
    if isinstance(value, list):
        if not levels:
            raise ValueError("nested too deeply")
        return [_raw(item, levels - 1) for item in value]
    if isinstance(value, dict) and value.keys() == {"b64"}:
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise UserError('The value of "b64" is not base64.') from error
    return value


def _plain(array: np.ndarray) -> Any:
    if array.dtype != object:
        return array.tolist()
    texts = [value.decode("utf-8", "replace") for value in array.ravel()]
    return np.array(texts, object).reshape(array.shape).tolist()
