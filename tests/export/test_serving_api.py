"""TF Serving's own messages against exported models, and the warm-up requests read as such."""

import base64
import json

import numpy as np
import pytest
import tensorflow as tf

from tf_darts.export.rest_requests import answer
from tf_darts.export.saved_model import write_version
from tf_darts.export.saved_model_check import decoded
from tf_darts.export.warmup import WARMUP_FILE
from tf_darts.export_tasks import export_task

apis = pytest.importorskip(
    "tensorflow_serving.apis", reason="the optional extra serving is not installed"
)
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2  # noqa: E402

SIGNATURES = {
    "pydoc": {"serving_default", "score_text", "next_token", "generate"},
    "cifar10": {"serving_default", "serve_bytes"},
}


@pytest.fixture(scope="module", params=SIGNATURES)
def exported(request, finished, opened, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    finished(folder / "run", request.param)
    with opened(folder / "run") as training:
        task = export_task(training)
        written = write_version(task.served, task.live, task.card, folder, 1)
    return request.param, written


def respond(signatures, message):
    """What a server does with a serialised `PredictRequest`; returns a serialised response."""
    request = predict_pb2.PredictRequest.FromString(message)
    name = request.model_spec.signature_name
    inputs = {key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
    response = predict_pb2.PredictResponse(model_spec=request.model_spec)
    for key, value in signatures[name](**inputs).items():
        response.outputs[key].CopyFrom(tf.make_tensor_proto(value.numpy()))
    return response.SerializeToString()


def test_warm_up_requests_are_prediction_logs(exported):
    dataset, written = exported
    signatures = tf.saved_model.load(str(written)).signatures
    asked = []
    for record in tf.data.TFRecordDataset(str(written / WARMUP_FILE)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        respond(signatures, request.SerializeToString())
        asked.append(request.model_spec.signature_name)
        sizes = {len(tf.make_ndarray(value)) for value in request.inputs.values()}
        assert len(sizes) == 1  # one batch
    assert set(asked) == SIGNATURES[dataset]


def test_both_interfaces_answer_alike(exported):
    _, written = exported
    signatures = tf.saved_model.load(str(written)).signatures
    examples = json.loads((written / "assets.extra" / "examples.json").read_text())
    for name, requests in examples.items():
        for request in requests:
            inputs = {key: decoded(one) for key, one in request["inputs"].items()}
            message = predict_pb2.PredictRequest()
            message.model_spec.signature_name = name
            for key, value in inputs.items():
                message.inputs[key].CopyFrom(tf.make_tensor_proto(value.numpy()))
            response = predict_pb2.PredictResponse.FromString(
                respond(signatures, message.SerializeToString())
            )
            columns = {key: _json(value.numpy()) for key, value in inputs.items()}
            document = json.loads(json.dumps({"signature_name": name, "inputs": columns}))
            outputs = json.loads(json.dumps(answer(signatures, document)))["outputs"]
            assert outputs.keys() == response.outputs.keys()
            for key, value in response.outputs.items():
                array = tf.make_ndarray(value)
                if array.dtype == object:
                    assert np.vectorize(bytes.decode)(array).tolist() == outputs[key]
                else:
                    np.testing.assert_allclose(outputs[key], array, rtol=1e-6)


def _json(array):
    """An array as the REST interface writes it, strings as base64."""
    if array.dtype != object:
        return array.tolist()
    return [{"b64": base64.b64encode(value).decode()} for value in array.ravel()]
