"""TF Serving's JSON, as https://www.tensorflow.org/tfx/serving/api_rest has it."""

import base64

import pytest
import tensorflow as tf

from tf_darts.errors import UserError
from tf_darts.export.rest_requests import answer, newest_version


class Model(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
    def double(self, numbers):
        return {"doubled": 2 * numbers}

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int32)]
    )
    def cut(self, text, length):
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(length > 0), [length])]):
            return {"start": tf.strings.substr(text, tf.zeros_like(length), length), "n": length}


@pytest.fixture(scope="module")
def signatures(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("model"))
    model = Model()
    tf.saved_model.save(
        model, folder, signatures={"serving_default": model.double, "cut": model.cut}
    )
    return tf.saved_model.load(folder).signatures


def test_rows_of_one_input(signatures):
    expected = {"predictions": [[2.0, 4.0], [6.0, 8.0]]}
    assert answer(signatures, {"instances": [[1, 2], [3, 4]]}) == expected
    assert answer(signatures, {"instances": [{"numbers": [1, 2]}, {"numbers": [3, 4]}]}) == expected


def test_columns_of_one_input(signatures):
    expected = {"outputs": [[2.0, 4.0]]}
    assert answer(signatures, {"inputs": [[1, 2]]}) == expected
    assert answer(signatures, {"inputs": {"numbers": [[1, 2]]}}) == expected


def test_several_inputs(signatures):
    encoded = {"b64": base64.b64encode("größe".encode()).decode()}
    rows = [{"text": encoded, "length": 2}, {"text": "abc", "length": 1}]
    found = answer(signatures, {"signature_name": "cut", "instances": rows})
    assert found == {"predictions": [{"start": "gr", "n": 2}, {"start": "a", "n": 1}]}
    columns = {"text": [encoded, "abc"], "length": [2, 1]}
    found = answer(signatures, {"signature_name": "cut", "inputs": columns})
    assert found == {"outputs": {"start": ["gr", "a"], "n": [2, 1]}}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "JSON object"),
        ({}, "either"),
        ({"inputs": [[1, 2]], "instances": [[1, 2]]}, "either"),
        ({"signature_name": "none", "inputs": 1}, "no signature.*serving_default"),
        ({"instances": []}, "is a list"),
        ({"instances": [[1, 2], [3]]}, "refuses"),
        ({"instances": ["x"]}, "refuses"),
        ({"signature_name": "cut", "instances": [{"text": "a"}]}, "length, text in it"),
        ({"signature_name": "cut", "instances": ["a"]}, "takes length, text"),
        ({"signature_name": "cut", "inputs": {"text": ["a"]}}, "takes length, text"),
        (
            {"signature_name": "cut", "instances": [{"text": "a", "length": 0}]},
            r"refuses the request: 0",
        ),
        (
            {"signature_name": "cut", "instances": [{"text": {"b64": "?"}, "length": 1}]},
            "not base64",
        ),
    ],
)
def test_what_is_no_request(signatures, document, words):
    with pytest.raises(UserError, match=words):
        answer(signatures, document)


def test_the_newest_version(tmp_path):
    with pytest.raises(UserError, match="no exported version"):
        newest_version(tmp_path)
    for name in ("2", "10", "x"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    assert newest_version(tmp_path) == tmp_path / "10"
    assert newest_version(tmp_path / "2") == tmp_path / "2"
