"""Requests in the JSON of TF Serving's REST interface, answered in this process.

What a server answers to `POST /v1/models/NAME:predict`, without a server: for trying an exported
model, and for tests of what clients send.
"""

import base64
import binascii
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.export.serving_model import DEFAULT


def newest_version(path: pathlib.Path) -> pathlib.Path:
    """The SavedModel that a server would load: `path` itself, or its highest version.

    Raises:
      UserError: there is none.
    """
    if (path / "saved_model.pb").exists():
        return path
    found = [p for p in path.glob("*/saved_model.pb") if p.parent.name.isdecimal()]
    if not found:
        raise UserError(
            f"{path} has no exported version in it; write one with --mode=export --run_dir=RUN"
            f" --export_dir={path}."
        )
    return max(found, key=lambda file: int(file.parent.name)).parent


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
    if name not in signatures:
        raise UserError(f"{name!r} is no signature of this model; it has {', '.join(signatures)}.")
    function = signatures[name]
    specs = function.structured_input_signature[1]
    by_row = "instances" in document
    values = _columns(document["instances"], specs) if by_row else document["inputs"]
    if len(specs) == 1 and not (isinstance(values, dict) and values.keys() == specs.keys()):
        values = {next(iter(specs)): values}
    if not isinstance(values, dict) or values.keys() != specs.keys():
        raise UserError(
            f"The signature {name} takes {', '.join(sorted(specs))}, each exactly once."
        )
    try:
        inputs = {key: tf.constant(_raw(values[key]), spec.dtype) for key, spec in specs.items()}
        outputs = {key: value.numpy() for key, value in function(**inputs).items()}
    except (ValueError, TypeError, tf.errors.OpError) as error:
        message = getattr(error, "message", str(error))
        # Of TensorFlow's account of where it happened, what happened is enough.
        refused = re.search(r"assertion failed: \[(.*)\]", message)
        reason = refused[1] if refused else message
        raise UserError(f"The model refuses the request: {reason}") from error
    plain = {key: _plain(value) for key, value in outputs.items()}
    only = next(iter(plain.values())) if len(plain) == 1 else None
    if not by_row:
        return {"outputs": plain if only is None else only}
    rows = [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]
    return {"predictions": rows if only is None else only}


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


def _raw(value: Any) -> Any:
    """JSON with `{"b64": ...}` as Python values."""
    if isinstance(value, list):
        return [_raw(one) for one in value]
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
