"""TF Serving's own messages against exported models, and the warm-up requests read as such."""

import base64
import concurrent.futures
import json
import re
import textwrap

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.support.paths import ROOT
from tf_darts.formats import saved_model
from tf_darts.formats.rest_requests import answer
from tf_darts.formats.saved_model import write_version
from tf_darts.formats.saved_model_check import decoded
from tf_darts.formats.versions import new_version
from tf_darts.formats.warmup import WARMUP_FILE
from tf_darts.runs.export_tasks import export_task

apis = pytest.importorskip(
    "tensorflow_serving.apis", reason="the optional extra serving is not installed"
)
import grpc  # noqa: E402
from google.protobuf import text_format  # noqa: E402
from tensorflow_serving.apis import (  # noqa: E402
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2  # noqa: E402

pytestmark = pytest.mark.slow

DOCUMENT = ROOT / "docs" / "serving.md"

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
    with new_version(folder) as version, pytest.MonkeyPatch.context() as patch:
        # In a process of its own, as it is in tests/test_export_command.py.
        patch.setattr(saved_model, "_check", lambda folder: None)
        write_version(task.served, task.live, task.card, version)
    return request.param, folder / "1"


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


class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers over the network by an exported model, as far as these tests ask."""

    def __init__(self, written):
        self.loaded = tf.saved_model.load(str(written))

    def Predict(self, request, context):
        assert request.model_spec.name == "NAME"
        message = respond(self.loaded.signatures, request.SerializeToString())
        return predict_pb2.PredictResponse.FromString(message)


@pytest.mark.parametrize("exported", ["cifar10"], indirect=True)
def test_the_documented_grpc_client(exported, tmp_path, monkeypatch, capsys):
    _, written = exported
    text = DOCUMENT.read_text(encoding="utf-8")
    program = re.search(r"(?m)^    import grpc\n(?:    .*\n|\n(?=    ))*", text)[0]
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(written), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    Image.new("RGB", (50, 40), "teal").save(tmp_path / "picture.jpg")
    monkeypatch.chdir(tmp_path)
    try:
        exec(textwrap.dedent(program).replace("localhost:8500", f"localhost:{port}"), {})
    finally:
        server.stop(None).wait()
    assert set(re.findall(r"b'(\w+)'", capsys.readouterr().out)) == {"plane", "car", "bird"}


@pytest.mark.parametrize("exported", ["pydoc"], indirect=True)
def test_the_documented_curl(exported):
    _, written = exported
    (body,) = re.findall(r"curl -d '(.*)'", DOCUMENT.read_text(encoding="utf-8"))
    found = answer(tf.saved_model.load(str(written)).signatures, json.loads(body))
    assert found["predictions"][0]["words"][:7] == [
        "the",
        "cat",
        "sat",
        "on",
        "the",
        "mat",
        "<eos>",
    ]


def test_the_documented_models_are_a_server_s_configuration():
    text = DOCUMENT.read_text(encoding="utf-8")
    block = re.search(r"(?m)^    model_config_list \{\n(?:    .*\n)*", text)[0]
    found = text_format.Parse(block, model_server_config_pb2.ModelServerConfig())
    (model,) = found.model_config_list.config
    assert list(model.model_version_policy.specific.versions) == [1, 2]
    assert dict(model.version_labels) == {"stable": 1, "canary": 2}


def test_numbers_that_uint8_does_not_have_arrive_as_others():
    """What the document warns of is TensorFlow's doing, before any graph runs."""
    message = tf.make_tensor_proto(np.uint8([0, 0]))
    message.ClearField("tensor_content")
    message.int_val.extend([300, -1])
    found = tf.io.parse_tensor(message.SerializeToString(), tf.uint8)
    assert found.numpy().tolist() == [44, 255]
