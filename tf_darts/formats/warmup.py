"""Warm-up requests for TF Serving, in the wire format of its `PredictionLog` messages."""

from collections.abc import Mapping

import tensorflow as tf

# https://www.tensorflow.org/tfx/serving/saved_model_warmup
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"


def prediction_log(signature: str, request: Mapping[str, tf.Tensor]) -> bytes:
    """One record: a serialised `PredictionLog` of a `PredictRequest`.

    All fields on the way are messages or strings, so a dozen lines write them;
    `tensorflow-serving-api`, which has the messages, is an extra that serving needs and exporting
    does not. The tests read these bytes with it.

    Args:
      signature: which function is asked.
      request: its inputs.
    """
    entries = b""
    for name, tensor in request.items():
        content = tf.io.serialize_tensor(tensor).numpy()  # a TensorProto
        entries += _field(2, _field(1, name.encode()) + _field(2, content))  # inputs
    model_spec = _field(1, _field(3, signature.encode()))  # signature_name
    return _field(6, _field(1, model_spec + entries))  # predict_log, request


def _field(number: int, content: bytes) -> bytes:
    """A field with a length of its own: a message, a string or bytes."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    low, high = number & 127, number >> 7
    return bytes([low | 128]) + _varint(high) if high else bytes([low])
